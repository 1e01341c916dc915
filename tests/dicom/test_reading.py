from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gdcm
import numpy as np
import pytest
import SimpleITK as sitk
from dicom_builder import (
    SPACING_MM,
    Truth,
    assert_exact,
    corners,
    enhanced_truth,
    make_enhanced,
    make_series,
    make_truth,
    nothing_said,
    pixels_of,
    save,
    set_pixels,
    write,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    ComprehensiveSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.imaging.geometry import orientation_codes

Images = list[FileDataset]
Fault = Callable[[Path, Images, Truth], Truth | None]


def clean(folder: Path, images: Images, truth: Truth) -> Truth:
    write(folder, images)
    return truth


def reversed_numbers(folder: Path, images: Images, truth: Truth) -> Truth:
    for number, image in enumerate(reversed(images), 1):
        image.InstanceNumber = number
    return clean(folder, images, truth)


def missing_middle(folder: Path, images: Images, truth: Truth) -> None:
    write(folder, images[:4] + images[5:])


def missing_end(folder: Path, images: Images, truth: Truth) -> Truth:
    write(folder, images[:-1])
    return truth.without(8)


def dup_file(folder: Path, images: Images, truth: Truth) -> Truth:
    write(folder, [*images, images[3]])
    return truth


def dup_other_pixels(folder: Path, images: Images, truth: Truth) -> None:
    write(folder, images)
    set_pixels(images[3], pixels_of(images[3]) // 2)
    save(images[3], folder / "again")


def dup_other_place(folder: Path, images: Images, truth: Truth) -> None:
    """The same image again, one slice distance further out: ten even slices, one of them wrong."""
    write(folder, images)
    images[8].ImagePositionPatient = [f"{v:.6f}" for v in truth.at(9, 0, 0)]
    save(images[8], folder / "again")


def two_echoes(folder: Path, images: Images, truth: Truth) -> None:
    others = make_series(truth, name="a")
    for image in others:
        image.EchoTime = "90"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    write(folder, images + others)


def localizer(images: Images, truth: Truth, count: int) -> Images:
    axial = make_series(truth, name="axial")[:count]
    for k, image in enumerate(axial):
        image.SeriesInstanceUID = images[0].SeriesInstanceUID
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [0, 0, 10 * k]
    return axial


def localizer_inside(folder: Path, images: Images, truth: Truth) -> Truth:
    write(folder, images + localizer(images, truth, 1))
    return truth


def localizers_inside(folder: Path, images: Images, truth: Truth) -> Truth:
    write(folder, images + localizer(images, truth, 3))
    return truth


def other_matrix(at: int) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> None:
        set_pixels(images[at], pixels_of(images[at])[::2, ::2])
        write(folder, images)

    return fault


def move_slices(by: Callable[[int], tuple[float, float, float]]) -> Callable[[Images, Truth], None]:
    """Move slice k by (slice, row, column) mm."""

    def move(images: Images, truth: Truth) -> None:
        for k, image in enumerate(images):
            step = np.array(by(k)) / SPACING_MM
            image.ImagePositionPatient = [f"{v:.7f}" for v in truth.at(*np.add(step, (k, 0, 0)))]

    return move


def place_slices(by: Callable[[int], tuple[float, float, float]], exact: bool = False) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> Truth | None:
        move_slices(by)(images, truth)
        write(folder, images)
        return truth if exact else None

    return fault


def iop_noise(size: float, exact: bool) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> Truth | None:
        noise = np.random.default_rng(1).uniform(-size, size, (len(images), 6))
        noise -= noise.mean(axis=0)
        for image, error in zip(images, noise):
            values = np.array(image.ImageOrientationPatient, dtype=float) + error
            image.ImageOrientationPatient = [f"{v:.8f}" for v in values]
        write(folder, images)
        return truth if exact else None

    return fault


def store_signed(folder: Path, images: Images, truth: Truth) -> Truth:
    for image in images:
        set_pixels(image, pixels_of(image) - 2048, signed=True)
    write(folder, images)
    return replace(truth, voxels=truth.voxels - 2048)


def rescale(folder: Path, images: Images, truth: Truth) -> Truth:
    for image in images:
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = "0.5", "-100", "US"
    write(folder, images)
    return replace(truth, voxels=truth.voxels * 0.5 - 100)


def per_slice_slope(folder: Path, images: Images, truth: Truth) -> Truth:
    slopes = 1 + 0.25 * np.arange(len(images))
    for image, slope in zip(images, slopes):
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = str(slope), "0", "US"
    write(folder, images)
    return replace(truth, voxels=truth.voxels * slopes[:, None, None])


def mono1(folder: Path, images: Images, truth: Truth) -> Truth:
    for image in images:
        image.PhotometricInterpretation = "MONOCHROME1"
    write(folder, images)
    return replace(truth, voxels=4095 - truth.voxels)


def mono1_slopes(folder: Path, images: Images, truth: Truth) -> None:
    """There is no telling about which value slices of different scale were inverted."""
    for k, image in enumerate(images):
        image.PhotometricInterpretation = "MONOCHROME1"
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = str(1 + k), "0", "US"
    write(folder, images)


def big_endian(folder: Path, images: Images, truth: Truth) -> Truth:
    for image in images:
        image.PixelData = pixels_of(image).astype(">u2").tobytes()
        image["PixelData"].VR = "OW"
        image.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    return clean(folder, images, truth)


def stored_as(syntax: str) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> Truth:
        for image in images:
            image.file_meta.TransferSyntaxUID = syntax
        return clean(folder, images, truth)

    return fault


def no_preamble(folder: Path, images: Images, truth: Truth) -> Truth:
    for path in write(folder, images):
        path.write_bytes(path.read_bytes()[132:])
    return truth


def bare_dataset(folder: Path, images: Images, truth: Truth) -> Truth:
    """Neither preamble nor file meta group, as ACR-NEMA wrote them."""
    for k, image in enumerate(images):
        bare = Dataset()
        bare.update(image)
        dcmwrite(folder / f"{k}", bare, implicit_vr=True, little_endian=True)
    return truth


def compress(syntax: str) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> Truth:
        for image in images:
            image.compress(syntax, generate_instance_uid=False)
        return clean(folder, images, truth)

    return fault


def compress_by_gdcm(syntax: int) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> Truth:
        for path in write(folder, images):
            reader = gdcm.ImageReader()
            reader.SetFileName(str(path))
            assert reader.Read()
            change = gdcm.ImageChangeTransferSyntax()
            change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
            change.SetInput(reader.GetImage())
            assert change.Change()
            writer = gdcm.ImageWriter()
            writer.SetFileName(str(path))
            writer.SetFile(reader.GetFile())
            writer.SetImage(change.GetOutput())
            assert writer.Write()
        return truth

    return fault


def without(keyword: str, at: slice = slice(None)) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> None:
        for image in images[at]:
            delattr(image, keyword)
        write(folder, images)

    return fault


def damaged_value(keyword: str, at: slice = slice(None)) -> Fault:
    """A decimal string that is no number: such files exist, and no writer of ours makes them."""

    def fault(folder: Path, images: Images, truth: Truth) -> None:
        for path, image in zip(write(folder, images), images):
            if image in images[at]:
                text = "\\".join(str(v) for v in image[keyword].value).encode()
                content = path.read_bytes()
                assert text in content
                path.write_bytes(content.replace(text, b"x" * len(text)))

    return fault


def decimal_comma(folder: Path, images: Images, truth: Truth) -> Truth:
    keywords = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
    for path, image in zip(write(folder, images), images):
        content = path.read_bytes()
        for keyword in keywords:
            text = "\\".join(str(v) for v in image[keyword].value).encode()
            assert text in content
            content = content.replace(text, text.replace(b".", b","))
        path.write_bytes(content)
    return truth


def truncate(folder: Path, images: Images, truth: Truth) -> None:
    path = write(folder, images)[8]
    path.write_bytes(path.read_bytes()[:-700])


def truncate_jpegls(folder: Path, images: Images, truth: Truth) -> None:
    for image in images:
        image.compress(JPEGLSLossless, generate_instance_uid=False)
    path = write(folder, images)[8]
    path.write_bytes(path.read_bytes()[:-700])


def junk(folder: Path, images: Images, truth: Truth) -> Truth:
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 300)
    (folder / "empty").write_bytes(b"")
    (folder / "notes.txt").write_text("A scan.")
    (folder / "looks_like_it").write_bytes(b"\x08\x00\x05\x00" + b"\xff" * 500)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(folder / "nowhere")
    return clean(folder, images, truth)


def mixed_series(folder: Path, images: Images, truth: Truth) -> Truth:
    t1 = make_series(make_truth(seed=5), name="t1")[:5]
    for image in t1:
        image.ScanningSequence, image.RepetitionTime, image.EchoTime = "SE", "500", "10"
        image.InversionTime = "0"
    write(folder, images + t1)
    return truth


def one_with(keyword: str, value: object, at: int = 8) -> Fault:
    """One slice differs; at the end, where its loss leaves no gap that would give it away."""

    def fault(folder: Path, images: Images, truth: Truth) -> None:
        setattr(images[at], keyword, value)
        write(folder, images)

    return fault


def all_with(keyword: str, value: object) -> Fault:
    def fault(folder: Path, images: Images, truth: Truth) -> None:
        for image in images:
            setattr(image, keyword, value)
        write(folder, images)

    return fault


def zero_slope(folder: Path, images: Images, truth: Truth) -> None:
    images[4].RescaleSlope, images[4].RescaleIntercept, images[4].RescaleType = "0", "0", "US"
    write(folder, images)


def one_slice(folder: Path, images: Images, truth: Truth) -> None:
    write(folder, images[:1])


def colour(folder: Path, images: Images, truth: Truth) -> None:
    for image in images:
        array = np.repeat((pixels_of(image) // 16).astype(np.uint8)[..., None], 3, axis=-1)
        image.SamplesPerPixel, image.PhotometricInterpretation = 3, "RGB"
        image.PlanarConfiguration = 0
        image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
        image.PixelData = array.tobytes()
        image["PixelData"].VR = "OB"
    write(folder, images)


def stretched_directions(folder: Path, images: Images, truth: Truth) -> None:
    """Direction cosines of length 0.95 would shrink the image without a word."""
    for image in images:
        values = np.array(image.ImageOrientationPatient, dtype=float) * 0.95
        image.ImageOrientationPatient = [f"{v:.8f}" for v in values]
    write(folder, images)


def rounded_directions(folder: Path, images: Images, truth: Truth) -> Truth:
    """Five decimals are not quite unit length; the exact directions are meant."""
    for image in images:
        values = np.array(image.ImageOrientationPatient, dtype=float)
        image.ImageOrientationPatient = [f"{v:.5f}" for v in values]
    return clean(folder, images, truth)


def no_frame_of_reference(folder: Path, images: Images, truth: Truth) -> Truth:
    for image in images:
        del image.FrameOfReferenceUID
    return clean(folder, images, truth)


def random_mm(size: float) -> Callable[[int], tuple[float, float, float]]:
    noise = np.random.default_rng(2).uniform(-size, size, (9, 3))
    return lambda k: (noise[k, 0], noise[k, 1], noise[k, 2])


EXACT = ""
FAULTS: dict[str, tuple[Fault, str]] = {
    "clean": (clean, EXACT),
    "reversed numbers": (reversed_numbers, EXACT),
    "missing_middle": (missing_middle, "1 slice is missing in the middle"),
    "missing_end": (missing_end, EXACT),
    "dup_file": (dup_file, EXACT),
    "same UID, other pixels": (dup_other_pixels, "identifier of another image"),
    "same UID, other place": (dup_other_place, "identifier of another image"),
    "dup_position two echoes": (two_echoes, "holds 2 stacks"),
    "localizer_inside": (localizer_inside, EXACT),
    "three localizers": (localizers_inside, EXACT),
    "other_matrix": (other_matrix(4), "holds 2 stacks"),
    "other_matrix at the end": (other_matrix(8), "holds 2 stacks"),
    "sheared": (place_slices(lambda k: (0, 0.66 * k, 0)), "shifted in their plane"),
    "one slice shifted": (place_slices(lambda k: (0, 0.5 * (k == 5), 0)), "shifted in their plane"),
    "jitter 1e-3": (place_slices(random_mm(1e-3), exact=True), EXACT),
    "nonuniform 5%": (place_slices(lambda k: (0.22 * (k > 4), 0, 0)), "unevenly spaced"),
    "nonuniform, growing": (
        place_slices(lambda k: (0.06 * max(k - 4, 0), 0, 0)),
        "unevenly spaced",
    ),
    "nonuniform gap": (place_slices(lambda k: (4.0 * (k > 4), 0, 0)), "unevenly spaced"),
    "iop_noise 1e-4": (iop_noise(1e-4, exact=True), EXACT),
    "iop_noise 2e-2": (iop_noise(2e-2, exact=False), r"holds \d stacks"),
    "IOP stretched": (stretched_directions, "right angles"),
    "IOP rounded": (rounded_directions, EXACT),
    "signed": (store_signed, EXACT),
    "rescale": (rescale, EXACT),
    "per_slice_slope": (per_slice_slope, EXACT),
    "mono1": (mono1, EXACT),
    "mono1, slopes differ": (mono1_slopes, "inverted"),
    "big_endian": (big_endian, EXACT),
    "implicit": (stored_as(ImplicitVRLittleEndian), EXACT),
    "no_preamble": (no_preamble, EXACT),
    "no file meta": (bare_dataset, EXACT),
    "JPEG lossless": (compress_by_gdcm(gdcm.TransferSyntax.JPEGLosslessProcess14_1), EXACT),
    "J2K": (compress_by_gdcm(gdcm.TransferSyntax.JPEG2000Lossless), EXACT),
    "JPEG-LS": (compress(JPEGLSLossless), EXACT),
    "RLE": (compress(RLELossless), EXACT),
    "deflated": (stored_as(DeflatedExplicitVRLittleEndian), EXACT),
    "no PixelSpacing": (without("PixelSpacing"), "no valid PixelSpacing"),
    "decimal comma": (decimal_comma, EXACT),
    "PixelSpacing no number": (damaged_value("PixelSpacing"), "no valid PixelSpacing"),
    "IPP no number on one": (
        damaged_value("ImagePositionPatient", slice(8, 9)),
        "1 of its 9 images have no valid ImagePositionPatient",
    ),
    "no IPP on one": (
        without("ImagePositionPatient", slice(8, 9)),
        "1 of its 9 images have no valid ImagePositionPatient",
    ),
    "no IPP on all": (without("ImagePositionPatient"), "no valid ImagePositionPatient"),
    "no IOP": (without("ImageOrientationPatient"), "no valid ImageOrientationPatient"),
    "no IOP on one": (without("ImageOrientationPatient", slice(8, 9)), "holds 2 stacks"),
    "truncated pixels": (truncate, "truncated"),
    "truncated JPEG-LS": (truncate_jpegls, "cannot be read"),
    "junk in folder": (junk, EXACT),
    "mixed series": (mixed_series, EXACT),
    "mixed Photometric": (one_with("PhotometricInterpretation", "MONOCHROME1"), "holds 2 stacks"),
    "mixed EchoTime": (one_with("EchoTime", "90"), "holds 2 stacks"),
    "mixed PatientID": (one_with("PatientID", "OTHER"), "holds 2 stacks"),
    "mixed StudyUID": (one_with("StudyInstanceUID", "1.2.3"), "holds 2 stacks"),
    "mixed FrameOfReference": (one_with("FrameOfReferenceUID", "1.2.3"), "holds 2 stacks"),
    "mixed BitsStored": (one_with("BitsStored", 11), "differ in BitsStored"),
    "mixed LUT shape": (one_with("PresentationLUTShape", "INVERSE"), "differ in Presentation"),
    "RescaleSlope 0": (zero_slope, "RescaleSlope of 0"),
    "one slice": (one_slice, "only one slice"),
    "colour": (colour, "in colour"),
    "no FrameOfReference": (no_frame_of_reference, EXACT),
    "huge forged matrix": (all_with("Rows", 65535), "cannot be|truncated"),
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS.keys())
def test_a_damaged_series_is_read_exactly_or_refused(
    fault, reason, scan, truth, refused, capfd
) -> None:
    """Whatever is wrong with a series, it is the truth that comes out, or a reason, quietly."""
    true_series = fault(scan, make_series(truth), truth)
    if reason:
        with nothing_said(capfd), refused(reason):
            read_series(scan)
        return
    assert true_series is not None
    with nothing_said(capfd):
        assert_exact(read_series(scan), true_series)
        (summary,) = [s for s in list_series(scan) if s.detectable]
    assert summary.spacing_mm == pytest.approx(SPACING_MM, abs=2e-3)


@pytest.mark.parametrize("at", [0, 4, 8])
def test_a_file_cut_off_in_its_header_is_never_passed_over_in_silence(
    at, scan, truth, refused
) -> None:
    """The loss of a slice leaves a gap, or a warning where it was the last one."""
    paths = write(scan, make_series(truth))
    paths[at].write_bytes(paths[at].read_bytes()[:500])
    if at == 4:
        with refused("missing in the middle"):
            read_series(scan)
    else:
        series = read_series(scan)
        assert_exact(series, truth.without(at))
        assert "damaged" in " ".join(series.warnings)


def test_an_image_that_names_no_series_is_not_lost_in_silence(scan, truth) -> None:
    """It may be a slice of the series that is read, and that is told."""
    images = make_series(truth)
    del images[8].SeriesInstanceUID
    write(scan, images)
    series = read_series(scan)
    assert_exact(series, truth.without(8))
    assert "damaged" in " ".join(series.warnings)


def test_enhanced_objects_of_one_frame_each_are_one_volume(scan, truth) -> None:
    """As some scanners export every slice: what the object of all frames gives."""
    for k in range(len(truth.voxels)):
        image = make_enhanced(truth, order=[k], name=f"slice-{k}")
        image.SeriesInstanceUID = generate_uid(entropy_srcs=["enhanced", "series"])
        save(image, scan / f"{k:03d}")
    series = read_series(scan)
    assert_exact(series, enhanced_truth(truth))
    assert series.warnings == ()
    (summary,) = list_series(scan)
    assert (summary.slices, summary.contrast, summary.detectable) == (9, "STIR", True)


def test_repairs_are_told(scan, truth) -> None:
    """A repaired series says what was put right, in sentences."""
    dup_file(scan, make_series(truth), truth)
    iop_noise(1e-4, True)(scan / "more", make_series(truth, name="b"), truth)
    uids = [generate_uid(entropy_srcs=[name, "series"]) for name in "ab"]
    (duplicate,) = read_series(scan, uids[0]).warnings
    assert re.fullmatch(r"The duplicate file \d+ was passed over\.", duplicate)
    (noise,) = read_series(scan, uids[1]).warnings
    assert noise.startswith("The slice orientations differ by up to 1.")


in_plane = st.floats(-180, 180, allow_nan=False)
tilt = st.floats(-20, 20, allow_nan=False)
length = st.floats(0.3, 5.0, allow_nan=False)
shift = st.floats(-500, 500, allow_nan=False)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    angles=st.tuples(in_plane, tilt, tilt),
    spacing_mm=st.tuples(length, length, length),
    origin=st.tuples(shift, shift, shift),
    storage=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 1000),
)
def test_any_way_a_sagittal_series_is_stored_gives_the_same_corners(
    angles, spacing_mm, origin, storage, seed, tmp_path_factory
) -> None:
    """Rotation, spacing, flips, transposes and file order change neither voxels nor corners."""
    truth = make_truth(
        shape=(3, 4, 5), angles=angles, spacing_mm=spacing_mm, origin=origin, seed=seed
    )
    folder = tmp_path_factory.mktemp("any")
    transpose, flip_rows, flip_columns = storage
    images = make_series(truth, transpose=transpose, flip_rows=flip_rows, flip_columns=flip_columns)
    write(folder, images, seed)
    series = read_series(folder)
    assert orientation_codes(series.affine) == ("L", "F", "P")
    # In-plane rotation may make other axes the feet and the back, so voxels are compared by place.
    corners_mm = corners(series.shape, series.affine)
    true_corners_mm = corners(truth.voxels.shape, truth.affine)
    distance = np.linalg.norm(corners_mm[:, None] - true_corners_mm[None], axis=2)
    assert distance.min(axis=1).max() < 0.01
    index = np.stack(np.meshgrid(*map(np.arange, series.shape), indexing="ij"), axis=-1)
    places = index @ series.affine[:3, :3].T + series.affine[:3, 3]
    true_index = np.linalg.solve(
        truth.affine[:3, :3], (places - truth.affine[:3, 3]).reshape(-1, 3).T
    ).T
    k, i, j = np.rint(true_index).astype(int).T
    np.testing.assert_array_equal(series.voxels.ravel(), truth.voxels[k, i, j])
    (summary,) = list_series(folder)
    assert summary.spacing_mm == pytest.approx(series.spacing_mm, abs=1e-5)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("angles", [(0, 0, 0), (0, 12, 7), (5, -9, 14)])
def test_a_clean_series_agrees_with_simpleitk(scan, angles, transpose) -> None:
    """Another reader puts each voxel in the same place."""
    truth = make_truth(angles=angles)
    write(scan, make_series(truth, transpose=transpose, flip_rows=True))
    series = read_series(scan)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(scan))
    image = sitk.ReadImage(names)
    for corner in np.ndindex(2, 2, 2):
        index = np.array(corner) * (np.array(series.shape) - 1)
        position = series.affine[:3, :3] @ index + series.affine[:3, 3]
        # It stacks sagittal slices the other way round: ask it by place, not by index.
        theirs = image.TransformPhysicalPointToContinuousIndex(position.tolist())
        assert np.abs(np.array(theirs) - np.rint(theirs)).max() < 0.01 / max(SPACING_MM)
        value = image.GetPixel([round(v) for v in theirs])
        assert series.voxels[tuple(index)] == value


