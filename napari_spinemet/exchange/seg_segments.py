"""What the segments of a DICOM Segmentation are, and two label arrays made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom.sr.codedict import codes

from ..errors import SpinemetError
from ..imaging.annotation import LAYERS

MaskArray = npt.NDArray[np.bool_]
Segment = tuple[hd.seg.SegmentDescription, MaskArray]
LabelArray = npt.NDArray[np.uint16]

# Whole words, and an underscore ends one: neither the intervertebral nor the vertebral artery.
_VERTEBRAL = re.compile(r"(?<![a-z])(vertebrae?|vertebral body|sacrum)(?![a-z])", re.IGNORECASE)
_DISC = re.compile(r"dis[ck]", re.IGNORECASE)
_MAX_PAIRS = 5
"""Overlaps that are named one by one before they are only counted."""


@dataclass(frozen=True, eq=False)
class Layers:
    """Segments of one object as label arrays on the grid of the series.

    Attributes
    ----------
    lesions, vertebrae : numpy.ndarray
        ``(slice, row, column)`` uint16, with the numbers they had when they were written.
    levels : mapping of int to str
        Name of each vertebra that has one.
    holds : tuple of str
        Which of the two there are segments of; both where there is no segment at all.
    warnings : tuple of str
        Which segments could not be kept whole, one sentence each.
    """

    lesions: LabelArray
    vertebrae: LabelArray
    levels: Mapping[int, str]
    holds: tuple[str, ...]
    warnings: tuple[str, ...]


def layers_of(segments: Sequence[Segment], shape: tuple[int, int, int], name: str) -> Layers:
    """Sort segments into lesions and vertebrae; anything else is passed over.

    A lesion inside a vertebra takes nothing from it, since they are two layers. Segments of
    one layer that overlap cannot both be kept: the pixels go to the one with the smaller volume,
    so that a small one inside a large one does not disappear.

    Parameters
    ----------
    segments : sequence of (highdicom.seg.SegmentDescription, numpy.ndarray)
        Each with its mask ``(slice, row, column)`` bool on the grid of the series.
    shape : tuple of int
        Of the series.
    name : str
        File, for the sentences.

    Raises
    ------
    SpinemetError
        If there are segments and none of them is a lesion or a vertebra.
    """
    lesions, vertebrae = _sort_segments(segments, name)
    lesion_numbers = _numbers([_label(segment) for segment in lesions], "Lesion")
    # A vertebra's label is its level, so its number stands in its description.
    texts = [str(d.get("SegmentDescription", "") or "") for d, _ in vertebrae]
    vertebra_numbers = _numbers(texts, "Vertebra")
    levels = {
        number: _label(segment)
        for number, segment in zip(vertebra_numbers, vertebrae, strict=True)
        if _label(segment) != f"Vertebra {number}"
    }
    lesion_labels, lesion_warnings = _paint(lesions, lesion_numbers, shape, name)
    vertebra_labels, vertebra_warnings = _paint(vertebrae, vertebra_numbers, shape, name)
    holds = tuple(
        layer for layer, members in zip(LAYERS, (lesions, vertebrae), strict=True) if members
    )
    return Layers(
        lesion_labels,
        vertebra_labels,
        levels,
        holds or LAYERS,
        (*lesion_warnings, *vertebra_warnings),
    )


def _sort_segments(segments: Sequence[Segment], name: str) -> tuple[list[Segment], list[Segment]]:
    """The lesions and the vertebrae; refuse a file of anything else."""
    lesions, vertebrae, others = [], [], []
    for segment in segments:
        description, _ = segment
        if _is_lesion(description):
            lesions.append(segment)
        elif _is_vertebra(description):
            vertebrae.append(segment)
        else:
            others.append(_label(segment))
    if others and not lesions and not vertebrae:
        raise SpinemetError(
            f"The segments of the contours in {name} ({', '.join(others[:5])}) are neither "
            "lesions nor vertebrae; choose another file or name them."
        )
    return lesions, vertebrae


def _label(segment: Segment) -> str:
    return str(segment[0].segment_label)


def _paint(
    segments: Sequence[Segment], numbers: Sequence[int], shape: tuple[int, int, int], name: str
) -> tuple[LabelArray, list[str]]:
    """One array of all masks with their overlaps; the smallest mask is on top.

    Of masks with equal volumes the lowest number is.
    """
    masks = {number: mask for number, (_, mask) in zip(numbers, segments, strict=True)}
    labels: LabelArray = np.zeros(shape, dtype=np.uint16)
    for number in sorted(masks, key=lambda n: (np.count_nonzero(masks[n]), n), reverse=True):
        labels[masks[number]] = number
    titles = {n: _label(segment) for n, segment in zip(numbers, segments, strict=True)}
    return labels, _overlap_warnings(masks, labels, titles, name)


def _overlap_warnings(
    masks: Mapping[int, MaskArray], labels: LabelArray, titles: Mapping[int, str], name: str
) -> list[str]:
    """A sentence for each two segments of one layer that share pixels."""
    if sum(int(np.count_nonzero(mask)) for mask in masks.values()) == np.count_nonzero(labels):
        return []
    coverage = np.zeros(labels.shape, dtype=np.uint16)
    for mask in masks.values():
        coverage += mask
    # Pairs are compared within the few pixels that any two share.
    overlap = coverage > 1
    parts = {number: mask[overlap] for number, mask in masks.items() if mask[overlap].any()}
    top = labels[overlap]
    warnings = []
    for first, second in combinations(parts, 2):
        common = parts[first] & parts[second]
        count = int(np.count_nonzero(common))
        if not count:
            continue
        pixels = f"{count:,} pixel{'s' if count > 1 else ''}"
        winners = [titles[n] for n in np.unique(top[common]).tolist()]
        warnings.append(
            f"The segments {titles[first]} and {titles[second]} in {name} overlap in {pixels}, "
            f"which went to the smallest segment there, {' or '.join(winners)}."
        )
    if len(warnings) > _MAX_PAIRS:
        warnings[_MAX_PAIRS:] = [
            f"In {name} {len(warnings) - _MAX_PAIRS} more pairs of segments overlap."
        ]
    present = set(np.unique(labels).tolist())
    for number, mask in masks.items():
        if number not in present and mask.any():
            warnings.append(f"Nothing is left of the segment {titles[number]} in {name}.")
    return warnings


def _is_lesion(description: hd.seg.SegmentDescription) -> bool:
    """By its category, or by what it is called."""
    category = description.segmented_property_category
    return category.value == codes.SCT.MorphologicallyAbnormalStructure.value or bool(
        re.search(r"lesion|metasta|tumou?r", str(description.segment_label), re.IGNORECASE)
    )


def _is_vertebra(description: hd.seg.SegmentDescription) -> bool:
    """Other programs write whole bodies full of organs; only vertebrae are of use here."""
    text = f"{description.segment_label} {description.segmented_property_type.meaning}"
    return bool(
        (_VERTEBRAL.search(text) and not _DISC.search(text))
        or re.fullmatch(r"[CTLS]\d{1,2}", str(description.segment_label).strip())
    )


def _numbers(texts: Sequence[str], kind: str) -> list[int]:
    """The number in each segment's text, or else the lowest that no other one has."""
    numbers: list[int | None] = []
    for text in texts:
        match = re.fullmatch(rf"{kind} (\d{{1,5}})", text)
        number = int(match[1]) if match else 0
        numbers.append(number if 0 < number < 2**16 and number not in numbers else None)
    # Those without a number come last, so that they take nobody's.
    free = iter(sorted(set(range(1, len(texts) + 1)) - set(numbers)))
    return [next(free) if number is None else number for number in numbers]
