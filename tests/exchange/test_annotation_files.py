"""Contours in and out: the same labels at the same place in the patient, or a sentence."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from dicom_builder import make_series, make_truth, rotation, write
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.exchange import label_files
from napari_spinemet.exchange.annotation_files import FORMATS, read_contours, write_contours
from napari_spinemet.exchange.label_files import guessed_kind, stem_of
from napari_spinemet.exchange.nifti import read_nifti, write_nifti
from napari_spinemet.exchange.tiff import read_label_tiff, write_label_tiff
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.geometry import index_to_mm

RAS = np.diag((-1.0, -1.0, 1.0, 1.0))


@contextmanager
def refused(pattern: str) -> Iterator[None]:
    """Expect one sentence that matches a pattern, and no other kind of error."""
    with pytest.raises(SpinemetError, match=pattern) as caught:
        yield
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert not re.search(r"[a-z)]\. [A-Z]", sentence), sentence


@pytest.fixture(scope="module")
def images() -> list:
    """A scan of three different spacings and sizes, oblique by 12 and 7 degrees."""
    return make_series(make_truth())


@pytest.fixture(scope="module")
def series(images: list, tmp_path_factory: pytest.TempPathFactory) -> SagittalSeries:
    """That scan as it is read."""
    folder = tmp_path_factory.mktemp("scan")
    write(folder, images)
    return read_series(folder)


@pytest.fixture
def drawn(series: SagittalSeries) -> Annotation:
    """Lesions up to the corners of the grid, in vertebrae whose numbers have gaps."""
    lesions = np.zeros(series.shape, dtype=np.uint16)
    vertebrae = np.zeros(series.shape, dtype=np.uint16)
    vertebrae[2:7, 3:9, 5:15] = 1
    vertebrae[2:7, 12:18, 6:16] = 2
    vertebrae[1:6, 21:27, 7:17] = 40
    lesions[3:5, 4:7, 6:9] = 1
    lesions[4, 13:17, 10:13] = 3
    lesions[0, 0, 0], lesions[-1, -1, 0], lesions[0, -1, -1] = 4, 5, 65535
    levels = {1: "L1", 2: "L2", 40: "Übergang"}
    return Annotation(lesions, vertebrae, levels, series.series_uid, "Müller^Ärztin")


def assert_same(read: Annotation, drawn: Annotation) -> None:
    """Labels, levels, reader and series."""
    np.testing.assert_array_equal(read.lesions, drawn.lesions)
    np.testing.assert_array_equal(read.vertebrae, drawn.vertebrae)
    assert dict(read.levels) == dict(drawn.levels)
    assert (read.series_uid, read.reader) == (drawn.series_uid, drawn.reader)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_comes_back(form, series, images, drawn, tmp_path) -> None:
    """Labels, levels and reader survive each format; a folder stands for its files."""
    folder = tmp_path / "new" / "deep"
    paths = write_contours(drawn, series, folder, "case 1", form, images)
    assert sorted(folder.iterdir()) == sorted(paths)
    (read,) = read_contours(folder, series)
    assert_same(read, drawn)
    assert read.warnings == ()
    first = [p.read_bytes() for p in paths]
    if form != "seg":  # which has an identifier of its own each time
        write_contours(drawn, series, folder, "case 1", form)
        assert [p.read_bytes() for p in paths] == first


@pytest.mark.parametrize("form", ["nifti", "tiff"])
def test_one_file_is_one_layer(form, series, drawn, tmp_path) -> None:
    """What no file tells is empty; the reader is told by each."""
    paths = write_contours(drawn, series, tmp_path, "a", form)
    (lesions,), (vertebrae,) = (read_contours(path, series) for path in paths[:2])
    nothing = np.zeros_like(drawn.lesions)
    assert_same(lesions, Annotation(drawn.lesions, nothing, {}, series.series_uid, drawn.reader))
    assert_same(vertebrae, replace(drawn, lesions=nothing))


def test_names_of_an_earlier_export_do_not_stay(series, drawn, tmp_path) -> None:
    """Vertebrae without names are not given those of other vertebrae."""
    write_nifti(drawn, series, tmp_path, "a")
    write_nifti(replace(drawn, levels={}), series, tmp_path, "a")
    (read,) = read_contours(tmp_path, series)
    assert_same(read, replace(drawn, levels={}))


# ---- positions, by other libraries


def test_simpleitk_finds_each_label_where_it_was_drawn(series, drawn, tmp_path) -> None:
    """To a thousandth of a mm, in every voxel."""
    for path, layer in zip(
        write_nifti(drawn, series, tmp_path, "a"), (drawn.lesions, drawn.vertebrae), strict=False
    ):
        image = sitk.ReadImage(str(path))
        stored = sitk.GetArrayFromImage(image)
        index = np.argwhere(layer)
        expected = index_to_mm(series.affine, index)
        for (k, r, c), place in zip(index.tolist(), expected, strict=True):
            found = image.TransformPhysicalPointToContinuousIndex(place.tolist())
            nearest = np.rint(found).astype(int)
            back = image.TransformIndexToPhysicalPoint(nearest.tolist())
            assert np.abs(np.array(back) - place).max() < 1e-3
            assert stored[tuple(nearest[::-1])] == layer[k, r, c]
        assert np.count_nonzero(stored) == len(index)


def test_the_nifti_header_says_what_the_standard_asks(series, drawn, tmp_path) -> None:
    """(column, row, slice) uint16 in mm; both forms say scanner and agree."""
    image = nib.load(write_nifti(drawn, series, tmp_path, "a")[0])
    assert image.shape == series.shape[::-1]
    assert image.get_data_dtype() == np.uint16
    assert image.header.get_xyzt_units()[0] == "mm"
    (sform, s_code), (qform, q_code) = image.get_sform(coded=True), image.get_qform(coded=True)
    assert (s_code, q_code) == (1, 1)
    np.testing.assert_allclose(sform, qform, atol=1e-4)
    np.testing.assert_allclose(RAS @ sform, series.affine[:, [2, 1, 0, 3]], atol=1e-5)


def test_axes_not_quite_at_right_angles_are_told_by_the_sform_alone(tmp_path, series) -> None:
    """A quaternion would tell another position, and reading the file would refuse it."""
    affine = series.affine.copy()
    affine[:3, 1] += 4e-4 * np.linalg.norm(affine[:3, 1]) * affine[:3, 2]
    wide = SagittalSeries(np.zeros((9, 300, 200)), affine)
    labels = np.zeros(wide.shape, dtype=np.uint16)
    labels[8, 299, 199] = 1
    path, _ = write_nifti(Annotation(labels, labels), wide, tmp_path, "a")
    assert nib.load(path).get_qform(coded=True)[1] == 0
    np.testing.assert_array_equal(read_nifti(path, wide).lesions, labels)


def test_imagej_reads_the_stack(series, drawn, tmp_path) -> None:
    """Its own kind of TIFF with spacing in mm; compressed, each slice has its own page."""
    path, _ = write_label_tiff(drawn, series, tmp_path, "a")
    with tifffile.TiffFile(path) as stack:
        assert stack.is_imagej
        assert (stack.imagej_metadata["slices"], stack.imagej_metadata["unit"]) == (9, "mm")
        assert stack.imagej_metadata["spacing"] == pytest.approx(4.4)
        page = stack.pages[0]
        pixels, per = page.tags["XResolution"].value
        assert per / pixels == pytest.approx(0.7)
        assert (len(stack.pages), page.compression.name) == (9, "ADOBE_DEFLATE")
        np.testing.assert_array_equal(stack.asarray(), drawn.lesions)


# ---- NIfTI from elsewhere


def resaved(path: Path, change: Callable[[nib.Nifti1Image], nib.Nifti1Image]) -> Path:
    """What another program makes of a file."""
    image = change(nib.load(path))
    target = path.parent / "out" / path.name
    target.parent.mkdir(exist_ok=True)
    nib.save(image, target)
    return target


TURNS = [
    [list(pair) for pair in zip(order, signs, strict=True)]
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def test_a_nifti_may_be_stored_in_any_order(series, drawn, tmp_path) -> None:
    """Canonical, permuted or flipped by nibabel, it is the same annotation."""
    paths = write_nifti(drawn, series, tmp_path, "a")[:2]
    closest = [resaved(path, nib.as_closest_canonical) for path in paths]
    assert nib.aff2axcodes(nib.load(closest[0]).affine) == ("R", "A", "S")
    assert_same(read_nifti(closest, series), replace(drawn, levels={}))
    assert len(TURNS) == 48
    for turn in TURNS:
        turned = resaved(paths[0], lambda image, turn=turn: image.as_reoriented(turn))
        np.testing.assert_array_equal(read_nifti(turned, series).lesions, drawn.lesions)


def placed(data: np.ndarray, affine_lps: np.ndarray, path: Path, **codes: int) -> Path:
    """A file of another program: axes as in the series, position by sform, qform or both."""
    image = nib.Nifti1Image(data, None)
    image.set_sform(RAS @ affine_lps, code=codes.get("sform", 1))
    image.set_qform(RAS @ affine_lps, code=codes.get("qform", 1))
    nib.save(image, path)
    return path


@pytest.mark.parametrize(
    ("codes", "fits"),
    [({"qform": 0}, True), ({"sform": 0}, True), ({"sform": 0, "qform": 0}, False)],
)
def test_the_position_is_told_or_refused(codes, fits, series, drawn, tmp_path) -> None:
    """Either form will do; a file with neither could lie anywhere."""
    path = placed(drawn.lesions, series.affine, tmp_path / "lesions.nii", **codes)
    if fits:
        np.testing.assert_array_equal(read_nifti(path, series).lesions, drawn.lesions)
    else:
        with refused("lesions.nii tells no position"):
            read_nifti(path, series)


def test_two_positions_are_refused(series, drawn, tmp_path) -> None:
    """Where sform and qform differ nobody knows which one was meant."""
    path = placed(drawn.lesions, series.affine, tmp_path / "lesions.nii.gz")
    image = nib.load(path)
    moved = image.get_qform()
    moved[0, 3] += 0.02
    image.set_qform(moved, code=1)
    nib.save(image, path)
    with refused(r"tells two positions that differ by 0\.02 mm"):
        read_nifti(path, series)


def test_the_rounding_of_a_quaternion_is_no_second_position(tmp_path) -> None:
    """Near half a turn its root makes tenths of a mm of the eighth digit; the sform is exact."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(0.003, 0, 0.01) @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    affine[:3, :3] *= (4.4, 0.9, 0.7)
    wide = SagittalSeries(np.zeros((9, 400, 300)), affine)
    labels = np.zeros(wide.shape, dtype=np.uint16)
    labels[8, 399, 299] = 7
    image = nib.Nifti1Image(labels, RAS @ wide.affine)
    # Axes towards left, back and head are half a turn from the standard's right, front, head.
    change = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(("L", "P", "S"))
    )
    image = image.as_reoriented(change)
    for put in (image.set_sform, image.set_qform):
        put(image.affine.copy(), code=1)
    nib.save(image, tmp_path / "lesions.nii.gz")
    stored = nib.load(tmp_path / "lesions.nii.gz")
    corner = (*(n - 1 for n in stored.shape), 1)
    assert np.linalg.norm((stored.get_sform() - stored.get_qform()) @ corner) > 0.01
    read = read_nifti(tmp_path / "lesions.nii.gz", wide)
    np.testing.assert_array_equal(read.lesions, labels)