def test_an_enhanced_multi_frame_object_is_read_exactly(scan, truth) -> None:
    """Frames in reverse order, each with its own scale, come out as the same series."""
    save(make_enhanced(truth, order=range(8, -1, -1)), scan / "one")
    assert_exact(read_series(scan), enhanced_truth(truth))
    (summary,) = list_series(scan)
    assert (summary.contrast, summary.slices, summary.detectable) == ("STIR", 9, True)


def test_frames_spread_over_two_files_are_one_series(scan, truth) -> None:
    """No slice is lost if a scanner writes a series as several multi-frame objects."""
    for name, order in (("one", [0, 2, 4, 6, 8]), ("two", [7, 5, 3, 1])):
        image = make_enhanced(truth, order)
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        save(image, scan / name)
    assert_exact(read_series(scan), enhanced_truth(truth))


def test_a_repeated_multi_frame_file_is_taken_once(scan, truth) -> None:
    """A copy of a multi-frame object does not double the slices."""
    image = make_enhanced(truth)
    save(image, scan / "one")
    save(image, scan / "two")
    assert_exact(read_series(scan), enhanced_truth(truth))
    image.PixelData = bytes(len(image.PixelData))
    image["PixelData"].VR = "OW"
    save(image, scan / "two")
    with pytest.raises(Exception, match="identifier of another image"):
        read_series(scan)


