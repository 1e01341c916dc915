"""How near a scan is to what a model has learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Familiarity:
    """A score, and what is said of it.

    Attributes
    ----------
    score : float
        0 for a scan like those that the model has learned from, 1 at the limit, more beyond it.
    unfamiliar : bool
        Whether it lies beyond the limit.
    reason : str
        Why, as a clause; empty for a familiar scan.
    """

    score: float
    unfamiliar: bool = False
    reason: str = ""

    @property
    def text(self) -> str:
        """For a line beside other facts."""
        return f"{self.score:.2f}, {'beyond' if self.unfamiliar else 'within'} the limit of 1"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Familiarity:
        """What :meth:`to_dict` gave."""
        return cls(float(values["score"]), bool(values["unfamiliar"]), str(values["reason"]))
