from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_builder import make_series, make_truth
from pydicom.dataset import FileDataset

from napari_spinemet.dicom.files.sources import Source
from napari_spinemet.dicom.stacks.faults import find_fault
from napari_spinemet.dicom.stacks.leftovers import may_lack_images_of
from napari_spinemet.dicom.stacks.sorting import split_into_stacks
from napari_spinemet.dicom.stacks.stack import Stack

AXIAL = [1, 0, 0, 0, 1, 0]


def stack_of(images: list[FileDataset]) -> Stack:
    """The one stack that some images form."""
    (stack,) = split_into_stacks([(Source(Path(str(k))), image) for k, image in enumerate(images)])
    return stack


def test_noise_in_directions_is_judged_by_what_it_moves() -> None:
    """The same noise that a small field forgives is refused where it moves the edge visibly."""
    images = make_series(make_truth())
    values = np.array(images[4].ImageOrientationPatient, dtype=float)
    row_direction = values[:3] + 2e-3 * values[3:]
    row_direction /= np.linalg.norm(row_direction)
    column_direction = values[3:] - row_direction * (row_direction @ values[3:])
    cosines = [*row_direction, *(column_direction / np.linalg.norm(column_direction))]
    images[4].ImageOrientationPatient = [f"{v:.9f}" for v in cosines]
    assert find_fault(stack_of(images)) == ""
    for image in images:
        image.Rows = image.Columns = 512
    assert "directions of its slices differ, by up to 1.2 mm" in find_fault(stack_of(images))


def test_a_fault_is_found_without_reading_pixels() -> None:
    """The verdict of a listing and that of a reading are the same one."""
    images = make_series(make_truth())
    for image in images:
        del image.PixelData
    assert find_fault(stack_of(images)) == ""
    assert find_fault(stack_of(images[:1] + images[3:])) == "2 slices are missing in the middle"


def test_spacing_is_that_of_the_series_as_it_is_read() -> None:
    """A sagittal stack stored on its side lists its spacing upright; other planes as stored."""
    truth = make_truth()
    assert stack_of(make_series(truth, transpose=True)).spacing_mm == pytest.approx(
        (4.4, 0.9, 0.7), abs=1e-6
    )
    axial = make_series(truth)
    for k, image in enumerate(axial):
        image.ImageOrientationPatient, image.ImagePositionPatient = AXIAL, [0, 0, 3 * k]
    assert stack_of(axial).spacing_mm == pytest.approx((3, 0.9, 0.7))


def test_the_largest_stack_of_a_series_comes_first() -> None:
    """However its images lie in the folder: a series is named after what most of it shows."""
    images = make_series(make_truth())
    for k, image in enumerate(images[:3]):
        image.ImageOrientationPatient, image.ImagePositionPatient = AXIAL, [0, 0, 3 * k]
    stacks = split_into_stacks([(Source(Path(str(k))), image) for k, image in enumerate(images)])
    assert [(len(stack.images), stack.plane) for stack in stacks] == [
        (6, "sagittal"),
        (3, "axial"),
    ]


def test_a_localiser_may_be_passed_over_and_a_lost_slice_may_not() -> None:
    """What is left out of a volume must not have belonged to it, nor to another patient."""
    images = make_series(make_truth())
    stack = stack_of(images[:8])
    assert may_lack_images_of(stack, stack_of(images[8:]))
    images[8].ImageOrientationPatient = AXIAL
    assert not may_lack_images_of(stack, stack_of(images[8:]))
    images[8].PatientID = "OTHER"
    assert may_lack_images_of(stack, stack_of(images[8:]))
    images[8].PatientID = "TEST"
    del images[8].ImageOrientationPatient
    assert may_lack_images_of(stack, stack_of(images[8:]))
    images[8].Rows, images[8].Columns = 600, 800
    assert not may_lack_images_of(stack, stack_of(images[8:]))


@pytest.mark.parametrize(
    ("spacing", "words"),
    [
        ([100, 100], "its pixels are 100 x 100 mm"),
        ([1e6, 1e6], "its pixels are 1e+06 x 1e+06 mm"),
        ([0.9, 1e-3], "0.001 mm by PixelSpacing"),
        ([4.9, 4.9], "its field is 1.6 m long"),
    ],
)
def test_a_spacing_that_no_scan_has_is_refused_before_anything_is_computed(
    spacing: list[float], words: str
) -> None:
    """It would be resampled to as many pixels as it says there are millimetres."""
    images = make_series(make_truth())
    for image in images:
        image.PixelSpacing = spacing
        image.Rows = 320
    assert words in find_fault(stack_of(images))