OTHER_GRIDS = {
    "half the pixel": ({"spacing_mm": (4.4, 0.45, 0.7)}, "their spacing is 4.4 x 0.45 x 0.7 mm"),
    "other slices": ({"spacing_mm": (4.0, 0.9, 0.7)}, "their spacing is 4 x 0.9 x 0.7 mm"),
    "half a pixel beside": ({"origin": (-18.25, -40.5, 76.675)}, "shifted by 0.4"),
    "turned by 2 degrees": ({"angles": (0.0, 14.0, 7.0)}, "turned by 2 degrees"),
    "without a position": ({"origin": (0.0, 0.0, 0.0)}, "shifted|outside"),
}


@pytest.mark.parametrize(("grid", "words"), OTHER_GRIDS.values(), ids=OTHER_GRIDS.keys())
def test_a_nifti_on_another_grid_is_refused(grid, words, series, drawn, tmp_path) -> None:
    """Nothing is resampled; the sentence says what differs."""
    path = placed(drawn.lesions, make_truth(**grid).affine, tmp_path / "lesions.nii.gz")
    with refused(f"lesions.nii.gz do not lie on the grid of this series .*{words}"):
        read_nifti(path, series)


def test_a_crop_is_padded_and_what_sticks_out_is_refused(series, drawn, tmp_path) -> None:
    """A smaller or larger box of the same grid will do, unless a label lies outside."""
    crop = series.affine.copy()
    crop[:3, 3] = index_to_mm(series.affine, (2, 3, 4))
    path = placed(drawn.lesions[2:8, 3:20, 4:20], crop, tmp_path / "lesions.nii.gz")
    read = read_nifti(path, series).lesions
    np.testing.assert_array_equal(read[2:8, 3:20, 4:20], drawn.lesions[2:8, 3:20, 4:20])
    assert np.count_nonzero(read) == np.count_nonzero(drawn.lesions[2:8, 3:20, 4:20])
    path = placed(drawn.lesions, crop, tmp_path / "lesions.nii.gz")
    with refused("2 labelled voxels lie outside"):
        read_nifti(path, series)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.float32(0.5), "holds 0.5, but labels are whole numbers"),
        (np.int16(-1), "holds -1, but"),
        (np.int32(65536), "holds 65536, but"),
        (np.float64(np.nan), "holds nan, but"),
        (np.complex64(1), "holds complex64 values, which are no labels"),
    ],
)
def test_what_is_no_label_is_refused(data, words, series, tmp_path) -> None:
    """No value is rounded or wrapped."""
    values = np.zeros(series.shape, dtype=data.dtype)
    values[3, 4, 5] = data
    path = placed(values, series.affine, tmp_path / "lesions.nii.gz")
    with refused(words):
        read_nifti(path, series)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64, ">u2"])
