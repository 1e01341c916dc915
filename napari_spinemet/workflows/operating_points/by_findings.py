"""An operating point chosen by findings, as a reader counts them, and not by regions in slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from ...detection.pipeline import evaluate
from ...evaluation.lesion_scores import Truth, score_scan
from ...imaging import LikelihoodMap, OperatingPoint
from ...jobs import UNATTENDED, JobContext

AREAS_CM2 = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.2, 0.981, 0.02), 3))
AS_GOOD = 2
"""Settings that find so many lesions fewer than the best are as good."""


@dataclass(frozen=True, eq=False)
class TrialScan:
    """A scan that an operating point is chosen on.

    Attributes
    ----------
    plain : LikelihoodMap
        Not aggregated.
    truth : Truth
        Without a lesion, the scan counts as healthy.
    """

    plain: LikelihoodMap
    truth: Truth

    @property
    def is_healthy(self) -> bool:
        """Whether it holds no lesion."""
        return not self.truth.facts


@dataclass(frozen=True)
class PointOutcome:
    """What one setting gives.

    Attributes
    ----------
    threshold, min_area_cm2 : float
    found, lesions : int
    false_findings : float
        Mean a scan that counts, see :meth:`TrialCounts.outcomes`.
    healthy_free : float
        Share of the healthy scans without a finding; 1 without any healthy scan.
    """

    threshold: float
    min_area_cm2: float
    found_count: int
    lesions: int
    false_findings: float
    healthy_free: float

    @property
    def tp_rate(self) -> float:
        """Share of the lesions that are found."""
        return self.found_count / self.lesions if self.lesions else 0.0


@dataclass(frozen=True, eq=False)
class TrialCounts:
    """What each setting gives on each scan.

    Attributes
    ----------
    settings : tuple of tuple of float
        (least area in cm², threshold) of each.
    counts : numpy.ndarray
        ``(setting, scan, 3)``: lesions found, lesions, false findings.
    is_healthy : numpy.ndarray of bool
        ``(scan,)``.
    """

    settings: tuple[tuple[float, float], ...]
    counts: npt.NDArray[np.int_]
    is_healthy: npt.NDArray[np.bool_]

    def of(self, indices: Sequence[int]) -> TrialCounts:
        """Of some of the scans."""
        columns = list(indices)
        return TrialCounts(self.settings, self.counts[:, columns], self.is_healthy[columns])

    def with_others(self, others: TrialCounts) -> TrialCounts:
        """Of these scans and others, for the same settings."""
        counts = np.concatenate([self.counts, others.counts], axis=1)
        return TrialCounts(self.settings, counts, np.r_[self.is_healthy, others.is_healthy])

    def outcomes(self, *, counts_healthy: bool = False) -> list[PointOutcome]:
        """Over all scans.

        Parameters
        ----------
        counts_healthy : bool
            Whether false findings are averaged over the healthy scans too, or over those with
            lesions.
        """
        is_healthy = self.is_healthy
        is_counted = np.ones_like(is_healthy) if counts_healthy else ~is_healthy
        return [
            PointOutcome(
                threshold,
                area,
                int(own[:, 0].sum()),
                int(own[:, 1].sum()),
                float(own[is_counted, 2].mean()) if is_counted.any() else 0.0,
                float((own[is_healthy, 2] == 0).mean()) if is_healthy.any() else 1.0,
            )
            for (area, threshold), own in zip(self.settings, self.counts, strict=True)
        ]


def count_trials(
    scans: Sequence[TrialScan],
    like: OperatingPoint,
    *,
    areas_cm2: Sequence[float] = AREAS_CM2,
    thresholds: Sequence[float] = THRESHOLDS,
    job: JobContext = UNATTENDED,
) -> TrialCounts:
    """What each setting gives on each scan.

    Parameters
    ----------
    scans : sequence of TrialScan
    like : OperatingPoint
        Whose weight, gate and second look are taken.
    areas_cm2, thresholds : sequence of float
        To be tried with each other.
    job : JobContext
        Polled at every scan.
    """
    settings = tuple(product(areas_cm2, thresholds))
    counts = np.zeros((len(settings), len(scans), 3), dtype=int)
    for column, scan in enumerate(scans):
        job.raise_if_cancelled()
        # One at a time: its component trees take more memory than the map.
        result = evaluate(scan.plain, like)
        for row, (area, threshold) in enumerate(settings):
            point = replace(like, threshold=threshold, min_area_cm2=area)
            outcome = score_scan("", result.at(point), scan.truth)
            found_count = sum(lesion.is_found for lesion in outcome.lesions)
            counts[row, column] = found_count, len(outcome.lesions), outcome.false_findings
    is_healthy = np.array([scan.is_healthy for scan in scans], dtype=bool)
    return TrialCounts(settings, counts, is_healthy)


def best_outcome(
    outcomes: Sequence[PointOutcome], most_false: float, least_found: int = 0
) -> PointOutcome:
    """Of those that find as many lesions as the best, but for two, the one of the smallest area.

    A larger one pays where bodies are large, and hides whatever lies in a cervical body.

    Parameters
    ----------
    outcomes : sequence of PointOutcome
    most_false : float
        False findings a scan that are allowed.
    least_found : int
        So many lesions are to be found: few false findings are no gain where lesions are lost for
        them.

    Returns
    -------
    PointOutcome
        Where no setting has so few false findings and finds so many lesions, the one that has the
        fewest of those that find so many; where none finds so many, the one that was best without.
    """
    fitting = [o for o in outcomes if o.false_findings <= most_false]
    most_found = max((o.found_count for o in fitting), default=-1)
    if most_found < least_found:
        finding_enough = [o for o in outcomes if o.found_count >= least_found]
        if finding_enough:
            return min(finding_enough, key=lambda o: (o.false_findings, o.min_area_cm2))
    if not fitting:
        return min(outcomes, key=lambda o: (o.false_findings, -o.tp_rate))
    found_enough = most_found - AS_GOOD
    if most_found >= least_found:
        found_enough = max(found_enough, least_found)
    as_good = [o for o in fitting if o.found_count >= found_enough]
    return min(as_good, key=lambda o: (o.min_area_cm2, -o.tp_rate, o.false_findings))


def point_of(outcome: PointOutcome, like: OperatingPoint) -> OperatingPoint:
    """The operating point of an outcome, with weight, gate and second look of another."""
    return replace(like, threshold=outcome.threshold, min_area_cm2=outcome.min_area_cm2)
