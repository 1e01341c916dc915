"""What an adaptation gives."""

from __future__ import annotations

from dataclasses import dataclass

from ...imaging import Finding, OperatingPoint
from ...training import TrainingResult
from .judging import Score


@dataclass(frozen=True, eq=False)
class StandsOut:
    """What a network marks in a scan that it has not learned from.

    Attributes
    ----------
    scan : str
    finding : Finding
    """

    scan: str
    finding: Finding

    @property
    def place(self) -> str:
        """Where it is, for a person to look at."""
        first, last = self.finding.slices
        slices = f"slice {first + 1}" if first == last else f"slices {first + 1} to {last + 1}"
        level = f" at {self.finding.level_text}" if self.finding.level_text else ""
        return f"{slices}{level}"


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What an adaptation gave.

    Attributes
    ----------
    training : TrainingResult
    point : OperatingPoint
        Chosen on scans that the network had not learned from.
    scores : tuple of Score
        Before; by another operating point alone; after.
    stands_out : tuple of StandsOut
        Named, and not learned as normal.
    is_held_out : bool
        Whether own scans were judged by networks that had not learned from them; not so with one.
    notes : tuple of str
        What of the scans was not learned, and why, a sentence each.
    """

    training: TrainingResult
    point: OperatingPoint
    scores: tuple[Score, ...]
    stands_out: tuple[StandsOut, ...] = ()
    is_held_out: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class AdaptedResult(TrainingResult):
    """A training result, and what is known of it.

    Attributes
    ----------
    adaptation : Adaptation
    """

    adaptation: Adaptation = None  # type: ignore[assignment]  # always given

    @property
    def point(self) -> OperatingPoint:
        """Chosen on scans that the network had not learned from."""
        return self.adaptation.point
