"""Lesions put into a series: where, how large, how bright, and what stays as it was."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy import ndimage

from napari_spinemet.cli.app import app
from napari_spinemet.dicom import read_series
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.exchange import read_annotation, write_annotation
from napari_spinemet.imaging import Annotation
from napari_spinemet.jobs import CancelToken, Event
from napari_spinemet.phantom import PhantomCase, implant_lesion, make_case, make_implants
from napari_spinemet.phantom.implant_cohort import to_int16
from napari_spinemet.study import Study

REAL = os.environ.get("SPINEMET_REAL_DATA")
KEPT = Path(__file__).parents[1] / "real" / "lspine_vertebrae.zip"


@pytest.fixture(scope="module")
def healthy() -> PhantomCase:
    """A normal case with a lumbar field, drawn so that its fluid and marrow are known."""
    case = make_case((5, 4), has_lesions=False, pixel_mm=1.13)
    assert {"L2", "L3"} <= set(case.annotation.levels.values())
    return case


def label_of(case: PhantomCase, level: str) -> int:
    """Number of a level."""
    return next(k for k, name in case.annotation.levels.items() if name == level)


@pytest.mark.parametrize("contrast", [0.35, 0.7, 1.0])
def test_a_lesion_is_where_and_as_bright_as_asked(healthy: PhantomCase, contrast: float) -> None:
    """In its vertebra, within the paper's areas, so far from marrow to fluid in the mean."""
    sizes = []
    for seed in range(4):
        label = label_of(healthy, "L3")
        series, annotation, implant = implant_lesion(
            healthy.series,
            healthy.annotation,
            label,
            np.random.default_rng(seed),
            contrast=contrast,
        )
        assert implant.level == "L3"
        np.testing.assert_array_equal(annotation.lesions == 1, implant.mask)
        np.testing.assert_array_equal(annotation.vertebrae, healthy.annotation.vertebrae)
        assert (annotation.vertebrae[implant.mask] == label).mean() > 0.6
        areas = implant.mask.sum(axis=(1, 2)) * 1.13**2 / 100
        assert areas[areas > 0].min() >= 1.65
        assert areas.max() <= 9.54
        slices = np.flatnonzero(areas)
        assert 2 <= len(slices) <= 7
        assert (np.diff(slices) == 1).all()
        sizes.append(areas.max())
        # Well inside, where edges are not blurred; a plain mean, not what the code measures with.
        inner = np.stack([ndimage.binary_erosion(m, iterations=3) for m in implant.mask])
        inner[[slices[0], slices[-1]]] = False
        if inner.sum() > 30:
            reached = (series.voxels[inner].mean() - implant.marrow) / (
                implant.fluid - implant.marrow
            )
            assert reached == pytest.approx(contrast, abs=0.12)
    assert np.ptp(sizes) > 0.5  # they are not all alike


def test_fluid_and_marrow_are_those_of_the_tissue(healthy: PhantomCase) -> None:
    """Against the phantom's own canal and bodies: fluid is the brightest, marrow a fifth of it."""
    _, _, implant = implant_lesion(
        healthy.series,
        healthy.annotation,
        label_of(healthy, "L2"),
        np.random.default_rng(0),
        contrast=0.5,
    )
    voxels = healthy.series.voxels
    bodies = healthy.annotation.vertebrae > 0
    assert implant.marrow == pytest.approx(np.median(voxels[bodies]), rel=0.35)
    assert np.percentile(voxels, 97) < implant.fluid < voxels.max()


def test_the_rest_of_the_scan_is_untouched_and_its_grain_stays(healthy: PhantomCase) -> None:
    """Nothing changes 15 mm away; inside, what is fine is the noise that was there."""
    series, _, implant = implant_lesion(
        healthy.series,
        healthy.annotation,
        label_of(healthy, "L3"),
        np.random.default_rng(1),
        contrast=0.6,
    )
    away = ndimage.distance_transform_edt(~implant.mask, sampling=series.spacing_mm) > 15
    np.testing.assert_allclose(series.voxels[away], healthy.series.voxels[away], atol=1e-3)
    np.testing.assert_array_equal(series.affine, healthy.series.affine)

    def grain(voxels: np.ndarray) -> np.ndarray:
        return voxels - ndimage.gaussian_filter(voxels, (0, 1, 1))

    inner = np.stack([ndimage.binary_erosion(m, iterations=3) for m in implant.mask])
    both = np.corrcoef(grain(series.voxels)[inner], grain(healthy.series.voxels)[inner])
    assert both[0, 1] > 0.8


