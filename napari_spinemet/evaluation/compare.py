"""Two systems on the same cases: paired bootstrap, and the sign-flip test beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError, check_seed
from .case_tables import LevelArray
from .curve import DIGITS, MEAN, SUM, FrocCurve, check_range

FloatArray = npt.NDArray[np.float64]

EXACT_UP_TO = 14
"""Cases up to which all sign flips are enumerated."""
_CHUNK_BYTES = 2**20  # of each array on the way: more would leave the processor's cache
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class FrocComparison:
    """How much larger the partial area of system a is than that of b.

    Attributes
    ----------
    area_a, area_b : float
        Partial area over the range, divided by its width.
    difference : float
        ``area_a - area_b``.
    interval : tuple of float
        95 % percentile interval of the difference over the resamples.
    p_one_sided, p_two_sided : float
        Bootstrap: share of resamples in which a is not better, and twice the smaller tail.
        Liberal for few cases.
    p_sign_flip_one_sided, p_sign_flip_two_sided : float
        Share of within-case exchanges of the systems with at least this difference.
    sign_flip_exact : bool
        Whether all exchanges were enumerated.
    n_resamples, n_cases : int
    """

    area_a: float
    area_b: float
    difference: float
    interval: tuple[float, float]
    p_one_sided: float
    p_two_sided: float
    p_sign_flip_one_sided: float
    p_sign_flip_two_sided: float
    sign_flip_exact: bool
    n_resamples: int
    n_cases: int


@dataclass(frozen=True, eq=False)
class RateTable:
    """Per-case rates of one system: ``(case, threshold)``; TP rates 0 where undefined."""

    tp: FloatArray
    fp: FloatArray
    has_regions: FloatArray


Statistic = Callable[[RateTable, FloatArray], FloatArray]
"""Of resamples, given the weight ``(resample, case)`` of each case; more is better."""


def rate_table(curve: FrocCurve, thresholds: LevelArray, reading: str) -> RateTable:
    """Each case's rates at falling thresholds, with the false positives of a reading."""
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
    """Partial areas of resamples, given the weight ``(resample, case)`` of each case.

    The same rule as :func:`~napari_spinemet.evaluation.curve.partial_area`, for all at once.
    """
    low, high = fp_range
    tp, fp = _rates(table, weights)
    # Sorting is dear and most thresholds lie beyond the range; of these, a curve needs the
    # points that it leaves the range towards.
    inside = fp <= high
    nearest = np.where(inside, np.inf, fp).min(axis=1, keepdims=True, initial=np.inf)
    needed = (inside | (fp == nearest)).any(axis=0)
    x, y = _curves(tp[:, needed], fp[:, needed])
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


