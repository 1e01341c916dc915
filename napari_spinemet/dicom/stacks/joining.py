"""Series that belong together: split by an archive on the way, or stored twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset

from ...imaging.scan_warnings import ScanWarning
from ..contrast.image_kinds import content_of
from ..files.sources import Source
from ..headers import number_of, numbers_of, text_of, value_of
from .contents import HARD_KEYWORDS
from .faults import find_fault
from .sorting import split_into_stacks

ImageList = list[tuple[Source, Dataset]]
_TEXTS = ("SeriesDescription", "ProtocolName", "ScanningSequence", "StudyDate")
_MOST_PARTS = 500


@dataclass
class JoinedSeries:
    """The images of one series, or of several that are one.

    Attributes
    ----------
    uids : list of str
        SeriesInstanceUID of each; the first stands for all.
    images : list
        (source, header) of each image.
    warnings : list of ScanWarning
        What was put together.
    """

    uids: list[str]
    images: ImageList
    warnings: list[ScanWarning] = field(default_factory=list)


def join_series(by_series: Mapping[str, ImageList]) -> list[JoinedSeries]:
    """Put series together that form one volume only together, or that hold the same pixels.

    Only series of one person, examination and frame of reference are, with one description and one
    set of sequence parameters, and only if the images of all form one regular box.

    Parameters
    ----------
    by_series : mapping
        Images by SeriesInstanceUID.

    Returns
    -------
    list of JoinedSeries
        In the order of their first ones.
    """
    groups: dict[object, list[str]] = {}
    for number, (uid, images) in enumerate(by_series.items()):
        common_facts = _common_facts(images) if uid else None
        groups.setdefault(number if common_facts is None else common_facts, []).append(uid)
    joined_series: dict[str, JoinedSeries] = {}
    for uids in groups.values():
        for series in _join(uids, by_series):
            joined_series[series.uids[0]] = series
    order = {uid: number for number, uid in enumerate(by_series)}
    return sorted(joined_series.values(), key=lambda series: min(order[uid] for uid in series.uids))


def _join(uids: list[str], by_series: Mapping[str, ImageList]) -> list[JoinedSeries]:
    single_series = [JoinedSeries([uid], by_series[uid]) for uid in uids]
    if not 2 <= len(uids) <= _MOST_PARTS:
        return single_series
    images = [image for uid in uids for image in by_series[uid]]
    if not all(_are_placed(by_series[uid]) for uid in uids):
        return single_series
    stacks = split_into_stacks(images)
    if len(stacks) > 1 or find_fault(stacks[0]):
        return single_series
    if len(stacks[0].images) == len(images) and _share_numbers([by_series[u] for u in uids]):
        return single_series  # two scans of one kind, each numbered by itself
    first = max(uids, key=lambda uid: len(by_series[uid]))  # the first of equal ones
    names = [first, *(uid for uid in uids if uid != first)]
    slice_count = len(stacks[0].images)
    warnings = []
    if slice_count > len(by_series[first]):
        warnings.append(
            ScanWarning(
                "series-joined",
                f"The {slice_count} slices lay in {len(uids)} series with one description; "
                "together they form one volume, and were read as one.",
            )
        )
    return [JoinedSeries(names, [*by_series[first], *_others(images, by_series[first])], warnings)]


def _share_numbers(parts: Sequence[ImageList]) -> bool:
    """Whether two parts of several slices have an InstanceNumber in common."""
    numbers_seen: set[float | None] = set()
    for part in parts:
        if len(part) < 2:
            continue
        numbers = {number_of(header, "InstanceNumber") for _, header in part}
        if numbers & numbers_seen:
            return True
        numbers_seen |= numbers
    return False


def _others(images: ImageList, first: ImageList) -> ImageList:
    own = {source for source, _ in first}
    return [image for image in images if image[0] not in own]


def _are_placed(images: ImageList) -> bool:
    return all(numbers_of(header, "ImagePositionPatient", 3) is not None for _, header in images)


def _common_facts(images: ImageList) -> tuple[object, ...] | None:
    """What all images of a series share, and parts of one series share too; else None.

    A series that holds unlike images is no part of another.
    """
    facts = {_facts_of(header) for _, header in (images[0], images[-1])}
    return facts.pop() if len(facts) == 1 else None


def _facts_of(header: Dataset) -> tuple[object, ...]:
    orientation = numbers_of(header, "ImageOrientationPatient", 6)
    pixel = numbers_of(header, "PixelSpacing", 2)
    content = content_of(header)
    return (
        *(str(value_of(header, keyword, "")) for keyword in HARD_KEYWORDS),
        *(text_of(header, keyword).casefold() for keyword in _TEXTS),
        None if orientation is None else tuple(np.round(orientation, 2).tolist()),
        None if pixel is None else tuple(np.round(pixel, 3).tolist()),
        *content.values(),
        number_of(header, "RepetitionTime"),
    )
