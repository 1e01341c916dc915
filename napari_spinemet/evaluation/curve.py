"""The FROC curve of a cohort, its areas and the figures that are read from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import SpinemetError
from .case_tables import CaseTable, FloatArray, LevelArray

MEAN, SUM = "mean", "sum"
"""Readings of false positives per case: mean over slices, and per scan (sum over slices)."""
DIGITS = 12
"""Means of the same counts differ in the digits beyond, by the order of their sums; where false
positives are equal, a curve rises vertically."""


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """A free-response ROC curve with both readings of false positives.

    Attributes
    ----------
    thresholds, tp_rate, fp_mean, fp_sum : numpy.ndarray
        One raw operating point for each distinct outcome as the threshold falls. Not
        monotone where regions merge.
    cases : tuple of CaseTable
        What the averages are made of; cases without regions count for false positives.
    """

    thresholds: LevelArray
    tp_rate: FloatArray
    fp_mean: FloatArray
    fp_sum: FloatArray
    cases: tuple[CaseTable, ...]

    def false_positives(self, reading: str = SUM) -> FloatArray:
        """False positives per case in the reading ``"mean"`` or ``"sum"``."""
        if reading not in (MEAN, SUM):
            raise ValueError(f"A reading is {MEAN!r} or {SUM!r}, not {reading!r}.")
        return self.fp_mean if reading == MEAN else self.fp_sum

    def envelope(self, reading: str = SUM) -> tuple[FloatArray, FloatArray]:
        """False positives (rising) and the running maximum of the TP rate, from (0, 0)."""
        return running_maximum(self.false_positives(reading), self.tp_rate)

    def tp_rate_at(self, false_positives: float, reading: str = SUM) -> float:
        """TP rate at so many false positives per case, interpolated.

        Parameters
        ----------
        false_positives : float
            Per case.
        reading : {"mean", "sum"}
            Of these.
        """
        fp, tp = self.envelope(reading)
        return float(np.interp(false_positives, fp, tp))

    def fp_at(self, tp_rate: float, reading: str = SUM) -> float:
        """False positives per case at which the TP rate is reached; infinite if never.

        Parameters
        ----------
        tp_rate : float
        reading : {"mean", "sum"}
            Of the false positives.
        """
        fp, tp = self.envelope(reading)
        if tp[-1] < tp_rate - 1e-12:
            return float("inf")
        k = int(np.argmax(tp >= tp_rate - 1e-12))
        if k == 0 or tp[k] == tp[k - 1]:
            return float(fp[k])
        share = (tp_rate - tp[k - 1]) / (tp[k] - tp[k - 1])
        return float(fp[k - 1] + share * (fp[k] - fp[k - 1]))

    def at(self, threshold: float) -> tuple[float, float, float]:
        """TP rate, mean and summed false positives per case at a threshold.

        Curves of maps compare in float32, as the maps are, and those of lists in float64.
        """
        # An entry holds from its own threshold down to just above the next.
        exact = self.thresholds.dtype.type(threshold)
        k = len(self.thresholds) - int(np.searchsorted(self.thresholds[::-1], exact)) - 1
        if k < 0:
            return 0.0, 0.0, 0.0
        return float(self.tp_rate[k]), float(self.fp_mean[k]), float(self.fp_sum[k])

    def best_within(self, false_positives: float, reading: str = SUM) -> int | None:
        """The point with the highest TP rate at no more false positives than that.

        Of equal rates the one with fewer; None where no point has so few.

        Parameters
        ----------
        false_positives : float
            Per case.
        reading : {"mean", "sum"}
            Of these.
        """
        fp = self.false_positives(reading)
        points = np.flatnonzero(fp <= false_positives + 1e-12)
        if not len(points):
            return None
        return int(points[np.lexsort((fp[points], -self.tp_rate[points]))[0]])

    def cheapest_at(self, tp_rate: float, reading: str = SUM) -> int | None:
        """The point with the fewest false positives at that TP rate or more.

        Of equal ones that with the higher rate; None where no point reaches it.

        Parameters
        ----------
        tp_rate : float
        reading : {"mean", "sum"}
            Of the false positives.
        """
        points = np.flatnonzero(self.tp_rate >= tp_rate - 1e-12)
        if not len(points):
            return None
        fp = self.false_positives(reading)[points]
        return int(points[np.lexsort((-self.tp_rate[points], fp))[0]])

    def threshold_of(self, point: int) -> float:
        """A threshold that gives a point: half-way to the next, not on the value of one pixel."""
        lower = self.thresholds[point + 1] if point + 1 < len(self.thresholds) else 0.0
        return max((float(self.thresholds[point]) + float(lower)) / 2, 1e-3)

    def area(self, fp_range: tuple[float, float] = (0.0, 0.5), reading: str = MEAN) -> float:
        """Area under the curve between two numbers of false positives, over its width.

        Parameters
        ----------
        fp_range : tuple of float
            False positives per case, see :func:`check_range`.
        reading : {"mean", "sum"}
            Of these.
        """
        return float(partial_area(self.false_positives(reading), self.tp_rate, fp_range))

    def summary(self) -> dict[str, float]:
        """The figures that the paper reports, in both readings."""
        result = {}
        for reading, name in ((MEAN, "mean_over_slices"), (SUM, "per_scan")):
            result[f"tp_rate_at_0.20_fp_{name}"] = self.tp_rate_at(0.20, reading)
            result[f"tp_rate_at_1_fp_{name}"] = self.tp_rate_at(1.0, reading)
            result[f"fp_at_90_percent_{name}"] = self.fp_at(0.90, reading)
            result[f"fp_at_100_percent_{name}"] = self.fp_at(1.0, reading)
        return result


def running_maximum(fp: FloatArray, tp: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sort raw points by false positives, and let the TP rate never fall; starts at (0, 0).

    Parameters
    ----------
    fp, tp : numpy.ndarray
        ``(n,)``, of raw points in any order.
    """
    fp = np.round(fp, DIGITS)
    order = np.lexsort((tp, fp))
    rising = np.maximum.accumulate(np.r_[0.0, tp[order]])
    return np.r_[0.0, fp[order]], rising


