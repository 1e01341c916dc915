"""A clinic's CD as it is: five series in one folder, two of them of five stacks each."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.errors import SpinemetError

ROOT = os.environ.get("SPINEMET_REAL_DATA")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ROOT, reason="SPINEMET_REAL_DATA does not name the real scans"),
]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def disc() -> Iterator[Path]:
    """The folder; whatever the tests do, its files are unchanged when they end."""
    folder = Path(ROOT or "") / "lspine_stir_cc0" / "DCMDT"
    before = digests(folder)
    assert len(before) == 67
    yield folder
    assert digests(folder) == before, "a scan was written to"


def test_one_of_five_series_is_detectable(disc) -> None:
    """The STIR is found among T1 and T2 whose InversionTime is there, and 0."""
    found = {s.description: s for s in list_series(disc)}
    assert {name: (s.plane, s.contrast, s.slices) for name, s in found.items()} == {
        "STIR SAG": ("sagittal", "STIR", 11),
        "T1 SAG": ("sagittal", "T1", 11),
        "T2 SAG": ("sagittal", "T2", 11),
        "T1 AX": ("axial", "T1", 17),
        "T2 AX": ("axial", "T2", 17),
    }
    assert [name for name, s in found.items() if s.detectable] == ["STIR SAG"]
    assert found["STIR SAG"].spacing_mm == pytest.approx((4.5, 0.684, 0.684), abs=1e-3)
    for name in ("T1 SAG", "T2 SAG"):
        assert f"its contrast is {name[:2]}" in found[name].reason


@pytest.mark.parametrize("name", ["T1 AX", "T2 AX"])
def test_an_axial_series_of_several_stacks_is_refused(disc, name) -> None:
    """Five stacks at five angles are not sorted into one wrong volume."""
    (summary,) = [s for s in list_series(disc) if s.description == name]
    assert "it holds 5 stacks" in summary.reason
    with pytest.raises(SpinemetError, match="it holds 5 stacks"):
        read_series(disc, summary.series_uid)


def test_the_stir_series_lies_where_simpleitk_puts_it(disc) -> None:
    """Voxels are equal and all eight corners agree within 0.01 mm."""
    series = read_series(disc)
    assert (series.shape, series.voxels.min() < 0) == ((11, 512, 512), True)
    files = [
        str(path)
        for path in disc.iterdir()
        if pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID == series.series_uid
    ]
    assert len(files) == 11
    # Sorted by GDCM along the normal of the slices; given all files it would take any of them.
    reader = sitk.ImageSeriesReader()
    sorter = {name: sitk.ReadImage(name).GetOrigin()[0] for name in files}
    reader.SetFileNames(sorted(files, key=sorter.__getitem__))
    image = reader.Execute()
    # Its slices may run to the right where ours run to the left, so corners are paired by place.
    theirs = [
        np.array(image.TransformIndexToPhysicalPoint(index))
        for index in itertools.product(*((0, n - 1) for n in image.GetSize()))
    ]
    for index in itertools.product(*((0, n - 1) for n in series.shape)):
        place = series.affine[:3, :3] @ index + series.affine[:3, 3]
        assert min(np.linalg.norm(place - other) for other in theirs) < 0.01
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    np.testing.assert_array_equal(array, series.voxels)