def resampled_curves(table: RateTable, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Curves of resamples ``(resample, point)`` from (0, 0), false positives rising.

    There is room for one more point at the end, as high as the one before.
    """
    return _curves(*_rates(table, weights))


def _rates(table: RateTable, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """TP rates and false positives of resamples, each ``(resample, threshold)``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        tp = weights @ table.tp / (weights @ table.has_regions)[:, None]
        fp = weights @ table.fp / weights.sum(axis=1)[:, None]
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


def _chunks(count: int, thresholds: int) -> Iterator[slice]:
    size = max(1, _CHUNK_BYTES // (8 * max(thresholds, 1)))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _in_parts(values: Callable[[slice], FloatArray], count: int, thresholds: int) -> FloatArray:
    """Values of so many resamples, by parts that fit the cache, one on each core at a time.

    numpy lets go of the interpreter while it sorts and multiplies, so threads are enough.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(values, _chunks(count, thresholds))))


def compare_froc(
    a: FrocCurve,
    b: FrocCurve,
    *,
    fp_range: tuple[float, float] = (0, 0.5),
    n_resamples: int = 20_000,
    seed: int = 0,
    reading: str = MEAN,
) -> FrocComparison:
    """Compare two systems over the same cases by their partial FROC areas.

    Parameters
    ----------
    a, b : FrocCurve
        With the same cases in the same order.
    fp_range : tuple of float
        False positives per case over which the area is taken.
    n_resamples : int
        Bootstrap resamples of the cases, the same for both systems; as many sampled sign
        flips where there are too many to enumerate.
    seed : int
    reading : {"mean", "sum"}
        Which reading of false positives.

    Returns
    -------
    FrocComparison

    Raises
    ------
    SpinemetError
        If the cases differ, or the range, the reading or the number of resamples makes no sense.
    """
    check_range(fp_range)
    statistic = partial(weighted_areas, fp_range=fp_range)
    (area_a, area_b), difference, tested, exact = _compared(
        a, b, statistic, reading, n_resamples, seed
    )
    return FrocComparison(
        area_a=area_a,
        area_b=area_b,
        difference=difference,
        sign_flip_exact=exact,
        n_resamples=n_resamples,
        n_cases=len(a.cases),
        **tested,
    )


@dataclass(frozen=True)
class FpComparison:
    """How many false positives per case system a saves against b at a TP rate.

    Attributes
    ----------
    tp_rate, limit : float
        A system that does not reach the rate counts as if it did so at the limit.
    fp_a, fp_b : float
    saved : float
        ``fp_b - fp_a``.
    interval : tuple of float
        95 % percentile interval of that over the resamples.
    p_one_sided, p_two_sided, p_sign_flip_one_sided, p_sign_flip_two_sided : float
        As in :class:`FrocComparison`.
    """

    tp_rate: float
    limit: float
    fp_a: float
    fp_b: float
    saved: float
    interval: tuple[float, float]
    p_one_sided: float
    p_two_sided: float
    p_sign_flip_one_sided: float
    p_sign_flip_two_sided: float


def compare_fp_at(
    a: FrocCurve,
    b: FrocCurve,
    *,
    tp_rate: float = 0.9,
    limit: float | None = None,
    n_resamples: int = 20_000,
    seed: int = 0,
    reading: str = MEAN,
) -> FpComparison:
    """Compare two systems over the same cases by their false positives at a TP rate.

    Parameters
    ----------
    a, b : FrocCurve
        With the same cases in the same order.
    tp_rate : float
    limit : float, optional
        What counts where the rate is never reached: by default the most false positives that
        either curve goes to.
    n_resamples, seed, reading
        See :func:`compare_froc`.

    Raises
    ------
    SpinemetError
        If the cases differ, or the rate, the reading or the number of resamples makes no sense.
    """
    _check(reading, n_resamples, seed)
    if not 0 < tp_rate <= 1:
        raise SpinemetError(f"A TP rate lies above 0 and is at most 1, not {tp_rate}.")
    if limit is None:
        limit = max(float(c.false_positives(reading).max(initial=0.0)) for c in (a, b))
    statistic = partial(_saving, tp_rate=tp_rate, limit=limit)
    (saving_a, saving_b), saved, tested, _ = _compared(a, b, statistic, reading, n_resamples, seed)
    return FpComparison(
        tp_rate=tp_rate, limit=limit, fp_a=-saving_a, fp_b=-saving_b, saved=saved, **tested
    )


def _saving(table: RateTable, weights: FloatArray, tp_rate: float, limit: float) -> FloatArray:
    """False positives of resamples at a TP rate, negative, so that more is better."""
    tp, fp = _rates(table, weights)
    rate = tp_rate - _ROUNDING
    # No curve is followed beyond where it reaches the rate, nor at all if it never does.
    last = np.where(tp >= rate, fp, np.inf).min(axis=1, initial=np.inf)
    needed = (fp <= np.where(np.isinf(last), -1, last)[:, None]).any(axis=0)
    x, y = _curves(tp[:, needed], fp[:, needed])
    x, y = x[:, :-1], y[:, :-1]  # without the room for one more point
    reached = y >= rate
    k = reached.argmax(axis=1)
    row = np.arange(len(y))
    before = np.maximum(k - 1, 0)
    rise = y[row, k] - y[row, before]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(rise > 0, (tp_rate - y[row, before]) / rise, 1.0)
    at = x[row, before] + share * (x[row, k] - x[row, before])
    return -np.where(reached.any(axis=1), np.minimum(at, limit), limit)


class _Tested(TypedDict):
    interval: tuple[float, float]
    p_one_sided: float
    p_two_sided: float
    p_sign_flip_one_sided: float
    p_sign_flip_two_sided: float


def _check(reading: str, n_resamples: int, seed: int) -> None:
    if reading not in (MEAN, SUM) or n_resamples < 1:
        raise SpinemetError("The reading is 'mean' or 'sum', and resamples are at least 1.")
    check_seed(seed)


def _compared(
    a: FrocCurve,
    b: FrocCurve,
    statistic: Statistic,
    reading: str,
    n_resamples: int,
    seed: int,
) -> tuple[tuple[float, float], float, _Tested, bool]:
    """A statistic of both, its difference, how sure that is, and whether all flips were tried."""
    names = [[case.case_id for case in curve.cases] for curve in (a, b)]
    if names[0] != names[1]:
        raise SpinemetError("Two systems can be compared only on the same cases in the same order.")
    _check(reading, n_resamples, seed)
    thresholds = [c.thresholds for c in (a, b)]
    tables = [rate_table(c, t, reading) for c, t in zip((a, b), thresholds, strict=True)]
    count = len(names[0])
    rng = np.random.default_rng(seed)
    one, other = (float(statistic(t, np.ones((1, count)))[0]) for t in tables)
    weights = rng.multinomial(count, np.full(count, 1 / count), n_resamples).astype(float)
    differences = _in_parts(
        lambda part: statistic(tables[0], weights[part]) - statistic(tables[1], weights[part]),
        n_resamples,
        max(map(len, thresholds)),
    )
    exact = count <= EXACT_UP_TO
    flips = (
        np.array(list(product((False, True), repeat=count)))
        if exact
        else np.concatenate([np.zeros((1, count), bool), rng.random((n_resamples, count)) < 0.5])
    )
    difference = one - other
    flipped = _flipped_differences(a, b, flips, statistic, reading)
    not_better = float((differences <= _ROUNDING).mean())
    not_worse = float((differences >= -_ROUNDING).mean())
    low, high = np.percentile(differences, (2.5, 97.5))
    tested: _Tested = {
        "interval": (float(low), float(high)),
        "p_one_sided": not_better,
        "p_two_sided": min(1.0, 2 * min(not_better, not_worse)),
        "p_sign_flip_one_sided": float((flipped >= difference - _ROUNDING).mean()),
        "p_sign_flip_two_sided": float((np.abs(flipped) >= abs(difference) - _ROUNDING).mean()),
    }
    return (one, other), difference, tested, exact


def _flipped_differences(
    a: FrocCurve,
    b: FrocCurve,
    flips: npt.NDArray[np.bool_],
    statistic: Statistic,
    reading: str,
) -> FloatArray:
    """Difference of a statistic with the systems exchanged in some of the cases."""
    thresholds = np.unique(np.concatenate([a.thresholds, b.thresholds]))[::-1]
    first, second = (rate_table(c, thresholds, reading) for c in (a, b))
    both = RateTable(
        np.concatenate([first.tp, second.tp]),
        np.concatenate([first.fp, second.fp]),
        np.concatenate([first.has_regions, second.has_regions]),
    )
    kept = np.concatenate([~flips, flips], axis=1).astype(float)
    exchanged = np.concatenate([flips, ~flips], axis=1).astype(float)
    return _in_parts(
        lambda part: statistic(both, kept[part]) - statistic(both, exchanged[part]),
        len(flips),
        len(thresholds),
    )
