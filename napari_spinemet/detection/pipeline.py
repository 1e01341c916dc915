"""From a series and a model to detections and findings, as one call."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Unpack

from ..imaging import Detection, Finding, LikelihoodMap, OperatingPoint, SagittalSeries
from ..jobs import CancelToken
from ..network import SiameseNet
from ..imaging.aggregation import aggregate
from .components import ComponentForest
from .engines import MapSettings, likelihood_map
from .findings import link_findings
from .gate import Spine, spine_curve
from .refine import refine_detections


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """What detection found in one series.

    Attributes
    ----------
    plain, likelihood : LikelihoodMap
        As the network gave it, and as thresholded (aggregated if the operating point says so).
    forest : ComponentForest
        Of ``likelihood``.
    curve : Spine or None
        The predicted spine, where the network has a third output and sees enough of it.
    operating_point : OperatingPoint
    detections : list of Detection
    findings : list of Finding
    seconds : float
    warnings : tuple of str
    """

    plain: LikelihoodMap
    likelihood: LikelihoodMap
    forest: ComponentForest
    curve: Spine | None
    operating_point: OperatingPoint
    detections: list[Detection]
    findings: list[Finding]
    seconds: float
    warnings: tuple[str, ...]

    def at(self, point: OperatingPoint) -> DetectionResult:
        """The same likelihood at another operating point; the network does not run again."""
        return evaluate(self.plain, point, known=self)

    def refined(
        self, series: SagittalSeries, *, cancel: CancelToken | None = None
    ) -> DetectionResult:
        """The same detections with their outlines fitted to the picture (paper, section 5.2).

        They follow from :func:`~.refine.refine_detections`; findings are linked anew.
        """
        detections = refine_detections(self.detections, series, self.likelihood, cancel=cancel)
        findings = link_findings(detections, self.plain.spacing_mm[0])
        return replace(self, detections=detections, findings=findings)

    def to_dict(self) -> dict[str, Any]:
        """What a report says."""
        return {
            "series_uid": self.plain.series_uid,
            "model": self.plain.model,
            "threshold": self.operating_point.threshold,
            "operating_point": self.operating_point.to_dict(),
            "seconds": self.seconds,
            "detections": [d.to_dict() for d in self.detections],
            "findings": [f.to_dict() for f in self.findings],
            "warnings": list(self.warnings),
        }


def detect(
    series: SagittalSeries,
    model: SiameseNet,
    point: OperatingPoint,
    *,
    identity: str = "",
    **settings: Unpack[MapSettings],
) -> DetectionResult:
    """Run a model on a series and apply an operating point.

    Parameters
    ----------
    series : SagittalSeries
    model : SiameseNet
    point : OperatingPoint
    identity : str
        The name that reports give the model.
    **settings
        Those of :func:`likelihood_map`, as are the errors.
    """
    started = time.perf_counter()
    plain = likelihood_map(series, model, **settings)
    if identity:
        plain = replace(plain, model=identity)
    return evaluate(plain, point, started=started)


def evaluate(
    plain: LikelihoodMap,
    point: OperatingPoint,
    *,
    known: DetectionResult | None = None,
    started: float | None = None,
) -> DetectionResult:
    """Apply an operating point to a likelihood map, reusing what ``known`` has computed."""
    if known is not None and known.operating_point.weight == point.weight:
        likelihood, forest, curve = known.likelihood, known.forest, known.curve
    else:
        likelihood = plain if point.weight is None else aggregate(plain, point.weight)
        forest = ComponentForest(likelihood)
        curve = known.curve if known is not None else spine_curve(plain)
    detections = forest.detections(point.threshold, point.min_area_cm2)
    warnings = []
    if curve is not None:
        if point.gate:
            detections = [d for d in detections if curve.keeps(d)]
        if curve.near_border(plain.columns):
            warnings.append(
                "The spine comes close to the border of the evaluated columns; evaluate the "
                "whole width to be sure that nothing is missed."
            )
    elif point.gate:
        warnings.append(
            "Too little of the spine was recognised to tell what lies outside it, so no "
            "detection was dropped for its place."
        )
    return DetectionResult(
        plain=plain,
        likelihood=likelihood,
        forest=forest,
        curve=curve,
        operating_point=point,
        detections=detections,
        findings=link_findings(detections, plain.spacing_mm[0]),
        seconds=0.0 if started is None else time.perf_counter() - started,
        warnings=tuple(warnings),
    )
