"""Images of a series that are in none of its boxes, and whether one of the boxes lacks them."""

from __future__ import annotations

import numpy as np

from ..contrast.image_kinds import CONTENT_TOLERANCES, content_of
from ..headers import normal_of, numbers_of, value_of
from .contents import HARD_KEYWORDS
from .faults import position_fault
from .stack import FloatArray, Stack

_PARALLEL_DEGREES = 5.0
_STEPS_BEYOND = 3
"""How far behind an end a slice may lie that belonged to a stack, in slice distances."""
_STEP_TOLERANCE = 0.1
_PIXEL_TOLERANCE_MM = 1e-3
_SHIFT_MM = 10.0
"""How far within its plane."""
_DIFFERENCES = (*HARD_KEYWORDS, "ImageOrientationPatient", "PixelSpacing")


def may_lack_images_of(stack: Stack, other: Stack) -> bool:
    """Whether another stack may hold slices that are missing in this one, or another person's.

    A localiser, another station or a picture of the screen may be passed over; a slice that goes
    on where the stack ends, and differs in echo or polarity, may not, and nor may one whose plane
    nobody knows.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    other : Stack
        Of the same series; with whatever faults.
    """
    first, second = other.header, stack.header
    for keyword in ("PatientID", "StudyInstanceUID"):
        if value_of(first, keyword, "") != value_of(second, keyword, ""):
            return True
    return may_go_on(stack, other)


def may_go_on(stack: Stack, other: Stack) -> bool:
    """Whether another stack holds slices that lie where this one would go on, or nobody knows.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    other : Stack
        Of any series of the folder; with whatever faults.
    """
    first, second = other.header, stack.header
    is_same_matrix = all(
        value_of(first, keyword) == value_of(second, keyword) for keyword in ("Rows", "Columns")
    )
    orientation, other_orientation = stack.orientation, other.orientation
    positions, other_positions = stack.positions, other.positions
    assert orientation is not None
    assert positions is not None
    if other_orientation is None or other_positions is None:
        return is_same_matrix
    if not _are_parallel(stack, other):
        return False
    return _lie_beyond(positions, other_positions, normal_of(orientation), is_same_matrix)


def may_be_stray(stack: Stack, other: Stack) -> bool:
    """Whether slices of a broken series may have belonged to a stack of another one.

    Their identifier was damaged, so their position may be as well: a plane, a matrix and a pixel
    size in common are enough.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    other : Stack
        Of a series that is no volume.
    """
    is_placed = stack.orientation is not None and other.orientation is not None
    matrices = {
        tuple(str(value_of(s.header, keyword)) for keyword in ("Rows", "Columns"))
        for s in (stack, other)
    }
    pixel, other_pixel = (numbers_of(s.header, "PixelSpacing", 2) for s in (stack, other))
    is_same_pixel = (
        pixel is not None
        and other_pixel is not None
        and np.abs(pixel - other_pixel).max() <= _PIXEL_TOLERANCE_MM
    )
    if len(matrices) == 1 and is_same_pixel and (not is_placed or _are_parallel(stack, other)):
        return True
    is_named_alike = value_of(stack.header, "SeriesDescription") == value_of(
        other.header, "SeriesDescription"
    )
    return (is_placed or is_named_alike) and may_go_on(stack, other)


def name_difference(stack: Stack, other: Stack) -> str:
    """The first attribute, as a DICOM keyword, that keeps two stacks of a series apart.

    Parameters
    ----------
    stack, other : Stack
        Of one series.
    """
    first, second = stack.header, other.header
    for keyword in _DIFFERENCES:
        if str(value_of(first, keyword, "")) != str(value_of(second, keyword, "")):
            return keyword
    contents, other_contents = content_of(first), content_of(second)
    for keyword, value in contents.items():
        other_value = other_contents[keyword]
        least_difference, share = CONTENT_TOLERANCES.get(keyword, (0.0, 0.0))
        if isinstance(value, float) and isinstance(other_value, float):
            if abs(value - other_value) > max(least_difference, share * abs(value)):
                return keyword
        elif value != other_value and None not in (value, other_value):
            return keyword
    return other.separator or stack.separator or "ImagePositionPatient"


def _are_parallel(stack: Stack, other: Stack) -> bool:
    assert stack.orientation is not None
    assert other.orientation is not None
    cosine = abs(float(normal_of(other.orientation) @ normal_of(stack.orientation)))
    return cosine > float(np.cos(np.deg2rad(_PARALLEL_DEGREES)))


def _lie_beyond(
    positions: FloatArray, others: FloatArray, normal: FloatArray, is_same_matrix: bool
) -> bool:
    """Whether all of some slices lie where a regular stack would go on, or between its slices."""
    offsets = others - positions.mean(axis=0)
    within_plane = np.linalg.norm(offsets - np.outer(offsets @ normal, normal), axis=1)
    if (within_plane > _SHIFT_MM).any():
        return False
    distances = np.sort(positions @ normal)
    step = float(np.median(np.diff(distances)))
    places = others @ normal
    steps_beyond = np.maximum(distances[0] - places, places - distances[-1]) / step
    steps = np.round(steps_beyond)
    is_on_grid = (np.abs(steps_beyond - steps) <= _STEP_TOLERANCE) & (steps >= 1)
    if is_on_grid.all() and steps.min() <= _STEPS_BEYOND:
        return True
    # Every second slice in another stack: together they are a box of half the distance.
    is_inside = bool((steps_beyond <= _STEP_TOLERANCE).any())
    union = np.concatenate([positions, others])
    return is_inside and is_same_matrix and not position_fault(union, normal)
