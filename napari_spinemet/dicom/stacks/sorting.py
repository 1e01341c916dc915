"""Sort the images of one series into stacks.

Images that form one regular box are one stack, whatever else their headers say; those that lie at
the same places are told apart by the first attribute that makes a box of each part. Never by file
name or number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from ..frames import FrameHeader
from ..headers import normal_of, numbers_of, value_of
from .contents import HARD_KEYWORDS, Part, split_by_attributes, split_by_content
from .copies import drop_copies
from .faults import SAME_POSITION_MM, position_fault
from .stack import FloatArray, Stack

if TYPE_CHECKING:
    from ..files.sources import Source
    from .contents import Images

ORIENTATION_TOLERANCE = 5e-3
"""Direction cosines closer than this are meant to be one plane."""
STATION_GAP_MM = 30.0
"""Slices that lie farther apart than this within their own plane are of two stations."""

_STATION_NAMES = {
    2: ["upper station", "lower station"],
    3: ["upper station", "middle station", "lower station"],
}
"""From the head down; more of them are numbered."""

_MOST_TRIALS, _MOST_GROUPS = 1000, 300
"""More planes than any series has, and more ways to tell its images apart: what comes then is no
volume, and is not looked at any longer."""
_PIXEL_TOLERANCE = 1e-3
"""Share of the pixel spacing that is only a matter of decimals."""
_POSITION_KEYWORDS = (
    ("ImagePositionPatient", 3), ("ImageOrientationPatient", 6), ("PixelSpacing", 2),
    ("RescaleSlope", 1), ("RescaleIntercept", 1),
)  # fmt: skip
_EQUAL_NUMBERS = 1e-4


def split_into_stacks(images: Images) -> list[Stack]:
    """Sort the images of one series into stacks, the largest first, of equal ones the upper first.

    The same SOPInstanceUID at the same position is taken once; whether the pixels agree too is
    checked when they are read. So are files with other identifiers, but the same pixels at the
    same places.
    """
    stacks = [stack for group in _comparable_groups(images) for stack in _stacks_of(group)]
    stacks.sort(key=lambda stack: (-len(stack.images), -_height(stack)))
    _name_stations(stacks)
    return stacks


def _comparable_groups(images: Images) -> list[Stack]:
    """Images of one plane, matrix and pixel size, of one person and examination."""
    groups: list[Stack] = []
    keys: list[tuple[object, ...]] = []
    firsts: list[tuple[FloatArray | None, FloatArray | None]] = []
    placements: dict[tuple[str, object], tuple[int, Dataset]] = {}
    for source, header in images:
        key = tuple(str(value_of(header, keyword, "")) for keyword in HARD_KEYWORDS)
        pixel = numbers_of(header, "PixelSpacing", 2)
        orientation = numbers_of(header, "ImageOrientationPatient", 6)
        uid = str(value_of(header, "SOPInstanceUID", ""))
        # The frames of a multi-frame object share its identifier, and have numbers of their own.
        number = header.InstanceNumber if isinstance(header, FrameHeader) else 1
        identity = (uid, number)
        if uid and identity in placements:
            index, twin = placements[identity]
            is_equal = index < len(keys) and key == keys[index] and _equal_positions(header, twin)
            _add_duplicate(groups[index], source, uid, is_equal)
            continue
        for index, (first_pixel, first_orientation) in enumerate(firsts):
            if (
                keys[index] == key
                and _are_close(pixel, first_pixel, _PIXEL_TOLERANCE, is_share=True)
                and _are_close(orientation, first_orientation, ORIENTATION_TOLERANCE)
            ):
                groups[index].images.append((source, header))
                break
        else:
            index = len(firsts)
            if index < _MOST_GROUPS:
                keys.append(key)
                firsts.append((pixel, orientation))
            if index == len(groups):
                groups.append(Stack([]))
            groups[index].images.append((source, header))
            if index == _MOST_GROUPS:  # one for all the rest
                groups[index].clash = f"it holds more than {_MOST_GROUPS} planes or sizes of images"
        placements[identity] = (index, header)
    return groups


def _stacks_of(group: Stack) -> Iterator[Stack]:
    """The stacks that a group of comparable images holds."""
    if group.clash:
        yield group
        return
    for part in split_by_content(group.images):
        for box in _boxes_of(part):
            images, copies = (
                drop_copies(box.images) if _lie_doubled(box) else (list(box.images), [])
            )
            uids = {str(value_of(header, "SOPInstanceUID", "")) for _, header in images}
            duplicates = [(source, uid) for source, uid in group.duplicates if uid in uids]
            yield Stack(
                images,
                duplicates=duplicates,
                copies=copies,
                name=box.name,
                separator=box.separator,
            )


def _boxes_of(part: Part) -> list[Part]:
    """The parts of comparable images that are boxes; the images as they are if none can be had."""
    if _places_of(part) is None:
        return [part]
    boxes = _find_boxes(part, [_MOST_TRIALS])
    if boxes is not None:
        return boxes
    if not _lie_doubled(part):
        return [part]
    for parts in split_by_attributes(part):
        if not any(map(_lie_doubled, parts)) and any(map(_is_box, parts)):
            return parts
    return [part]


def _find_boxes(part: Part, trials: list[int]) -> list[Part] | None:
    """Split the images so that each part is a box, or give None.

    Where all positions differ nothing is split but stations: half of a stack whose other half has
    lost a slice would be a box as well, with twice the distance. ``trials`` counts down how often
    it may be tried, since forged headers differ in everything.
    """
    trials[0] -= 1
    if trials[0] < 0:
        return None
    if _is_box(part):
        return [part]
    for parts in _splits_of(part):
        result: list[Part] = []
        for one in parts:
            boxes = _find_boxes(one, trials)
            if boxes is None:
                break
            result.extend(boxes)
        else:
            return result
    return None


def _splits_of(part: Part) -> Iterator[list[Part]]:
    stations = _stations_of(part)
    if len(stations) > 1:
        yield stations
    if _lie_doubled(part):
        yield from split_by_attributes(part)


def _is_box(part: Part) -> bool:
    if _lie_doubled(part):
        part = Part(drop_copies(part.images)[0])
    places = _places_of(part)
    return places is not None and len(part.images) > 1 and not position_fault(*places)


def _lie_doubled(part: Part) -> bool:
    """Whether two slices lie at one place."""
    places = _places_of(part)
    if places is None or len(part.images) < 2:
        return False
    positions, normal = places
    return bool((np.diff(np.sort(positions @ normal)) < SAME_POSITION_MM).any())


def _places_of(part: Part) -> tuple[FloatArray, FloatArray] | None:
    """Positions and normal of comparable images; None where they are not told."""
    orientation, positions = part.stack.orientation, part.stack.positions
    if orientation is None or positions is None:
        return None
    return positions, normal_of(orientation)


def _stations_of(part: Part) -> list[Part]:
    """The images in groups that lie far from each other within their plane."""
    orientation, positions = part.stack.orientation, part.stack.positions
    if orientation is None or positions is None:
        return [part]
    for axis in (orientation[3:], orientation[:3]):
        distances = positions @ axis
        order = np.argsort(distances, kind="stable")
        cuts = np.flatnonzero(np.diff(distances[order]) > STATION_GAP_MM) + 1
        if len(cuts):
            return [
                Part([part.images[i] for i in sorted(chunk)], part.name, part.separator)
                for chunk in np.split(order, cuts)
            ]
    return [part]


def _height(stack: Stack) -> float:
    """How far towards the head a stack lies."""
    positions = stack.positions
    return 0.0 if positions is None else float(positions[:, 2].mean())


def _name_stations(stacks: Sequence[Stack]) -> None:
    """Name stacks of one plane and one field that lie above each other by where they lie."""
    alike: dict[tuple[object, ...], list[Stack]] = {}
    for stack in stacks:
        if stack.positions is not None and len(stack.images) > 1:
            field = (str(value_of(stack.header, k)) for k in ("Rows", "Columns", "PixelSpacing"))
            alike.setdefault((stack.plane, *field), []).append(stack)
    for group in alike.values():
        parallel = sorted(group, key=_height, reverse=True)
        heights = np.array([_height(stack) for stack in parallel])
        if len(parallel) < 2 or (np.diff(heights) > -STATION_GAP_MM).any():
            continue
        names = _STATION_NAMES.get(len(parallel)) or [
            f"station {number} of {len(parallel)}" for number in range(1, len(parallel) + 1)
        ]
        for stack, name in zip(parallel, names, strict=True):
            stack.name, stack.separator = name, ""


def _add_duplicate(stack: Stack, source: Source, uid: str, is_equal: bool) -> None:
    """Note a file whose identifier an image of the stack has already."""
    if not is_equal:
        stack.clash = f"{source.name} has the identifier of another image"
    if all(source != other for other, _ in stack.duplicates):
        stack.duplicates.append((source, uid))


def _are_close(
    first: FloatArray | None, second: FloatArray | None, tolerance: float, is_share: bool = False
) -> bool:
    if first is None or second is None:
        return first is second
    limit = tolerance * np.abs(second).max() if is_share else tolerance
    return bool(np.abs(first - second).max() <= limit)


def _equal_positions(header: Dataset, other: Dataset) -> bool:
    """Whether two headers give their image one position, and one meaning of its values."""
    for keyword, count in _POSITION_KEYWORDS:
        first, second = numbers_of(header, keyword, count), numbers_of(other, keyword, count)
        if not _are_close(first, second, _EQUAL_NUMBERS):
            return False
    return True
