"""The report of one scan: what was found, what a person said of it, and what it rests on."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..detection import likelihood_map
from ..detection.pipeline import evaluate
from ..errors import SpinemetError
from ..imaging import OperatingPoint
from ..jobs import CancelToken
from ..study import Study
from ..study.likelihood_maps import map_identity
from ..workflows.map_source import MapSource
from ..workflows.model_lookup import model_file
from .case_page import case_page
from .evidence import CaseEvidence, case_evidence
from .page import write_page


def write_case_report(
    evidence: CaseEvidence, folder: Path, *, now: datetime.datetime | None = None
) -> Path:
    """Write the report of a scan into a folder; gives the file of the page.

    Parameters
    ----------
    evidence : CaseEvidence
    folder : Path
    now : datetime.datetime, optional
        In UTC; the time by default.

    Raises
    ------
    SpinemetError
        If the folder cannot be written to.
    """
    return write_page(case_page(evidence, now), folder)


def report_case(
    study: Study,
    name: str,
    folder: Path,
    point_of: Callable[[OperatingPoint], OperatingPoint],
    source: MapSource | None = None,
    *,
    refine: bool = False,
    device: str = "auto",
    cancel: CancelToken | None = None,
) -> Path:
    """Write the report of a case of a study; gives the file of the page.

    Parameters
    ----------
    study : Study
    name : str
        Of the case.
    folder : Path
    point_of : callable
        Gives the operating point to report, from the usual one.
    source : MapSource, optional
        What makes the map; by default the model that the case was detected on by last, at the
        operating point of then.
    refine : bool
        Fit the outlines to the picture; they are also if they were then.
    device, cancel
        See :func:`.likelihood_map`.

    Raises
    ------
    SpinemetError
        If there is no such case, or nothing to make its map with.
    """
    case = study.case(name)
    usual, columns = None, "centre"
    if source is None:
        run = case.last_run
        if run is None:
            raise SpinemetError(
                f"The case {name} of {study.path} was not detected on yet; name a model, or "
                "detect first."
            )
        file = model_file(study, run.model)
        if not file:
            raise SpinemetError(
                f"The model {run.model} that {name} was detected on by is no longer in "
                f"{study.path}; name another model."
            )
        source, usual = MapSource.of_model(file), run.operating_point
        columns = str(run.settings.get("columns", columns))
        refine = refine or bool(run.settings.get("refined", False))
    series = case.series()
    annotation = case.annotation(series) if case.has_contours else None
    if columns == "centre":
        plain = source.map_of(study, case, device=device, cancel=cancel)
    else:
        kept = study.likelihood(case, map_identity(source.identity, columns))
        plain = kept or likelihood_map(
            series, source.network, columns=columns, device=device, cancel=cancel
        )
    if plain is None:
        raise SpinemetError(
            f"{study.path} holds no map of {name} by {source.identity}; take a model instead."
        )
    point = point_of(usual or source.point or source.card.operating_point)
    result = evaluate(replace(plain, model=source.identity), point)
    if refine:
        result = result.refined(series, cancel=cancel)
    evidence = case_evidence(
        study, case, series, result, annotation, card=source.card, refined=refine
    )
    return write_case_report(evidence, folder)
