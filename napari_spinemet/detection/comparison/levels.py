"""A guess at the level of each body, by the heights and tilts of the bodies that are seen."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...imaging.vertebra_levels import LEVELS
from .bodies import Bodies

_HEIGHTS = {
    **dict.fromkeys(("C2",), 0.62),
    **dict.fromkeys(("C3", "C4", "C5", "C6", "C7"), 0.50),
    **dict(zip(("T1", "T2", "T3", "T4", "T5", "T6"), np.linspace(0.55, 0.63, 6), strict=True)),
    **dict(zip(("T7", "T8", "T9", "T10", "T11", "T12"), np.linspace(0.65, 0.83, 6), strict=True)),
    "L1": 0.90,
    "L2": 0.96,
    "L3": 1.0,
    "L4": 1.0,
    "L5": 0.95,
    "S1": 0.80,
    "S2": 0.64,
    "S3": 0.55,
    "S4": 0.47,
    "S5": 0.42,
}
"""Of a body with the disc below it, over that of L3: usual proportions of adults."""
_TILTS = {"L3": 0.0, "L4": 0.05, "L5": 0.2, "S1": 0.55, "S2": 0.7, "S3": 0.5, "S4": 0.3, "S5": 0.1}
"""Columns to the back with each row to the feet, lying down; of the others about 0."""
_HEIGHT_SPREAD, _TILT_SPREAD = 0.09, 0.2
"""How far people differ in these: of the logarithm, and of the tilt."""
_SACRUM = LEVELS.index("S1")
_L3_MM = (28.0, 44.0)
"""No adult's L3 with its disc is lower, or higher."""
LEAST_BODIES = 4
LARGEST_MISFIT = 0.8
"""For each body: a count that fits no better is none."""
HIGHEST = 1.6
"""A body that is so many times as high as the usual one beside it may be two."""
CLEAR = 1.0
"""Half of the difference of the squared deviations by which the best count must fit better than
any other, as a logarithm of their odds."""


def guess_levels(bodies: Bodies) -> list[str]:
    """The level of each body, by the count that fits best; empty where none fits clearly.

    It is a guess: nobody counted from the skull, and one in ten people has a transitional
    vertebra. Only the sacrum anchors it: where none is in view there is no guess.

    Parameters
    ----------
    bodies : Bodies

    Returns
    -------
    list of str
        From head to feet.
    """
    unknown = [""] * len(bodies)
    heights = np.diff(bodies.borders, axis=1)[:, 0]
    usual = ndimage.median_filter(heights, size=5, mode="nearest")
    if len(bodies) < LEAST_BODIES or not bodies.is_gapless or (heights > HIGHEST * usual).any():
        return unknown
    misfits = _misfits(bodies)
    if not misfits:
        return unknown
    order = sorted(misfits, key=lambda first: misfits[first])
    is_clear = len(order) == 1 or misfits[order[1]] - misfits[order[0]] >= CLEAR
    has_sacrum = order[0] <= _SACRUM < order[0] + len(bodies)
    if not is_clear or not has_sacrum or misfits[order[0]] > LARGEST_MISFIT * len(bodies):
        return unknown
    return list(LEVELS[order[0] : order[0] + len(bodies)])


def _misfits(bodies: Bodies) -> dict[int, float]:
    """How badly each count fits, by the level that the first body has in it."""
    middles = bodies.borders.mean(axis=1)
    tilts = np.interp(middles, np.arange(len(bodies.middle)), bodies.slope)
    # Along the course, which is longer than the rows that it passes.
    heights = np.diff(bodies.borders, axis=1)[:, 0] * np.sqrt(1 + tilts**2)
    proportions = np.array([_HEIGHTS.get(level, np.nan) for level in LEVELS])
    result = {}
    for first in range(1, len(LEVELS) - len(bodies) + 1):
        part = slice(first, first + len(bodies))
        ratio = np.log(heights / proportions[part])
        inner = ratio[1:-1] if len(ratio) > 4 else ratio  # those at the ends may be cut off
        scale = float(np.clip(np.median(inner), *np.log(_L3_MM)))
        misfit = np.minimum(np.abs(inner - scale) / _HEIGHT_SPREAD, 3.0) ** 2
        usual_tilts = np.array([_TILTS.get(level, 0.0) for level in LEVELS[part]])
        is_low = np.arange(first, first + len(bodies)) >= _SACRUM - 3
        tilt_misfit = np.minimum(np.abs(tilts - usual_tilts) / _TILT_SPREAD, 3.0) ** 2
        # Higher up the tilt is the posture's, and is not that of a sacrum.
        steep = np.minimum(np.maximum(tilts - 0.45, 0) / _TILT_SPREAD, 3.0) ** 2
        result[first] = 0.5 * float(misfit.sum() + np.where(is_low, tilt_misfit, steep).sum())
    return result
