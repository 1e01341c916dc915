"""From a series and a model to detections and findings, as one call."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..imaging import (
    Detection,
    Finding,
    LikelihoodMap,
    OperatingPoint,
    SagittalSeries,
    ScanWarning,
)
from ..imaging.comparison import Comparison
from ..imaging.evaluated_region import SPINE
from ..imaging.likelihood import Familiarity, apply_aggregation
from ..imaging.scan_warnings import has_grave
from ..jobs import UNATTENDED, CancelToken, EventCallback, JobContext
from ..network import SiameseNet
from .comparison.second_look import LARGE_SHARE, MOST_MARKED, TOO_FEW, TOO_MANY
from .components import ComponentForest
from .engines import NO_SPINE, OnSlice, map_series
from .findings import link_findings
from .gate import Spine, predict_spine
from .map_settings import DEFAULT_MAP_SETTINGS, MapSettings
from .refine import refine_detections

MANY_FINDINGS = 8
"""More than these are told: few patients have so many, and a model that errs has them at once."""
SEVERAL_BODIES = 3
"""From so many marked bodies on disease may be spread, and a body without a mark diseased too.

By the model of 2026-11-30, at 0.88 and 1 cm², so many are marked in 13 of 14 phantoms of half
burden, in 7 of 24 of localised burden, and in 1 of 20 healthy ones, none of which it learned from.
"""


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """What detection found in one series.

    Attributes
    ----------
    plain, likelihood : LikelihoodMap
        As the network gave it, and as thresholded (aggregated if the operating point says so).
    forest : ComponentForest
        Of ``likelihood``.
    spine : Spine or None
        The predicted spine, where the network has a third output and sees enough of it.
    operating_point : OperatingPoint
    detections : list of Detection
    findings : list of Finding
    seconds : float
    warnings : tuple of ScanWarning
        Those of the scan, and then those of the detection.
    """

    plain: LikelihoodMap
    likelihood: LikelihoodMap
    forest: ComponentForest
    spine: Spine | None
    operating_point: OperatingPoint
    detections: list[Detection]
    findings: list[Finding]
    seconds: float
    warnings: tuple[ScanWarning, ...]

    @property
    def familiarity(self) -> Familiarity | None:
        """How near the scan is to what the model has learned from; None where it cannot tell."""
        return self.plain.familiarity

    @property
    def is_doubtful(self) -> bool:
        """Whether one of the warnings is grave: the result may be wrong by it."""
        return has_grave(self.warnings)

    def at(self, point: OperatingPoint) -> DetectionResult:
        """The same likelihood at another operating point; the network does not run again."""
        return evaluate(self.plain, point, former=self)

    def refine(self, series: SagittalSeries, *, job: JobContext = UNATTENDED) -> DetectionResult:
        """The same detections with their outlines fitted to the picture (paper, section 5.2).

        They follow from :func:`~.refine.refine_detections`; findings are linked anew.

        Parameters
        ----------
        series : SagittalSeries
            That was detected on.
        job : JobContext
            Polled at every detection.
        """
        detections = refine_detections(self.detections, series, self.likelihood, job=job)
        findings = link_findings(
            detections, self.plain.spacing_mm[0], _evidence_in(self.plain, self.operating_point)
        )
        return replace(self, detections=detections, findings=findings)

    def to_dict(self) -> dict[str, Any]:
        """What a report says."""
        return {
            "series_uid": self.plain.series_uid,
            "model": self.plain.model,
            "learned_from": self.plain.learned_from,
            "threshold": self.operating_point.threshold,
            "operating_point": asdict(self.operating_point),
            "evaluated": self.plain.region.to_dict(),
            "seconds": self.seconds,
            "detections": [d.to_dict() for d in self.detections],
            "findings": [f.to_dict() for f in self.findings],
            "warnings": [warning.to_dict() for warning in self.warnings],
            "doubtful": self.is_doubtful,
            **({} if self.familiarity is None else {"familiarity": self.familiarity.to_dict()}),
        }


def detect(
    series: SagittalSeries,
    model: SiameseNet,
    point: OperatingPoint,
    *,
    identity: str = "",
    engine: str = "auto",
    stride: int = 1,
    columns: str = SPINE,
    device: str = "auto",
    precision: str = "float32",
    on_event: EventCallback | None = None,
    cancel: CancelToken | None = None,
) -> DetectionResult:
    """Run a model on a series and apply an operating point.

    Parameters
    ----------
    series : SagittalSeries
    model : SiameseNet
    point : OperatingPoint
        That of the model's card, unless there is a reason for another.
    identity : str
        The name that reports give the model.
    engine, stride, columns, device, precision
        See :class:`.MapSettings`.
    on_event, cancel
        As for :func:`.likelihood_map`, as are the errors.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> affine = np.array([[3.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> series = spinemet.SagittalSeries(np.random.default_rng(0).normal(size=(1, 8, 12)), affine)
    >>> model = spinemet.SiameseNet((1,), "dense", (1,), widths=(2,), patch_shape=(7, 7))
    >>> point = spinemet.OperatingPoint(threshold=0.01, min_area_cm2=0.1, weight=None)
    >>> result = spinemet.detect(series, model.eval(), point, columns="all", device="cpu")
    >>> [finding.slices for finding in result.findings]
    [(0, 0)]
    """
    settings = MapSettings(engine, stride, columns, device, precision)
    job = JobContext.of(on_event, cancel)
    return detect_in_series(series, model, point, settings, identity=identity, job=job)


def detect_in_series(
    series: SagittalSeries,
    model: SiameseNet,
    point: OperatingPoint,
    settings: MapSettings = DEFAULT_MAP_SETTINGS,
    *,
    identity: str = "",
    on_slice: OnSlice | None = None,
    job: JobContext = UNATTENDED,
) -> DetectionResult:
    """What :func:`detect` does, with the settings of the map as one value.

    Parameters
    ----------
    series : SagittalSeries
    model : SiameseNet
    point : OperatingPoint
    settings : MapSettings
    identity : str
        The name that reports give the model.
    on_slice : callable, optional
        See :func:`.map_series`.
    job : JobContext
        Polled at every slice and batch.
    """
    start_time = time.perf_counter()
    plain = map_series(series, model, settings, on_slice=on_slice, job=job)
    if identity:
        plain = replace(plain, model=identity)
    result = evaluate(plain, point)
    return replace(result, seconds=time.perf_counter() - start_time)


def evaluate(
    plain: LikelihoodMap, point: OperatingPoint, *, former: DetectionResult | None = None
) -> DetectionResult:
    """Apply an operating point to a likelihood map.

    Parameters
    ----------
    plain : LikelihoodMap
        Not aggregated.
    point : OperatingPoint
    former : DetectionResult, optional
        Of the same map at another operating point; what it has computed is used again.
    """
    if former is not None and _share_a_map(former, point):
        likelihood, forest, spine = former.likelihood, former.forest, former.spine
    else:
        looked = plain.after_second_look() if point.second_look else plain
        likelihood = apply_aggregation(looked, point.aggregation)
        forest = ComponentForest(likelihood)
        spine = former.spine if former is not None else predict_spine(plain)
    detections = forest.detections(point.threshold, point.min_area_cm2)
    if spine is not None and point.gate:
        detections = [d for d in detections if spine.keeps(d)]
    findings = link_findings(detections, plain.spacing_mm[0], _evidence_in(plain, point))
    return DetectionResult(
        plain=plain,
        likelihood=likelihood,
        forest=forest,
        spine=spine,
        operating_point=point,
        detections=detections,
        findings=findings,
        seconds=0.0,
        warnings=(*plain.warnings, *_warnings(plain, spine, point, findings)),
    )


def _share_a_map(former: DetectionResult, point: OperatingPoint) -> bool:
    """Whether a point thresholds the same likelihoods."""
    known = former.operating_point
    comparison = former.plain.comparison
    is_moved = comparison is not None and comparison.is_possible
    return known.aggregation == point.aggregation and (
        not is_moved or known.second_look == point.second_look
    )


def _evidence_in(plain: LikelihoodMap, point: OperatingPoint) -> Comparison | None:
    """What findings are compared by; without a second look it moves nothing, and is shown."""
    if plain.comparison is None:
        return None
    return plain.comparison.shown_evidence(is_applied=point.second_look)


def _warnings(
    plain: LikelihoodMap, spine: Spine | None, point: OperatingPoint, findings: Sequence[Finding]
) -> Iterator[ScanWarning]:
    """What a reader of the result must know."""
    yield from _scan_warnings(plain, spine, point)
    if len(findings) > MANY_FINDINGS:
        yield ScanWarning("many-findings", f"There are {len(findings)} findings in this scan.")
    reason = _why_not_comparable(plain.comparison, point, findings)
    # Where no spine is seen that is said already.
    if reason and not (spine is None and reason == TOO_FEW):
        consequence = (
            "; so no mark was taken away, or added, for being like or unlike its neighbours"
            if point.second_look
            else ""
        )
        yield ScanWarning(
            "neighbours-not-comparable",
            "The vertebral bodies cannot be compared with each other, since "
            f"{reason}{consequence}.",
        )
    if reason != TOO_MANY and (marked := _marked_bodies(findings)) >= SEVERAL_BODIES:
        yield ScanWarning(
            "several-bodies-marked",
            f"{marked} vertebral bodies are marked; where disease is spread, a body without a mark "
            "may be diseased too.",
        )


def _scan_warnings(
    plain: LikelihoodMap, spine: Spine | None, point: OperatingPoint
) -> Iterator[ScanWarning]:
    """That it is unlike what the model knows, or shows little of a spine."""
    familiarity = plain.familiarity
    if familiarity is not None and familiarity.unfamiliar:
        yield ScanWarning(
            "unfamiliar-scan",
            "This scan is unlike those that the model has learned from, and more of its marks may "
            f"be false: {familiarity.reason}.",
        )
    if spine is not None and spine.near_border(plain.region):
        yield ScanWarning(
            "spine-near-border", "The spine comes close to the border of what is evaluated."
        )
    is_told = any(warning.code == NO_SPINE for warning in plain.warnings)
    if spine is None and not is_told and (point.gate or plain.vertebra is not None):
        yield ScanWarning(
            "no-spine",
            "Too little of the spine was recognised to tell what lies outside it, so no "
            "detection was dropped for its place.",
        )


def _why_not_comparable(
    comparison: Comparison | None, point: OperatingPoint, findings: Sequence[Finding]
) -> str:
    if comparison is None:
        return ""
    if point.second_look and comparison.reason:
        return comparison.reason
    # Whatever the second look made of it: so many are marked for the reader.
    return TOO_MANY if _marked_bodies(findings) > MOST_MARKED * comparison.bodies else ""


def _marked_bodies(findings: Sequence[Finding]) -> int:
    """How many bodies have a finding that covers much of them."""
    bodies = {
        f.evidence.body
        for f in findings
        if f.evidence is not None and f.evidence.body_share > LARGE_SHARE
    }
    return len(bodies - {-1})
