"""Which verdict a finding has: they are known by where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from .result_rows import VerdictRecord

SAME_FINDING_MM = 10.0
"""A finding whose centre lies this close to a judged one may be the same: a centre moves with the
threshold and the model."""

Position = tuple[float, float, float]
"""Patient LPS, mm."""


class Verdict(NamedTuple):
    """What was said of a finding.

    Attributes
    ----------
    verdict : {"accepted", "rejected", "unsure", ""}
    reason : str
        Why it is rejected; empty where that was not said.
    """

    verdict: str
    reason: str = ""


NO_VERDICT = Verdict("")


class VerdictBook:
    """Verdicts on the findings of one case, by position; they outlive another detection.

    A position is the centre of the finding that was judged first there; it stays that while the
    finding moves with the threshold. Positions and findings are matched one to one, so that two
    findings close to each other have a verdict each.
    """

    def __init__(self, records: Iterable[VerdictRecord] = ()) -> None:
        self._verdicts: dict[Position, Verdict] = {}
        for record in records:
            self.record(_position(record.centre_mm), record.verdict, record.reason)

    def of(self, centres_mm: Sequence[Sequence[float]]) -> list[str]:
        """The verdict on each of the findings on the screen; empty where there is none."""
        return [verdict for verdict, _ in self.with_reasons(centres_mm)]

    def with_reasons(self, centres_mm: Sequence[Sequence[float]]) -> list[Verdict]:
        """The same, each with its reason."""
        positions = self._positions(centres_mm)
        return [
            NO_VERDICT if position is None else self._verdicts[position] for position in positions
        ]

    def places(self, verdict: str) -> dict[Position, str]:
        """Where findings have a verdict, and why, whatever is on the screen.

        Parameters
        ----------
        verdict : {"accepted", "rejected", "unsure"}
        """
        return {
            place: own.reason for place, own in self._verdicts.items() if own.verdict == verdict
        }

    def position_of(self, centres_mm: Sequence[Sequence[float]], number: int) -> Position:
        """The position of one of the findings on the screen: its own centre if none was judged.

        Parameters
        ----------
        centres_mm : sequence of sequences of float
            Centres of all findings on the screen, patient LPS.
        number : int
            Of the finding among them, from 0.
        """
        return self._positions(centres_mm)[number] or _position(centres_mm[number])

    def record(self, position: Position, verdict: str, reason: str = "") -> None:
        """Judge what is at a position, instead of a former verdict on it.

        Parameters
        ----------
        position : tuple of float
            As :meth:`position_of` gives it.
        verdict : {"accepted", "rejected", "unsure", ""}
            Empty takes the former one back.
        reason : str
            Why it is rejected, where that was said.
        """
        self._verdicts.pop(position, None)
        if verdict:
            self._verdicts[position] = Verdict(verdict, reason)

    def _positions(self, centres_mm: Sequence[Sequence[float]]) -> list[Position | None]:
        """Which position each finding is at: as many as can be, and those the nearest in all."""
        positions = list(self._verdicts)
        matches: list[Position | None] = [None] * len(centres_mm)
        if not positions or not len(centres_mm):
            return matches
        distances_mm: npt.NDArray[np.float64] = np.linalg.norm(
            np.asarray(centres_mm, dtype=float)[:, None] - np.asarray(positions)[None], axis=2
        )
        # Too far apart costs more than any way to match the others can save.
        cost = np.where(distances_mm <= SAME_FINDING_MM, distances_mm, 1e6)
        for finding, position in zip(*linear_sum_assignment(cost), strict=True):
            if distances_mm[finding, position] <= SAME_FINDING_MM:
                matches[finding] = positions[position]
        return matches


def _position(centre_mm: Sequence[float]) -> Position:
    x, y, z = (float(v) + 0.0 for v in centre_mm)  # minus nought is nought
    return x, y, z
