"""Sort the images of one series into stacks.

The rules were found by trial on damaged series: group by everything that makes two images
incomparable, never by file name or number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from ..frames import FrameHeader
from ..headers import normal_of, numbers_of, strings_of, value_of
from ..sources import Source
from .stack import FloatArray, Stack

ORIENTATION_TOLERANCE = 5e-3
"""Direction cosines closer than this are meant to be one plane."""

_GROUP_KEYWORDS = (
    "StudyInstanceUID", "PatientID", "FrameOfReferenceUID", "Rows", "Columns",
    "PhotometricInterpretation", "PixelRepresentation", "EchoTime", "EchoNumbers",
    "TemporalPositionIdentifier", "DiffusionBValue", "TriggerTime",
)  # fmt: skip
_POSITION_KEYWORDS = (
    ("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2),
    ("RescaleSlope", 1), ("RescaleIntercept", 1),
)  # fmt: skip
_EQUAL_NUMBERS = 1e-4
_PARALLEL_DEGREES = 5.0


def split_into_stacks(images: Sequence[tuple[Source, Dataset]]) -> list[Stack]:
    """Sort the images of one series into stacks, the largest first.

    The same SOPInstanceUID at the same position is taken once; whether the pixels agree too is
    checked when they are read.
    """
    stacks: list[Stack] = []
    keys: list[tuple[object, ...]] = []
    placements: dict[tuple[str, object], tuple[int, Dataset]] = {}
    for source, header in images:
        key = _group_key(header)
        uid = str(value_of(header, "SOPInstanceUID", ""))
        # The frames of a multi-frame object share its identifier, and have numbers of their own.
        number = header.InstanceNumber if isinstance(header, FrameHeader) else 1
        identity = (uid, number)
        if uid and identity in placements:
            index, twin = placements[identity]
            is_equal = key == keys[index] and _equal_positions(header, twin)
            _add_duplicate(stacks[index], source, uid, is_equal)
            continue
        orientation = numbers_of(header, "ImageOrientationPatient", 6)
        for index, stack in enumerate(stacks):
            first = numbers_of(stack.header, "ImageOrientationPatient", 6)
            if keys[index] == key and _equal_orientations(orientation, first):
                stack.images.append((source, header))
                break
        else:
            index = len(stacks)
            stacks.append(Stack([(source, header)]))
            keys.append(key)
        placements[identity] = (index, header)
    return sorted(stacks, key=lambda stack: -len(stack.images))


def may_lack_images_of(stack: Stack, other: Stack) -> bool:
    """Whether another stack may hold slices that are missing in this one, or another person's.

    A localiser or a picture of the screen may be passed over; a slice of the same plane that
    differs in echo or polarity may not, and nor may one whose plane nobody knows.

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
    other_orientation = other.orientation
    if other_orientation is None:
        return all(
            value_of(first, keyword) == value_of(second, keyword) for keyword in ("Rows", "Columns")
        )
    orientation = stack.orientation
    assert orientation is not None
    cosine = abs(float(normal_of(other_orientation) @ normal_of(orientation)))
    return cosine > float(np.cos(np.deg2rad(_PARALLEL_DEGREES)))


def _add_duplicate(stack: Stack, source: Source, uid: str, is_equal: bool) -> None:
    """Note a file whose identifier an image of the stack has already."""
    if not is_equal:
        stack.clash = f"{source.name} has the identifier of another image"
    if all(source != other for other, _ in stack.duplicates):
        stack.duplicates.append((source, uid))


def _equal_orientations(orientation: FloatArray | None, other: FloatArray | None) -> bool:
    if orientation is None or other is None:
        return orientation is other
    return bool(np.abs(orientation - other).max() <= ORIENTATION_TOLERANCE)


def _equal_positions(header: Dataset, other: Dataset) -> bool:
    """Whether two headers give their image one position, and one meaning of its values."""
    for keyword, count in _POSITION_KEYWORDS:
        first, second = numbers_of(header, keyword, count), numbers_of(other, keyword, count)
        if (first is None) != (second is None):
            return False
        if (
            first is not None
            and second is not None
            and np.abs(first - second).max() > _EQUAL_NUMBERS
        ):
            return False
    return True


def _group_key(header: Dataset) -> tuple[object, ...]:
    """All that makes two images incomparable if they differ in it."""
    pixel = numbers_of(header, "PixelSpacing", 2)
    return (
        None if pixel is None else tuple(np.round(pixel, 4)),
        # The first two parts say original and primary, which differ within one acquisition.
        tuple(strings_of(header, "ImageType")[2:]),
        *(str(value_of(header, keyword, "")) for keyword in _GROUP_KEYWORDS),
    )