def test_whole_numbers_of_any_type_are_labels(dtype, series, drawn, tmp_path) -> None:
    """As other programs store them, with a fourth axis of length 1 too."""
    data = np.minimum(drawn.lesions, 200).astype(dtype)[..., None]
    path = placed(data, series.affine, tmp_path / "lesions.nii.gz")
    np.testing.assert_array_equal(read_nifti(path, series).lesions, np.minimum(drawn.lesions, 200))


def test_a_nifti_with_a_scale_or_of_the_second_version(series, drawn, tmp_path) -> None:
    """Values are those that the header means."""
    image = nib.Nifti2Image(2 * drawn.vertebrae.astype(np.int16), RAS @ series.affine)
    image.header.set_slope_inter(0.5, 0)
    nib.save(image, tmp_path / "vertebrae.nii.gz")
    read = read_nifti(tmp_path / "vertebrae.nii.gz", series)
    np.testing.assert_array_equal(read.vertebrae, drawn.vertebrae)


def test_several_volumes_are_refused(series, tmp_path) -> None:
    """Contours are one volume."""
    path = placed(np.zeros((9, 32, 24, 2), np.uint8), series.affine, tmp_path / "lesions.nii")
    with refused(r"has the axes \(9, 32, 24, 2\)"):
        read_nifti(path, series)


