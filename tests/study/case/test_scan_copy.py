"""A scan is copied into a study whole, or not at all."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.legacy import LegacyConvertedEnhancedMRImage

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.study import Study


def _pixels(folder: Path) -> dict[str, bytes]:
    return {str((d := pydicom.dcmread(f)).SOPInstanceUID): d.PixelData for f in folder.iterdir()}


def test_an_imported_scan_is_copied_whole(scan: Path, tmp_path: Path) -> None:
    """Every image with its pixels, as a new case; the source is not touched."""
    checksums = {f.name: zlib.crc32(f.read_bytes()) for f in scan.iterdir()}
    study = Study(tmp_path / "study", create=True)
    series = read_series(scan)
    case = study.import_scan(scan, series)
    assert (case.name, str(case.state)) == ("case-001", "new")
    assert _pixels(case.path / "scan") == _pixels(scan)
    copied_series = case.series()
    np.testing.assert_array_equal(copied_series.voxels, series.voxels)
    np.testing.assert_allclose(copied_series.affine, series.affine)
    assert {f.name: zlib.crc32(f.read_bytes()) for f in scan.iterdir()} == checksums
    assert [p.name for p in study.path.iterdir()] == ["case-001"]


def test_copied_files_are_the_very_bytes(scan: Path, tmp_path: Path) -> None:
    """In the order of the slices, also out of a folder that holds another series as well."""
    source = Path(shutil.copytree(scan, tmp_path / "source"))
    for file in scan.iterdir():
        image = pydicom.dcmread(file)
        image.SeriesInstanceUID += ".7"
        image.save_as(source / f"other-{file.name}")
    series = read_series(scan)
    case = Study(tmp_path / "study", create=True).import_scan(
        source, read_series(source, series.series_uid)
    )
    copies = sorted((case.path / "scan").iterdir())
    assert [copy.name for copy in copies] == [f"IM{n:04d}" for n in range(1, len(copies) + 1)]
    assert sorted(c.read_bytes() for c in copies) == sorted(f.read_bytes() for f in scan.iterdir())
    positions = [float(pydicom.dcmread(c).ImagePositionPatient[0]) for c in copies]
    assert positions in (sorted(positions), sorted(positions, reverse=True))


def test_files_without_a_preamble_become_dicom_files(scan: Path, tmp_path: Path) -> None:
    """As images out of a zip do: every program then reads what the study holds."""
    source = tmp_path / "source"
    source.mkdir()
    for file in scan.iterdir():
        image = pydicom.dcmread(file)
        bare = pydicom.Dataset(image)
        pydicom.dcmwrite(
            source / file.name,
            bare,
            implicit_vr=True,
            little_endian=True,
            enforce_file_format=False,
        )
    series = read_series(source)
    case = Study(tmp_path / "study", create=True).import_scan(source, series)
    for copy in (case.path / "scan").iterdir():
        assert copy.read_bytes()[128:132] == b"DICM"
    np.testing.assert_array_equal(case.series().voxels, series.voxels)


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), ValueError("odd")])
@pytest.mark.parametrize("in_zip", [False, True])
def test_an_import_that_fails_leaves_nothing(
    scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, in_zip: bool
) -> None:
    """Half way through the images, for whatever reason, from a folder or a zip."""
    empty = Study(tmp_path / "other", create=True)
    source = Path(shutil.make_archive(str(tmp_path / "scan"), "zip", scan)) if in_zip else scan
    series = read_series(source)
    owner, name = (pydicom.Dataset, "save_as") if in_zip else (shutil, "copyfile")
    write, calls = getattr(owner, name), []

    def write_three(*arguments: object, **keywords: object) -> None:
        calls.append(1)
        if len(calls) > 3:
            raise failure
        write(*arguments, **keywords)

    monkeypatch.setattr(owner, name, write_three)
    error_type = SpinemetError if isinstance(failure, OSError) else ValueError
    with pytest.raises(error_type):
        empty.import_scan(source, series)
    assert len(calls) == 4
    assert list(empty.path.iterdir()) == []
    assert empty.cases() == []


def test_a_source_that_is_gone_leaves_nothing(scan: Path, tmp_path: Path) -> None:
    """The disc was taken out between opening and importing."""
    series = read_series(scan)
    study = Study(tmp_path / "study", create=True)
    with pytest.raises(SpinemetError):
        study.import_scan(tmp_path / "gone", series)
    assert list(study.path.iterdir()) == []


def test_a_multi_frame_scan_is_copied_once(scan: Path, tmp_path: Path) -> None:
    """One file of 13 frames stays one file."""
    images = [pydicom.dcmread(f) for f in sorted(scan.iterdir())]
    for image in images:
        image.PatientName, image.PatientSex = "Phantom^Spine", "O"
        image.VolumetricProperties = "VOLUME"
    multi_frame = LegacyConvertedEnhancedMRImage(
        images, pydicom.uid.generate_uid(), 1, pydicom.uid.generate_uid(), 1
    )
    source = tmp_path / "source"
    source.mkdir()
    multi_frame.save_as(source / "enhanced.dcm")
    try:
        series = read_series(source)
    except SpinemetError as error:
        pytest.skip(f"this conversion is not read: {error}")
    case = Study(tmp_path / "study", create=True).import_scan(source, series)
    assert len(list((case.path / "scan").iterdir())) == 1
    np.testing.assert_array_equal(case.series().voxels, series.voxels)
