"""What all figures of a study rest on, and what a figure is once it has been drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from ...imaging import Annotation, OperatingPoint, SagittalSeries
from ...jobs import UNATTENDED, JobContext
from ...study import Study
from ...workflows.map_source import MapSource
from .survey import StudySurvey

PATCHES, CONTOURS, FROC, MAPS, PLAIN_MAPS, FALSE_POSITIVE = FIGURES = range(3, 9)
"""Numbers that the figures have in the paper."""


@dataclass(frozen=True, eq=False)
class PaperFigure:
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
class FigureContext:
    """A study that has been looked at, and where its maps come from.

    Attributes
    ----------
    study : Study
    source : MapSource
    survey : StudySurvey
        Of that study, with maps of that source.
    job : JobContext
        Polled before a scan is read.
    """

    study: Study
    source: MapSource
    survey: StudySurvey
    job: JobContext = UNATTENDED

    @property
    def point(self) -> OperatingPoint:
        """The operating point, with an aggregation weight."""
        return self.survey.point

    def read_case(self, name: str) -> tuple[SagittalSeries, Annotation]:
        """Scan and contours of a case."""
        self.job.raise_if_cancelled()
        ((_, series, annotation),) = self.study.contoured_cases([name])
        return series, annotation

    def facts(self) -> dict[str, Any]:
        """What is told of every figure that a network has a part in."""
        return {"study": str(self.study.path), "model": str(self.source.identity)}

    def describe(
        self,
        number: int,
        figure: Figure,
        caption: str,
        facts: dict[str, Any],
        tables: dict[str, str] | None = None,
    ) -> PaperFigure:
        """The figure with all that is told of it.

        Parameters
        ----------
        number : int
            In the paper.
        figure : Figure
        caption : str
            It is completed here if the cases are synthetic.
        facts : dict
            See :class:`PaperFigure`.
        tables : dict of str to str, optional
        """
        if self.study.origin:
            caption += "The cases are synthetic. "
        return PaperFigure(number, figure, caption.strip(), facts, tables or {})


def settings_sentence(point: OperatingPoint) -> str:
    """Which detections count."""
    gate = ", within the predicted spine where it is recognised" if point.gate else ""
    look = (
        " Likelihoods are those after the second look, where the model has one."
        if point.second_look
        else ""
    )
    return f"Detections count from {point.min_area_cm2:g} cm²{gate}.{look}"
