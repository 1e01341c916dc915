"""Which verdict a finding has: they are known by where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from .result_rows import VerdictRecord

SAME_PLACE_MM = 10.0
"""A finding whose centre lies this close to a judged one is the same: a centre moves with the
threshold and the model, and two lesions of one vertebra lie farther apart."""


class VerdictBook:
    """Verdicts on the findings of one case, by place; they outlive another detection."""

    def __init__(self, records: Iterable[VerdictRecord] = ()) -> None:
        self._given: list[tuple[npt.NDArray[np.float64], str]] = []
        for record in records:
            self.give(record.centre_mm, record.verdict)

    def of(self, centre_mm: Sequence[float]) -> str:
        """The verdict on a finding with this centre (patient LPS); empty if there is none."""
        nearest = self._nearest(centre_mm)
        return "" if nearest is None else self._given[nearest][1]

    def give(self, centre_mm: Sequence[float], verdict: str) -> None:
        """Judge a finding, in place of a former verdict on it; empty takes that back."""
        nearest = self._nearest(centre_mm)
        if nearest is not None:
            del self._given[nearest]
        if verdict:
            self._given.append((np.asarray(centre_mm, dtype=float), verdict))

    def _nearest(self, centre_mm: Sequence[float]) -> int | None:
        apart = [float(np.linalg.norm(place - centre_mm)) for place, _ in self._given]
        if not apart or min(apart) > SAME_PLACE_MM:
            return None
        return int(np.argmin(apart))