# ---- TIFF from elsewhere


def test_a_tiff_on_another_grid_is_refused(series, drawn, tmp_path) -> None:
    """The position in our own files counts, and so does the series."""
    for number, (grid, words) in enumerate(OTHER_GRIDS.values()):
        truth = make_truth(**grid)
        other = SagittalSeries(truth.voxels, truth.affine, series_uid=series.series_uid)
        write_label_tiff(drawn, other, tmp_path, f"{number}")
        with refused(f"{number}_lesions.tif do not lie on the grid of this series .*{words}"):
            read_label_tiff(tmp_path / f"{number}_lesions.tif", series)


def test_a_tiff_of_part_of_the_grid_finds_its_place(series, drawn, tmp_path) -> None:
    """Padded to the series, since it tells where it lies."""
    affine = series.affine.copy()
    affine[:3, 3] = index_to_mm(series.affine, (1, 2, 3))
    part = SagittalSeries(series.voxels[1:8, 2:30, 3:20], affine, series_uid=series.series_uid)
    box = (slice(1, 8), slice(2, 30), slice(3, 20))
    cropped = Annotation(drawn.lesions[box], drawn.vertebrae[box], {}, series.series_uid)
    read = read_label_tiff(write_label_tiff(cropped, part, tmp_path, "a"), series)
    np.testing.assert_array_equal(read.vertebrae, drawn.vertebrae)


def test_a_foreign_tiff_is_taken_slice_by_slice_with_a_warning(series, drawn, tmp_path) -> None:
    """As napari and others write it: no position, so the shape must be that of the series."""
    path = tmp_path / "lesions.tif"
    tifffile.imwrite(path, drawn.lesions.astype(np.int32))
    read = read_label_tiff(path, series)
    np.testing.assert_array_equal(read.lesions, drawn.lesions)
    (warning,) = read.warnings
    assert "lesions.tif tells no position" in warning
    assert "from the patient's right to the left" in warning
    for shape in ((9, 24, 32), (8, 32, 24), (32, 24)):
        tifffile.imwrite(path, np.zeros(shape, np.uint16))
        with refused("lesions.tif has the shape"):
            read_label_tiff(path, series)
    tifffile.imwrite(path, drawn.lesions / 2, photometric="minisblack")
    with refused("labels are whole numbers"):
        read_label_tiff(path, series)


