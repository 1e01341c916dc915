"""A case of a study as adaptation takes it: contours, and what a person said of the findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...detection.pipeline import DetectionResult, evaluate
from ...imaging import Annotation, Finding, SagittalSeries
from ...imaging.findings import mask_of_finding
from ...jobs import UNATTENDED, JobContext
from ...study import Case, Study
from ...study.map_identity import MapIdentity
from ...study.verdicts import Position, Verdict
from ..map_source import MapSource
from .found_vertebrae import find_vertebrae
from .own_scan import OwnScan


def read_own_scan(
    study: Study, case: Case, source: MapSource, *, job: JobContext = UNATTENDED
) -> OwnScan:
    """A case with its bodies, contoured or found, and all that was judged.

    Accepted findings are lesions, as are contours; of unsure ones, and of findings without a
    verdict beside others that have one, nothing is learned; rejected ones are normal.

    Parameters
    ----------
    study : Study
    case : Case
        Of that study.
    source : MapSource
        The model that finds the bodies where none is contoured; its map is kept in the study.
    job : JobContext
        Polled while a map is made.

    Raises
    ------
    SpinemetError
        If the scan cannot be read, or no bodies are recognised in it.
    """
    series = case.series()
    annotation = _contours(case, series)
    if not annotation.vertebrae.any():
        plain = source.made_map_of(study, case, job=job)
        found = find_vertebrae(series, plain, case.name)
        annotation = replace(annotation, vertebrae=found.vertebrae)
    judged = judged_findings(study, case)
    lesions, uncertain = annotation.lesions.copy(), np.zeros(series.shape, dtype=bool)
    for finding, verdict in judged:
        _add_accepted(lesions, finding, verdict, series)
        if verdict.verdict in ("unsure", ""):
            uncertain |= mask_of_finding(finding, series) & (lesions == 0)
    annotation = replace(
        annotation, lesions=lesions, uncertain=uncertain if uncertain.any() else None
    )
    return OwnScan(case.name, series, annotation, rejected=rejected_places(case))


def _contours(case: Case, series: SagittalSeries) -> Annotation:
    if case.has_contours:
        return case.annotation(series)
    nothing = np.zeros(series.shape, dtype=np.uint16)
    return Annotation(nothing, nothing.copy(), series_uid=series.series_uid)


def contour_accepted(study: Study, case: Case) -> int:
    """Make contours of accepted findings, which can be edited then; gives how many are new.

    What a person drew there stays as it was drawn.

    Parameters
    ----------
    study : Study
    case : Case
        Of that study.

    Raises
    ------
    SpinemetError
        If the scan cannot be read, or nothing can be saved.
    """
    series = case.series()
    annotation = _contours(case, series)
    lesions = annotation.lesions.copy()
    former = int(lesions.max())
    for finding, verdict in judged_findings(study, case):
        _add_accepted(lesions, finding, verdict, series)
    count = int(lesions.max()) - former
    if count:
        changed = replace(annotation, lesions=lesions, holds=("lesions",))
        case.save_annotation(changed, series)
    return count


def _add_accepted(
    lesions: npt.NDArray[np.uint16], finding: Finding, verdict: Verdict, series: SagittalSeries
) -> None:
    mask = mask_of_finding(finding, series)
    if verdict.verdict == "accepted" and not lesions[mask].any():
        lesions[mask] = int(lesions.max()) + 1


def rejected_places(case: Case) -> dict[Position, str]:
    """Where a person has rejected findings, and why."""
    return case.verdicts().places("rejected")


def judged_findings(study: Study, case: Case) -> list[tuple[Finding, Verdict]]:
    """Findings of the last run, each with what was said of it; none where nothing was judged.

    Parameters
    ----------
    study : Study
    case : Case
        Of that study.
    """
    result = last_result(study, case)
    if result is None:
        return []
    verdicts = case.verdicts().with_reasons([f.centre_mm for f in result.findings])
    if not any(verdict.verdict for verdict in verdicts):
        return []
    return list(zip(result.findings, verdicts, strict=True))


def last_result(study: Study, case: Case) -> DetectionResult | None:
    """What was detected last, made again from its map; None if nothing was, or the map is lost.

    Parameters
    ----------
    study : Study
    case : Case
        Of that study.
    """
    run = case.last_run
    if run is None:
        return None
    identity = MapIdentity.of_model(run.model, str(run.settings.get("columns", "")))
    plain = study.likelihood_map(case, identity)
    return None if plain is None else evaluate(plain, run.operating_point)