def test_lesions_that_are_there_stay(healthy: PhantomCase) -> None:
    """A second one gets its own number and does not meet the first."""
    rng = np.random.default_rng(2)
    label = label_of(healthy, "L2"), label_of(healthy, "L3")
    series, annotation, first = implant_lesion(
        healthy.series, healthy.annotation, label[0], rng, contrast=0.5
    )
    _, annotation, second = implant_lesion(series, annotation, label[1], rng, contrast=0.5)
    np.testing.assert_array_equal(annotation.lesions == 1, first.mask)
    np.testing.assert_array_equal(annotation.lesions == 2, second.mask)


def test_wrong_use_is_one_sentence(healthy: PhantomCase) -> None:
    """No such vertebra, a single one, one too small for a lesion, a canal that is not seen."""
    rng = np.random.default_rng(0)
    series, annotation = healthy.series, healthy.annotation
    label = label_of(healthy, "L3")
    with pytest.raises(SpinemetError, match="no vertebra with number 99"):
        implant_lesion(series, annotation, 99, rng, contrast=0.5)
    alone = np.where(annotation.vertebrae == label, annotation.vertebrae, 0)
    with pytest.raises(SpinemetError, match="contour two"):
        implant_lesion(series, replace(annotation, vertebrae=alone), label, rng, contrast=0.5)
    thin = annotation.vertebrae.copy()
    thin[:6][thin[:6] == label] = 0
    thin[7:][thin[7:] == label] = 0
    with pytest.raises(SpinemetError, match="no room"):
        implant_lesion(series, replace(annotation, vertebrae=thin), label, rng, contrast=0.5)
    flat = replace(series, voxels=np.full_like(series.voxels, 7))
    with pytest.raises(SpinemetError, match="canal is not seen"):
        implant_lesion(flat, annotation, label, rng, contrast=0.5)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A normal case on disk: its scan and its contours."""
    from napari_spinemet.phantom import make_cohort

    (case,) = make_cohort(tmp_path_factory.mktemp("normal"), 0, 1, seed=5, pixel_mm=1.13)
    return case / "scan", case / "contours"


def test_a_trial_is_a_study(written: tuple[Path, Path], tmp_path: Path) -> None:
    """By the command: copies of the scan with one lesion each, over the levels in turn."""
    scan, contours = written
    told = [str(scan), str(contours), str(tmp_path / "trial"), "--cases", "4", "--seed", "3"]
    assert app(["implant", *told], standalone_mode=False) in (None, 0)
    study = Study(tmp_path / "trial")
    original = read_series(scan)
    cases = study.cases()
    assert len(cases) == 4
    facts = [json.loads((c.path / "case.json").read_text()) for c in cases]
    levels = [f["lesions"][0]["level"] for f in facts]
    assert len(set(levels)) == 4
    contrasts = sorted(f["lesions"][0]["contrast"] for f in facts)
    # One in each quarter of the range.
    for quarter, contrast in enumerate(contrasts):
        low = 0.35 + 0.65 * quarter / 4
        assert low - 1e-3 <= contrast <= low + 0.65 / 4 + 1e-3
    uids = set()
    for case in cases:
        series = case.series()
        uids.add(series.series_uid)
        held = read_annotation(case.path / "contours", series)
        np.testing.assert_allclose(series.affine, original.affine, atol=1e-6)
        changed = np.abs(series.voxels - original.voxels) > 1
        assert changed.any(axis=(1, 2)).sum() <= 9
        assert changed[held.lesions > 0].mean() > 0.9
        header = pydicom.dcmread(next(iter((case.path / "scan").iterdir())))
        assert "implant" in header.SeriesDescription
        assert header.PatientName == "Implant^Spine"
        assert len(header.PatientID) <= 64
    held = b"".join(p.read_bytes() for p in study.path.rglob("*") if p.is_file())
    assert original.series_uid.encode() not in held
    assert len(uids) == 4
    before = {p: p.read_bytes() for p in (tmp_path / "trial").rglob("*.json")}
    make_implants(tmp_path / "trial", scan, contours, 4, 3)
    assert {p: p.read_bytes() for p in (tmp_path / "trial").rglob("*.json")} == before
    with pytest.raises(SpinemetError, match="another cohort"):
        make_implants(tmp_path / "trial", scan, contours, 4, 4)
    with pytest.raises(SpinemetError, match="A seed is 0 or more, not -1"):
        make_implants(tmp_path / "trial", scan, contours, 4, -1)
    held = read_annotation(contours, original)
    less = held.vertebrae.copy()
    less[tuple(np.argwhere(less)[0])] = 0
    corrected = replace(held, vertebrae=less)
    images = [pydicom.dcmread(p) for p in scan.iterdir()]
    other = write_annotation(corrected, original, images, tmp_path / "corrected" / "one.dcm")
    with pytest.raises(SpinemetError, match="another cohort"):
        make_implants(tmp_path / "trial", scan, other, 4, 3)


def test_pixels_beyond_what_a_scanner_stores_are_scaled(healthy: PhantomCase) -> None:
    """Whole numbers of a scanner stay; rates from 0 to 1, or sums beyond 16 bit, fill 12 bit."""
    series = healthy.series
    np.testing.assert_array_equal(to_int16(series), series.voxels)
    for factor in (1 / 4000, 500):
        scaled = replace(series, voxels=series.voxels * np.float32(factor))
        stored = to_int16(scaled)
        assert stored.dtype == np.int16
        assert np.abs(stored).max() == 4095
        both = np.corrcoef(stored.ravel(), series.voxels.ravel())
        assert both[0, 1] > 0.999


def test_a_trial_goes_on_where_it_was_cancelled(written: tuple[Path, Path], tmp_path: Path) -> None:
    """The second call makes what is missing, and the whole is as if made at once."""
    token = CancelToken()

    def stop(event: Event) -> None:
        token.cancel()

    with pytest.raises(Cancelled):
        make_implants(tmp_path / "a", *written, 2, on_event=stop, cancel=token)
    assert len(list((tmp_path / "a").glob("implant-*"))) == 1
    for name in ("a", "b"):
        make_implants(tmp_path / name, *written, 2)
    for path in sorted((tmp_path / "b").rglob("*")):
        if path.is_file():
            other = tmp_path / "a" / path.relative_to(tmp_path / "b")
            assert other.read_bytes() == path.read_bytes(), path.name


def test_a_trial_needs_vertebrae_and_a_sensible_range(
    written: tuple[Path, Path], tmp_path: Path
) -> None:
    """One sentence each."""
    from napari_spinemet.dicom.reading import source_images

    scan, contours = written
    with pytest.raises(SpinemetError, match="contrasts above 0"):
        make_implants(tmp_path / "x", scan, contours, contrast=(0.9, 0.3))
    series = read_series(scan)
    lesions = np.zeros(series.shape, np.uint16)
    lesions[5, 100:120, 100:120] = 1
    bare = tmp_path / "bare.dcm"
    write_annotation(
        Annotation(lesions, np.zeros_like(lesions), {}, series.series_uid),
        series,
        source_images(scan, series.series_uid),
        bare,
    )
    with pytest.raises(SpinemetError, match="no vertebra"):
        make_implants(tmp_path / "y", scan, bare)
    assert not (tmp_path / "y").exists()


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="SPINEMET_REAL_DATA does not name the real scans")
def test_the_real_scan_takes_a_lesion_in_each_contoured_body() -> None:
    """T12 to S1 of the STIR series; none of the patient's header goes into the copies."""
    series = read_series(Path(REAL or "") / "lspine_stir_cc0" / "DCMDT")
    annotation = read_annotation(KEPT, series)
    for label, level in annotation.levels.items():
        _, drawn, implant = implant_lesion(
            series, annotation, label, np.random.default_rng(0), contrast=0.6
        )
        assert implant.level == level
        assert 0.1 < implant.marrow / implant.fluid < 0.3
        assert (drawn.lesions > 0).any()