@pytest.mark.parametrize(
    ("spacing", "unit", "fits"),
    [
        ((4.42, 0.905, 0.702), "mm", True), ((4.4, 0.9, 0.72), "mm", False),
        ((4.0, 0.9, 0.7), "mm", False), ((4400.0, 900.0, 700.0), "micron", True),
        ((4.4, 0.9, 0.7), "micron", False), ((1.0, 1.0, 1.0), "pixel", True),
    ],
)  # fmt: skip
def test_the_spacing_of_an_imagej_stack_must_agree(spacing, unit, fits, series, tmp_path) -> None:
    """Within one hundredth, in the unit that the file tells; without one nothing is told."""
    path = tmp_path / "tumour.tif"
    tifffile.imwrite(
        path,
        np.ones(series.shape, np.uint8),
        imagej=True,
        resolution=(1 / spacing[2], 1 / spacing[1]),
        metadata={"axes": "ZYX", "spacing": spacing[0], "unit": unit},
    )
    if fits:
        assert read_label_tiff(path, series).lesions.all()
    else:
        with refused("mm apart, but"):
            read_label_tiff(path, series)


def test_the_spacing_of_other_tiffs_must_agree(series, tmp_path) -> None:
    """By resolution or by OME's words; dots per inch that every program puts say nothing."""
    path, ones = tmp_path / "tumor.tif", np.ones(series.shape, np.uint8)
    for resolution, unit, fits in (
        ((10 / 0.7, 10 / 0.9), "CENTIMETER", True), ((10 / 0.9, 10 / 0.7), "CENTIMETER", False),
        ((72, 72), "INCH", True), ((300, 300), "INCH", False),
    ):  # fmt: skip
        tifffile.imwrite(path, ones, resolution=resolution, resolutionunit=unit)
        if fits:
            assert read_label_tiff(path, series).lesions.all()
        else:
            with refused("the rows are"):
                read_label_tiff(path, series)
    for depth, fits in ((4.4, True), (4.5, False)):
        size = {"PhysicalSizeZ": depth, "PhysicalSizeZUnit": "mm", "PhysicalSizeX": 700}
        tifffile.imwrite(path, ones, ome=True, metadata={"axes": "ZYX", **size})
        if fits:
            assert read_label_tiff(path, series).lesions.all()
        else:
            with refused("the slices are 4.5 mm apart"):
                read_label_tiff(path, series)


