"""Curves that take a moment to draw, made off the GUI thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...evaluation.matching import Matching
from ...imaging import Annotation, OperatingPoint
from ...jobs import JobContext
from ...network.card import load_card
from ...study import Study
from ...study.map_identity import MapIdentity
from ..viewer.displayed_froc import DisplayedFroc, draw_scan_froc
from ..viewer.jobs import leave_a_core_to_the_interface

if TYPE_CHECKING:
    from ...detection import DetectionResult


@dataclass(frozen=True, eq=False)
class Redrawing:
    """What is on the screen, and the settings that it shall have.

    Attributes
    ----------
    result : DetectionResult or None
    froc : DisplayedFroc or None
        Of a study or of the open scan; only one of a study is drawn from stored maps.
    contours : Annotation or None
        Of the open scan, as they are on the screen.
    point : OperatingPoint
    matching : Matching
    """

    result: DetectionResult | None
    froc: DisplayedFroc | None
    contours: Annotation | None
    point: OperatingPoint
    matching: Matching

    @property
    def moves_result(self) -> bool:
        """Whether the detections are those of other settings, apart from the threshold."""
        return self.result is not None and not self.point.differs_in_threshold_only(
            self.result.operating_point
        )

    @property
    def moves_froc(self) -> bool:
        """Whether the curve is one of other settings."""
        return self.froc is not None and not self.froc.has_settings(self.point, self.matching)

    def run(self, job: JobContext) -> tuple[DetectionResult | None, DisplayedFroc | None]:
        """The result and the curve at the settings; no curve where none can be drawn."""
        result = self.result
        if result is not None and self.moves_result:
            result = result.at(self.point)
        if self.froc is not None and self.froc.study is not None:
            return result, self._redraw_study_froc(self.froc, self.froc.study, job)
        return result, self._draw_scan_froc()

    def _redraw_study_froc(
        self, froc: DisplayedFroc, study: Study, job: JobContext
    ) -> DisplayedFroc | None:
        from ...workflows.study_froc import redraw_curve

        system = redraw_curve(
            study, froc.identity, self.point, self.matching, forests=froc.forests, job=job
        )
        if system is None:
            return None
        return replace(
            froc,
            curve=system.curve,
            point=self.point,
            forests=system.forests,
            matching=self.matching,
        )

    def _draw_scan_froc(self) -> DisplayedFroc | None:
        if self.result is None:
            return None
        return draw_scan_froc(self.result, self.contours, self.point, self.matching)


@leave_a_core_to_the_interface()
def draw_study_froc(
    study: Study,
    model: str,
    cross_validation: MapIdentity | None,
    point: OperatingPoint,
    matching: Matching,
    job: JobContext,
) -> DisplayedFroc:
    """The curve of a study by a model or by a cross-validation of it.

    Parameters
    ----------
    study : Study
    model : str
        Name or path; of no matter where there is a cross-validation.
    cross_validation : MapIdentity or None
    point : OperatingPoint
    matching : Matching
    job : JobContext

    Raises
    ------
    SpinemetError
        If the model cannot be read, or the maps of the cross-validation are lost.
    """
    from ...network import load_model
    from ...study.run_files import cross_validated_point
    from ...workflows.map_source import MapSource
    from ...workflows.study_froc import cross_validation_curve, study_curve

    validated_point: OperatingPoint | None
    if cross_validation is not None:
        identity = cross_validation
        validated_point = cross_validated_point(study.path, identity.source)
        system = cross_validation_curve(study, identity, point, matching, job=job)
        author = str(identity)
    else:
        card = load_card(model)
        source = MapSource.of_loaded(load_model(model), card)
        identity, validated_point = source.identity, card.operating_point
        system = study_curve(study, source, point, matching, keep_forests=True, job=job)
        author = Path(model).stem
    return DisplayedFroc(
        system.curve,
        f"{study.path.name} by {author}",
        point,
        identity,
        study,
        system.forests,
        matching,
        validated_point,
    )
