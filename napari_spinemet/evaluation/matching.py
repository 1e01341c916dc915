"""When a detection finds a contoured region (paper, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import SpinemetError

DEFAULT_DISTANCE_MM = 20.0
"""The paper's (section 3.3)."""


@dataclass(frozen=True)
class Matching:
    """How detections are matched to regions of the same slice.

    Attributes
    ----------
    max_distance_mm : float
        Largest in-plane distance of the centres of a detection and of the region that it finds.
    one_to_one : bool
        A detection finds one region at most, the most that can be matched; else it finds all
        that lie near.
    """

    max_distance_mm: float = DEFAULT_DISTANCE_MM
    one_to_one: bool = False

    def __post_init__(self) -> None:
        if not self.max_distance_mm >= 0:
            raise SpinemetError(
                f"The largest distance of two centres is 0 mm or more, not {self.max_distance_mm}."
            )


PAPER_MATCHING = Matching()
"""Within 20 mm; a detection near two regions finds both."""
