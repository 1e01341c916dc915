"""Between which rates a FROC curve lies when its cases are drawn again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .comparison.resampled_curves import FloatArray, rate_table, resampled_curves
from .curve import MEAN, SUM, FrocCurve

BAND_POINTS = 400
"""Of a curve that is drawn again from resampled cases: more would not be seen."""


def froc_band(
    curve: FrocCurve,
    false_positives: npt.ArrayLike,
    *,
    reading: str = SUM,
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """Between which TP rates the curve lies when the cases are drawn again.

    Parameters
    ----------
    curve : FrocCurve
    false_positives : array-like
        Where to give the rates, rising.
    reading : {"mean", "sum"}
        Of these false positives.
    n_resamples : int
        Bootstrap resamples of the cases.
    level : float
        Share of the resamples between the two rates, at each number of false positives for itself.
    seed : int

    Returns
    -------
    low, high : numpy.ndarray
        One rate for each. Resamples without any region are left out. The curve is
        followed at :data:`BAND_POINTS` of its own thresholds.
    """
    positions = np.asarray(false_positives, dtype=float)
    count = len(curve.cases)
    picks = np.unique(np.linspace(0, max(len(curve.thresholds) - 1, 0), BAND_POINTS).astype(int))
    table = rate_table(curve, curve.thresholds[picks], reading)
    weights = (
        np.random.default_rng(seed)
        .multinomial(count, np.full(count, 1 / count), n_resamples)
        .astype(float)
    )
    weights = weights[weights @ table.has_regions > 0]
    x, y = resampled_curves(table, weights)
    # Beyond its last point a curve goes on level, as far as anyone asks.
    x[:, -1] = np.maximum(x[:, -2], positions.max(initial=0)) + 1
    rates = np.stack([np.interp(positions, *points) for points in zip(x, y, strict=True)])
    tails = (50 * (1 - level), 50 * (1 + level))
    low, high = np.percentile(rates, tails, axis=0)
    return low, high


Bands = dict[str, tuple[FloatArray, FloatArray, FloatArray]]
"""For each reading: false positives, and the lower and upper TP rate there."""


def froc_bands(curve: FrocCurve, limits: tuple[float, float] = (0.5, 5.0)) -> Bands:
    """The bands of both readings from nothing to a limit of each.

    Parameters
    ----------
    curve : FrocCurve
    limits : tuple of float
        Most false positives a case: mean over slices, and sum over slices.
    """
    bands = {}
    for reading, limit in zip((MEAN, SUM), limits, strict=True):
        positions = np.linspace(0, limit, 101)
        bands[reading] = (positions, *froc_band(curve, positions, reading=reading))
    return bands
