"""Closing the window while something is being computed, or would be lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMainWindow, QMessageBox

from .job_runner import JobRunner


class CloseGuard(QObject):
    """Ask once whether running jobs may be stopped, and what is unsaved lost; then close.

    Parameters
    ----------
    window : QMainWindow
    runners : sequence of JobRunner
        Whose jobs take long and would be lost.
    stop : callable
        Stops them all, within a batch.
    parent : QObject

    Attributes
    ----------
    why_loss : callable
        Gives a sentence on what would be lost by closing; empty for nothing.
    """

    def __init__(
        self,
        window: QMainWindow,
        runners: Sequence[JobRunner],
        stop: Callable[[], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._runners, self._stop = runners, stop
        self.why_loss: Callable[[], str] = str
        window.installEventFilter(self)

    def eventFilter(self, window: QObject, event: QEvent) -> bool:
        """Hold the window's closing back until it is settled.

        Parameters
        ----------
        window : QObject
            The one that is guarded.
        event : QEvent
            Anything that happens to it; only its closing is looked at.
        """
        if event.type() != QEvent.Type.Close:
            return False
        tasks = [runner.task for runner in self._runners if runner.is_busy]
        loss = self.why_loss()
        if not tasks and not loss:
            return False
        if loss and not _is_agreed(window, "Unsaved contours", f"{loss} Close now?"):
            event.ignore()
            return True
        if tasks and not self._is_closing_agreed(window, tasks):
            event.ignore()
            return True
        self._stop()
        self.why_loss = str  # it was agreed to
        if not event.spontaneous():
            return False
        # napari would ask a second time; closing by program it does not.
        event.ignore()
        QTimer.singleShot(0, window.close)
        return True

    def _is_closing_agreed(self, window: QObject, tasks: list[str]) -> bool:
        subject = " and ".join(tasks).capitalize()
        several = len(tasks) > 1
        consequence = f"Closing stops {'them' if several else 'it'} at once."
        if "training" in tasks:
            consequence += f" {'The training' if several else 'It'} can be resumed later."
        verb = "are" if several else "is"
        return _is_agreed(
            window, "Still running", f"{subject} {verb} still running. {consequence} Close now?"
        )


def _is_agreed(window: QObject, title: str, question: str) -> bool:
    answers = QMessageBox.StandardButton
    answer = QMessageBox.question(
        window, title, question, answers.Close | answers.Cancel, answers.Cancel
    )
    return bool(answer == answers.Close)
