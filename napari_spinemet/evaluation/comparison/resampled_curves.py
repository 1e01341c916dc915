"""FROC curves of many resampled cohorts at once, and what is read from them.

A resample draws as many cases as there are, with repetition. Its curve needs no case anew: rates
are averages over cases, so that a resample is a vector of weights, how often each case was drawn,
and the curves of all resamples are two products of matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..case_tables import LevelArray
from ..curve import DIGITS, MEAN, FrocCurve

FloatArray = npt.NDArray[np.float64]
ROUNDING = 1e-12
"""Rates and areas that differ by less are equal."""


@dataclass(frozen=True, eq=False)
class RateTable:
    """Per-case rates of one system.

    Attributes
    ----------
    tp, fp : numpy.ndarray
        ``(case, threshold)``; TP rates are 0 where a case has no regions.
    has_regions : numpy.ndarray
        ``(case,)``, 1 or 0.
    """

    tp: FloatArray
    fp: FloatArray
    has_regions: FloatArray


Statistic = Callable[[RateTable, FloatArray], FloatArray]
"""Of resamples, given the weight ``(resample, case)`` of each case; more is better."""


def rate_table(curve: FrocCurve, thresholds: LevelArray, reading: str) -> RateTable:
    """Each case's rates at falling thresholds.

    Parameters
    ----------
    curve : FrocCurve
    thresholds : numpy.ndarray
    reading : {"mean", "sum"}
        Of the false positives; the caller checks that it is one of these.
    """
    rows = [case.at(thresholds) for case in curve.cases]
    tp = np.array([r[0] for r in rows])
    return RateTable(
        np.nan_to_num(tp, nan=0.0),
        np.array([r[1] if reading == MEAN else r[2] for r in rows]),
        np.array([float(c.has_regions) for c in curve.cases]),
    )


def weighted_areas(
    table: RateTable, weights: FloatArray, fp_range: tuple[float, float]
) -> FloatArray:
    """Partial areas of resamples.

    The same rule as :func:`~napari_spinemet.evaluation.curve.partial_area`, for all at once.

    Parameters
    ----------
    table : RateTable
    weights : numpy.ndarray
        ``(resample, case)``: how often each case was drawn.
    fp_range : tuple of float
        False positives per case; the caller checks it.
    """
    low, high = fp_range
    tp, fp = _rates(table, weights)
    # Sorting is dear and most thresholds lie beyond the range; of these, a curve needs the
    # points that it leaves the range towards.
    inside = fp <= high
    nearest = np.where(inside, np.inf, fp).min(axis=1, keepdims=True, initial=np.inf)
    columns = (inside | (fp == nearest)).any(axis=0)
    x, y = _curves(tp[:, columns], fp[:, columns])
    # Level beyond the last point: one more point far out, so that the range always ends inside.
    x[:, -1] = np.maximum(x[:, -2], high) + 1
    width, rise = np.diff(x), np.diff(y)
    ends = np.clip(x, low, high)
    a, b = ends[:, :-1], ends[:, 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(width > 0, rise / width, 0.0)
    heights = y[:, :-1] + slope * ((a + b) / 2 - x[:, :-1])
    areas: FloatArray = ((b - a) * heights).sum(axis=1) / (high - low)
    return areas


def fp_savings(table: RateTable, weights: FloatArray, tp_rate: float, limit: float) -> FloatArray:
    """False positives of resamples at a TP rate, negative, so that more is better.

    Parameters
    ----------
    table : RateTable
    weights : numpy.ndarray
        ``(resample, case)``: how often each case was drawn.
    tp_rate : float
        Above 0, at most 1.
    limit : float
        What counts where the rate is not reached by then, or never.
    """
    tp, fp = _rates(table, weights)
    rate = tp_rate - ROUNDING
    # No curve is followed beyond where it reaches the rate, nor at all if it never does.
    last = np.where(tp >= rate, fp, np.inf).min(axis=1, initial=np.inf)
    columns = (fp <= np.where(np.isinf(last), -1, last)[:, None]).any(axis=0)
    x, y = _curves(tp[:, columns], fp[:, columns])
    x, y = x[:, :-1], y[:, :-1]  # without the room for one more point
    is_reached = y >= rate
    k = is_reached.argmax(axis=1)
    row = np.arange(len(y))
    previous = np.maximum(k - 1, 0)
    rise = y[row, k] - y[row, previous]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(rise > 0, (tp_rate - y[row, previous]) / rise, 1.0)
    at = x[row, previous] + share * (x[row, k] - x[row, previous])
    return -np.where(is_reached.any(axis=1), np.minimum(at, limit), limit)


def resampled_curves(table: RateTable, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Curves of resamples ``(resample, point)`` from (0, 0), false positives rising.

    There is room for one more point at the end, as high as the one before.

    Parameters
    ----------
    table : RateTable
    weights : numpy.ndarray
        ``(resample, case)``: how often each case was drawn.
    """
    return _curves(*_rates(table, weights))


def _rates(table: RateTable, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """TP rates and false positives of resamples, each ``(resample, threshold)``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        tp = weights @ table.tp / (weights @ table.has_regions)[:, None]
        fp = weights @ table.fp / weights.sum(axis=1)[:, None]
    # A resample without any region has no rate: it finds nothing.
    return np.nan_to_num(tp, nan=0.0), np.round(fp, DIGITS)


def _curves(tp: FloatArray, fp: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Points with equal false positives form a vertical step: the curve comes to its lowest
    # point and goes on from its top.
    order = np.lexsort((tp, fp))
    zero = np.zeros((len(fp), 1))
    x = np.concatenate([zero, np.take_along_axis(fp, order, 1), zero], axis=1)
    y = np.concatenate([zero, np.take_along_axis(tp, order, 1), zero], axis=1)
    np.maximum.accumulate(y, axis=1, out=y)
    return x, y
