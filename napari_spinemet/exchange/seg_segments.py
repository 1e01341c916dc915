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


def layers_of(
    segments: Sequence[tuple[hd.seg.SegmentDescription, MaskArray]],
    shape: tuple[int, int, int],
    name: str,
) -> Layers:
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
    kept: dict[bool, list[tuple[hd.seg.SegmentDescription, MaskArray]]] = {True: [], False: []}
    strange: list[str] = []
    for description, mask in segments:
        lesion = _is_lesion(description)
        if lesion or _is_vertebra(description):
            kept[lesion].append((description, mask))
        else:
            strange.append(str(description.segment_label))
    if strange and not any(kept.values()):
        raise SpinemetError(
            f"The segments of the contours in {name} ({', '.join(strange[:5])}) are neither "
            "lesions nor vertebrae; choose another file or name them."
        )
    layers: dict[bool, LabelArray] = {}
    levels: dict[int, str] = {}
    warnings: list[str] = []
    for lesion, found in kept.items():
        labels = [str(description.segment_label) for description, _ in found]
        if lesion:
            numbers = _numbers(labels, "Lesion")
        else:
            told = [str(d.get("SegmentDescription", "") or "") for d, _ in found]
            numbers = _numbers(told, "Vertebra")
            levels = {
                number: label
                for number, label in zip(numbers, labels, strict=True)
                if label != f"Vertebra {number}"
            }
        masks = {n: mask for n, (_, mask) in zip(numbers, found, strict=True)}
        layers[lesion] = _painted(masks, shape)
        names = dict(zip(numbers, labels, strict=True))
        warnings += _overlaps(masks, layers[lesion], names, name)
    holds = tuple(
        layer for layer, lesion in zip(LAYERS, (True, False), strict=True) if kept[lesion]
    )
    return Layers(layers[True], layers[False], levels, holds or LAYERS, tuple(warnings))


def _painted(masks: Mapping[int, MaskArray], shape: tuple[int, int, int]) -> LabelArray:
    """One array of all masks, the smallest on top; of equal ones the lowest number."""
    labels: LabelArray = np.zeros(shape, dtype=np.uint16)
    for number in sorted(masks, key=lambda n: (np.count_nonzero(masks[n]), n), reverse=True):
        labels[masks[number]] = number
    return labels


def _overlaps(
    masks: Mapping[int, MaskArray], labels: LabelArray, names: Mapping[int, str], name: str
) -> list[str]:
    """A sentence for each two segments of one layer that share pixels."""
    if sum(int(np.count_nonzero(mask)) for mask in masks.values()) == np.count_nonzero(labels):
        return []
    covered = np.zeros(labels.shape, dtype=np.uint16)
    for mask in masks.values():
        covered += mask
    shared = covered > 1
    small = {number: mask[shared] for number, mask in masks.items() if mask[shared].any()}
    top, found = labels[shared], []
    for one, other in combinations(small, 2):
        both = small[one] & small[other]
        count = int(np.count_nonzero(both))
        if not count:
            continue
        pixels = f"{count:,} pixel{'s' if count > 1 else ''}"
        winners = [names[n] for n in np.unique(top[both]).tolist()]
        found.append(
            f"The segments {names[one]} and {names[other]} in {name} overlap in {pixels}, which "
            f"went to the smallest segment there, {' or '.join(winners)}."
        )
    if len(found) > _MAX_PAIRS:
        found[_MAX_PAIRS:] = [
            f"In {name} {len(found) - _MAX_PAIRS} more pairs of segments overlap."
        ]
    present = set(np.unique(labels).tolist())
    for number, mask in masks.items():
        if number not in present and mask.any():
            found.append(f"Nothing is left of the segment {names[number]} in {name}.")
    return found


def _is_lesion(description: hd.seg.SegmentDescription) -> bool:
    """By its category, or by what it is called."""
    category = description.segmented_property_category
    return category.value == codes.SCT.MorphologicallyAbnormalStructure.value or bool(
        re.search(r"lesion|metasta|tumou?r", str(description.segment_label), re.IGNORECASE)
    )


def _is_vertebra(description: hd.seg.SegmentDescription) -> bool:
    """Other programs write whole bodies full of organs; only vertebrae are of use here."""
    told = f"{description.segment_label} {description.segmented_property_type.meaning}"
    return bool(
        (_VERTEBRAL.search(told) and not _DISC.search(told))
        or re.fullmatch(r"[CTLS]\d{1,2}", str(description.segment_label).strip())
    )


def _numbers(texts: Sequence[str], kind: str) -> list[int]:
    """The number that each segment's text tells, or else the lowest that no other one has."""
    told: list[int | None] = []
    for text in texts:
        found = re.fullmatch(rf"{kind} (\d{{1,5}})", text)
        number = int(found[1]) if found else 0
        told.append(number if 0 < number < 2**16 and number not in told else None)
    # Those that tell none come last, so that they take nobody's number.
    free = iter(sorted(set(range(1, len(texts) + 1)) - set(told)))
    return [next(free) if number is None else number for number in told]