def test_a_multi_frame_object_without_places_is_refused(scan, truth, refused) -> None:
    """Frames that nobody placed are not stacked, however many the header announces."""
    image = make_enhanced(truth)
    del image.PerFrameFunctionalGroupsSequence
    save(image, scan / "one")
    with refused("no valid ImagePositionPatient"):
        read_series(scan)
    image.NumberOfFrames = 2**31 - 1
    save(image, scan / "one")
    with refused("no valid ImagePositionPatient"):
        read_series(scan)
    image = make_enhanced(truth)
    image.NumberOfFrames = 7
    save(image, scan / "one")
    with refused("announces 7 frames but describes 9"):
        read_series(scan)


def test_a_multi_frame_scale_of_zero_is_refused(scan, truth, refused) -> None:
    """The same values are looked after in multi-frame objects."""
    image = make_enhanced(truth)
    group = image.PerFrameFunctionalGroupsSequence[3]
    group.PixelValueTransformationSequence[0].RescaleSlope = "0"
    save(image, scan / "one")
    with refused("RescaleSlope of 0"):
        read_series(scan)


def test_single_frames_beside_multi_frames_are_refused(scan, truth, refused) -> None:
    """A series in two kinds of file is not mixed."""
    write(scan, make_series(truth)[:4])
    image = make_enhanced(truth, order=range(4, 9))
    image.SeriesInstanceUID = generate_uid(entropy_srcs=["a", "series"])
    save(image, scan / "one")
    with refused("stacks|mixes"):
        read_series(scan)


