"""Label files of either format: one kind each, and together by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile
from contour_files import LABEL_FORMATS, assert_same, export, save_nifti
from dicom_builder import make_truth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spinemet.errors import SpinemetError
from napari_spinemet.exchange import read_annotation
from napari_spinemet.exchange.formats import read_annotations
from napari_spinemet.imaging import Annotation, SagittalSeries


@pytest.mark.parametrize("form", LABEL_FORMATS)
def test_one_file_is_one_layer(form, series, annotation, tmp_path) -> None:
    """What no file tells is empty; the reader is told by each."""
    paths = export(annotation, series, tmp_path, "a", form)
    (lesions,), (vertebrae,) = (read_annotations(path, series) for path in paths[:2])
    nothing = np.zeros_like(annotation.lesions)
    assert_same(
        lesions, Annotation(annotation.lesions, nothing, {}, series.series_uid, annotation.reader)
    )
    assert_same(vertebrae, replace(annotation, lesions=nothing))


@pytest.mark.parametrize("form", LABEL_FORMATS)
def test_contours_of_another_series_need_the_same_grid(
    form, series, annotation, tmp_path, refused
) -> None:
    """Then they are taken with a warning; on part of the grid they are not."""
    other = replace(series, series_uid="1.2.3")
    path = export(replace(annotation, series_uid=""), other, tmp_path, "a", form)[0]
    (result,) = read_annotations(path, series)
    np.testing.assert_array_equal(result.lesions, annotation.lesions)
    assert "were drawn on another series, which has the same grid" in result.warnings[0]
    part = SagittalSeries(series.voxels[:, :20], series.affine, series_uid="1.2.4")
    one = np.zeros(part.shape, np.uint16)
    one[4, 4, 4] = 1
    path = export(Annotation(one, one), part, tmp_path, "b", form)[0]
    with refused("belong to another series, whose grid is not that of this one"):
        read_annotations(path, series)


@pytest.mark.parametrize("form", LABEL_FORMATS)
def test_a_folder_of_many_cases_gives_those_of_this_series(
    form, series, annotation, tmp_path
) -> None:
    """By reader; other cases are passed over even where their grid is the same."""
    for stem, reader, uid in (
        ("b", "Zoe", series.series_uid), ("a", "Zoe", "1.2.3"), ("c", "Ann", series.series_uid),
    ):  # fmt: skip
        by = replace(annotation, reader=reader)
        export(by, replace(series, series_uid=uid), tmp_path / "x", stem, form)
    result = read_annotations(tmp_path, series)
    assert [(a.reader, a.warnings) for a in result] == [("Ann", ()), ("Zoe", ())]
    for part in result:
        assert_same(part, replace(annotation, reader=part.reader))


def test_what_does_not_fit_in_a_folder_is_named(series, annotation, tmp_path, refused) -> None:
    """Passed over beside what fits; alone, the reason is the error."""
    shifted_affine = make_truth(origin=(0, 0, 0.1)).affine
    save_nifti(annotation.lesions, shifted_affine, tmp_path / "off_lesions.nii.gz")
    save_nifti(annotation.vertebrae, shifted_affine, tmp_path / "off_vertebrae.nii.gz")
    with refused("off_lesions.nii.gz do not lie on the grid"):
        read_annotations(tmp_path, series)
    save_nifti(annotation.lesions, series.affine, tmp_path / "fits_lesions.nii.gz")
    save_nifti(annotation.lesions, series.affine, tmp_path / "stir.nii.gz")
    (result,) = read_annotations(tmp_path, series)
    np.testing.assert_array_equal(result.lesions, annotation.lesions)
    (warning,) = result.warnings
    assert "2 could not be used and were passed over: stir.nii.gz tells neither" in warning


def test_a_file_of_unknown_kind_asks_for_it(series, annotation, tmp_path, refused) -> None:
    """Also in a folder; with the kind given it is read."""
    path = save_nifti(annotation.vertebrae, series.affine, tmp_path / "x.nii.gz")
    for file_or_folder in (path, tmp_path):
        with refused("x.nii.gz does not tell whether it holds lesions or vertebrae"):
            read_annotations(file_or_folder, series)
        (result,) = read_annotations(file_or_folder, series, "vertebrae")
        np.testing.assert_array_equal(result.vertebrae, annotation.vertebrae)
    save_nifti(annotation.vertebrae, series.affine, tmp_path / "y.nii.gz")
    with refused("x.nii.gz does not tell"):
        read_annotations(tmp_path, series)
    with refused("kind is one of lesions, vertebrae"):
        read_annotations(path, series, "organs")


def test_two_readers_are_not_made_one(series, annotation, tmp_path, refused) -> None:
    """Lesions by one and vertebrae by the other are no set."""
    export(annotation, series, tmp_path, "a", "tiff")
    others = replace(annotation, reader="Other")
    lesions, vertebrae = export(others, series, tmp_path / "b", "a", "tiff")
    lesions.unlink()
    vertebrae.rename(tmp_path / vertebrae.name)
    with refused("are by two readers, Müller.Ärztin and Other"):
        read_annotation(tmp_path, series)


def test_two_files_of_one_kind_are_refused(series, annotation, tmp_path, refused) -> None:
    """Compressed and not, under one name: nobody knows which one counts."""
    for suffix in (".nii", ".nii.gz"):
        save_nifti(annotation.lesions, series.affine, tmp_path / f"a_lesions{suffix}")
    with refused("Both a_lesions.nii and a_lesions.nii.gz hold lesions"):
        read_annotation(tmp_path, series)


@pytest.mark.parametrize("form", LABEL_FORMATS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_one_sentence(form, share, tmp_path_factory, refused) -> None:
    """Wherever it was cut off, no labels are read as if they were all."""
    truth = make_truth()
    series = SagittalSeries(truth.voxels, truth.affine, series_uid="1.2")
    labels = np.random.default_rng(0).integers(0, 9, series.shape).astype(np.uint16)
    folder = tmp_path_factory.mktemp("cut")
    path = export(Annotation(labels, labels), series, folder, "a", form)[0]
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with refused("a_lesions"):
        read_annotations(path, series)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".tif"])
@pytest.mark.parametrize("content", [b"", b"no such thing", bytes(2000), b"\x1f\x8b" + bytes(400)])
def test_a_file_of_something_else_is_one_sentence(
    content, suffix, series, tmp_path, capfd, refused
) -> None:
    """And no library speaks for itself."""
    path = tmp_path / f"lesions{suffix}"
    path.write_bytes(content)
    with refused(f"lesions{suffix}"):
        read_annotations(path, series)
    assert capfd.readouterr().err == ""


def test_an_uncompressed_file_that_was_cut_off_is_one_sentence(
    series, annotation, tmp_path, refused
) -> None:
    """TIFF and NIfTI of other programs, whose pixels follow the header."""
    path = save_nifti(annotation.lesions, series.affine, tmp_path / "lesions.nii")
    path.write_bytes(path.read_bytes()[:-1])
    with refused("lesions.nii is damaged"):
        read_annotations(path, series)
    for imagej in (True, False):
        path = tmp_path / "lesions.tif"
        tifffile.imwrite(path, annotation.lesions, imagej=imagej)
        data = path.read_bytes()
        for length in np.linspace(0, len(data), 60, endpoint=False).astype(int).tolist():
            path.write_bytes(data[:length])
            try:
                (result,) = read_annotations(path, series)
            except SpinemetError:
                continue
            # All pixels are there, and what is gone tells nothing.
            np.testing.assert_array_equal(result.lesions, annotation.lesions)
            assert length > len(data) - 2000
