"""The report of a study: its curve, its cases, and the answer for a case."""

from __future__ import annotations

import datetime
from pathlib import Path

from ..evaluation.matching import PAPER_MATCHING, Matching
from ..imaging import OperatingPoint
from ..jobs import UNATTENDED, JobContext
from ..study import Study
from ..workflows.map_source import MapSource
from ..workflows.study_froc import study_curve
from .evidence import StudyEvidence
from .page import write_page
from .study_page import study_page


def write_study_report(
    study: Study,
    source: MapSource,
    point: OperatingPoint,
    folder: Path,
    matching: Matching = PAPER_MATCHING,
    *,
    report_time: datetime.datetime | None = None,
    job: JobContext = UNATTENDED,
) -> Path:
    """Write the report of a study into a folder; gives the file of the page.

    Parameters
    ----------
    study : Study
        Maps that are made here are kept there.
    source : MapSource
        A model, or a cross-validation of the study.
    point : OperatingPoint
        That cases and curves are told at.
    folder : Path
    matching : Matching
    report_time : datetime.datetime, optional
        In UTC; the time by default.
    job : JobContext
        Polled at every case.

    Raises
    ------
    SpinemetError
        If the study has no contoured lesion, or the folder cannot be written to.
    """
    system = study_curve(study, source, point, matching, keep_forests=True, job=job)
    evidence = StudyEvidence(study, source.identity, system, matching, source.card)
    return write_curve_report(evidence, folder, report_time=report_time, job=job)


def write_curve_report(
    evidence: StudyEvidence,
    folder: Path,
    *,
    report_time: datetime.datetime | None = None,
    job: JobContext = UNATTENDED,
) -> Path:
    """Write the report of a study whose curve has been drawn; gives the file of the page.

    The networks are not needed, which of a cross-validation may be lost.

    Parameters
    ----------
    evidence : StudyEvidence
    folder : Path
    report_time : datetime.datetime, optional
        In UTC; the time by default.
    job : JobContext
        Polled at every case.

    Raises
    ------
    SpinemetError
        If a map has been lost since the curve was drawn, or the folder cannot be written to.
    """
    return write_page(study_page(evidence, report_time, job=job), folder)
