"""Contours of the real scan: drawn with the program, kept without the scan.

``lspine_vertebrae.zip`` holds the vertebrae T12 to S1 of the STIR series as a DICOM Segmentation.
They were proposed from one click in each body, looked at slice by slice and approved as they came
(``docs/real_contours.py``). No radiologist drew or checked them: they are good for testing, and
for nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest

from napari_spinemet.contouring.vertebra_proposal import propose_vertebrae
from napari_spinemet.detection import likelihood_map
from napari_spinemet.detection.gate import predict_spine
from napari_spinemet.dicom import read_series
from napari_spinemet.exchange import read_annotation
from napari_spinemet.imaging.geometry import index_to_mm
from napari_spinemet.imaging.vertebra_levels import order_vertebrae
from napari_spinemet.network import load_model

KEPT = Path(__file__).with_name("lspine_vertebrae.zip")
ROOT = os.environ.get("SPINEMET_REAL_DATA")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ROOT, reason="SPINEMET_REAL_DATA does not name the real scans"),
]
LEVELS = ["T12", "L1", "L2", "L3", "L4", "L5", "S1"]


@pytest.fixture(scope="module")
def series() -> object:
    """The STIR series."""
    return read_series(Path(ROOT or "") / "lspine_stir_cc0" / "DCMDT")


def test_kept_contours_lie_on_the_scan_as_vertebrae_do(series: object) -> None:
    """Seven levels from head to feet, none in another, each as large as a body is."""
    held = read_annotation(KEPT, series)
    assert not held.lesions.any()
    order = order_vertebrae(held.vertebrae)
    assert [held.levels[label] for label in order] == LEVELS
    voxel_cm3 = np.prod(series.spacing_mm) / 1000
    for label in order:
        body = held.vertebrae == label
        assert 15 < body.sum() * voxel_cm3 < 75
        assert 6 <= body.any(axis=(1, 2)).sum() <= 10
    centres = [
        index_to_mm(series.affine, np.argwhere(held.vertebrae == label).mean(axis=0))
        for label in order
    ]
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert ((steps > 25) & (steps < 45)).all()
    # Marrow is darker than the discs and the canal: what lies within is grey and even.
    inside = series.voxels[held.vertebrae > 0]
    assert np.median(inside) < np.percentile(series.voxels, 97)


def test_highdicom_puts_them_where_we_do(series: object, tmp_path: Path) -> None:
    """An independent reader of the file gives the same patient coordinates."""
    import zipfile

    with zipfile.ZipFile(KEPT) as archive:
        (name,) = archive.namelist()
        archive.extract(name, tmp_path)
    volume = hd.seg.segread(tmp_path / name).get_volume(
        combine_segments=True, allow_missing_positions=True
    )
    held = read_annotation(KEPT, series)
    theirs = volume.map_indices_to_reference(np.argwhere(volume.array > 0))
    ours = index_to_mm(series.affine, np.argwhere(held.vertebrae > 0))
    for axis in range(3):
        np.testing.assert_allclose(np.sort(theirs[:, axis]), np.sort(ours[:, axis]), atol=1e-3)


def test_other_clicks_propose_nearly_the_same(series: object) -> None:
    """Clicks 2 to 4 mm off the centre move the outlines little."""
    held = read_annotation(KEPT, series)
    rng = np.random.default_rng(0)
    clicks = []
    for label in order_vertebrae(held.vertebrae):
        _, row, column = np.argwhere(held.vertebrae == label).mean(axis=0)
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(2, 4)
        _, row_mm, column_mm = series.spacing_mm
        clicks.append(
            (4, row + away * np.sin(angle) / row_mm, column + away * np.cos(angle) / column_mm)
        )
    proposed = propose_vertebrae(series, clicks)
    both = ((proposed > 0) & (held.vertebrae > 0)).sum()
    dice = 2 * both / ((proposed > 0).sum() + (held.vertebrae > 0).sum())
    print(f"Dice with the kept contours {dice:.3f}")
    assert dice > 0.9


@pytest.mark.slow
def test_the_gate_holds_every_body_of_the_real_spine(series: object) -> None:
    """The curve runs through the contoured bodies, so that no lesion in one would be dropped."""
    held = read_annotation(KEPT, series)
    model = load_model()
    curve = predict_spine(likelihood_map(series, model, stride=4))
    assert curve is not None
    _, row_mm, column_mm = series.spacing_mm
    beside = {}
    for label in order_vertebrae(held.vertebrae):
        _, row, column = np.argwhere(held.vertebrae == label).mean(axis=0)
        beside[held.levels[label]] = column * column_mm - float(curve.column(row * row_mm))
        assert curve.holds(row * row_mm, column * column_mm), held.levels[label]
    print("mm behind the curve:", {level: round(mm, 1) for level, mm in beside.items()})
    assert max(map(abs, beside.values())) < 15
