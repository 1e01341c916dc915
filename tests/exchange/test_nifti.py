"""NIfTI: the same labels at the same place in the patient, or a sentence."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from contour_files import OTHER_GRIDS, RAS, assert_same, save_nifti
from dicom_builder import make_truth, rotation

from napari_spinemet.exchange import read_annotation
from napari_spinemet.exchange.nifti import NiftiFormat
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.geometry import index_to_mm

NIFTI = NiftiFormat()


def test_names_of_an_earlier_export_do_not_stay(series, annotation, tmp_path) -> None:
    """Vertebrae without names are not given those of other vertebrae."""
    NIFTI.write_files(annotation, series, tmp_path, "a")
    NIFTI.write_files(replace(annotation, levels={}), series, tmp_path, "a")
    result = read_annotation(tmp_path, series)
    assert_same(result, replace(annotation, levels={}))


def test_simpleitk_finds_each_label_where_it_was_drawn(series, annotation, tmp_path) -> None:
    """To a thousandth of a mm, in every voxel."""
    for path, layer in zip(
        NIFTI.write_files(annotation, series, tmp_path, "a"),
        (annotation.lesions, annotation.vertebrae),
        strict=False,
    ):
        image = sitk.ReadImage(str(path))
        saved_image = sitk.GetArrayFromImage(image)
        index = np.argwhere(layer)
        positions = index_to_mm(series.affine, index)
        for (k, r, c), position in zip(index.tolist(), positions, strict=True):
            continuous_index = image.TransformPhysicalPointToContinuousIndex(position.tolist())
            nearest = np.rint(continuous_index).astype(int)
            round_trip = image.TransformIndexToPhysicalPoint(nearest.tolist())
            assert np.abs(np.array(round_trip) - position).max() < 1e-3
            assert saved_image[tuple(nearest[::-1])] == layer[k, r, c]
        assert np.count_nonzero(saved_image) == len(index)


def test_the_nifti_header_says_what_the_standard_asks(series, annotation, tmp_path) -> None:
    """(column, row, slice) uint16 in mm; both forms say scanner and agree."""
    image = nib.load(NIFTI.write_files(annotation, series, tmp_path, "a")[0])
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
    path, _ = NIFTI.write_files(Annotation(labels, labels), wide, tmp_path, "a")
    assert nib.load(path).get_qform(coded=True)[1] == 0
    np.testing.assert_array_equal(read_annotation(path, wide).lesions, labels)


def resave(path: Path, change: Callable[[nib.Nifti1Image], nib.Nifti1Image]) -> Path:
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


def test_a_nifti_may_be_stored_in_any_order(series, annotation, tmp_path) -> None:
    """Canonical, permuted or flipped by nibabel, it is the same annotation."""
    paths = NIFTI.write_files(annotation, series, tmp_path, "a")[:2]
    closest = [resave(path, nib.as_closest_canonical) for path in paths]
    assert nib.aff2axcodes(nib.load(closest[0]).affine) == ("R", "A", "S")
    result = read_annotation(closest[0].parent, series)
    assert_same(result, replace(annotation, levels={}))
    assert len(TURNS) == 48
    for turn in TURNS:
        path = resave(paths[0], lambda image, turn=turn: image.as_reoriented(turn))
        np.testing.assert_array_equal(read_annotation(path, series).lesions, annotation.lesions)


@pytest.mark.parametrize(
    ("codes", "fits"),
    [({"qform": 0}, True), ({"sform": 0}, True), ({"sform": 0, "qform": 0}, False)],
)
def test_the_position_is_told_or_refused(
    codes, fits, series, annotation, tmp_path, refused
) -> None:
    """Either form will do; a file with neither could lie anywhere."""
    path = save_nifti(annotation.lesions, series.affine, tmp_path / "lesions.nii", **codes)
    if fits:
        np.testing.assert_array_equal(read_annotation(path, series).lesions, annotation.lesions)
    else:
        with refused("lesions.nii tells no position"):
            read_annotation(path, series)


def test_two_positions_are_refused(series, annotation, tmp_path, refused) -> None:
    """Where sform and qform differ nobody knows which one was meant."""
    path = save_nifti(annotation.lesions, series.affine, tmp_path / "lesions.nii.gz")
    image = nib.load(path)
    moved_qform = image.get_qform()
    moved_qform[0, 3] += 0.02
    image.set_qform(moved_qform, code=1)
    nib.save(image, path)
    with refused(r"tells two positions that differ by 0\.02 mm"):
        read_annotation(path, series)


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
    for set_form in (image.set_sform, image.set_qform):
        set_form(image.affine.copy(), code=1)
    nib.save(image, tmp_path / "lesions.nii.gz")
    saved_image = nib.load(tmp_path / "lesions.nii.gz")
    corner = (*(n - 1 for n in saved_image.shape), 1)
    assert np.linalg.norm((saved_image.get_sform() - saved_image.get_qform()) @ corner) > 0.01
    result = read_annotation(tmp_path / "lesions.nii.gz", wide)
    np.testing.assert_array_equal(result.lesions, labels)


@pytest.mark.parametrize(("grid", "words"), OTHER_GRIDS.values(), ids=OTHER_GRIDS.keys())
def test_a_nifti_on_another_grid_is_refused(
    grid, words, series, annotation, tmp_path, refused
) -> None:
    """Nothing is resampled; the sentence says what differs."""
    path = save_nifti(annotation.lesions, make_truth(**grid).affine, tmp_path / "lesions.nii.gz")
    with refused(f"lesions.nii.gz do not lie on the grid of this series .*{words}"):
        read_annotation(path, series)


def test_a_crop_is_padded_and_what_sticks_out_is_refused(
    series, annotation, tmp_path, refused
) -> None:
    """A smaller or larger box of the same grid will do, unless a label lies outside."""
    crop = series.affine.copy()
    crop[:3, 3] = index_to_mm(series.affine, (2, 3, 4))
    path = save_nifti(annotation.lesions[2:8, 3:20, 4:20], crop, tmp_path / "lesions.nii.gz")
    result = read_annotation(path, series).lesions
    np.testing.assert_array_equal(result[2:8, 3:20, 4:20], annotation.lesions[2:8, 3:20, 4:20])
    assert np.count_nonzero(result) == np.count_nonzero(annotation.lesions[2:8, 3:20, 4:20])
    path = save_nifti(annotation.lesions, crop, tmp_path / "lesions.nii.gz")
    with refused("2 labelled voxels lie outside"):
        read_annotation(path, series)


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
def test_what_is_no_label_is_refused(data, words, series, tmp_path, refused) -> None:
    """No value is rounded or wrapped."""
    values = np.zeros(series.shape, dtype=data.dtype)
    values[3, 4, 5] = data
    path = save_nifti(values, series.affine, tmp_path / "lesions.nii.gz")
    with refused(words):
        read_annotation(path, series)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64, ">u2"])
def test_whole_numbers_of_any_type_are_labels(dtype, series, annotation, tmp_path) -> None:
    """As other programs store them, with a fourth axis of length 1 too."""
    data = np.minimum(annotation.lesions, 200).astype(dtype)[..., None]
    path = save_nifti(data, series.affine, tmp_path / "lesions.nii.gz")
    np.testing.assert_array_equal(
        read_annotation(path, series).lesions, np.minimum(annotation.lesions, 200)
    )


def test_a_nifti_with_a_scale_or_of_the_second_version(series, annotation, tmp_path) -> None:
    """Values are those that the header means."""
    image = nib.Nifti2Image(2 * annotation.vertebrae.astype(np.int16), RAS @ series.affine)
    image.header.set_slope_inter(0.5, 0)
    nib.save(image, tmp_path / "vertebrae.nii.gz")
    result = read_annotation(tmp_path / "vertebrae.nii.gz", series)
    np.testing.assert_array_equal(result.vertebrae, annotation.vertebrae)


def test_several_volumes_are_refused(series, tmp_path, refused) -> None:
    """Contours are one volume."""
    path = save_nifti(np.zeros((9, 32, 24, 2), np.uint8), series.affine, tmp_path / "lesions.nii")
    with refused(r"has the axes \(9, 32, 24, 2\)"):
        read_annotation(path, series)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is damaged"), ("[]", "is damaged"), ('{"levels": ["L1"]}', "no names by number"),
        ('{"levels": {"one": "L1"}}', "no names by number"),
        ('{"levels": {"1": 1}}', "no names by number"),
        ('{"levels": {"1": "L1"}, "series_uid": "9.9"}', "those of another series"),
    ],
)  # fmt: skip
def test_damaged_levels_are_one_sentence(
    text, words, series, annotation, tmp_path, refused
) -> None:
    """A vertebra is not renamed by a file that cannot be understood."""
    paths = NIFTI.write_files(annotation, series, tmp_path, "a")
    paths[2].write_text(text)
    with refused(words):
        read_annotation(tmp_path, series)


def test_a_flipped_bit_in_the_archive_is_found(series, annotation, tmp_path, refused) -> None:
    """The checksum at the end is looked at."""
    path = NIFTI.write_files(annotation, series, tmp_path, "a")[0]
    data = bytearray(gzip.decompress(path.read_bytes()))
    archive = bytearray(gzip.compress(bytes(data)))
    archive[-6] ^= 1
    path.write_bytes(archive)
    with refused("a_lesions.nii.gz is damaged"):
        read_annotation(path, series)


def test_nibabel_says_nothing_itself(series, annotation, tmp_path, capfd) -> None:
    """What it repairs in a header is not for the terminal."""
    path = save_nifti(annotation.lesions, series.affine, tmp_path / "lesions.nii", sform=0)
    data = bytearray(path.read_bytes())
    data[254:256] = (157).to_bytes(2, "little")
    path.write_bytes(data)
    np.testing.assert_array_equal(read_annotation(path, series).lesions, annotation.lesions)
    assert capfd.readouterr().err == ""


def test_a_forged_size_is_refused_before_memory_is_asked_for(series, tmp_path, refused) -> None:
    """A header may claim what it likes."""
    image = nib.Nifti1Image(np.zeros(series.shape, np.uint8), RAS @ series.affine)
    data = bytearray(image.to_bytes())
    data[40:48] = np.array([3, 32767, 32767, 32767], "<i2").tobytes()
    path = tmp_path / "lesions.nii"
    path.write_bytes(data)
    with refused("too large for contours"):
        read_annotation(path, series)


def test_the_levels_file_can_be_read_by_anyone(series, annotation, tmp_path) -> None:
    """Names by number, the series and the reader."""
    path = NIFTI.write_files(annotation, series, tmp_path, "a")[2]
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "levels": {"1": "L1", "2": "L2", "40": "Übergang"},
        "series_uid": series.series_uid,
        "reader": annotation.reader,
    }
