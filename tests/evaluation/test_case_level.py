"""The answer for a case."""

from __future__ import annotations

import math

import pytest

from napari_spinemet.evaluation import froc_from_detections
from napari_spinemet.evaluation.case_level import Proportion, called_diseased, case_level

REGION = [(50.0, 50.0)]


def test_cases_are_called_by_what_is_left() -> None:
    """Two diseased and three normal cases, counted by hand at three thresholds."""
    curve = froc_from_detections(
        [
            [(REGION, [(50, 52, 0.9)]), ([], [])],  # found
            [(REGION, [(150, 50, 0.6)]), ([], [])],  # called diseased for a wrong reason
            [([], [(10, 10, 0.7)])],
            [([], [(10, 10, 0.2)])],
            [([], [])],
        ]
    )
    assert called_diseased(curve, 0.5) == [True, True, True, False, False]
    at_half = case_level(curve, 0.5)
    assert at_half.sensitivity == Proportion(2, 2)
    assert at_half.specificity == Proportion(2, 3)
    assert at_half.ppv == Proportion(2, 3)
    assert at_half.npv == Proportion(2, 2)
    strict = case_level(curve, 0.65)
    assert (strict.sensitivity, strict.npv) == (Proportion(1, 2), Proportion(2, 3))
    nothing = case_level(curve, 0.95)
    assert nothing.ppv == Proportion(0, 0)
    assert math.isnan(nothing.ppv.value)
    assert nothing.ppv.interval() == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "of"), [(0, 10), (7, 10), (10, 10), (81, 263)])
def test_wilson(hits: int, of: int) -> None:
    """The ends solve his equation: there the distance is 1.96 standard errors."""
    low, high = Proportion(hits, of).interval()
    z = 1.959963984540054
    for end in (low, high):
        assert (hits / of - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / of, abs=1e-9)
    assert low <= hits / of <= high