def edited_in_imagej(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """ImageJ keeps the text that came with a stack, adds its own, and drops the program's name."""
    with tifffile.TiffFile(path) as stack:
        data, told = stack.asarray(), stack.imagej_metadata
    info = f"Title: x\n{told['Info']}\nSaved: today"
    metadata = {"axes": "ZYX", "spacing": told["spacing"], "unit": "mm", "Info": info}
    tifffile.imwrite(
        path, change(data), imagej=True, resolution=(1 / 0.7, 1 / 0.9), metadata=metadata,
        software="",
    )  # fmt: skip


def test_a_stack_edited_in_imagej_keeps_its_position(series, drawn, tmp_path) -> None:
    """What was painted there counts; a crop loses the position and is refused."""
    path = write_label_tiff(drawn, series, tmp_path, "a")[0]

    def paint(data: np.ndarray) -> np.ndarray:
        data[8, 3, 2] = 9
        return data

    edited_in_imagej(path, paint)
    read = read_label_tiff(path, series)
    assert read.reader == drawn.reader
    assert read.lesions[8, 3, 2] == 9
    assert "saved by another program" in read.warnings[0]
    edited_in_imagej(path, lambda data: data[1:])
    with refused("was cropped or turned"):
        read_label_tiff(path, series)


def test_a_tiff_says_itself_what_it_holds(series, drawn, tmp_path) -> None:
    """A new name does not make vertebrae of lesions, and nor does the user by mistake."""
    lesions, _ = write_label_tiff(drawn, series, tmp_path, "a")
    renamed = lesions.rename(tmp_path / "vertebrae.tif")
    np.testing.assert_array_equal(read_label_tiff(renamed, series).lesions, drawn.lesions)
    with refused("says that it holds lesions, not vertebrae"):
        read_label_tiff(renamed, series, "vertebrae")


# ---- whose, and of which series


@pytest.mark.parametrize("form", ["nifti", "tiff"])
def test_contours_of_another_series_need_the_same_grid(form, series, drawn, tmp_path) -> None:
    """Then they are taken with a warning; on part of the grid they are not."""
    other = replace(series, series_uid="1.2.3")
    path = write_contours(replace(drawn, series_uid=""), other, tmp_path, "a", form)[0]
    (read,) = read_contours(path, series)
    np.testing.assert_array_equal(read.lesions, drawn.lesions)
    assert "were drawn on another series, which has the same grid" in read.warnings[0]
    part = SagittalSeries(series.voxels[:, :20], series.affine, series_uid="1.2.4")
    one = np.zeros(part.shape, np.uint16)
    one[4, 4, 4] = 1
    path = write_contours(Annotation(one, one), part, tmp_path, "b", form)[0]
    with refused("belong to another series, whose grid is not that of this one"):
        read_contours(path, series)


@pytest.mark.parametrize("form", ["nifti", "tiff"])
def test_a_folder_of_many_cases_gives_those_of_this_series(form, series, drawn, tmp_path) -> None:
    """By reader; other cases are passed over even where their grid is the same."""
    for stem, reader, uid in (
        ("b", "Zoe", series.series_uid), ("a", "Zoe", "1.2.3"), ("c", "Ann", series.series_uid),
    ):  # fmt: skip
        by = replace(drawn, reader=reader)
        write_contours(by, replace(series, series_uid=uid), tmp_path / "x", stem, form)
    read = read_contours(tmp_path, series)
    assert [(a.reader, a.warnings) for a in read] == [("Ann", ()), ("Zoe", ())]
    for annotation in read:
        assert_same(annotation, replace(drawn, reader=annotation.reader))


def test_what_does_not_fit_in_a_folder_is_named(series, drawn, tmp_path) -> None:
    """Passed over beside what fits; alone, the reason is the error."""
    off = make_truth(origin=(0, 0, 0.1)).affine
    placed(drawn.lesions, off, tmp_path / "off_lesions.nii.gz")
    placed(drawn.vertebrae, off, tmp_path / "off_vertebrae.nii.gz")
    with refused("off_lesions.nii.gz do not lie on the grid"):
        read_contours(tmp_path, series)
    placed(drawn.lesions, series.affine, tmp_path / "fits_lesions.nii.gz")
    placed(drawn.lesions, series.affine, tmp_path / "stir.nii.gz")
    (read,) = read_contours(tmp_path, series)
    np.testing.assert_array_equal(read.lesions, drawn.lesions)
    (warning,) = read.warnings
    assert "2 could not be used and were passed over: stir.nii.gz tells neither" in warning


def test_formats_that_lie_together_are_refused(series, images, drawn, tmp_path) -> None:
    """The same contours may be there twice."""
    write_contours(drawn, series, tmp_path, "a", "nifti")
    for form in ("tiff", "seg"):
        written = write_contours(drawn, series, tmp_path, "a", form, images)
        with refused("in several formats"):
            read_contours(tmp_path, series)
        for path in written:
            path.unlink()
    write(tmp_path / "scan", images)
    (read,) = read_contours(tmp_path, series)
    assert_same(read, drawn)


def test_several_readers_of_dicom_come_through(series, images, drawn, tmp_path) -> None:
    """One annotation for each, by name."""
    for stem, reader in (("1", "Zoe"), ("2", "Ann")):
        write_contours(replace(drawn, reader=reader), series, tmp_path, stem, "seg", images)
    assert [a.reader for a in read_contours(tmp_path, series)] == ["Ann", "Zoe"]
    (one,) = read_contours(tmp_path / "1.dcm", series)
    assert_same(one, replace(drawn, reader="Zoe"))


@pytest.mark.parametrize(
    ("name", "kind", "stem"),
    [
        ("a_lesions.nii.gz", "lesions", "a"), ("a_vertebrae.TIF", "vertebrae", "a"),
        ("spine_lesions.nii", "lesions", "spine"), ("Metastases-A.nii.gz", "lesions", "A"),
        ("A-vertebral.tiff", "vertebrae", "A"), ("tumour.nii", "lesions", ""),
        ("bodies A.nii", "vertebrae", "A"), ("tumor of the spine.nii", "", "tumor of the spine"),
        ("converted.nii", "", "converted"), ("spinemet-1.nii", "", "spinemet-1"),
        ("x.nii", "", "x"),
    ],
)  # fmt: skip
def test_the_name_tells_the_kind_or_nothing(name, kind, stem) -> None:
    """A name that tells both or neither is not guessed."""
    assert guessed_kind(Path(name)) == kind
    assert stem_of(Path(name)) == stem


def test_a_file_of_unknown_kind_asks_for_it(series, drawn, tmp_path) -> None:
    """Also in a folder; with the kind given it is read."""
    path = placed(drawn.vertebrae, series.affine, tmp_path / "x.nii.gz")
    for place in (path, tmp_path):
        with refused("x.nii.gz does not tell whether it holds lesions or vertebrae"):
            read_contours(place, series)
        (read,) = read_contours(place, series, "vertebrae")
        np.testing.assert_array_equal(read.vertebrae, drawn.vertebrae)
    placed(drawn.vertebrae, series.affine, tmp_path / "y.nii.gz")
    with refused("x.nii.gz does not tell"):
        read_contours(tmp_path, series)
    with refused("kind is one of lesions, vertebrae"):
        read_contours(path, series, "organs")
    with refused("Both x.nii.gz and y.nii.gz hold lesions"):
        read_nifti([path, tmp_path / "y.nii.gz"], series, "lesions")


def test_two_readers_are_not_made_one(series, drawn, tmp_path) -> None:
    """Lesions by one and vertebrae by the other are no set."""
    lesions, _ = write_label_tiff(drawn, series, tmp_path, "a")
    _, vertebrae = write_label_tiff(replace(drawn, reader="Other"), series, tmp_path, "b")
    with refused("are by two readers, Müller.Ärztin and Other"):
        read_label_tiff([lesions, vertebrae], series)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is damaged"), ("[]", "is damaged"), ('{"levels": ["L1"]}', "no names by number"),
        ('{"levels": {"one": "L1"}}', "no names by number"),
        ('{"levels": {"1": 1}}', "no names by number"),
        ('{"levels": {"1": "L1"}, "series_uid": "9.9"}', "those of another series"),
    ],
)  # fmt: skip
def test_damaged_levels_are_one_sentence(text, words, series, drawn, tmp_path) -> None:
    """A vertebra is not renamed by a file that cannot be understood."""
    paths = write_nifti(drawn, series, tmp_path, "a")
    paths[2].write_text(text)
    with refused(words):
        read_nifti(paths[:2], series)