def check_range(fp_range: tuple[float, float]) -> None:
    """Refuse what is no range of false positives.

    Raises
    ------
    SpinemetError
        If it does not rise, from 0 or more to a finite number.
    """
    low, high = fp_range
    if not 0 <= low < high < math.inf:
        raise SpinemetError(
            f"A range of false positives rises from 0 or more to a finite number, not {fp_range}."
        )


def partial_area(fp: FloatArray, tp: FloatArray, fp_range: tuple[float, float]) -> float:
    """Mean height of the curve over a range of false positives, trapezoidal.

    From (0, 0) linearly to the first point, then linearly; a step at equal false positives
    counts as vertical; beyond the last point the curve goes on level.

    Parameters
    ----------
    fp, tp : numpy.ndarray
        ``(n,)``, of raw points in any order.
    fp_range : tuple of float
        From and to how many false positives; checked.
    """
    check_range(fp_range)
    low, high = fp_range
    x, y = running_maximum(fp, tp)
    # Of equal x, np.interp takes the last, the top of a vertical step: with a step at the lower
    # end the area begins there, with one at the upper end it ends at its foot.
    inside = (x > low) & (x < high)
    first_height = np.interp(low, x, y)
    foot = np.searchsorted(x, high) + 1
    last_height = np.interp(high, x[:foot], y[:foot])
    xs = np.r_[low, x[inside], high]
    ys = np.r_[first_height, y[inside], last_height]
    return float(np.trapezoid(ys, xs) / (high - low))


def curve_of(cases: Sequence[CaseTable]) -> FrocCurve:
    """Average cases at the union of their thresholds."""
    if not cases:
        raise SpinemetError("A FROC curve needs at least one case.")
    if not any(case.has_regions for case in cases):
        raise SpinemetError("None of the cases has a contoured lesion, so no rate can be given.")
    thresholds = np.unique(np.concatenate([c.thresholds for c in cases]))[::-1]
    count, n_diseased = len(thresholds), sum(case.has_regions for case in cases)
    # Each case steps at its own thresholds only: the sum of all steps up to here costs as much
    # as there are steps, a look-up of every case at every threshold grows with the square.
    steps = np.zeros((3, count), dtype=np.longdouble)
    for case in cases:
        at = count - np.searchsorted(thresholds[::-1], case.thresholds, side="right")
        if case.has_regions:
            steps[0, at] += np.diff(case.tp_rate, prepend=0) / n_diseased
        steps[1, at] += np.diff(case.fp_mean, prepend=0) / len(cases)
        steps[2, at] += np.diff(case.fp_sum, prepend=0) / len(cases)
    # The digits beyond a double's take up the rounding; the clip its last bit.
    tp, means, sums = np.maximum(np.cumsum(steps, axis=1), 0).astype(float)
    tp = np.minimum(tp, 1)
    is_step = np.ones(count, dtype=bool)
    is_step[1:] = (abs(np.diff([tp, means, sums])) > 1e-12).any(axis=0)
    return FrocCurve(thresholds[is_step], tp[is_step], means[is_step], sums[is_step], tuple(cases))
