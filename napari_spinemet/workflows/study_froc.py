"""FROC of a model, a cross-validation and the baselines over the contoured cases of a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..errors import SpinemetError
from ..evaluation import FrocCurve
from ..evaluation.baselines import blob_map, intensity_map
from ..evaluation.froc import CohortForests, TreeSettings, froc_curve
from ..evaluation.matching import PAPER_MATCHING, Matching
from ..imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint
from ..jobs import UNATTENDED, JobContext
from ..study import Study
from ..study.map_identity import MapIdentity
from .map_source import MapSource

TASK = "froc"
MAX_CACHED_CASES = 60
"""The components of a case and its map take about 10 MB."""
LOWEST = 0.001
"""The curve of a study ends at this threshold, which is where the slider begins: far below, a
whole picture is one region, which may find a lesion by chance."""


def tree_settings(point: OperatingPoint) -> TreeSettings:
    """How the trees of every curve of a study are built."""
    return TreeSettings(point.aggregation, lowest=LOWEST, second_look=point.second_look)


@dataclass(frozen=True, eq=False)
class SystemCurve:
    """A named curve and the settings it was drawn with.

    Attributes
    ----------
    name : str
    curve : FrocCurve
    point : OperatingPoint
        Its minimum area, aggregation and gate.
    forests : CachedForests or None
        The trees that it was drawn from, where they were asked for: with them the curve at
        another minimum area or gate takes no reading and no new trees.
    """

    name: str
    curve: FrocCurve
    point: OperatingPoint
    forests: CachedForests | None = None


@dataclass(frozen=True, eq=False)
class CachedForests:
    """All components of a study, and the contours on disk that they were made with."""

    cohort: CohortForests
    contours: tuple[tuple[str, int, int], ...]

    def at(self, study: Study, point: OperatingPoint) -> CachedForests | None:
        """Those with the aggregation of an operating point; None if they must be built anew.

        That is so if contours have changed, or if another likelihood is thresholded.

        Parameters
        ----------
        study : Study
            That they are of.
        point : OperatingPoint
        """
        is_other = self.cohort.settings.second_look != point.second_look
        if is_other or self.contours != _contour_versions(study):
            return None
        if self.cohort.settings.aggregation == point.aggregation:
            return self
        return replace(self, cohort=self.cohort.with_aggregation(point.aggregation))


def _contour_versions(study: Study) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of every file of contours, and the last stroke since."""
    paths = [p for case in study.cases() for p in sorted((case.path / "contours").glob("*"))]
    files = [(str(p), p.stat()) for p in paths]
    return (
        *((name, status.st_mtime_ns, status.st_size) for name, status in files),
        ("", study.contours_revision, 0),
    )


class _MapMissingError(Exception):
    """A map that a curve needs has not been made, or is lost."""


def study_cases(
    study: Study, source: MapSource, *, job: JobContext = UNATTENDED
) -> Iterator[FrocCase]:
    """Contoured cases with their plain maps, one at a time.

    Parameters
    ----------
    study : Study
    source : MapSource
        Makes the maps that are missing, if it can; cases without one are left out.
    job : JobContext
    """
    total = sum(case.has_contours for case in study.cases())
    for number, (case, _, annotation) in enumerate(study.contoured_cases(), 1):
        job.raise_if_cancelled()
        likelihood = source.map_of(study, case, job=job)
        if likelihood is None:
            continue  # contoured since the cross-validation, or left out on purpose
        job.progress(TASK, number, total, case.name)
        yield FrocCase(case.name, ((likelihood, annotation),))


def study_curve(
    study: Study,
    source: MapSource,
    point: OperatingPoint,
    matching: Matching = PAPER_MATCHING,
    *,
    keep_forests: bool = False,
    job: JobContext = UNATTENDED,
) -> SystemCurve:
    """The curve of a model or of a cross-validation over the contoured cases.

    Parameters
    ----------
    study : Study
    source : MapSource
        Makes the maps that are missing, if it can; cases without one are left out.
    point : OperatingPoint
        Its minimum area, aggregation and gate.
    matching : Matching
    keep_forests : bool
        Keep the trees with the curve, unless the study is too large for that.
    job : JobContext

    Raises
    ------
    SpinemetError
        If none of the maps of a cross-validation is left.
    """
    if not source.can_make_maps:
        _refuse_lost_maps(study, source.identity)
    cases = study_cases(study, source, job=job)
    return _draw_curve(study, cases, point, matching, keep_forests=keep_forests)


def _refuse_lost_maps(study: Study, identity: MapIdentity) -> None:
    if identity.folder not in {i.folder for i in study.map_identities()}:
        raise SpinemetError(
            f"No map of the cross-validation {identity} is left in {study.path}; run it again "
            "under Train."
        )


