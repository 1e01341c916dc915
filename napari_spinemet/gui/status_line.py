"""What runs, on which study, and what was said last: below all tabs."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from superqt import QElidingLabel

from ..jobs import Event, Progressed

if TYPE_CHECKING:
    from .viewer.jobs.job_runner import JobRunner
    from .viewer.session import Session


class StatusLine(QElidingLabel):
    """A line that stays, whichever tab is in front and whichever study is open.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setElideMode(Qt.TextElideMode.ElideRight)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._session = session
        self._running_jobs: dict[JobRunner, str] = {}
        """What each runner does, and on which study."""
        self._shares: dict[JobRunner, str] = {}
        self._last_message = ""
        for runner in (session.jobs.training, session.jobs.computing):
            runner.job_started.connect(partial(self._on_started, runner))
            runner.event_reported.connect(partial(self._on_event, runner))
            runner.idle.connect(partial(self._on_idle, runner))
        session.message.connect(self._on_message)
        self._write()

    def _on_started(self, runner: JobRunner, task: str) -> None:
        study, case = self._session.study, self._session.case
        place_text = study.path.resolve().name if study is not None else ""
        if runner is self._session.jobs.computing and case is not None:
            place_text = f"{case.name}, {place_text}"
        self._running_jobs[runner] = (
            f"{task.capitalize()} runs{f' on {place_text}' if place_text else ''}"
        )
        self._shares[runner] = ""
        self._write()

    def _on_event(self, runner: JobRunner, task: str, event: Event) -> None:
        if isinstance(event, Progressed) and event.total and runner in self._running_jobs:
            share = f": {100 * event.done // event.total} %"
            if share != self._shares[runner]:
                self._shares[runner] = share
                self._write()

    def _on_idle(self, runner: JobRunner) -> None:
        if not runner.is_busy:
            self._running_jobs.pop(runner, None)
            self._write()

    def _on_message(self, sentence: str) -> None:
        self._last_message = sentence
        if not sentence:
            for toast in self._toasts():
                toast.close()
        # A new one stops the clocks of those before it, which would stay for good.
        QTimer.singleShot(500, self._restart_clocks)
        self._write()

    def _toasts(self) -> list[Any]:
        """Messages of napari over the picture."""
        from napari._qt.dialogs.qt_notification import NapariQtNotification

        viewer = self._session.viewer
        window = viewer.window._qt_window if viewer is not None else None
        return [] if window is None else window.findChildren(NapariQtNotification)

    def _restart_clocks(self) -> None:
        with suppress(RuntimeError):  # the window may be gone by now
            for toast in self._toasts():
                toast.timer_start()

    def _write(self) -> None:
        parts = [f"{words}{self._shares[runner]}." for runner, words in self._running_jobs.items()]
        text = " ".join([*parts, self._last_message]).strip()
        self.setText(text or "Ready.")
        self.setToolTip(text)
