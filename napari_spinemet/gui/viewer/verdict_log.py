"""Verdicts on the findings of the open scan, each of which can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ...imaging import Finding
from ...study.verdicts import Position, Verdict, VerdictBook
from .jobs import JobRunner

if TYPE_CHECKING:
    from .scan.open_scan import OpenScan

TASK = "verdict"


class VerdictLog(QObject):
    """What was said of each finding, by where it lies; a new detection changes nothing of it.

    Parameters
    ----------
    saving : JobRunner
        Stores the verdicts in the study, in the order in which they are given.
    parent : QObject, optional

    Signals
    -------
    verdict_stored()
        A verdict has reached the disk.
    """

    verdict_stored = Signal()

    def __init__(self, saving: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._saving = saving
        self._scan: OpenScan | None = None
        self._books: dict[tuple[str, int], VerdictBook] = {}
        """By series; those of a case of a study are kept there too."""
        self._history: list[tuple[Position, Verdict]] = []
        """Verdicts on the open scan, each as its position and the verdict it replaced."""

    def open(self, scan: OpenScan) -> None:
        """Begin with another scan; those of a case are read anew from its study."""
        self._history.clear()
        # Until all are stored the study does not know what the screen does.
        if scan.case is not None and not self._saving.has(TASK):
            self._books.pop(scan.series.identity, None)
        self.follow(scan)

    def reread(self) -> None:
        """Take what the study holds of the open case, which another widget has changed.

        What was said before cannot be taken back by :meth:`undo` any more.
        """
        if self._scan is not None:
            self.open(self._scan)
            self.verdict_stored.emit()

    def follow(self, scan: OpenScan | None) -> None:
        """Go on with the same series, which may have come into a study or left it."""
        self._scan = scan

    @property
    def book(self) -> VerdictBook:
        """All verdicts on the open series."""
        scan = self._scan
        identity = scan.series.identity if scan is not None else ("", 1)
        if identity not in self._books:
            case = scan.case if scan is not None else None
            self._books[identity] = VerdictBook() if case is None else case.verdicts()
        return self._books[identity]

    def verdicts_on(self, findings: Sequence[Finding]) -> list[str]:
        """The verdict on each finding; empty where there is none."""
        return self.book.of([finding.centre_mm for finding in findings])

    def with_reasons(self, findings: Sequence[Finding]) -> list[Verdict]:
        """The same, each with its reason."""
        return self.book.with_reasons([finding.centre_mm for finding in findings])

    def judge(
        self,
        findings: Sequence[Finding],
        number: int,
        verdict: str,
        *,
        reason: str = "",
        model: str = "",
    ) -> None:
        """Give a verdict on one of the findings on the screen, and store it in the study.

        Parameters
        ----------
        findings : sequence of Finding
            All that are on the screen.
        number : int
            Which of them is judged.
        verdict : str
            Empty takes a former verdict back.
        reason : str
            Why it is rejected.
        model : str
            Identity of the model that made the map they were found in.
        """
        book, centres = self.book, [finding.centre_mm for finding in findings]
        position = book.position_of(centres, number)
        self._history.append((position, book.with_reasons(centres)[number]))
        self._give(position, Verdict(verdict, reason), findings, model)

    @property
    def can_undo(self) -> bool:
        """Whether a verdict was given on the open series since it was opened."""
        return bool(self._history)

    def undo(self, findings: Sequence[Finding], *, model: str = "") -> bool:
        """Take the last verdict back, which the study records as well; False if there is none.

        Parameters
        ----------
        findings : sequence of Finding
            All that are on the screen.
        model : str
            As for :meth:`judge`.
        """
        if not self._history:
            return False
        self._give(*self._history.pop(), findings, model)
        return True

    def _give(
        self, position: Position, given: Verdict, findings: Sequence[Finding], model: str
    ) -> None:
        verdict, reason = given
        self.book.record(position, verdict, reason)
        all_judged = all(self.verdicts_on(findings))
        case = self._scan.writable_case if self._scan is not None else None
        if case is None or self._scan is None:
            return
        series = self._scan.series
        self._saving.start(
            TASK,
            lambda job: case.judge(
                series, position, verdict, all_judged=all_judged, model=model, reason=reason
            ),
            lambda _: self.verdict_stored.emit(),
        )
