"""Which locations a network learns from (paper, sections 2.3 and 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.evaluated_region import CENTRE, WHOLE_WIDTH
from ..imaging.grids import central_columns, grid_size, resample_labels

NORMAL, LESION, VERTEBRA = 0, 1, 2

IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class SamplingRule:
    """How normal locations are drawn; the defaults are the paper's.

    Attributes
    ----------
    normal_slices : {"lesion", "all"}
        Where normal locations come from: from slices that carry a lesion, as many as it has
        pixels there, or as many in all from all slices of a case, evenly. The latter also
        shows the sides of the body, where lesions are rare.
    vertebra_share : float
        Share of them that lies in vertebrae, as far as there are that many.
    background : {"centre", "all"}
        Those that lie outside come from the central half of the columns, or from the whole
        width, over which the spine is looked for.
    """

    normal_slices: str = "lesion"
    vertebra_share: float = 0.7
    background: str = CENTRE

    def __post_init__(self) -> None:
        if self.normal_slices not in ("lesion", "all"):
            raise SpinemetError(
                "Normal locations come from slices that carry a 'lesion' or from 'all', not from "
                f"'{self.normal_slices}'."
            )
        if self.background not in (CENTRE, WHOLE_WIDTH):
            raise SpinemetError(
                f"Background comes from the 'centre' or from 'all', not from '{self.background}'."
            )
        if not 0 <= self.vertebra_share <= 1:
            raise SpinemetError(
                f"The share of vertebrae lies between 0 and 1, not {self.vertebra_share}."
            )


PAPER_RULE = SamplingRule()


@dataclass(frozen=True, eq=False)
class Samples:
    """Locations on the working grids of several cases.

    Attributes
    ----------
    locations : numpy.ndarray
        ``(n, 4)``: case, slice, row, column.
    labels : numpy.ndarray
        ``(n,)`` int64: 0 neither, 1 lesion, 2 normal vertebra.
    """

    locations: IndexArray
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class SliceClasses:
    """Which pixels of one slice may be drawn, and how many of each kind are.

    Attributes
    ----------
    slice : int
    pixels : tuple of numpy.ndarray
        Flat working-grid indices that are neither, lesion, or normal vertebra.
    counts : tuple of int
        How many of each are drawn: every lesion pixel, and normal ones by the rule; what the
        vertebrae lack comes from the background.
    """

    slice: int
    pixels: tuple[IndexArray, IndexArray, IndexArray]
    counts: tuple[int, int, int]


def slice_classes(
    annotation: Annotation,
    spacing_mm: tuple[float, float, float],
    rule: SamplingRule = PAPER_RULE,
) -> list[SliceClasses]:
    """Sort the pixels of every slice that locations are drawn from (paper, section 3.2).

    Normal pixels lie inside vertebra contours and outside lesions, or outside both and
    within the columns that the rule draws background from. What is uncertain is none of these.

    Parameters
    ----------
    annotation : Annotation
    spacing_mm : tuple of float
        (slice, row, column) of its grid.
    rule : SamplingRule
    """
    in_plane = (spacing_mm[1], spacing_mm[2])
    lesions = resample_labels(annotation.lesions, in_plane) > 0
    vertebrae = resample_labels(annotation.vertebrae, in_plane) > 0
    unknown = np.zeros_like(lesions)
    if annotation.uncertain is not None:
        unknown = resample_labels(annotation.uncertain.astype(np.uint16), in_plane) > 0
        lesions &= ~unknown
    width = lesions.shape[2]
    is_in_columns = np.zeros(width, dtype=bool)
    is_in_columns[slice(*central_columns(width)) if rule.background == CENTRE else slice(None)] = (
        True
    )
    carries = lesions.any(axis=(1, 2))
    from_all_slices = rule.normal_slices == "all"
    share = int(lesions.sum()) / len(lesions)
    result = []
    for index in range(len(lesions)) if from_all_slices else np.flatnonzero(carries):
        lesion = np.flatnonzero(lesions[index])
        healthy = ~lesions[index] & ~unknown[index]
        body = np.flatnonzero(vertebrae[index] & healthy)
        background = np.flatnonzero(~vertebrae[index] & healthy & is_in_columns)
        normal = round(share) if from_all_slices else len(lesion)
        from_body = min(round(rule.vertebra_share * normal), len(body))
        from_background = min(normal - from_body, len(background))
        result.append(
            SliceClasses(
                int(index),
                (background, lesion, body),
                (from_background, len(lesion), from_body),
            )
        )
    return result


def draw_locations(
    annotation: Annotation,
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
    rule: SamplingRule = PAPER_RULE,
) -> Samples:
    """Draw the samples of one case without replacement; the case index is 0.

    Parameters
    ----------
    annotation : Annotation
    spacing_mm : tuple of float
        (slice, row, column) of its grid.
    rng : numpy.random.Generator
    rule : SamplingRule
    """
    width = grid_size(annotation.lesions.shape[2], spacing_mm[2])
    locations, labels = [], []
    for classes in slice_classes(annotation, spacing_mm, rule):
        for label, (pixels, count) in enumerate(zip(classes.pixels, classes.counts, strict=True)):
            flat = pixels if label == LESION else rng.choice(pixels, count, replace=False)
            rows, columns = np.divmod(flat, width)
            zeros = np.zeros_like(rows)
            locations.append(np.stack([zeros, zeros + classes.slice, rows, columns], axis=1))
            labels.append(np.full(len(flat), label))
    if not locations:
        return Samples(np.zeros((0, 4), dtype=np.intp), np.zeros(0, dtype=np.int64))
    return Samples(np.concatenate(locations).astype(np.intp), np.concatenate(labels))


def draw_samples(
    cases: Sequence[tuple[SagittalSeries, Annotation]],
    rng: np.random.Generator,
    rule: SamplingRule = PAPER_RULE,
) -> Samples:
    """Draw the samples of many cases.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    rng : numpy.random.Generator
    rule : SamplingRule

    Raises
    ------
    SpinemetError
        If no case carries a lesion.
    """
    parts = [draw_locations(a, s.spacing_mm, rng, rule) for s, a in cases]
    for number, part in enumerate(parts):
        part.locations[:, 0] = number
    locations = np.concatenate([p.locations for p in parts]) if parts else np.zeros((0, 4))
    if not len(locations):
        raise SpinemetError("None of the cases has a lesion contour, so there is nothing to learn.")
    return Samples(locations.astype(np.intp), np.concatenate([p.labels for p in parts]))
