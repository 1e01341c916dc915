"""What tells images at one place apart: echoes, b-values, phases, acquisitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset

from ..contrast.image_kinds import CONTENT_TOLERANCES, content_of
from ..headers import text_of
from .stack import Stack

if TYPE_CHECKING:
    from ..files.sources import Source

    Images = Sequence[tuple[Source, Dataset]]

HARD_KEYWORDS = (
    "StudyInstanceUID", "PatientID", "FrameOfReferenceUID", "Rows", "Columns",
    "PhotometricInterpretation", "PixelRepresentation",
)  # fmt: skip
"""Images that differ in one of these, or in the spacing of their pixels, are never compared."""

_SEPARATORS = (
    "EchoNumbers", "EchoTime", "DiffusionBValue", "DiffusionGradientOrientation",
    "DiffusionDirectionality", "TemporalPositionIdentifier", "AcquisitionNumber", "StackID",
    "InversionTime", "TriggerTime", "FlipAngle", "RepetitionTime", "ImageType", "FrameType",
    "ScanningSequence", "SequenceName", "SeriesNumber", "SeriesDescription", "ProtocolName",
    "SliceThickness", "ImageComments", "AcquisitionTime",
)  # fmt: skip
"""Tried in this order, as they stand in the header."""

_NAMES = {
    "EchoTime": "echo time {} ms",
    "EchoNumbers": "echo {}",
    "InversionTime": "inversion time {} ms",
    "DiffusionBValue": "b-value {}",
    "DiffusionGradientOrientation": "gradient {}",
    "TemporalPositionIdentifier": "time point {}",
    "TriggerTime": "trigger time {} ms",
    "AcquisitionNumber": "acquisition {}",
    "FlipAngle": "flip angle {}°",
    "RepetitionTime": "repetition time {} ms",
    "SliceThickness": "slice thickness {} mm",
    "StackID": "stack {}",
}


@dataclass(frozen=True)
class Part:
    """Some of the images of a series.

    Attributes
    ----------
    images : list
        (source, header) of each.
    name : str
        What sets them apart from others at the same places; empty if nothing does.
    separator : str
        The attribute by which they were told apart, as a DICOM keyword.
    """

    images: Images
    name: str = ""
    separator: str = ""

    @cached_property
    def stack(self) -> Stack:
        """They as a stack, for what it knows of places."""
        return Stack(list(self.images))


def split_by_content(images: Images) -> list[Part]:
    """Split images that never belong to one volume, wherever they lie: see :func:`content_of`."""
    contents = [content_of(header) for _, header in images]
    groups = [Part(images)]
    indices: list[list[int]] = [list(range(len(images)))]
    for keyword in contents[0] if contents else ():
        next_groups, next_indices = [], []
        for part, part_indices in zip(groups, indices, strict=True):
            values = [contents[i][keyword] for i in part_indices]
            clusters = _clusters(values, CONTENT_TOLERANCES.get(keyword))
            for value, members in clusters:
                inside = [part_indices[i] for i in members]
                name, separator = part.name, part.separator
                if len(clusters) > 1:
                    name, separator = _join(name, name_value(keyword, value)), keyword
                next_groups.append(Part([images[i] for i in inside], name, separator))
                next_indices.append(inside)
        groups, indices = next_groups, next_indices
    return groups


def split_by_attributes(part: Part) -> Iterator[list[Part]]:
    """Split images by each attribute that differs among them, in one order of attributes.

    An attribute with a value of its own for nearly every image tells nothing.
    """
    for keyword in _SEPARATORS:
        groups: dict[str, list[tuple[Source, Dataset]]] = {}
        for source, header in part.images:
            groups.setdefault(text_of(header, keyword), []).append((source, header))
        if 1 < len(groups) <= len(part.images) / 2:
            yield [
                Part(images, _join(part.name, name_value(keyword, value)), keyword)
                for value, images in groups.items()
            ]


def name_value(keyword: str, value: object) -> str:
    """A value of an attribute as a person would say it.

    Parameters
    ----------
    keyword : str
        DICOM keyword.
    value : object
        As :func:`content_of` or the header has it.
    """
    if keyword == "ImageType" and value == "":
        return "magnitude"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return _NAMES.get(keyword, "{}").format(text) if text not in ("", "None") else f"no {keyword}"


def _join(name: str, other: str) -> str:
    return f"{name}, {other}" if name else other


def _clusters(
    values: Sequence[object], tolerance: tuple[float, float] | None
) -> list[tuple[object, list[int]]]:
    """Groups of equal values and their indices; None belongs to the largest group."""
    if tolerance is None:
        groups: dict[object, list[int]] = {}
        for index, value in enumerate(values):
            groups.setdefault(value, []).append(index)
        return list(groups.items())
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    known_indices = np.flatnonzero(~np.isnan(numbers))
    if len(known_indices) == 0:
        return [(None, list(range(len(values))))]
    order = known_indices[np.argsort(numbers[known_indices], kind="stable")]
    ordered_numbers = numbers[order]
    least_difference, share = tolerance
    limits = np.maximum(least_difference, share * np.abs(ordered_numbers[:-1]))
    chunks = np.split(order, np.flatnonzero(np.diff(ordered_numbers) > limits) + 1)
    largest = max(range(len(chunks)), key=lambda k: len(chunks[k]))
    chunks[largest] = np.concatenate([chunks[largest], np.flatnonzero(np.isnan(numbers))])
    return [(float(numbers[chunk[0]]), sorted(chunk.tolist())) for chunk in chunks]
