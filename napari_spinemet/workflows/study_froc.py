"""FROC of a model and of the baselines over the contoured cases of a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from ..detection import likelihood_map
from ..errors import SpinemetError
from ..evaluation import FrocCurve, froc
from ..evaluation.baselines import blob_map, intensity_map
from ..evaluation.froc import CohortForests
from ..imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint
from ..jobs import CancelToken, EventCallback, Progressed
from ..jobs.events import ignore
from ..network import SiameseNet
from ..study import Case, Study
from ..study.likelihood_maps import file_name, is_crossval

TASK = "froc"
STANDING_CASES = 60
"""The components of a case and its map take about 10 MB."""
LOWEST = 0.001
"""The curve of a study ends at this threshold, which is where the slider begins: far below, a
whole picture is one region, which may find a lesion by chance."""


@dataclass(frozen=True, eq=False)
class SystemCurve:
    """A named curve and the settings it was made with.

    The trees it was drawn from stand where they were asked for: with them the curve at
    another minimum area or gate takes no reading and no new trees.
    """

    name: str
    curve: FrocCurve
    point: OperatingPoint
    trees: CachedForests | None = None


@dataclass(frozen=True, eq=False)
class CachedForests:
    """All components of a study, and the contours on disk that they were made with."""

    forests: CohortForests
    contours: tuple[tuple[str, int, int], ...]

    def at(self, study: Study, point: OperatingPoint) -> CachedForests | None:
        """Those with the weight of an operating point; None if contours have changed."""
        if self.contours != _contours_of(study):
            return None
        if self.forests.weight == point.weight:
            return self
        return replace(self, forests=self.forests.at(point.weight))


def _contours_of(study: Study) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of every file of contours, and the last stroke since."""
    files = [p for case in study.cases() for p in sorted((case.path / "contours").glob("*"))]
    found = [(str(p), p.stat()) for p in files]
    return (
        *((name, facts.st_mtime_ns, facts.st_size) for name, facts in found),
        ("", study.contours_revision, 0),
    )


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
    total = sum(case.has_contours for case in study.cases())
    for number, (case, _, annotation) in enumerate(study.contoured_cases(), 1):
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
    standing: bool = False,
    device: str = "auto",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> SystemCurve:
    """The curve of a model with the area, weight and gate of an operating point.

    With ``standing`` its trees are kept, unless the study is too large for that.
    """
    cases = study_cases(study, model, identity, device=device, on_event=on_event, cancel=cancel)
    return _drawn("network", study, cases, point, max_distance_mm, standing)


def _drawn(
    name: str,
    study: Study,
    cases: Iterator[FrocCase],
    point: OperatingPoint,
    max_distance_mm: float,
    standing: bool,
) -> SystemCurve:
    trees = None
    if standing and sum(case.has_contours for case in study.cases()) <= STANDING_CASES:
        contours = _contours_of(study)  # before they are read
        trees = CachedForests(CohortForests(cases, point.weight, lowest=LOWEST), contours)
        draw = trees.forests.curve
    else:
        draw = partial(froc, cases, weight=point.weight, lowest=LOWEST)
    curve = draw(max_distance_mm=max_distance_mm, min_area_cm2=point.min_area_cm2, gate=point.gate)
    return SystemCurve(name, curve, point, trees)


def scan_curve(
    plain: LikelihoodMap,
    contours: Annotation | None,
    point: OperatingPoint,
    *,
    max_distance_mm: float = 20.0,
) -> FrocCurve | None:
    """The curve of one scan against its own contours; None where it has no lesion."""
    if contours is None or not contours.lesions.any():
        return None
    return froc(
        [FrocCase("this scan", ((plain, contours),))],
        max_distance_mm=max_distance_mm,
        min_area_cm2=point.min_area_cm2,
        weight=point.weight,
        gate=point.gate,
        lowest=LOWEST,
    )


def redrawn(
    study: Study,
    identity: str,
    point: OperatingPoint,
    trees: CachedForests | None = None,
    *,
    max_distance_mm: float = 20.0,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> SystemCurve | None:
    """Draw a study's curve at other settings; None if a map that it needs is missing.

    Changed contours are read again, with the maps that the study holds; else what stands will
    do.
    """
    trees = trees.at(study, point) if trees is not None else None
    if trees is not None:
        curve = trees.forests.curve(
            max_distance_mm=max_distance_mm, min_area_cm2=point.min_area_cm2, gate=point.gate
        )
        return SystemCurve("network", curve, point, trees)
    total = sum(case.has_contours for case in study.cases())

    def cases() -> Iterator[FrocCase]:
        for number, (case, _, annotation) in enumerate(study.contoured_cases(), 1):
            if cancel is not None:
                cancel.raise_if_cancelled()
            likelihood = study.likelihood(case, identity)
            if likelihood is None and is_crossval(identity):
                continue  # contoured since, or left out on purpose
            if likelihood is None:
                raise _MapMissingError
            on_event(Progressed(TASK, number, total, case.name))
            yield FrocCase(case.name, ((likelihood, annotation),))

    try:
        return _drawn("network", study, cases(), point, max_distance_mm, standing=True)
    except _MapMissingError:
        return None


class _MapMissingError(Exception):
    """A map that a curve needs has not been made, or is lost."""


def crossval_curve(
    study: Study,
    identity: str,
    point: OperatingPoint,
    *,
    max_distance_mm: float = 20.0,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> SystemCurve:
    """The curve of a cross-validation: each case by a network that never saw it.

    Cases that it did not hold, contoured since for example, are left out.

    Raises
    ------
    SpinemetError
        If none of its maps is left.
    """
    if file_name(identity) not in study.likelihood_sets():
        raise SpinemetError(
            f"No map of the cross-validation {identity} is left in {study.path}; run it again "
            "under Train."
        )
    drawn = redrawn(
        study, identity, point, max_distance_mm=max_distance_mm, on_event=on_event, cancel=cancel
    )
    assert drawn is not None  # a missing map is a case that it did not hold
    return drawn


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
                for case, series, annotation in study.contoured_cases()
            )
            settings = OperatingPoint(point.threshold, area, None, False)
            curve = froc(cases, max_distance_mm=max_distance_mm, min_area_cm2=area)
            curves.append(SystemCurve(name, curve, settings))
        result.append(max(curves, key=lambda c: c.curve.tp_rate_at(1.0)))
    return result
