"""How what a network marks differs from the patient's own other bodies, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

FloatArray = npt.NDArray[np.float32]
CERTAIN = 1e-3
"""A likelihood nearer to 0 or 1 is moved as if it were so far away: else what is all but certain
could not be moved."""
NO_MODEL = "the model has no second look"
"""A reason why nothing moves, where candidates were measured all the same."""


def move(likelihoods: FloatArray, shift: float | npt.NDArray[np.float64]) -> FloatArray:
    """Likelihoods moved in logit.

    Parameters
    ----------
    likelihoods : numpy.ndarray
    shift : float or numpy.ndarray
        Of the same shape.
    """
    plain = np.clip(likelihoods.astype(np.float64), CERTAIN, 1 - CERTAIN)
    return np.asarray(expit(logit(plain) + shift), dtype=np.float32)


@dataclass(frozen=True)
class Evidence:
    """What one candidate was compared by.

    Attributes
    ----------
    contrast : float or None
        Median brightness of the candidate over that of healthy marrow in the neighbouring bodies:
        1.5 is half as bright again, 0.7 darker. None where there is no such marrow.
    deviation : float or None
        The same as a distance, in robust standard deviations of healthy marrow.
    body_share : float
        Of the body, in the slices that the candidate lies in, that it covers; from 0 to 1.
    level : str
        Guessed from the network's own vertebrae; empty where they do not tell.
    shift : float
        What is added to the logit of its likelihoods; 0 where nothing was compared.
    body : int
        Number of the vertebral body that it is nearest to, from 0 at the top; -1 where that was not
        kept.
    """

    contrast: float | None
    deviation: float | None
    body_share: float
    level: str
    shift: float
    body: int = -1

    @property
    def contrast_text(self) -> str:
        """The contrast for a table."""
        return "–" if self.contrast is None else f"{self.contrast:.2g} x"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A second look at a likelihood map.

    Attributes
    ----------
    labels : numpy.ndarray
        ``(slice, row, column)`` uint16 on the working grid: 0, or the number of a candidate.
    evidence : tuple of Evidence
        Of candidate 1, 2, ...
    reason : str
        Why the bodies cannot be compared with each other; empty where they can. Then no likelihood
        is moved.
    bodies : int
        How many vertebral bodies were told apart.

    Raises
    ------
    ValueError
        If a label has no evidence.
    """

    labels: npt.NDArray[np.uint16]
    evidence: tuple[Evidence, ...]
    reason: str = ""
    bodies: int = 0

    def __post_init__(self) -> None:
        if int(self.labels.max(initial=0)) > len(self.evidence):
            raise ValueError("each candidate of a comparison has its evidence")

    @property
    def is_possible(self) -> bool:
        """Whether bodies could be compared."""
        return not self.reason

    def shown_evidence(self, *, is_applied: bool) -> Comparison:
        """What a reader is told: no shift that was not made, no contrast to what compares not.

        Parameters
        ----------
        is_applied : bool
            Whether likelihoods were moved by it, where it is possible.
        """
        if not is_applied:
            return replace(self, evidence=tuple(replace(e, shift=0.0) for e in self.evidence))
        if self.reason in ("", NO_MODEL):
            return self
        unlike = tuple(replace(e, contrast=None, deviation=None) for e in self.evidence)
        return replace(self, evidence=unlike)

    def apply(self, values: FloatArray) -> FloatArray:
        """Likelihoods with those of each candidate moved by its shift.

        Parameters
        ----------
        values : numpy.ndarray
            ``(slice, row, column)`` of the plain map.
        """
        shifts = np.array([0.0, *(e.shift for e in self.evidence)])
        is_moved = shifts[self.labels] != 0
        result = values.copy()
        result[is_moved] = move(values[is_moved], shifts[self.labels[is_moved]])
        return result

    def evidence_at(
        self, slice_index: int, pixels: npt.NDArray[np.integer]
    ) -> tuple[Evidence, int] | None:
        """The candidate that most of a region lies in, and how many pixels of it do.

        Parameters
        ----------
        slice_index : int
        pixels : numpy.ndarray
            ``(n, 2)`` (row, column) of the region.
        """
        labels = self.labels[slice_index, pixels[:, 0], pixels[:, 1]]
        labels = labels[labels > 0]
        if not len(labels):
            return None
        counts = np.bincount(labels)
        label = int(counts.argmax())
        return self.evidence[label - 1], int(counts[label])

    def facts(self) -> dict[str, Any]:
        """What is kept of it beside the labels; plain values."""
        return {
            "reason": self.reason,
            "evidence": [e.to_dict() for e in self.evidence],
            "bodies": self.bodies,
        }

    @classmethod
    def of_facts(cls, labels: npt.NDArray[np.uint16], facts: Mapping[str, Any]) -> Comparison:
        """What :meth:`facts` gave, with the labels.

        Parameters
        ----------
        labels : numpy.ndarray
        facts : mapping
        """
        evidence = tuple(Evidence(**e) for e in facts["evidence"])
        # Maps of former versions have no number of bodies.
        return cls(labels, evidence, facts["reason"], facts.get("bodies", 0))
