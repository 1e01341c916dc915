"""The operating point by findings, against counting by hand."""

from __future__ import annotations

import numpy as np

from napari_spinemet.evaluation.lesion_scores import Truth
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint
from napari_spinemet.workflows.operating_points.by_findings import (
    PointOutcome,
    TrialScan,
    best_outcome,
    count_trials,
    point_of,
)

AFFINE = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
POINT = OperatingPoint(0.5, 0.5, None)


def trial(*squares: tuple[int, int, float], has_lesion: bool) -> TrialScan:
    """Squares of likelihood by (row, side, value); the lesion lies at the first rows."""
    values = np.zeros((1, 120, 60), dtype=np.float32)
    for row, side, value in squares:
        values[0, row : row + side, 20 : 20 + side] = value
    lesions = np.zeros(values.shape, dtype=np.uint16)
    lesions[0, 0:12, 20:32] = has_lesion
    likelihood = LikelihoodMap(values, AFFINE, (0, 60), (4.0, 1.0, 1.0))
    truth = Truth(Annotation(lesions, np.zeros_like(lesions)), [{}] if has_lesion else [])
    return TrialScan(likelihood, truth)


def test_outcomes_are_counted_by_findings() -> None:
    """At 0.5 both squares are marked, at 0.8 the lesion's alone; a large area hides both."""
    scans = [
        trial((0, 12, 0.9), (80, 12, 0.7), has_lesion=True),
        trial((80, 12, 0.7), has_lesion=False),
    ]
    counts = count_trials(scans, POINT, areas_cm2=(1.0, 2.0), thresholds=(0.5, 0.8))
    expected = [
        (1, 1, 1.0, 0.0),
        (1, 1, 0.0, 1.0),
        (0, 1, 0.0, 1.0),
        (0, 1, 0.0, 1.0),
    ]
    assert [_figures(o) for o in counts.outcomes()] == expected
    healthy = counts.of([1])
    assert healthy.outcomes(counts_healthy=True)[0].false_findings == 1.0
    assert healthy.outcomes()[0].false_findings == 0.0
    joined = counts.of([0]).with_others(healthy)
    assert [_figures(o) for o in joined.outcomes()] == expected


def _figures(outcome: PointOutcome) -> tuple[float, ...]:
    return outcome.found_count, outcome.lesions, outcome.false_findings, outcome.healthy_free


def test_of_settings_that_are_as_good_the_smallest_area_is_taken() -> None:
    """Two lesions fewer are as good, three are not; what costs too much does not count."""
    best = PointOutcome(0.6, 3.0, 20, 30, 0.5, 1.0)
    as_good = PointOutcome(0.7, 1.0, 18, 30, 0.4, 1.0)
    worse = PointOutcome(0.8, 0.5, 17, 30, 0.1, 1.0)
    too_dear = PointOutcome(0.4, 0.5, 30, 30, 0.8, 1.0)
    assert best_outcome([best, as_good, worse, too_dear], 0.7) == as_good
    dearer = PointOutcome(0.3, 0.5, 30, 30, 0.9, 1.0)
    assert best_outcome([dearer, too_dear], 0.7) == too_dear, "the one that costs least"
    point = point_of(as_good, OperatingPoint(0.5, 5.0, 0.6, gate=True))
    assert point == OperatingPoint(0.7, 1.0, 0.6, gate=True)


def test_lesions_are_not_lost_for_few_false_findings() -> None:
    """As many as are asked for, at the fewest false findings that they cost."""
    cautious = PointOutcome(0.95, 0.5, 9, 30, 0.1, 1.0)
    dear = PointOutcome(0.5, 0.5, 26, 30, 2.0, 1.0)
    less_dear = PointOutcome(0.7, 1.0, 23, 30, 1.2, 1.0)
    outcomes = [cautious, dear, less_dear]
    assert best_outcome(outcomes, 0.5) == cautious
    assert best_outcome(outcomes, 0.5, least_found=cautious.found_count) == cautious
    assert best_outcome(outcomes, 0.5, least_found=cautious.found_count + 1) == less_dear
    smaller = PointOutcome(0.97, 0.3, cautious.found_count - 1, 30, 0.4, 1.0)
    assert best_outcome([*outcomes, smaller], 0.5) == smaller, "one fewer is as good"
    found = cautious.found_count
    assert best_outcome([*outcomes, smaller], 0.5, least_found=found) == cautious, "but not here"
    assert best_outcome(outcomes, 0.5, least_found=25) == dear
    assert best_outcome(outcomes, 0.5, least_found=29) == cautious, "nothing finds so many"
