"""The settings that turn a likelihood map into detections."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import SpinemetError
from .aggregation import Aggregation, aggregation_of


@dataclass(frozen=True)
class OperatingPoint:
    """The settings that turn a likelihood map into detections.

    They are chosen together on validation cases, kept in the card of the model, and are
    what detection uses unless told otherwise.

    Attributes
    ----------
    threshold : float
        Likelihood from which a pixel belongs to a detection, in (0, 1].
    min_area_cm2 : float
        Smaller detections are dropped.
    weight : float or None
        Weight of the slice itself in the aggregation over neighbours; None for none.
    gate : bool
        Whether detections outside the predicted spine are dropped.
    second_look : bool
        Whether likelihoods are moved by the comparison with the patient's other bodies, where a map
        has one.

    Raises
    ------
    SpinemetError
        If a setting lies outside its range.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from napari_spinemet import OperatingPoint
    >>> point = OperatingPoint(threshold=0.5, min_area_cm2=1.0)
    >>> replace(point, weight=None).aggregation.label
    'no aggregation'
    """

    threshold: float = 0.6
    min_area_cm2: float = 5.0
    weight: float | None = 0.4
    gate: bool = False
    second_look: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise SpinemetError(
                f"The threshold must lie above 0 and not above 1, but it is {self.threshold}."
            )
        if not 0 <= self.min_area_cm2 < 1000:
            raise SpinemetError(
                f"The minimum area must be between 0 and 1000 cm², but it is {self.min_area_cm2}."
            )
        aggregation_of(self.weight)  # refuses a weight that is none

    @property
    def aggregation(self) -> Aggregation:
        """How slices are combined."""
        return aggregation_of(self.weight)

    @property
    def label(self) -> str:
        """In words, for people: all but the threshold."""
        parts = [f"from {self.min_area_cm2:g} cm²", self.aggregation.label]
        parts.append("gate" if self.gate else "no gate")
        return ", ".join([*parts, *(["second look"] if self.second_look else [])])

    def differs_in_threshold_only(self, other: OperatingPoint) -> bool:
        """Whether both share a curve: all but the threshold is alike."""
        return self == replace(other, threshold=self.threshold)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card or a report; what came later, only where it is used.

        So a card without a second look is read by versions that know of none, and a run that they
        have begun goes on.
        """
        values = asdict(self)
        if not self.second_look:
            del values["second_look"]
        return values


PAPER_OPERATING_POINT = OperatingPoint(threshold=0.6, min_area_cm2=5.0, weight=0.4, gate=False)
"""Threshold 0.6, 5 cm², aggregated with weight 0.4; no gate, no second look (paper, section
2.5.2)."""
