"""Files that hold the pixels of another at its place, under an identifier of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from ..files.sources import NotDicomError, Source
from ..frames import FrameHeader
from ..headers import numbers_of, value_of

_EQUAL_PLACES_MM = 1e-3
_KEYWORDS = ("RescaleSlope", "RescaleIntercept", "PhotometricInterpretation", "BitsStored")


def drop_copies(
    images: Sequence[tuple[Source, Dataset]],
) -> tuple[list[tuple[Source, Dataset]], list[Source]]:
    """Keep one of each set of images that hold the same pixels at the same place.

    Only where all images at one place are the same is any dropped: else they are different images,
    of which some happen to be empty.

    Parameters
    ----------
    images : sequence of (Source, pydicom.dataset.Dataset)
        With one orientation and one size of pixels.

    Returns
    -------
    tuple of list
        The images to keep, in their order, and the files that were dropped.
    """
    images_kept = list(images)
    places = _by_place(images)
    doubled_groups = [group for group in places if len(group) > 1]
    digests: dict[Source, tuple[str, ...] | None] = {}
    if not doubled_groups or not all(_are_copies(group, digests) for group in doubled_groups):
        return images_kept, []
    images_kept = [group[0] for group in places]
    copies = [source for group in doubled_groups for source, _ in group[1:]]
    return images_kept, list(dict.fromkeys(copies))


def _by_place(
    images: Sequence[tuple[Source, Dataset]],
) -> list[list[tuple[Source, Dataset]]]:
    groups: dict[object, list[tuple[Source, Dataset]]] = {}
    for number, (source, header) in enumerate(images):
        position = numbers_of(header, "ImagePositionPatient", 3)
        key: object = (
            number
            if position is None
            else tuple(np.round(position / _EQUAL_PLACES_MM).astype(int).tolist())
        )
        groups.setdefault(key, []).append((source, header))
    return list(groups.values())


def _are_copies(
    group: Sequence[tuple[Source, Dataset]], digests: dict[Source, tuple[str, ...] | None]
) -> bool:
    if len({source for source, _ in group}) < len(group):
        return False  # two frames of one file are two images
    contents = set()
    for source, header in group:
        if source not in digests:
            digests[source] = _digest(source)
        frame = header.InstanceNumber if isinstance(header, FrameHeader) else 1
        values = (str(value_of(header, keyword, "")) for keyword in _KEYWORDS)
        contents.add((digests[source], frame, *values))
        if digests[source] is None or len(contents) > 1:
            return False
    return True


def _digest(source: Source) -> tuple[str, ...] | None:
    """What two files have in common only if they hold the same pixels; None if it has none."""
    try:
        dataset = source.parse()
        pixels = hashlib.sha256(dataset.PixelData).hexdigest()
        return pixels, str(dataset.file_meta.TransferSyntaxUID)
    except (NotDicomError, AttributeError, OSError, TypeError):
        return None
