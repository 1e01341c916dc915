"""Closing the window while something is being computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMessageBox

from .job_runner import JobRunner


class CloseGuard(QObject):
    """Ask once whether running jobs may be stopped, then let the window close.

    Parameters
    ----------
    window : QMainWindow
    runners : sequence of JobRunner
        Whose jobs take long and would be lost.
    stop : callable
        Stops them all, within a batch.
    """

    def __init__(
        self, window: Any, runners: Sequence[JobRunner], stop: Any, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._runners, self._stop = runners, stop
        window.installEventFilter(self)

    def eventFilter(self, window: QObject, event: QEvent) -> bool:
        """Hold the window's closing back until it is settled."""
        running = [runner.task for runner in self._runners if runner.busy]
        if event.type() != QEvent.Type.Close or not running:
            return False
        if not self._agreed(window, running):
            event.ignore()
            return True
        self._stop()
        if not event.spontaneous():
            return False
        # napari would ask a second time; closing by program it does not.
        event.ignore()
        QTimer.singleShot(0, window.close)
        return True

    def _agreed(self, window: Any, running: list[str]) -> bool:
        what = " and ".join(running).capitalize()
        answers = QMessageBox.StandardButton
        several = len(running) > 1
        told = f"Closing stops {'them' if several else 'it'} at once."
        if "training" in running:
            told += f" {'The training' if several else 'It'} can be resumed later."
        answer = QMessageBox.question(
            window,
            "Still running",
            f"{what} {'are' if several else 'is'} still running. {told} Close now?",
            answers.Close | answers.Cancel,
            answers.Cancel,
        )
        return answer == answers.Close
