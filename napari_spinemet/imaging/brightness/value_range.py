"""The range that the values of a scan lie in, but for a few that mean something else.

Text that was burnt into a picture, or a border that no header declares as padding, lies so far
from all tissue that a spread which counts it says nothing of the tissue any more.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

GAP = 0.5
"""Share of the range of all other values by which those beyond a gap lie apart from them.
Of thirteen real series and of phantoms no gap is wider than 0.08 of the range."""
REACH = 3.0
"""How far the values go on beyond 99.9 % of them, in ranges of these 99.9 %; on the same scans
never by more than 0.9."""
TAIL = 1e-3
ISLAND = 0.02
"""Largest share of all different values that lie apart: text and borders have one or a few,
while what a scanner measured, or a test counted, has many on either side of a gap."""
LEAST_DISTINCT = 50
"""Fewer different values are a drawing, and no measurement of a scanner."""


def value_range(voxels: npt.NDArray[np.float32]) -> tuple[float, float]:
    """The least and the largest value of all but those that lie far beyond all others.

    Parameters
    ----------
    voxels : numpy.ndarray
        Of a whole series, in any order.

    Returns
    -------
    tuple of float
        Those of all values, for a scan without such outliers.
    """
    ordered_values = np.sort(voxels, axis=None)
    distinct = ordered_values[np.flatnonzero(np.diff(ordered_values, prepend=-np.inf))]
    if len(distinct) < LEAST_DISTINCT:
        return float(ordered_values[0]), float(ordered_values[-1])
    low, high = _without_islands(distinct.astype(np.float64))
    first, last = (
        np.searchsorted(ordered_values, low, "left"),
        np.searchsorted(ordered_values, high, "right"),
    )
    bulk = ordered_values[first:last]
    lower, upper = (float(bulk[int(share * (len(bulk) - 1))]) for share in (TAIL, 1 - TAIL))
    reach = REACH * (upper - lower)
    if reach > 0:
        low, high = max(low, lower - reach), min(high, upper + reach)
    return low, high


def _without_islands(distinct: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Cut off few values that lie beyond a wide gap, again and again: the others stay."""
    largest_island = max(1, int(ISLAND * len(distinct)))
    while len(distinct) >= LEAST_DISTINCT:
        gaps = np.diff(distinct)
        cut_index = int(gaps.argmax()) + 1
        island, bulk = sorted((distinct[:cut_index], distinct[cut_index:]), key=len)
        if len(island) > largest_island or gaps[cut_index - 1] <= GAP * (bulk[-1] - bulk[0]):
            break
        distinct = bulk
    return float(distinct[0]), float(distinct[-1])
