"""The report of one scan: what was found, what a person said of it, and what it rests on."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..detection.comparison.other_contrast import contrasts_in
from ..detection.pipeline import evaluate
from ..dicom.companions import find_companions
from ..errors import SpinemetError
from ..imaging import OperatingPoint
from ..jobs import UNATTENDED, JobContext
from ..study import Case, Study
from ..study.result_rows import RunRecord
from ..workflows.map_source import MapSource
from ..workflows.model_lookup import model_file
from .case_page import case_page
from .evidence import CaseEvidence, case_evidence
from .page import write_page


def write_case_report(
    evidence: CaseEvidence, folder: Path, *, report_time: datetime.datetime | None = None
) -> Path:
    """Write the report of a scan into a folder; gives the file of the page.

    Parameters
    ----------
    evidence : CaseEvidence
    folder : Path
    report_time : datetime.datetime, optional
        In UTC; the time by default.

    Raises
    ------
    SpinemetError
        If the folder cannot be written to.
    """
    return write_page(case_page(evidence, report_time), folder)


@dataclass(frozen=True)
class CaseRequest:
    """Which case of a study is reported, and how.

    Attributes
    ----------
    case : str
        Its name.
    change_point : callable
        Gives the operating point to report, from that of the last run or of the model.
    refine : bool
        Fit the outlines to the picture; they are also if they were in the last run.
    device : str
        That the map is made on where the case tells the model.
    hides_names : bool
        Say neither whose scan it is nor of when.
    """

    case: str
    change_point: Callable[[OperatingPoint], OperatingPoint]
    refine: bool = False
    device: str = "auto"
    hides_names: bool = False


def report_case(
    study: Study,
    request: CaseRequest,
    folder: Path,
    source: MapSource | None = None,
    *,
    job: JobContext = UNATTENDED,
) -> Path:
    """Write the report of a case of a study; gives the file of the page.

    Parameters
    ----------
    study : Study
        A map that is made here is kept there.
    request : CaseRequest
    folder : Path
    source : MapSource, optional
        What makes the map; by default the model that the case was detected on by last, at the
        operating point of then.
    job : JobContext
        Polled while the map is made and outlines are fitted.

    Raises
    ------
    SpinemetError
        If there is no such case, or nothing to make its map with.
    """
    case = study.case(request.case)
    default_point, refine = None, request.refine
    if source is None:
        run = _last_run(study, case)
        source = _source_of_run(study, case, run, request.device)
        default_point = run.operating_point
        refine = refine or bool(run.settings.get("refined", False))
    series = case.series()
    annotation = case.annotation(series) if case.has_contours else None
    plain = source.map_of(study, case, job=job)
    if plain is None:
        raise SpinemetError(
            f"{study.path} holds no map of {case.name} by {source.identity}; take a model instead."
        )
    point = request.change_point(default_point or source.point or source.card.operating_point)
    # Maps may come from a version that kept neither warnings nor provenance with them.
    plain = replace(
        plain,
        model=_model_name(source),
        warnings=series.warnings,
        learned_from=plain.learned_from or source.learned_from,
    )
    result = evaluate(plain, point)
    if refine:
        result = result.refine(series, job=job)
    evidence = case_evidence(study, case, series, result, annotation)
    companions = find_companions(case.companion_places, series)
    other = companions[0].read_series() if companions else None
    evidence = replace(
        evidence,
        other=other,
        other_contrasts={} if other is None else contrasts_in(other, series, plain),
        card=source.card,
        has_fitted_outlines=refine,
        hides_names=request.hides_names,
    )
    return write_case_report(evidence, folder)


def _last_run(study: Study, case: Case) -> RunRecord:
    run = case.last_run
    if run is None:
        raise SpinemetError(
            f"The case {case.name} of {study.path} was not detected on yet; name a model, or "
            "detect first."
        )
    return run


def _source_of_run(study: Study, case: Case, run: RunRecord, device: str) -> MapSource:
    """The model that a run was made with, and the columns that it evaluated."""
    file = model_file(study, run.model)
    if not file:
        raise SpinemetError(
            f"The model {run.model} that {case.name} was detected on by is no longer in "
            f"{study.path}; name another model."
        )
    columns = str(run.settings.get("columns", "centre"))
    return MapSource.of_model(file, device).of_columns(columns)


def _model_name(source: MapSource) -> str:
    """What the report calls the maps: which columns there are is no part of the model's name."""
    identity = source.identity
    return str(identity) if identity.is_cross_validation else identity.source
