"""Which cases and slices of a study the figures of the paper are drawn from.

The choice is a rule, so that the same study always gives the same figures, and each figure
says by which rule it was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .case_facts import CaseFacts, LesionLocation

NEIGHBOURS = 3
"""Slices of figures 6 to 8."""
SPECK_CM2 = 0.3
"""Smaller marks are not shown as a small lesion if there is a larger one."""


@dataclass(frozen=True)
class SliceRange:
    """Neighbouring slices of a case."""

    case: str
    slices: tuple[int, ...]


def choose_lesions(cases: Sequence[CaseFacts]) -> tuple[LesionLocation, ...]:
    """Figure 3: the largest and the smallest lesion of all; one if there is only one.

    A lesion counts by the area of its largest slice. Specks are passed over.
    """
    lesions = [lesion for case in cases for lesion in case.lesion_locations]
    large = max(lesions, key=lambda lesion: lesion.area_cm2)
    others = [lesion for lesion in lesions if lesion is not large]
    clear = [lesion for lesion in others if lesion.area_cm2 >= SPECK_CM2]
    small = min(clear, key=lambda lesion: lesion.area_cm2) if clear else None
    small = small or max(others, key=lambda lesion: lesion.area_cm2, default=None)
    return (large, small) if small is not None else (large,)


def choose_slice(cases: Sequence[CaseFacts]) -> SliceRange:
    """Figure 4: the slice with most lesion area among those that show vertebrae too."""
    name, index, _ = max(
        ((case.name, k, s) for case in cases for k, s in enumerate(case.slices) if s.lesion_cm2),
        key=lambda candidate: (candidate[2].has_vertebrae, candidate[2].lesion_cm2),
    )
    return SliceRange(name, (index,))


def choose_slices(cases: Sequence[CaseFacts]) -> SliceRange:
    """Figures 6 and 7: three slices that show what is found, and what aggregation does.

    First come slices in which something is found, the plain map has a false positive and the
    aggregated map none; then those of the case with most lesion area found; then those with
    most of it.
    """

    def worth(candidate: tuple[CaseFacts, SliceRange]) -> tuple[float, ...]:
        case, slice_range = candidate
        facts = [case.slices[k] for k in slice_range.slices]
        found_cm2 = sum(s.found_cm2 for s in facts)
        false_positives = sum(s.false_positives for s in facts)
        shows_gain = (
            found_cm2 > 0 and not false_positives and any(s.plain_false_positives for s in facts)
        )
        lesion_cm2 = sum(s.lesion_cm2 for s in facts)
        case_cm2 = sum(s.found_cm2 for s in case.slices)
        return float(shows_gain), case_cm2, found_cm2, lesion_cm2, -false_positives

    return max(_slice_ranges(cases), key=worth)[1]


def choose_false_positive(
    cases: Sequence[CaseFacts], other: SliceRange | None = None
) -> tuple[SliceRange, float | None] | None:
    """Figure 8: three slices about the false positive farthest from all contours.

    Parameters
    ----------
    cases : sequence of CaseFacts
    other : SliceRange, optional
        What figure 6 shows, which is taken only if there is nothing else.

    Returns
    -------
    tuple or None
        The slices, and the distance in mm where it is known; None without a false positive.
    """
    candidates = [
        (_slices_about(case, k), facts.far_mm)
        for case in cases
        for k, facts in enumerate(case.slices)
        if facts.false_positives
    ]
    return max(candidates, key=lambda c: (c[0] != other, c[1] or 0.0), default=None)


def _slice_ranges(cases: Sequence[CaseFacts]) -> Iterator[tuple[CaseFacts, SliceRange]]:
    for case in cases:
        for first in range(max(1, len(case.slices) - NEIGHBOURS + 1)):
            yield case, _slices_about(case, first + 1)


def _slices_about(case: CaseFacts, middle: int) -> SliceRange:
    """Three slices with this one in the middle, moved in at the ends of a case."""
    first = max(0, min(middle - 1, len(case.slices) - NEIGHBOURS))
    return SliceRange(case.name, tuple(range(first, min(first + NEIGHBOURS, len(case.slices)))))
