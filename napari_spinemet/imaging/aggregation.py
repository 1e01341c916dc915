"""How the likelihood of a slice is combined with that of its neighbours (paper, section 2.5.1).

Another method is another class with ``weight``, ``label`` and ``combine``; :func:`aggregation_of`
chooses among them, and nothing else in the program asks which one it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError

FloatArray = npt.NDArray[np.float32]
DEFAULT_WEIGHT = 0.4
"""The paper's (section 2.5.1)."""


class Aggregation(Protocol):
    """One way of combining slices, with its settings; a value that can be compared."""

    @property
    def weight(self) -> float | None:
        """What an operating point and a map keep of it."""

    @property
    def label(self) -> str:
        """In words, for people."""

    def combine(self, plain: FloatArray) -> FloatArray:
        """Likelihoods ``(slice, row, column)`` from those of the network, each in [0, 1]."""


@dataclass(frozen=True)
class NoAggregation:
    """Each slice by itself."""

    @property
    def weight(self) -> float | None:
        """None."""
        return None

    @property
    def label(self) -> str:
        """In words."""
        return "no aggregation"

    def combine(self, plain: FloatArray) -> FloatArray:
        """The same likelihoods."""
        return plain


@dataclass(frozen=True)
class NeighbourAverage:
    """Each slice averaged with its two neighbours.

    ``L_i = a l_i + (1 - a) / 2 (l_j + l_k)`` with ``j`` and ``k`` the slices on either side;
    the first slice takes the next two, the last the previous two. Of two slices the other
    gets ``1 - a``; a single slice stays as it is.

    Attributes
    ----------
    weight : float
        ``a``, the weight of the slice itself, in [0, 1].

    Raises
    ------
    SpinemetError
        If the weight lies outside.
    """

    weight: float = DEFAULT_WEIGHT

    def __post_init__(self) -> None:
        # The one check of a weight: an operating point makes its method to have it checked.
        if not 0 <= self.weight <= 1:
            raise SpinemetError(
                f"The aggregation weight must lie between 0 and 1, but it is {self.weight}."
            )

    @property
    def label(self) -> str:
        """In words."""
        return f"weight {self.weight:.2g}"

    def combine(self, plain: FloatArray) -> FloatArray:
        """The averages; ``(slice, row, column)`` float32."""
        count = len(plain)
        if count == 1:
            return np.clip(plain, 0, 1)
        result = np.empty_like(plain)
        for k in range(count):  # one slice at a time stays in the processor's cache
            if count == 2:
                share, neighbours = 1 - self.weight, plain[1 - k].astype(np.float64)
            else:
                first = 2 if k == 0 else k - 1
                second = count - 3 if k == count - 1 else k + 1
                share = (1 - self.weight) / 2
                neighbours = np.add(plain[first], plain[second], dtype=np.float64)
            neighbours *= share
            neighbours += np.multiply(plain[k], self.weight, dtype=np.float64)
            result[k] = np.clip(neighbours, 0, 1, out=neighbours)
        return result


def aggregation_of(weight: float | None) -> Aggregation:
    """The method that an operating point's ``weight`` stands for; None is no aggregation."""
    return NoAggregation() if weight is None else NeighbourAverage(weight)


def refuse_aggregated(weight: float | None, aggregation: Aggregation) -> None:
    """Raise if a map cannot be aggregated in some way, since it has been already.

    Parameters
    ----------
    weight : float or None
        What the map keeps of how it was aggregated.
    aggregation : Aggregation
        What is to be done; nothing can be done to any map.
    """
    if weight is not None and aggregation.weight is not None:
        raise SpinemetError("This likelihood map has been aggregated already; use the plain one.")
