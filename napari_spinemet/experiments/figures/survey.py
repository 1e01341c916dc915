"""One look at every contoured case: its FROC tables, and what figures are chosen by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...detection.pipeline import evaluate
from ...evaluation import CaseTable, FrocCurve
from ...evaluation.curve import curve_of
from ...evaluation.froc import CaseForests
from ...imaging import PAPER_OPERATING_POINT, Annotation, FrocCase, LikelihoodMap, OperatingPoint
from ...jobs import CancelToken, EventCallback, Progressed
from ...jobs.events import ignore
from ...study import Case, Study
from ...workflows.map_source import MapSource, single_resolution_sets
from ...workflows.study_froc import LOWEST
from .choice import MAX_DISTANCE_MM, CaseFacts, facts_of

TASK = "figures"
AGGREGATED, PLAIN = "with-aggregation", "without-aggregation"


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a study once every case has been looked at.

    Attributes
    ----------
    point : OperatingPoint
        With an aggregation weight.
    cases : tuple of CaseFacts
    curves : mapping of str to FrocCurve
        By name, and those of single-resolution networks by their identity; empty unless asked
        for.
    single : tuple of str and float or None
        Identity and mm per pixel of the single-resolution network that has maps of all cases.
    """

    point: OperatingPoint
    cases: tuple[CaseFacts, ...]
    curves: dict[str, FrocCurve]
    single: tuple[str, float] | None


def aggregating(point: OperatingPoint) -> OperatingPoint:
    """The same with an aggregation weight: the paper's where there is none."""
    if point.weight is not None:
        return point
    return replace(point, weight=PAPER_OPERATING_POINT.weight)


def survey(
    study: Study,
    source: MapSource,
    point: OperatingPoint,
    *,
    only: Sequence[str] | None = None,
    mapped: bool = True,
    judged: bool = True,
    froc: bool = True,
    device: str = "auto",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> Survey:
    """Look at the contoured cases one after the other.

    Parameters
    ----------
    study : Study
    source : MapSource
    point : OperatingPoint
    only : sequence of str, optional
        Names of the cases; all contoured ones by default.
    mapped : bool
        Whether likelihood maps are needed; without them no network runs.
    judged : bool
        Whether it is needed what is found in them and what are false positives.
    froc : bool
        Whether curves are needed.
    device, on_event, cancel
        See :func:`.study_curve`.
    """
    point = aggregating(point)
    rivals = single_resolution_sets(study, source) if froc else []
    tables: dict[str, list[CaseTable]] = {}
    cases = []
    total = sum(c.has_contours for c in study.cases()) if only is None else len(only)
    for number, (case, series, annotation) in enumerate(study.contoured_cases(only), 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        plain = source.map_of(study, case, device=device, cancel=cancel) if mapped else None
        results = []
        if plain is not None and judged:
            result = evaluate(plain, point)
            results = [result, result.at(replace(point, weight=None))]
        facts = facts_of(case.name, annotation, series.spacing_mm, *results)
        cases.append(replace(facts, mapped=plain is not None))
        if plain is not None and froc:
            for name, table in _tables(study, case, plain, annotation, point, rivals):
                tables.setdefault(name, []).append(table)
        on_event(Progressed(TASK, number, total, case.name))
    # Rates over fewer cases are rates of another cohort.
    count = len(tables.get(AGGREGATED, ()))
    single = next((r for r in rivals if len(tables.get(r[0], ())) == count), None)
    told = (AGGREGATED, PLAIN, *(single[:1] if single else ()))
    lesions = any(c.lesions for c in cases if c.mapped)
    curves = {name: curve_of(tables[name]) for name in told if tables and lesions}
    return Survey(point, tuple(cases), curves, single)


def _tables(
    study: Study,
    case: Case,
    plain: LikelihoodMap,
    annotation: Annotation,
    point: OperatingPoint,
    rivals: Sequence[tuple[str, float]],
) -> Iterator[tuple[str, CaseTable]]:
    """Rates of a case: aggregated, plain, and aggregated by others that have a map of it."""

    def table(forests: CaseForests) -> CaseTable:
        return forests.table(
            max_distance_mm=MAX_DISTANCE_MM, min_area_cm2=point.min_area_cm2, gate=point.gate
        )

    held = FrocCase(case.name, ((plain, annotation),))
    forests = CaseForests(held, point.weight, lowest=LOWEST)  # as every curve of a study
    yield AGGREGATED, table(forests)
    yield PLAIN, table(forests.at(None))
    for identity, _ in rivals:
        other = study.likelihood_map(case, identity)
        if other is not None:
            held = FrocCase(case.name, ((other, annotation),))
            yield identity, table(CaseForests(held, point.weight, lowest=LOWEST))
