"""Opening another scan, once what was drawn on the former one is settled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QMessageBox, QWidget

from ...imaging import Annotation, SagittalSeries
from ...jobs import JobContext
from ...study import Case
from ..viewer.jobs import Work
from ..viewer.scan.open_scan import have_same_labels

if TYPE_CHECKING:
    from ..viewer.session import Session

TASK = "load"
ReadScan = Callable[[], tuple[SagittalSeries, Annotation | None]]
"""Gives a series and its contours, if it has any; runs in a thread."""


def open_scan(
    session: Session, window: QWidget, read_scan: ReadScan, source: Path, case: Case | None
) -> None:
    """Read a scan in the background and show it, once unsaved contours are settled.

    Parameters
    ----------
    session : Session
    window : QWidget
        That a question belongs to.
    read_scan : callable
    source : Path
        Where the scan is from.
    case : Case or None
        That it is, in the open study.
    """
    save = _settle_contours(session, window)
    if save is None:
        return
    former_series, former_contours = session.series, session.contours()

    def show(result: tuple[SagittalSeries, Annotation | None]) -> None:
        if session.series is former_series and not have_same_labels(
            session.contours(), former_contours
        ):
            session.warn("The contours were changed meanwhile, so they stay; open it again.")
            return
        if case is not None and session.case == case and session.series is not former_series:
            return  # asked for twice: it is there, and perhaps drawn on already
        series, annotation = result
        session.open_series(series, source, case, annotation)

    session.jobs.start_after_saving(TASK, lambda job: read_scan(), show, save=save)


def _settle_contours(session: Session, window: QWidget) -> Work | None:
    """Ask what becomes of unsaved contours; gives what to save first, None to stay."""
    scan, contours = session.scan, session.contours()
    if scan is None or contours is None or not session.is_unsaved:
        return _save_nothing
    case, series = scan.case, scan.series
    save = partial(_save, case, contours, series) if case is not None else None
    if save is not None and session.autosave.is_active and not session.autosave.failure:
        # Should it fail, the other scan is not opened, and nothing is lost.
        return save
    answers = QMessageBox.StandardButton
    question = (
        f"The contours of {case.name} have changed. Save them first?"
        if case is not None
        else "The contours of this scan are in no study and will be lost. Open another scan?"
    )
    choices = answers.Discard | answers.Cancel
    if session.writable_case is not None:
        choices |= answers.Save
    answer = QMessageBox.question(window, "Unsaved contours", question, choices, answers.Cancel)
    if answer == answers.Discard:
        return _save_nothing
    return save if answer == answers.Save else None


def _save(case: Case, contours: Annotation, series: SagittalSeries, job: JobContext) -> None:
    case.save_annotation(contours, series)


def _save_nothing(job: JobContext) -> None:
    """Nothing would be lost."""
