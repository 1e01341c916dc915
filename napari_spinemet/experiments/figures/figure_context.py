"""What all figures of a study rest on, and what a figure is once it has been made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from ...imaging import Annotation, OperatingPoint, SagittalSeries
from ...jobs import CancelToken
from ...study import Study
from ...workflows.map_source import MapSource
from .survey import Survey

PATCHES, CONTOURS, FROC, MAPS, PLAIN_MAPS, FALSE_POSITIVE = FIGURES = range(3, 9)
"""Numbers that the figures have in the paper."""


@dataclass(frozen=True, eq=False)
class Made:
    """One figure.

    Attributes
    ----------
    number : int
    figure : Figure
    caption : str
    facts : dict
        Plain values: what is shown, and where it comes from.
    tables : dict of str to str
        CSV texts by name.
    """

    number: int
    figure: Figure
    caption: str
    facts: dict[str, Any]
    tables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ground:
    """A study that has been looked at, and where its maps come from."""

    study: Study
    source: MapSource
    seen: Survey
    cancel: CancelToken | None = None

    @property
    def point(self) -> OperatingPoint:
        """The operating point, with an aggregation weight."""
        return self.seen.point

    def read(self, name: str) -> tuple[SagittalSeries, Annotation]:
        """Scan and contours of a case."""
        if self.cancel is not None:
            self.cancel.raise_if_cancelled()
        ((_, series, annotation),) = self.study.contoured_cases([name])
        return series, annotation

    def facts(self) -> dict[str, Any]:
        """What is told of every figure that a network has a part in."""
        return {"study": str(self.study.path), "model": self.source.identity}

    def made(
        self,
        number: int,
        figure: Figure,
        caption: str,
        facts: dict[str, Any],
        tables: dict[str, str] | None = None,
    ) -> Made:
        """The figure; its caption says so if the cases are synthetic."""
        if self.study.origin:
            caption += "The cases are synthetic. "
        return Made(number, figure, caption.strip(), facts, tables or {})


def settings_of(point: OperatingPoint) -> str:
    """Which detections count, as a sentence."""
    gated = ", within the predicted spine where it is recognised" if point.gate else ""
    return f"Detections count from {point.min_area_cm2:g} cm²{gated}."
