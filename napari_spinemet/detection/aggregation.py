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
    if not 0 <= weight <= 1:
        raise SpinemetError(f"The aggregation weight must lie between 0 and 1, not at {weight}.")
    if likelihood.weight is not None:
        raise SpinemetError("This likelihood map has been aggregated already; use the plain one.")
    plain = likelihood.values.astype(np.float64)
    count = len(plain)
    if count == 1:
        mixed = plain
    elif count == 2:
        mixed = weight * plain + (1 - weight) * plain[::-1]
    else:
        before = np.concatenate([plain[2:3], plain[:-1]])
        after = np.concatenate([plain[1:], plain[-3:-2]])
        mixed = weight * plain + (1 - weight) / 2 * (before + after)
    values = np.clip(mixed, 0, 1).astype(np.float32)
    return replace(likelihood, values=values, weight=weight)
