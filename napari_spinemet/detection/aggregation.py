"""Slice-based aggregation (paper, section 2.5.1)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from ..imaging import LikelihoodMap

FloatArray = npt.NDArray[np.float32]


def aggregate(likelihood: LikelihoodMap, weight: float = 0.4) -> LikelihoodMap:
    """Average each slice with its two neighbours.

    ``L_i = a l_i + (1 - a) / 2 (l_j + l_k)`` with ``j`` and ``k`` the slices on either side;
    the first slice takes the next two, the last the previous two. Of two slices the other
    gets ``1 - a``; a single slice stays as it is.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Not aggregated yet.
    weight : float
        ``a``, the weight of the slice itself, in [0, 1].

    Returns
    -------
    LikelihoodMap
        The vertebra map, if there is one, is left alone.
    """
    refuse_aggregated(likelihood.weight)
    first, last = likelihood.columns
    values = np.zeros_like(likelihood.values)
    values[:, :, first:last] = mixed(likelihood.values[:, :, first:last], weight)
    return replace(likelihood, values=values, weight=weight)


def refuse_aggregated(weight: float | None) -> None:
    """Raise if a map of that weight cannot be aggregated, since it has been."""
    if weight is not None:
        raise SpinemetError("This likelihood map has been aggregated already; use the plain one.")


def mixed(plain: FloatArray, weight: float) -> FloatArray:
    """What :func:`aggregate` does, on an array of slices, rows and columns."""
    if not 0 <= weight <= 1:
        raise SpinemetError(f"The aggregation weight must lie between 0 and 1, not at {weight}.")
    count = len(plain)
    if count == 1:
        return np.clip(plain, 0, 1)
    result = np.empty_like(plain)
    for k in range(count):  # one slice at a time stays in the processor's cache
        if count == 2:
            share, others = 1 - weight, plain[1 - k].astype(np.float64)
        else:
            before, after = (2 if k == 0 else k - 1), (count - 3 if k == count - 1 else k + 1)
            share = (1 - weight) / 2
            others = np.add(plain[before], plain[after], dtype=np.float64)
        others *= share
        others += np.multiply(plain[k], weight, dtype=np.float64)
        result[k] = np.clip(others, 0, 1, out=others)
    return result
