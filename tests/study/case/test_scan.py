"""A case and its scan: in the study, or where it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.study import Case, Study


def test_a_case_is_new_until_it_has_contours(study: Study) -> None:
    """The state follows what is on disk."""
    case = study.cases()[0]
    assert case.has_contours
    assert str(case.state) == "contoured"
    shutil.rmtree(case.path / "contours")
    assert not case.has_contours
    assert str(case.state) == "new"
    (case.path / "contours").mkdir()
    assert str(case.state) == "new"
    with pytest.raises(SpinemetError, match="case-001 has no contours yet"):
        case.annotation(case.series())


@pytest.mark.parametrize("in_zip", [False, True])
def test_a_scan_that_is_referred_to_stays_where_it_is(
    scan: Path, tmp_path: Path, in_zip: bool
) -> None:
    """In a folder or a zip; contours are kept, and a scan that was moved or changed is told."""
    source = shutil.copytree(scan, tmp_path / "elsewhere" / "Röntgen")
    if in_zip:
        archive = shutil.make_archive(str(tmp_path / "scan"), "zip", source)
        shutil.rmtree(source)
        source = Path(archive)
    study = Study(tmp_path / "study", create=True, write=True)
    series = read_series(source)
    case = study.import_scan(source, series, copy=False)
    assert not case.path.exists()
    assert [c.name for c in study.cases()] == ["case-001"]
    assert study.case_of(series.series_uid) == case
    assert study.import_scan(source, series, copy=False) == case
    assert (case.scan, str(case.state)) == (source, "new")
    np.testing.assert_array_equal(case.series().voxels, series.voxels)
    lesions = np.zeros(series.shape, np.uint16)
    lesions[3, 40:50, 40:50] = 1
    case.save_annotation(Annotation(lesions, 0 * lesions), series)
    np.testing.assert_array_equal(case.annotation(series).lesions, lesions)
    assert study.verify() == []
    if in_zip:
        shutil.unpack_archive(source, tmp_path / "unpacked")
        image = sorted((tmp_path / "unpacked").iterdir())[3]
        image.write_bytes(image.read_bytes()[:-2] + b"xy")
        shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "unpacked")
    else:
        image = sorted(source.iterdir())[3]
        image.write_bytes(image.read_bytes()[:-2] + b"xy")
    with pytest.raises(SpinemetError, match=r"case-001 at .* was changed"):
        case.series()
    source.rename(source.parent / "moved")
    with pytest.raises(SpinemetError, match=r"no longer at .*; put it back"):
        case.series()
    assert ["missing or was changed" in fault for fault in study.verify()] == [True]
    study.close()
    with pytest.raises(SpinemetError, match="for reading"):
        Study(tmp_path).import_scan(scan, read_series(scan), copy=False)


def test_cases_are_equal_by_their_folder(study: Study) -> None:
    """Two looks at the same folder are the same case."""
    assert study.cases()[0] == Case(study.path / "case-001")