# ---- damage and full disks


@pytest.mark.parametrize("form", ["nifti", "tiff"])
@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_one_sentence(form, share, tmp_path_factory) -> None:
    """Wherever it was cut off, no labels are read as if they were all."""
    truth = make_truth()
    series = SagittalSeries(truth.voxels, truth.affine, series_uid="1.2")
    labels = np.random.default_rng(0).integers(0, 9, series.shape).astype(np.uint16)
    folder = tmp_path_factory.mktemp("cut")
    path = write_contours(Annotation(labels, labels), series, folder, "a", form)[0]
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with refused("a_lesions"):
        read_contours(path, series)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".tif"])
@pytest.mark.parametrize("content", [b"", b"no such thing", bytes(2000), b"\x1f\x8b" + bytes(400)])
def test_a_file_of_something_else_is_one_sentence(content, suffix, series, tmp_path, capfd) -> None:
    """And no library speaks for itself."""
    path = tmp_path / f"lesions{suffix}"
    path.write_bytes(content)
    with refused(f"lesions{suffix}"):
        read_contours(path, series)
    assert capfd.readouterr().err == ""


def test_a_flipped_bit_in_the_archive_is_found(series, drawn, tmp_path) -> None:
    """The checksum at the end is looked at."""
    path = write_nifti(drawn, series, tmp_path, "a")[0]
    data = bytearray(gzip.decompress(path.read_bytes()))
    packed = bytearray(gzip.compress(bytes(data)))
    packed[-6] ^= 1
    path.write_bytes(packed)
    with refused("a_lesions.nii.gz is damaged"):
        read_nifti(path, series)


def test_pages_that_changed_places_are_found(series, drawn, tmp_path) -> None:
    """Each page has its own checksum, but their order has none but ours."""
    path = write_label_tiff(drawn, series, tmp_path, "a")[0]
    with tifffile.TiffFile(path) as stack:
        tags = [stack.pages[k].tags["StripOffsets"] for k in (3, 5)]
        counts = [stack.pages[k].tags["StripByteCounts"] for k in (3, 5)]
    data = bytearray(path.read_bytes())
    for pair in (tags, counts):
        one, other = (slice(tag.valueoffset, tag.valueoffset + 4) for tag in pair)
        data[one], data[other] = data[other], data[one]
    path.write_bytes(data)
    assert not np.array_equal(tifffile.imread(path), drawn.lesions)
    with refused("a_lesions.tif .* .its labels are not those that were written"):
        read_label_tiff(path, series)