def _draw_curve(
    study: Study,
    cases: Iterable[FrocCase],
    point: OperatingPoint,
    matching: Matching,
    *,
    keep_forests: bool,
) -> SystemCurve:
    forests = None
    if keep_forests and sum(c.has_contours for c in study.cases()) <= MAX_CACHED_CASES:
        versions = _contour_versions(study)  # before they are read
        forests = CachedForests(CohortForests(cases, tree_settings(point)), versions)
        curve = forests.cohort.curve(point, matching)
    else:
        curve = froc_curve(cases, point, matching, tree_settings(point))
    return SystemCurve("network", curve, point, forests)


def scan_curve(
    plain: LikelihoodMap,
    contours: Annotation | None,
    point: OperatingPoint,
    matching: Matching = PAPER_MATCHING,
) -> FrocCurve | None:
    """The curve of one scan against its own contours; None where it has no lesion.

    Parameters
    ----------
    plain : LikelihoodMap
        Not aggregated.
    contours : Annotation or None
        On the grid of its series.
    point : OperatingPoint
        Its minimum area, aggregation and gate.
    matching : Matching
    """
    if contours is None or not contours.lesions.any():
        return None
    case = FrocCase("this scan", ((plain, contours),))
    return froc_curve([case], point, matching, tree_settings(point))


def redraw_curve(
    study: Study,
    identity: MapIdentity,
    point: OperatingPoint,
    matching: Matching = PAPER_MATCHING,
    *,
    forests: CachedForests | None = None,
    job: JobContext = UNATTENDED,
) -> SystemCurve | None:
    """Draw a study's curve at other settings; None if a map that it needs is missing.

    Changed contours are read again, with the maps that the study holds; else the forests will
    do.

    Parameters
    ----------
    study : Study
    identity : MapIdentity
        Of the maps; none is made here.
    point : OperatingPoint
    matching : Matching
    forests : CachedForests, optional
        Of a former curve of the same maps.
    job : JobContext
    """
    forests = forests.at(study, point) if forests is not None else None
    if forests is not None:
        return SystemCurve("network", forests.cohort.curve(point, matching), point, forests)
    try:
        cases = _stored_cases(study, identity, job)
        return _draw_curve(study, cases, point, matching, keep_forests=True)
    except _MapMissingError:
        return None


def _stored_cases(study: Study, identity: MapIdentity, job: JobContext) -> Iterator[FrocCase]:
    """Contoured cases with the maps that the study holds.

    Raises
    ------
    _MapMissingError
        If one by a model is missing; cases that a cross-validation did not hold are left out.
    """
    total = sum(case.has_contours for case in study.cases())
    for number, (case, _, annotation) in enumerate(study.contoured_cases(), 1):
        job.raise_if_cancelled()
        likelihood = study.likelihood_map(case, identity)
        if likelihood is None and identity.is_cross_validation:
            continue  # contoured since, or left out on purpose
        if likelihood is None:
            raise _MapMissingError
        job.progress(TASK, number, total, case.name)
        yield FrocCase(case.name, ((likelihood, annotation),))


def cross_validation_curve(
    study: Study,
    identity: MapIdentity,
    point: OperatingPoint,
    matching: Matching = PAPER_MATCHING,
    *,
    job: JobContext = UNATTENDED,
) -> SystemCurve:
    """The curve of a cross-validation: each case by a network that never saw it.

    Cases that it did not hold, contoured since for example, are left out. The networks
    themselves are not needed.

    Parameters
    ----------
    study : Study
    identity : MapIdentity
        Of a cross-validation.
    point : OperatingPoint
    matching : Matching
    job : JobContext

    Raises
    ------
    SpinemetError
        If none of its maps is left.
    """
    _refuse_lost_maps(study, identity)
    curve = redraw_curve(study, identity, point, matching, job=job)
    assert curve is not None  # a missing map is a case that it did not hold
    return curve


def baseline_curves(
    study: Study, point: OperatingPoint, matching: Matching = PAPER_MATCHING
) -> list[SystemCurve]:
    """The two baselines, each at the minimum area that suits it best.

    They get this advantage over the network: 5 cm² or the area of ``point``, whichever gives
    the larger TP rate at 1 false positive per scan.

    Parameters
    ----------
    study : Study
    point : OperatingPoint
    matching : Matching
    """
    baselines = {
        "intensity threshold": lambda series, annotation: intensity_map(series),
        "blobs in true vertebrae": blob_map,
    }
    result = []
    for name, make_map in baselines.items():
        curves = []
        for area in sorted({5.0, point.min_area_cm2}):
            cases = (
                FrocCase(case.name, ((make_map(series, annotation), annotation),))
                for case, series, annotation in study.contoured_cases()
            )
            settings = OperatingPoint(point.threshold, area, None, gate=False, second_look=False)
            curves.append(SystemCurve(name, froc_curve(cases, settings, matching), settings))
        result.append(max(curves, key=lambda c: c.curve.tp_rate_at(1.0)))
    return result
