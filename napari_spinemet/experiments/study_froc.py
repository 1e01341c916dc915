"""FROC of a model and of the baselines over the contoured cases of a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..detection import likelihood_map
from ..evaluation import FrocCurve, froc
from ..evaluation.baselines import blob_map, intensity_map
from ..imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import SiameseNet
from ..study import Case, Study

TASK = "froc"


@dataclass(frozen=True, eq=False)
class SystemCurve:
    """A named curve and the settings it was made with."""

    name: str
    curve: FrocCurve
    point: OperatingPoint


def model_map(
    study: Study,
    case: Case,
    model: SiameseNet,
    identity: str,
    *,
    device: str = "auto",
    cancel: CancelToken | None = None,
) -> LikelihoodMap:
    """Plain likelihood map of a case, from the study if it is there, else made and kept."""
    known = study.likelihood(case, identity)
    if known is not None:
        return known
    made = likelihood_map(case.series(), model, device=device, cancel=cancel)
    study.save_likelihood(case, identity, made)
    return made


def study_cases(
    study: Study,
    model: SiameseNet,
    identity: str,
    *,
    device: str = "auto",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> Iterator[FrocCase]:
    """Contoured cases with the model's plain maps, one at a time."""
    total = sum(case.contoured for case in study.cases())
    for number, (case, _, annotation) in enumerate(study.contoured(), 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        likelihood = model_map(study, case, model, identity, device=device, cancel=cancel)
        on_event(Progressed(TASK, number, total, case.name))
        yield FrocCase(case.name, ((likelihood, annotation),))


def study_curve(
    study: Study,
    model: SiameseNet,
    identity: str,
    point: OperatingPoint,
    *,
    max_distance_mm: float = 20.0,
    device: str = "auto",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> SystemCurve:
    """The curve of a model with the area, weight and gate of an operating point."""
    cases = study_cases(study, model, identity, device=device, on_event=on_event, cancel=cancel)
    curve = froc(
        cases,
        max_distance_mm=max_distance_mm,
        min_area_cm2=point.min_area_cm2,
        weight=point.weight,
        gate=point.gate,
    )
    return SystemCurve("network", curve, point)


def scan_curve(
    plain: LikelihoodMap, contours: Annotation | None, point: OperatingPoint
) -> FrocCurve | None:
    """The curve of one scan against its own contours; None where it has no lesion."""
    if contours is None or not contours.lesions.any():
        return None
    return froc(
        [FrocCase("this scan", ((plain, contours),))],
        min_area_cm2=point.min_area_cm2,
        weight=point.weight,
        gate=point.gate,
    )


def stored_curve(
    study: Study,
    identity: str,
    point: OperatingPoint,
    *,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> FrocCurve | None:
    """Draw the curve anew from the maps that a study holds; None if any is missing."""
    cases = []
    drawn = list(study.contoured())
    for number, (case, _, annotation) in enumerate(drawn, 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        likelihood = study.likelihood(case, identity)
        if likelihood is None:
            return None
        on_event(Progressed(TASK, number, len(drawn), case.name))
        cases.append(FrocCase(case.name, ((likelihood, annotation),)))
    return froc(cases, min_area_cm2=point.min_area_cm2, weight=point.weight, gate=point.gate)


def baseline_curves(
    study: Study, point: OperatingPoint, *, max_distance_mm: float = 20.0
) -> list[SystemCurve]:
    """The two baselines, each at the minimum area that suits it best.

    They get this advantage over the network: 5 cm² or the area of ``point``, whichever gives
    the larger TP rate at 1 false positive per scan.
    """
    result = []
    for name in ("intensity threshold", "blobs in true vertebrae"):
        curves = []
        for area in sorted({5.0, point.min_area_cm2}):
            cases = (
                FrocCase(
                    case.name,
                    (
                        (
                            intensity_map(series)
                            if name.startswith("intensity")
                            else blob_map(series, annotation),
                            annotation,
                        ),
                    ),
                )
                for case, series, annotation in study.contoured()
            )
            settings = OperatingPoint(point.threshold, area, None, False)
            curve = froc(cases, max_distance_mm=max_distance_mm, min_area_cm2=area)
            curves.append(SystemCurve(name, curve, settings))
        result.append(max(curves, key=lambda c: c.curve.tp_rate_at(1.0)))
    return result
