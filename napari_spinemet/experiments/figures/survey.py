"""One look at every contoured case: its FROC tables, and what figures are chosen by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...detection.pipeline import evaluate
from ...evaluation import CaseTable, FrocCurve
from ...evaluation.curve import curve_of
from ...evaluation.froc import CaseForests
from ...imaging import PAPER_OPERATING_POINT, Annotation, FrocCase, LikelihoodMap, OperatingPoint
from ...imaging.aggregation import NoAggregation
from ...jobs import UNATTENDED, JobContext
from ...study import Case, Study
from ...study.map_identity import MapIdentity
from ...workflows.map_source import MapSource, single_resolution_sources
from ...workflows.study_froc import tree_settings
from .case_facts import CaseFacts, case_facts

TASK = "figures"
WITH_AGGREGATION, WITHOUT_AGGREGATION = "with-aggregation", "without-aggregation"

SingleResolution = tuple[MapIdentity, float]
"""Maps whose network had one resolution, and its mm per pixel."""


@dataclass(frozen=True)
class SurveyScope:
    """What is looked at in a study.

    Attributes
    ----------
    only_cases : tuple of str or None
        Names of the cases; None for all contoured ones.
    needs_maps : bool
        Whether likelihood maps are needed; without them no network runs.
    needs_detections : bool
        Whether it is needed what is found in them and what are false positives.
    needs_curves : bool
    """

    only_cases: tuple[str, ...] | None = None
    needs_maps: bool = True
    needs_detections: bool = True
    needs_curves: bool = True


@dataclass(frozen=True, eq=False)
class StudySurvey:
    """What is known of a study once every case has been looked at.

    Attributes
    ----------
    point : OperatingPoint
        With an aggregation weight.
    cases : tuple of CaseFacts
    curves : mapping of str to FrocCurve
        By name, and those of single-resolution networks by their identity; empty unless asked
        for.
    single : tuple of MapIdentity and float, or None
        Identity and mm per pixel of the single-resolution network that has maps of all cases.
    """

    point: OperatingPoint
    cases: tuple[CaseFacts, ...]
    curves: dict[str, FrocCurve]
    single: SingleResolution | None


def with_aggregation(point: OperatingPoint) -> OperatingPoint:
    """The same with an aggregation weight: the paper's where there is none."""
    if point.aggregation != NoAggregation():
        return point
    return replace(point, weight=PAPER_OPERATING_POINT.weight)


def survey_study(
    study: Study,
    source: MapSource,
    point: OperatingPoint,
    scope: SurveyScope | None = None,
    *,
    job: JobContext = UNATTENDED,
) -> StudySurvey:
    """Look at the contoured cases one after the other.

    Parameters
    ----------
    study : Study
        Maps that are made here are kept there.
    source : MapSource
    point : OperatingPoint
        Without an aggregation weight the paper's is taken.
    scope : SurveyScope, optional
        By default all of all cases.
    job : JobContext
        Polled at every case, and while a map is made.
    """
    scope = scope or SurveyScope()
    point = with_aggregation(point)
    rivals = single_resolution_sources(study, source) if scope.needs_curves else []
    tables: dict[str, list[CaseTable]] = {}
    cases = []
    total = _count_cases(study, scope)
    for number, (case, series, annotation) in enumerate(study.contoured_cases(scope.only_cases), 1):
        job.raise_if_cancelled()
        plain = source.map_of(study, case, job=job) if scope.needs_maps else None
        results = []
        if plain is not None and scope.needs_detections:
            result = evaluate(plain, point)
            results = [result, result.at(replace(point, weight=None))]
        facts = case_facts(case.name, annotation, series.spacing_mm, *results)
        cases.append(replace(facts, has_map=plain is not None))
        if plain is not None and scope.needs_curves:
            for name, table in _tables(study, case, plain, annotation, point, rivals):
                tables.setdefault(name, []).append(table)
        job.progress(TASK, number, total, case.name)
    single = _complete_rival(rivals, tables)
    return StudySurvey(point, tuple(cases), _curves(cases, tables, single), single)


def _count_cases(study: Study, scope: SurveyScope) -> int:
    if scope.only_cases is not None:
        return len(scope.only_cases)
    return sum(case.has_contours for case in study.cases())


def _complete_rival(
    rivals: Sequence[SingleResolution], tables: dict[str, list[CaseTable]]
) -> SingleResolution | None:
    """The first with a map of every case: rates over fewer are rates of another cohort."""
    count = len(tables.get(WITH_AGGREGATION, ()))
    return next((r for r in rivals if len(tables.get(str(r[0]), ())) == count), None)


def _curves(
    cases: Sequence[CaseFacts],
    tables: dict[str, list[CaseTable]],
    single: SingleResolution | None,
) -> dict[str, FrocCurve]:
    """Of the names that figure 5 shows; none without a lesion."""
    if not tables or not any(case.lesion_locations for case in cases if case.has_map):
        return {}
    names = [WITH_AGGREGATION, WITHOUT_AGGREGATION]
    if single is not None:
        names.append(str(single[0]))
    return {name: curve_of(tables[name]) for name in names}


def _tables(
    study: Study,
    case: Case,
    plain: LikelihoodMap,
    annotation: Annotation,
    point: OperatingPoint,
    rivals: Sequence[SingleResolution],
) -> Iterator[tuple[str, CaseTable]]:
    """Rates of a case: aggregated, plain, and aggregated by others that have a map of it."""
    settings = tree_settings(point)  # as every curve of a study
    forests = CaseForests(FrocCase(case.name, ((plain, annotation),)), settings)
    yield WITH_AGGREGATION, forests.table(point)
    yield WITHOUT_AGGREGATION, forests.with_aggregation(NoAggregation()).table(point)
    for identity, _ in rivals:
        other = study.likelihood_map(case, identity)
        if other is not None:
            froc_case = FrocCase(case.name, ((other, annotation),))
            yield str(identity), CaseForests(froc_case, settings).table(point)
