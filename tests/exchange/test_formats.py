"""Contours in and out, whichever format they have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from contour_files import FORMAT_NAMES, assert_same, export
from dicom_builder import write

from napari_spinemet.exchange import read_annotation, write_annotation
from napari_spinemet.exchange.formats import read_annotations
from napari_spinemet.exchange.nifti import NiftiFormat


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_what_is_written_comes_back(form, series, images, annotation, tmp_path) -> None:
    """Labels, levels and reader survive each format; a folder stands for its files."""
    folder = tmp_path / "new" / "deep"
    paths = export(annotation, series, folder, "case 1", form, images)
    assert sorted(folder.iterdir()) == sorted(paths)
    (result,) = read_annotations(folder, series)
    assert_same(result, annotation)
    assert result.warnings == ()
    first = [p.read_bytes() for p in paths]
    if form != "seg":  # which has an identifier of its own each time
        export(annotation, series, folder, "case 1", form)
        assert [p.read_bytes() for p in paths] == first


def test_formats_that_lie_together_are_refused(
    series, images, annotation, tmp_path, refused
) -> None:
    """The same contours may be there twice."""
    export(annotation, series, tmp_path, "a", "nifti")
    for form in ("tiff", "seg"):
        paths = export(annotation, series, tmp_path, "a", form, images)
        with refused("in several formats"):
            read_annotations(tmp_path, series)
        for path in paths:
            path.unlink()
    write(tmp_path / "scan", images)
    (result,) = read_annotations(tmp_path, series)
    assert_same(result, annotation)


def test_several_readers_of_dicom_come_through(series, images, annotation, tmp_path) -> None:
    """One annotation for each, by name."""
    for stem, reader in (("1", "Zoe"), ("2", "Ann")):
        export(replace(annotation, reader=reader), series, tmp_path, stem, "seg", images)
    assert [a.reader for a in read_annotations(tmp_path, series)] == ["Ann", "Zoe"]
    (one,) = read_annotations(tmp_path / "1.dcm", series)
    assert_same(one, replace(annotation, reader="Zoe"))


def test_missing_and_empty_places_are_one_sentence(series, tmp_path, refused) -> None:
    """Nothing there, an empty folder, and a folder with a name like a file."""
    for path in (tmp_path / "none.nii.gz", tmp_path / "none", tmp_path):
        with refused("."):
            read_annotations(path, series)
    (tmp_path / "lesions.nii").mkdir()
    with refused("."):
        read_annotations(tmp_path / "lesions.nii", series)
    with refused("There is no file"):
        NiftiFormat().load(tmp_path / "lesions.nii", series)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("case.dcm", ["case.dcm"]),
        ("case.nii.gz", ["case_lesions.nii.gz", "case_levels.json", "case_vertebrae.nii.gz"]),
        ("case_lesions.nii", ["case_lesions.nii.gz", "case_levels.json", "case_vertebrae.nii.gz"]),
        ("case_vertebrae.TIFF", ["case_lesions.tif", "case_vertebrae.tif"]),
    ],
)
def test_the_suffix_of_a_path_is_the_format(name, files, series, annotation, tmp_path) -> None:
    """What is written comes back from the folder; the scan is read where the series came from."""
    paths = write_annotation(annotation, series, tmp_path / "out" / name)
    assert sorted(path.name for path in paths) == files
    assert_same(read_annotation(tmp_path / "out", series), annotation)


def test_a_name_without_a_format_is_refused(series, annotation, tmp_path, refused) -> None:
    """The sentence names those that there are."""
    for name in ("case", "case.png", "nii.gz"):
        with refused("tells no format of contours; let it end in .dcm, .nii.gz, .nii, .tif or"):
            write_annotation(annotation, series, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_dicom_needs_the_images_of_the_scan(series, images, annotation, tmp_path, refused) -> None:
    """They are given, or the series says where they are; a scan that moved is one sentence."""
    for source, sentence in ((None, "needs the files of the scan"), (tmp_path / "x", "nothing at")):
        with refused(sentence):
            write_annotation(annotation, replace(series, source=source), tmp_path / "a.dcm")
    in_memory = replace(series, source=None)
    write_annotation(annotation, in_memory, tmp_path / "a.dcm", source_images=images)
    assert_same(read_annotation(tmp_path / "a.dcm", in_memory), annotation)


@pytest.mark.parametrize("form", FORMAT_NAMES)
def test_one_of_several_readers_is_chosen_by_name(
    form, series, images, annotation, tmp_path, refused
) -> None:
    """There is no guessing between two readers; the sentence lists them."""
    for stem, reader in (("1", "Zoe"), ("2", "Ann")):
        export(replace(annotation, reader=reader), series, tmp_path, stem, form, images)
    with refused(r"contour files \(.*\) in .*, by Ann and Zoe; choose exactly one"):
        read_annotation(tmp_path, series)
    ann = read_annotation(tmp_path, series, reader="Ann")
    assert_same(ann, replace(annotation, reader="Ann"))
    with refused("no contours by Eve in .*, only by Ann and Zoe"):
        read_annotation(tmp_path, series, reader="Eve")
