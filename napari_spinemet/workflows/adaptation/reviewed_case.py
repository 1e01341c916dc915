"""A case of a study as adaptation takes it: contours, and what a person said of the findings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...counts import count_of
from ...detection.pipeline import DetectionResult, evaluate
from ...errors import SpinemetError
from ...imaging import Annotation, Finding, SagittalSeries
from ...imaging.findings import mask_of_finding
from ...jobs import UNATTENDED, JobContext
from ...study import Case, Study
from ...study.map_identity import MapIdentity
from ...study.verdicts import SAME_FINDING_MM, Position, Verdict
from ..map_source import MapSource
from .found_vertebrae import find_vertebrae
from .mimics import mask_of_rejected
from .own_scan import OwnScan

ABOUT_MM = 15.0
"""So far around a place nothing is learned where it is known that something is, and not how large:
most bodies are no larger."""


def read_own_scan(
    study: Study, case: Case, source: MapSource, *, job: JobContext = UNATTENDED
) -> OwnScan:
    """A case with its bodies, contoured or found, and all that was judged.

    Accepted findings are lesions, as are contours; of unsure ones, and of findings without a
    verdict beside others that have one, nothing is learned; rejected ones are normal. Nothing is
    learned either around an accepted or unsure finding that the last detection does not hold.

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
    try:
        found_annotation = find_vertebrae(
            series, source.made_map_of(study, case, job=job), case.name
        )
        vertebrae = _with_others(annotation.vertebrae, found_annotation.vertebrae)
        annotation = replace(annotation, vertebrae=vertebrae)
    except SpinemetError:
        if not annotation.vertebrae.any():
            raise
    judged_pairs = judged_findings(study, case)
    lesions, uncertain = annotation.lesions.copy(), np.zeros(series.shape, dtype=bool)
    mimics = _mimics(case, judged_pairs, series)
    for finding, verdict in judged_pairs:
        _add_accepted(lesions, finding, verdict, series)
        if verdict.verdict in ("unsure", ""):
            uncertain |= mask_of_finding(finding, series)
    lost_places = _lost_places(case, [finding for finding, _ in judged_pairs], lesions, series)
    for position in lost_places:
        uncertain |= _around(position, series)
    uncertain &= lesions == 0
    mimics &= (lesions == 0) & ~uncertain
    annotation = replace(
        annotation,
        lesions=lesions,
        uncertain=uncertain if uncertain.any() else None,
        mimics=mimics if mimics.any() else None,
    )
    note = ""
    if lost_places:
        note = (
            f"In {count_of(lost_places, 'place')} of {case.name} a finding was accepted or left "
            "unsure that the last detection does not outline; nothing was learned there."
        )
    return OwnScan(case.name, series, annotation, case.verdicts().places("rejected"), note)


def _mimics(
    case: Case, judged_pairs: Sequence[tuple[Finding, Verdict]], series: SagittalSeries
) -> npt.NDArray[np.bool_]:
    """What was rejected, and a little around it; places alone where nothing outlines them."""
    rejected_findings = [f for f, verdict in judged_pairs if verdict.verdict == "rejected"]
    mimics = mask_of_rejected(rejected_findings, series)
    for position in case.verdicts().places("rejected"):
        if all(math.dist(position, f.centre_mm) > SAME_FINDING_MM for f in rejected_findings):
            mimics |= _around(position, series, SAME_FINDING_MM / 2)
    return mimics


def _with_others(
    contoured_labels: npt.NDArray[np.uint16], found_annotation: npt.NDArray[np.uint16]
) -> npt.NDArray[np.uint16]:
    """Contoured vertebrae, and those that were found where none is contoured."""
    both = contoured_labels.copy()
    for label in np.unique(found_annotation)[1:]:
        mask = found_annotation == label
        if not contoured_labels[mask].any():
            both[mask] = int(both.max()) + 1
    return both


def _lost_places(
    case: Case,
    findings: Sequence[Finding],
    lesions: npt.NDArray[np.uint16],
    series: SagittalSeries,
) -> list[Position]:
    """Where something was judged to be a lesion, or may be one, and nothing outlines it."""
    verdicts = case.verdicts()
    places: Iterable[Position] = [*verdicts.places("accepted"), *verdicts.places("unsure")]
    return [
        position
        for position in places
        if all(math.dist(position, f.centre_mm) > SAME_FINDING_MM for f in findings)
        and not lesions[_around(position, series, SAME_FINDING_MM)].any()
    ]


def _around(
    position: Position, series: SagittalSeries, radius_mm: float = ABOUT_MM
) -> npt.NDArray[np.bool_]:
    """Pixels so near to a place, and the slice that it lies in at least."""
    centre = np.linalg.inv(series.affine) @ np.array([*position, 1.0])
    axes = [
        (np.arange(n) - (round(c) if axis == 0 else c)) * mm
        for axis, (n, c, mm) in enumerate(
            zip(series.shape, centre[:3], series.spacing_mm, strict=True)
        )
    ]
    squares = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    return np.asarray(squares <= radius_mm**2)


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
        new_annotation = replace(annotation, lesions=lesions, holds=("lesions",))
        case.save_annotation(new_annotation, series)
    return count


def _add_accepted(
    lesions: npt.NDArray[np.uint16], finding: Finding, verdict: Verdict, series: SagittalSeries
) -> None:
    mask = mask_of_finding(finding, series)
    if verdict.verdict == "accepted" and not lesions[mask].any():
        lesions[mask] = int(lesions.max()) + 1


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
    if plain is None or plain.series_uid != case.series().series_uid:
        return None
    return evaluate(plain, run.operating_point)
