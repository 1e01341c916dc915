from __future__ import annotations

import os

from dicom_builder import assert_exact, make_enhanced, make_series, make_zip, save
from pydicom.fileset import FileSet

from napari_spinemet.dicom import list_series, read_series


def test_a_single_file_is_enough_where_it_holds_a_series(tmp_path, truth, refused) -> None:
    """A multi-frame file is a series; a single slice is none, and says so."""
    path = save(make_enhanced(truth), tmp_path / "enhanced.dcm")
    assert read_series(path).shape == truth.voxels.shape
    slice_path = save(make_series(truth)[0], tmp_path / "IM1")
    with refused("only one slice"):
        read_series(slice_path)


def test_a_dicomdir_stands_for_its_folder(tmp_path, truth) -> None:
    """The directory file of a CD can be chosen, and is not mistaken for an image."""
    disc = FileSet()
    for image in make_series(truth):
        image.InstanceNumber = str(image.InstanceNumber)
        disc.add(image)
    disc.write(tmp_path / "disc")
    assert_exact(read_series(tmp_path / "disc" / "DICOMDIR"), truth)
    assert_exact(read_series(tmp_path / "disc"), truth)


def test_a_dicomdir_opens_nothing_outside_its_folder(tmp_path, truth, refused) -> None:
    """References in a directory file are not followed."""
    disc = FileSet()
    for image in make_series(truth):
        disc.add(image)
    disc.write(tmp_path / "disc")
    inside = [p for p in (tmp_path / "disc").rglob("*") if p.is_file() and p.name != "DICOMDIR"]
    for path in inside:
        path.rename(tmp_path / path.name)
    with refused("holds no scan"):
        read_series(tmp_path / "disc" / "DICOMDIR")


def test_places_without_a_scan_say_so(tmp_path, refused) -> None:
    """Each kind of wrong place has its sentence."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "readme.txt").write_text("no scan")
    (tmp_path / "scan.dcm").write_bytes(b"no scan either")
    make_zip(tmp_path / "empty.zip", tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in {
        "nowhere": "nothing at .*check the path",
        "empty": "holds no scan",
        "empty.zip": "holds no scan",
        "texts": "None of the 1 files in .* is DICOM",
        "scan.dcm": "scan.dcm is not a DICOM file; choose",
        "pipe": "neither a file nor a folder",
        "x" * 300: "cannot be opened|nothing at",
    }.items():
        with refused(reason):
            list_series(tmp_path / name)


def test_a_folder_of_damaged_files_says_why(tmp_path, refused, truth) -> None:
    """If nothing can be read, the first reason is given, and not that it is no DICOM."""
    path = save(make_series(truth)[0], tmp_path / "scan" / "one")
    path.write_bytes(path.read_bytes()[:300])
    with refused("one is damaged.*copy the scan again"):
        list_series(tmp_path / "scan")
