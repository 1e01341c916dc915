"""Whose the scans of a study are, read from their headers while nobody waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ...imaging import Examination
from ...jobs import JobContext
from ...study import Case

if TYPE_CHECKING:
    from ..viewer.session import Session

TASK = "examinations"
AT_ONCE = 20
"""Cases whose headers are read in one job: a scan that is opened does not wait for all."""


class CaseExaminations(QObject):
    """Looks them up once; they are kept as long as the window, and in no file.

    Parameters
    ----------
    session : Session

    Signals
    -------
    examinations_arrived()
        More of them are known.
    """

    examinations_arrived = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._examinations: dict[Path, Examination] = {}

    def of(self, case: Case) -> Examination:
        """Whose a scan is, as far as it is known; empty before that."""
        return self._examinations.get(case.path, Examination())

    def look_up(self, cases: Sequence[Case]) -> None:
        """Read those that are not known yet.

        Parameters
        ----------
        cases : sequence of Case
            Of the open study.
        """
        if not self._session.jobs.storage.has(TASK):
            self._read_next(cases)

    def _read_next(self, cases: Sequence[Case]) -> None:
        unknown = [case for case in cases if case.path not in self._examinations]
        if not unknown:
            return

        def work(job: JobContext) -> dict[Path, Examination]:
            return {case.path: case.examination for case in unknown[:AT_ONCE]}

        def keep(examinations: dict[Path, Examination]) -> None:
            self._examinations |= examinations
            self.examinations_arrived.emit()
            self._read_next(unknown[AT_ONCE:])

        self._session.jobs.storage.start(TASK, work, keep)