def test_an_error_names_five_series_and_counts_the_rest(scan, truth, refused) -> None:
    """A message stays readable in a folder of many series."""
    for name in "abcdefgh":
        write(scan / name, make_series(truth, name=name)[:2])
    with refused("8 series in .* can be detected on, .*and 3 more; say which by its UID"):
        read_series(scan)
    with refused("No series in .* has the UID 1.2.3; .*and 3 more; choose one of these"):
        read_series(scan, "1.2.3")
    for path in scan.rglob("*"):
        if path.is_file():
            path.unlink()
    for name in "abcdefgh":
        write(scan / name, make_series(truth, name=name)[:1])
    with refused(r"No series in .* can be detected on \(.*only one slice.*and 3 more\)"):
        read_series(scan)


def test_a_series_that_is_not_detectable_can_be_read_by_its_uid(scan, truth, refused) -> None:
    """Contrast bars detection, not reading; a plane that is not sagittal bars both."""
    images = make_series(truth)
    for image in images:
        image.ScanningSequence, image.RepetitionTime, image.EchoTime = "SE", "500", "10"
        image.InversionTime = "0"
    write(scan, images)
    with refused("its contrast is T1"):
        read_series(scan)
    assert_exact(read_series(scan, images[0].SeriesInstanceUID), truth)
    for k, image in enumerate(images):
        image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, k]
    write(scan, images)
    with refused("its plane is axial"):
        read_series(scan, images[0].SeriesInstanceUID)


