"""How sure a difference of two systems is: paired bootstrap, and the sign-flip test beside it.

Both systems have read the same cases. The bootstrap draws cases again, the same for both, and asks
how the difference varies; the sign-flip test exchanges the systems within cases and asks how often
chance alone gives a difference as large. The second is exact for few cases, where the first is
liberal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from ...errors import SpinemetError, check_seed
from ..curve import MEAN, SUM, FrocCurve
from .resampled_curves import ROUNDING, FloatArray, RateTable, Statistic, rate_table

EXACT_UP_TO = 14
"""Cases up to which all sign flips are enumerated."""
_CHUNK_BYTES = 2**20  # of each array on the way: more would leave the processor's cache


class Certainty(TypedDict):
    """How sure a difference is; fields as in :class:`~.compare.FrocComparison`."""

    interval: tuple[float, float]
    p_one_sided: float
    p_two_sided: float
    p_sign_flip_one_sided: float
    p_sign_flip_two_sided: float


@dataclass(frozen=True)
class PairedDifference:
    """A statistic of two systems.

    Attributes
    ----------
    value_a, value_b : float
        On the cases as they are.
    difference : float
        ``value_a - value_b``.
    certainty : dict
    sign_flip_exact : bool
        Whether all exchanges were enumerated.
    """

    value_a: float
    value_b: float
    difference: float
    certainty: Certainty
    sign_flip_exact: bool


def check_resampling(reading: str, n_resamples: int, seed: int) -> None:
    """Refuse settings of a comparison that make no sense.

    Parameters
    ----------
    reading : str
    n_resamples, seed : int

    Raises
    ------
    SpinemetError
        If the reading is none, nothing is drawn, or the seed is negative.
    """
    if reading not in (MEAN, SUM) or n_resamples < 1:
        raise SpinemetError("The reading is 'mean' or 'sum', and resamples are at least 1.")
    check_seed(seed)


def paired_difference(
    a: FrocCurve,
    b: FrocCurve,
    statistic: Statistic,
    reading: str,
    n_resamples: int,
    seed: int,
) -> PairedDifference:
    """A statistic of both systems, its difference, and how sure that is.

    Parameters
    ----------
    a, b : FrocCurve
    statistic : callable
    reading : {"mean", "sum"}
        Of the false positives.
    n_resamples : int
    seed : int

    Raises
    ------
    SpinemetError
        If the cases differ, or the reading or the number of resamples makes no sense.
    """
    names = [[case.case_id for case in curve.cases] for curve in (a, b)]
    if names[0] != names[1]:
        raise SpinemetError("Two systems can be compared only on the same cases in the same order.")
    check_resampling(reading, n_resamples, seed)
    count = len(names[0])
    rng = np.random.default_rng(seed)
    tables = [rate_table(c, c.thresholds, reading) for c in (a, b)]
    value_a, value_b = (float(statistic(t, np.ones((1, count)))[0]) for t in tables)
    difference = value_a - value_b
    weights = rng.multinomial(count, np.full(count, 1 / count), n_resamples).astype(float)
    differences = _in_parts(
        lambda part: statistic(tables[0], weights[part]) - statistic(tables[1], weights[part]),
        n_resamples,
        max(len(a.thresholds), len(b.thresholds)),
    )
    is_exact = count <= EXACT_UP_TO
    flips = _all_flips(count) if is_exact else _draw_flips(count, n_resamples, rng)
    by_chance = _differences_of_flips(a, b, flips, statistic, reading)
    not_better = float((differences <= ROUNDING).mean())
    not_worse = float((differences >= -ROUNDING).mean())
    low, high = np.percentile(differences, (2.5, 97.5))
    certainty: Certainty = {
        "interval": (float(low), float(high)),
        "p_one_sided": not_better,
        "p_two_sided": min(1.0, 2 * min(not_better, not_worse)),
        "p_sign_flip_one_sided": float((by_chance >= difference - ROUNDING).mean()),
        "p_sign_flip_two_sided": float((np.abs(by_chance) >= abs(difference) - ROUNDING).mean()),
    }
    return PairedDifference(value_a, value_b, difference, certainty, is_exact)


def _all_flips(count: int) -> npt.NDArray[np.bool_]:
    """Every way to exchange the systems within some of the cases ``(flip, case)``."""
    return np.array(list(product((False, True), repeat=count)))


def _draw_flips(count: int, n_flips: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """So many ways at random, and no exchange at all first, so that no p is ever 0."""
    flips = rng.random((n_flips, count)) < 0.5
    return np.concatenate([np.zeros((1, count), bool), flips])


def _differences_of_flips(
    a: FrocCurve,
    b: FrocCurve,
    flips: npt.NDArray[np.bool_],
    statistic: Statistic,
    reading: str,
) -> FloatArray:
    """Difference of a statistic with the systems exchanged in some of the cases."""
    # One table of both, so that an exchange is a weight: case k of a, or that of b.
    thresholds = np.unique(np.concatenate([a.thresholds, b.thresholds]))[::-1]
    first, second = (rate_table(c, thresholds, reading) for c in (a, b))
    both = RateTable(
        np.concatenate([first.tp, second.tp]),
        np.concatenate([first.fp, second.fp]),
        np.concatenate([first.has_regions, second.has_regions]),
    )
    weights_a = np.concatenate([~flips, flips], axis=1).astype(float)
    weights_b = np.concatenate([flips, ~flips], axis=1).astype(float)
    return _in_parts(
        lambda part: statistic(both, weights_a[part]) - statistic(both, weights_b[part]),
        len(flips),
        len(thresholds),
    )


def _in_parts(values: Callable[[slice], FloatArray], count: int, thresholds: int) -> FloatArray:
    """Values of so many resamples, by parts that fit the cache, one on each core at a time.

    numpy lets go of the interpreter while it sorts and multiplies, so threads are enough.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(values, _chunks(count, thresholds))))


def _chunks(count: int, thresholds: int) -> Iterator[slice]:
    size = max(1, _CHUNK_BYTES // (8 * max(thresholds, 1)))
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
