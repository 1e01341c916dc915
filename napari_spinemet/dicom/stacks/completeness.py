"""What the headers tell of slices that are not there: a copy that lost some looks whole.

A slice that is missing in the middle leaves a gap, and the series is refused. One that is missing
at an end leaves nothing but a number: that of an image, of images, or of a distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from pydicom.dataset import Dataset

from ...imaging.scan_warnings import ScanWarning
from ..headers import normal_of, number_of, numbers_of, value_of
from .stack import Stack

MOST_STEPS = 4
_CLOSE = 0.02
_LEAST_SLOPE = 0.1
"""Of SliceLocation along the normal; below it counts something else."""
_MOST_MISSING = 10
"""Images for each that is there."""


def find_missing(
    stack: Stack, images: Sequence[Dataset], listed: frozenset[str] = frozenset()
) -> Iterator[ScanWarning]:
    """Warn of slices that the headers of a series speak of and that were not found.

    Parameters
    ----------
    stack : Stack
        The one that is read.
    images : sequence of pydicom.dataset.Dataset
        Headers of all images of the series, those of other stacks too.
    listed : frozenset of str
        SOPInstanceUIDs that a DICOMDIR names for the series.
    """
    images_counted = _images_counted_with(stack, images)
    for sentence in (
        _missing_numbers(stack, images_counted),
        _missing_of_acquisition(images_counted),
        _missing_of_directory(images, listed),
        _too_wide_steps(stack),
    ):
        if sentence:
            yield ScanWarning("slices-missing", sentence)


def find_disorder(stack: Stack) -> Iterator[ScanWarning]:
    """Warn where SliceLocation contradicts the positions of a few slices.

    Scanners count SliceLocation from anywhere, in either direction; but where it goes along with
    the positions of most slices, it does so for all.

    Parameters
    ----------
    stack : Stack
        Without a fault.
    """
    values = [numbers_of(header, "SliceLocation", 1) for _, header in stack.images]
    locations = np.array([value[0] for value in values if value is not None])
    orientation, positions = stack.orientation, stack.positions
    if len(locations) < len(values) or orientation is None or positions is None:
        return
    distances = positions @ normal_of(orientation)
    order = np.argsort(distances)
    steps = np.diff(distances[order])
    # Some count along an axis of the patient, or by the thickness: another step, but an even one.
    slope = float(np.median(np.diff(locations[order]) / steps))
    offset = locations - slope * distances
    is_off = np.abs(offset - np.median(offset)) > abs(slope) * float(np.median(steps)) / 2
    if abs(slope) >= _LEAST_SLOPE and 0 < is_off.sum() < len(is_off) / 2:
        yield ScanWarning(
            "slice-order",
            f"{is_off.sum()} of its {len(is_off)} slices lie elsewhere by SliceLocation than by "
            "their positions, so some may have been exchanged.",
        )


def _images_counted_with(stack: Stack, images: Sequence[Dataset]) -> list[Dataset]:
    """The images of a stack, and those of the series that its numbers go on with.

    Where another image has a number of the stack's, be it a copy or of another stack that is
    numbered by itself, the stack is counted alone.
    """
    own = [header for _, header in stack.images]
    identifiers = {str(value_of(header, "SOPInstanceUID", "")) for header in own}
    others = [i for i in images if str(value_of(i, "SOPInstanceUID", "")) not in identifiers]
    own_numbers, other_numbers = (
        {number_of(header, "InstanceNumber") for header in headers} for headers in (own, others)
    )
    return own if own_numbers & other_numbers else [*own, *others]


def _missing_of_directory(images: Sequence[Dataset], listed: frozenset[str]) -> str:
    """By the DICOMDIR that lies beside them."""
    missing = listed - {str(value_of(image, "SOPInstanceUID", "")) for image in images}
    if not missing:
        return ""
    return f"The DICOMDIR names {len(listed)} images of the series, and {len(missing)} are missing."


def _missing_numbers(stack: Stack, images: Sequence[Dataset]) -> str:
    """By InstanceNumber, where each image has one of its own."""
    values = [numbers_of(image, "InstanceNumber", 1) for image in images]
    numbers = sorted({int(value[0]) for value in values if value is not None})
    if len(numbers) != len(images) or len(numbers) < 2:
        return ""
    first, last = numbers[0], numbers[-1]
    # Numbers may begin anywhere where several series are counted on; but then far from 1.
    start = 1 if 1 <= first <= len(numbers) else first
    count = last - start + 1 - len(numbers)
    if count <= 0 or count > _MOST_MISSING * len(numbers):  # such numbers count something else
        return ""
    missing = sorted(set(range(start, last + 1)) - set(numbers))
    # Where every n-th number is there, the others may count echoes that lie elsewhere.
    strides = set(np.diff(numbers))
    if (
        len(strides) == 1
        and max(strides) > 1
        and (max(strides) >= MOST_STEPS or _is_spaced_as_written(stack))
    ):
        return ""
    names = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    is_one = len(missing) == 1
    return (
        f"By their numbers {len(missing)} image{' is' if is_one else 's are'} missing ({names}): "
        f"{len(numbers)} are there, numbered up to {last}."
    )


def _missing_of_acquisition(images: Sequence[Dataset]) -> str:
    """By ImagesInAcquisition, unless it counts several series alike."""
    values = [numbers_of(image, "ImagesInAcquisition", 1) for image in images]
    counts = {int(value[0]) for value in values if value is not None}
    if len(counts) != 1:
        return ""
    (count,) = counts
    if count <= len(images) or count % len(images) == 0:
        return ""
    return f"The scanner made {count} images (ImagesInAcquisition), and {len(images)} are there."


def _too_wide_steps(stack: Stack) -> str:
    """By SpacingBetweenSlices, if the slices lie a whole number of such steps apart."""
    spacing, step = stack.spacing_mm, _written_step(stack)
    if spacing is None or step is None:
        return ""
    ratio = spacing[0] / step
    count = round(ratio)
    if not 2 <= count <= MOST_STEPS or abs(ratio - count) > _CLOSE * count:
        return ""
    return (
        f"The slices lie {spacing[0]:.2f} mm apart where the scanner says {step:.2f} mm: of every "
        f"{count} slices one is there."
    )


def _is_spaced_as_written(stack: Stack) -> bool:
    spacing, step = stack.spacing_mm, _written_step(stack)
    return spacing is not None and step is not None and abs(spacing[0] / step - 1) <= _CLOSE


def _written_step(stack: Stack) -> float | None:
    """SpacingBetweenSlices; some write the gap, which is less than a slice is thick."""
    steps, thickness = (
        numbers_of(stack.header, keyword, 1)
        for keyword in ("SpacingBetweenSlices", "SliceThickness")
    )
    if steps is None or thickness is None or steps[0] == 0:
        return None
    step = abs(float(steps[0]))
    return step if step >= thickness[0] * (1 - _CLOSE) else None