def test_reading_leaves_the_files_alone(scan, truth) -> None:
    """Scans are never written to, repaired or not."""
    images = make_series(truth)
    paths = write(scan, images)
    decimal_comma(scan, images, truth)
    bytes_before = {path: path.read_bytes() for path in paths}
    read_series(scan)
    assert {path: path.read_bytes() for path in scan.iterdir()} == bytes_before


def test_values_that_nobody_can_decode_are_no_crash(scan, truth, refused) -> None:
    """Damage to any single header byte ends as a series or as one sentence."""
    path = write(scan, make_series(truth))[0]
    content = path.read_bytes()
    pixels = content.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    random = np.random.default_rng(3)
    for _ in range(40):
        mutant = bytearray(content)
        for position in random.integers(132, pixels, 3):
            mutant[position] = random.integers(256)
        path.write_bytes(mutant)
        try:
            series = read_series(scan)
        except Exception:  # noqa: BLE001
            with refused():
                read_series(scan)
        else:
            assert series.shape[0] in (8, 9)


def test_nothing_but_images_is_no_series(scan, truth, refused) -> None:
    """A folder of reports is no scan."""
    image = make_series(truth)[0]
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(image, keyword)
    image.Modality = "OT"
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    image.ContentSequence = DicomSequence([])
    save(image, scan / "report")
    with refused("no images among them"):
        list_series(scan)
