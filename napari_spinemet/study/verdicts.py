"""Which verdict a finding has: they are known by where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from .result_rows import VerdictRecord

SAME_PLACE_MM = 10.0
"""A finding whose centre lies this close to a judged one may be the same: a centre moves with the
threshold and the model."""

Place = tuple[float, float, float]


class VerdictBook:
    """Verdicts on the findings of one case, by place; they outlive another detection.

    A place is the centre (patient LPS, mm) of the finding that was judged first there; it
    stays that while the finding moves with the threshold. Places and findings are matched one
    to one, so that two findings close to each other have a verdict each.
    """

    def __init__(self, records: Iterable[VerdictRecord] = ()) -> None:
        self._given: dict[Place, str] = {}
        for record in records:
            self.give(_place(record.centre_mm), record.verdict)

    def of(self, centres_mm: Sequence[Sequence[float]]) -> list[str]:
        """The verdict on each of the findings on the screen; empty where there is none."""
        places = self._places(centres_mm)
        return ["" if place is None else self._given[place] for place in places]

    def place_of(self, centres_mm: Sequence[Sequence[float]], chosen: int) -> Place:
        """The place of one of the findings on the screen: its own where none was judged."""
        return self._places(centres_mm)[chosen] or _place(centres_mm[chosen])

    def give(self, place: Place, verdict: str) -> None:
        """Judge what is at a place, instead of a former verdict on it; empty takes that back."""
        self._given.pop(place, None)
        if verdict:
            self._given[place] = verdict

    def _places(self, centres_mm: Sequence[Sequence[float]]) -> list[Place | None]:
        """Which place each finding is at: as many as can be, and those the nearest in all."""
        places = list(self._given)
        found: list[Place | None] = [None] * len(centres_mm)
        if not places or not len(centres_mm):
            return found
        apart: npt.NDArray[np.float64] = np.linalg.norm(
            np.asarray(centres_mm, dtype=float)[:, None] - np.asarray(places)[None], axis=2
        )
        # Too far apart costs more than any way to match the others can save.
        cost = np.where(apart <= SAME_PLACE_MM, apart, 1e6)
        for finding, place in zip(*linear_sum_assignment(cost), strict=True):
            if apart[finding, place] <= SAME_PLACE_MM:
                found[finding] = places[place]
        return found


def _place(centre_mm: Sequence[float]) -> Place:
    x, y, z = (float(v) + 0.0 for v in centre_mm)  # minus nought is nought
    return x, y, z
