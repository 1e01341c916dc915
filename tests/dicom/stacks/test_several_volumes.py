"""Several volumes in one series, one volume in several, and noise that tells of neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dicom_builder import (
    Truth,
    assert_exact,
    enhanced_truth,
    make_enhanced,
    make_series,
    make_truth,
    pixels_of,
    save,
    set_pixels,
    write,
)
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid

from napari_spinemet.dicom import list_series, read_series

Images = list[FileDataset]
SERIES = generate_uid(entropy_srcs=["a", "series"])


def renamed(images: Images) -> Images:
    """Other images of the same series."""
    for image in images:
        image.SeriesInstanceUID, image.SeriesDescription = SERIES, "STIR SAG a"
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return images


def lower(truth: Truth, mm: float = 250.0) -> Truth:
    """Another volume below it."""
    affine = truth.affine.copy()
    affine[:3, 3] += affine[:3, 1] / np.linalg.norm(affine[:3, 1]) * mm
    return Truth(truth.voxels[::-1].copy(), affine)


NOISE: dict[str, Callable[[int], dict[str, object]]] = {
    "trigger times": lambda k: {"TriggerTime": f"{12.5 * k}"},
    "a sixth ImageType value": lambda k: {
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER", "X", "Y", f"Z{k}"]
    },
    "echo times of many decimals": lambda k: {"EchoTime": f"{60 + 1e-3 * (k % 2)}"},
    "one acquisition a slice": lambda k: {"AcquisitionNumber": k + 1},
    "concatenations": lambda k: {"AcquisitionNumber": k % 2 + 1, "TemporalPositionIdentifier": k},
    "comments": lambda k: {"ImageComments": str(k)},
    "echo numbers on some": lambda k: {"EchoNumbers": "1"} if k % 2 else {},
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_one_box_is_one_volume_whatever_its_headers_say_beside(scan, truth, noise) -> None:
    images = make_series(truth)
    for k, image in enumerate(images):
        for keyword, value in noise(k).items():
            setattr(image, keyword, value)
    write(scan, images)
    (summary,) = list_series(scan)
    assert (summary.stack, summary.stack_name, summary.slices) == (1, "", 9)
    assert_exact(read_series(scan), truth)


def test_a_missing_echo_time_is_no_other_one(scan, truth) -> None:
    images = make_series(truth)
    del images[3].EchoTime
    write(scan, images)
    assert_exact(read_series(scan), truth)


def test_two_stations_are_listed_by_name_and_read_by_number(scan, truth, refused) -> None:
    below = lower(truth)
    others = renamed(make_series(below, name="b"))
    for image in others:
        image.AcquisitionNumber = 2
    write(scan, make_series(truth) + others)
    summaries = list_series(scan)
    assert [(s.series_uid, s.stack, s.stack_name, s.detectable) for s in summaries] == [
        (SERIES, 1, "upper station", True),
        (SERIES, 2, "lower station", True),
    ]
    with refused("holds 2 stacks that can be detected on, .*upper station.*say which by its stack"):
        read_series(scan)
    with refused("has a stack 3"):
        read_series(scan, SERIES, 3)
    for stack, expected in ((1, truth), (2, below)):
        series = read_series(scan, SERIES, stack)
        assert_exact(series, expected)
        assert series.stack == stack


@pytest.mark.parametrize(
    ("keyword", "values", "names"),
    [
        ("EchoTime", ("60", "90"), {"echo time 60 ms", "echo time 90 ms"}),
        ("EchoNumbers", ("1", "2"), {"echo 1", "echo 2"}),
        ("TemporalPositionIdentifier", ("1", "2"), {"time point 1", "time point 2"}),
        ("DiffusionBValue", (0.0, 800.0), {"b-value 0", "b-value 800"}),
        ("AcquisitionNumber", ("1", "2"), {"acquisition 1", "acquisition 2"}),
    ],
)
def test_images_at_one_place_are_told_apart_by_what_differs(
    scan, truth, keyword, values, names
) -> None:
    """Never one volume of them, and each can be read."""
    second = replace(truth, voxels=truth.voxels[:, ::-1].copy())
    both = make_series(truth), renamed(make_series(second))
    for value, images in zip(values, both):
        for k, image in enumerate(images):
            setattr(image, keyword, value)
            image.TriggerTime = str(k)
    write(scan, both[0] + both[1])
    summaries = list_series(scan)
    assert {s.stack_name for s in summaries} == names
    assert [s.slices for s in summaries] == [9, 9]
    for summary in summaries:
        is_first = summary.stack_name in (min(names), "echo time 60 ms")
        series = read_series(scan, SERIES, summary.stack)
        assert_exact(series, truth if is_first else second)


def test_a_phase_image_is_no_magnitude_image(scan, truth) -> None:
    """The magnitude is read without being asked for."""
    phase = renamed(make_series(make_truth(seed=4)))
    for image in phase:
        image.ImageType = ["ORIGINAL", "PRIMARY", "P", "ND"]
    write(scan, make_series(truth) + phase)
    assert_exact(read_series(scan), truth)
    assert {(s.stack_name, s.contrast, s.detectable) for s in list_series(scan)} == {
        ("magnitude", "STIR", True),
        ("phase", "phase", False),
    }


def test_slices_of_unlike_content_are_never_one_volume(scan, truth, refused) -> None:
    """Every second slice a phase image: a box, but of two things."""
    images = make_series(truth)
    for image in images[1::2]:
        image.ImageType = ["ORIGINAL", "PRIMARY", "P", "ND"]
    write(scan, images)
    with refused("differ in ImageType"):
        read_series(scan)


def test_a_sagittal_scout_inside_the_series_stands_in_no_way(scan, truth) -> None:
    """Three slices of its plane, far coarser than it, of a field that begins far above."""
    scout = make_truth(
        shape=(3, 16, 12), spacing_mm=(17.0, 4.5, 4.5), origin=(-16.0, -80.0, 140.0), seed=2
    )
    images = make_series(truth) + renamed(make_series(scout))
    write(scan, images)
    assert_exact(read_series(scan), truth)
    summaries = list_series(scan)
    assert [(s.slices, s.detectable) for s in summaries] == [(9, True), (3, False)]
    assert "as a scout has" in summaries[1].reason
    assert_exact(read_series(scan, SERIES, 2), scout)


def test_a_coronal_stack_in_an_enhanced_object_stands_in_no_way(scan, truth) -> None:
    image = make_enhanced(truth)
    frames = list(image.PerFrameFunctionalGroupsSequence)
    direction = image.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    del image.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for k, frame in enumerate(frames):
        frame.PlaneOrientationSequence = direction
        if k >= 6:
            turned = type(direction[0])()
            turned.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
            frame.PlaneOrientationSequence = type(direction)([turned])
            frame.PlanePositionSequence[0].ImagePositionPatient = [0, 5 * k, 0]
    save(image, scan / "one")
    assert_exact(read_series(scan), enhanced_truth(truth).without(6, 7, 8))
    assert {(s.plane, s.slices) for s in list_series(scan)} == {("sagittal", 6), ("coronal", 3)}


def test_a_stack_that_lost_a_slice_is_not_halved(scan, truth, refused) -> None:
    """Every second slice of it would be a box of twice the distance."""
    images = make_series(truth)
    for k, image in enumerate(images):
        image.AcquisitionNumber = k % 2 + 1
    write(scan, images[:3] + images[4:])
    with refused("1 slice is missing in the middle"):
        read_series(scan)


def test_copies_under_other_identifiers_are_passed_over_with_one_note(scan, truth) -> None:
    for count in (1, 9):
        for path in scan.iterdir():
            path.unlink()
        write(scan, make_series(truth) + renamed(make_series(truth))[:count])
        series = read_series(scan)
        assert_exact(series, truth)
        (warning,) = series.warnings
        assert warning.code == "files-doubled"
        assert "the pixels of" in warning


def test_equal_places_with_other_pixels_are_no_copies(scan, truth, refused) -> None:
    twin = renamed(make_series(truth))[3]
    set_pixels(twin, pixels_of(twin) // 2)
    write(scan, [*make_series(truth), twin])
    with refused("2 of its slices share a position"):
        read_series(scan)


@pytest.mark.parametrize("parts", [[1] * 9, [8, 1], [5, 4]])
def test_a_series_that_was_split_is_one_again(scan, truth, parts) -> None:
    """By an archive that gave each slice, or some, a series of its own."""
    images = make_series(truth)
    numbers = np.repeat(range(len(parts)), parts)
    for number, image in zip(numbers, images):
        image.SeriesInstanceUID = f"1.2.{number}"
    write(scan, images)
    series = read_series(scan)
    assert_exact(series, truth)
    assert "series-joined" in {warning.code for warning in series.warnings}
    (summary,) = list_series(scan)
    assert summary.slices == 9
    assert_exact(read_series(scan, "1.2.1"), truth)  # by any of their names


def test_every_second_slice_in_another_series_is_one_again(scan, truth) -> None:
    images = make_series(truth)
    for k, image in enumerate(images):
        image.SeriesInstanceUID = f"1.2.{k % 2}"
    write(scan, images)
    assert_exact(read_series(scan), truth)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SeriesDescription", "another"),
        ("EchoTime", "90"),
        ("StudyInstanceUID", "1.2.3"),
        ("PatientID", "OTHER"),
        ("FrameOfReferenceUID", "1.2.3"),
    ],
)
def test_series_that_differ_are_never_put_together(scan, truth, keyword, value) -> None:
    images = make_series(truth)
    for image in images[5:]:
        image.SeriesInstanceUID = "1.2.3.4"
        setattr(image, keyword, value)
    write(scan, images)
    assert [summary.slices for summary in list_series(scan)] == [5, 4]


def test_a_series_stored_twice_is_one(scan, truth) -> None:
    """Under two series and other images' identifiers, with the same pixels."""
    others = renamed(make_series(truth))
    for image in others:
        image.SeriesInstanceUID = "1.2.3"
    write(scan, make_series(truth) + others)
    series = read_series(scan)
    assert_exact(series, truth)
    assert [warning.code for warning in series.warnings] == ["files-doubled"]


def test_a_scan_that_was_repeated_is_two(scan, truth, refused) -> None:
    """Same places, other pixels: the person must say which."""
    others = renamed(make_series(make_truth(seed=7)))
    for image in others:
        image.SeriesInstanceUID = "1.2.3"
    write(scan, make_series(truth) + others)
    with refused("2 series in .* can be detected on"):
        read_series(scan)


def test_the_rest_of_a_series_that_goes_on_is_told_by_what_differs(scan, truth, refused) -> None:
    images = make_series(truth)
    images[8].EchoTime = "90"
    write(scan, images)
    with refused("holds 2 stacks of images that do not form one volume: they differ in EchoTime"):
        read_series(scan)


def test_each_volume_of_a_series_has_files_of_its_own(scan: Path, truth: Truth) -> None:
    """For copies and hashes."""
    from napari_spinemet.dicom.reading import content_hash, plain_files

    write(scan, make_series(truth) + renamed(make_series(lower(truth))))
    upper_files, lower_files = (plain_files(scan, SERIES, stack) for stack in (1, 2))
    assert len(upper_files) == len(lower_files) == 9
    assert not set(upper_files) & set(lower_files)
    assert content_hash(scan, SERIES, 1) != content_hash(scan, SERIES, 2)