def test_nibabel_says_nothing_itself(series, drawn, tmp_path, capfd) -> None:
    """What it repairs in a header is not for the terminal."""
    path = placed(drawn.lesions, series.affine, tmp_path / "lesions.nii", sform=0)
    data = bytearray(path.read_bytes())
    data[254:256] = (157).to_bytes(2, "little")
    path.write_bytes(data)
    np.testing.assert_array_equal(read_nifti(path, series).lesions, drawn.lesions)
    assert capfd.readouterr().err == ""


def test_an_uncompressed_file_that_was_cut_off_is_one_sentence(series, drawn, tmp_path) -> None:
    """TIFF and NIfTI of other programs, whose pixels follow the header."""
    path = placed(drawn.lesions, series.affine, tmp_path / "lesions.nii")
    path.write_bytes(path.read_bytes()[:-1])
    with refused("lesions.nii is damaged"):
        read_contours(path, series)
    for imagej in (True, False):
        path = tmp_path / "lesions.tif"
        tifffile.imwrite(path, drawn.lesions, imagej=imagej)
        data = path.read_bytes()
        for left in np.linspace(0, len(data), 60, endpoint=False).astype(int).tolist():
            path.write_bytes(data[:left])
            try:
                (read,) = read_contours(path, series)
            except SpinemetError:
                continue
            # All pixels are there, and what is gone tells nothing.
            np.testing.assert_array_equal(read.lesions, drawn.lesions)
            assert left > len(data) - 2000


def test_a_forged_size_is_refused_before_memory_is_asked_for(series, tmp_path) -> None:
    """A header may claim what it likes."""
    image = nib.Nifti1Image(np.zeros(series.shape, np.uint8), RAS @ series.affine)
    data = bytearray(image.to_bytes())
    data[40:48] = np.array([3, 32767, 32767, 32767], "<i2").tobytes()
    path = tmp_path / "lesions.nii"
    path.write_bytes(data)
    with refused("too large for contours"):
        read_nifti(path, series)


def test_missing_and_empty_places_are_one_sentence(series, tmp_path) -> None:
    """Nothing there, an empty folder, and a folder with a name like a file."""
    for place in (tmp_path / "none.nii.gz", tmp_path / "none", tmp_path):
        with refused("."):
            read_contours(place, series)
    (tmp_path / "lesions.nii").mkdir()
    with refused("."):
        read_contours(tmp_path / "lesions.nii", series)
    with refused("There is no file"):
        read_nifti(tmp_path / "lesions.nii", series)


@pytest.mark.parametrize("form", FORMATS)
def test_what_cannot_be_written_is_said_before(form, series, images, drawn, tmp_path) -> None:
    """Nothing contoured, another shape, a name that is none, an unknown format."""
    none = np.zeros(series.shape, np.uint16)
    with refused("Nothing has been contoured"):
        write_contours(Annotation(none, none), series, tmp_path, "a", form, images)
    with refused("The contours have shape"):
        write_contours(Annotation(none[1:], none[1:] + 1), series, tmp_path, "a", form, images)
    for stem in ("", "a/b", "..", "a\\b"):
        with refused("is no name for files"):
            write_contours(drawn, series, tmp_path, stem, form, images)
    with refused("one of seg, nifti, tiff, not 'png'"):
        write_contours(drawn, series, tmp_path, "a", "png", images)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_that_cannot_be_made_is_one_sentence(
    form, series, images, drawn, tmp_path
) -> None:
    """A file stands in its place."""
    (tmp_path / "taken").write_text("")
    with refused("cannot be written"):
        write_contours(drawn, series, tmp_path / "taken", "a", form, images)


@pytest.mark.parametrize("form", ["nifti", "tiff"])
@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_leaves_the_former_set(
    form, failing, series, drawn, tmp_path, monkeypatch
) -> None:
    """New lesions are never left beside old vertebrae, nor a temporary file beside them."""
    paths = write_contours(drawn, series, tmp_path, "a", form)
    former = {path: path.read_bytes() for path in paths}
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(label_files.os, "fsync", full)
    changed = replace(drawn, lesions=drawn.vertebrae, vertebrae=drawn.lesions)
    word = ("lesions", "vertebrae")[failing - 1]
    with refused(rf"a_{word}\..* cannot be written \(No space left on device\)"):
        write_contours(changed, series, tmp_path, "a", form)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == former


def test_the_levels_file_can_be_read_by_anyone(series, drawn, tmp_path) -> None:
    """Names by number, the series and the reader."""
    path = write_nifti(drawn, series, tmp_path, "a")[2]
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "levels": {"1": "L1", "2": "L2", "40": "Übergang"},
        "series_uid": series.series_uid,
        "reader": drawn.reader,
    }
