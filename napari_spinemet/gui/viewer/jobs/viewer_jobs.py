"""The runners of one viewer: which kind of work waits for which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QMainWindow

from ....jobs import JobContext
from .close_guard import CloseGuard
from .job_runner import JobRunner, Work


class ViewerJobs(QObject):
    """Five queues that go on beside each other; within each, one job at a time.

    Parameters
    ----------
    window : QMainWindow
        Whose closing is held back while something long is being computed.
    parent : QObject

    Attributes
    ----------
    training : JobRunner
        One training or cross-validation at a time.
    computing : JobRunner
        Whatever else takes long: detection, evaluation, reports.
    saving : JobRunner
        Strokes, verdicts, runs, approvals, signatures: all that a person would be sorry to lose,
        in the order in which they came. Nothing slow may be put here.
    storage : JobRunner
        Opening, importing and exporting, which may read slow disks.
    display : JobRunner
        Curves and outlines that are drawn anew for other settings.

    Signals
    -------
    job_failed(str)
        Why a job of any of them failed, in a sentence.
    """

    job_failed = Signal(str)

    def __init__(self, window: QMainWindow, parent: QObject) -> None:
        super().__init__(parent)
        self.training, self.computing, self.display = (
            JobRunner(self, frees_memory=True) for _ in range(3)
        )
        self.saving, self.storage = (JobRunner(self) for _ in range(2))
        self._is_finished = False
        for runner in self._runners:
            runner.job_failed.connect(lambda _, sentence: self.job_failed.emit(sentence))
        self.close_guard = CloseGuard(
            window, (self.training, self.computing), self.stop_computing, self
        )

    @property
    def _runners(self) -> tuple[JobRunner, ...]:
        return self.training, self.computing, self.saving, self.storage, self.display

    @property
    def is_busy(self) -> bool:
        """Whether any job is running."""
        return any(runner.is_busy for runner in self._runners)

    @property
    def is_disk_busy(self) -> bool:
        """Whether anything is being read or written."""
        return self.saving.is_busy or self.storage.is_busy

    def start_after_saving(
        self,
        task: str,
        work: Work,
        on_result: Callable[[Any], None] | None = None,
        *,
        save: Work | None = None,
    ) -> None:
        """Start a job of :attr:`storage` once all that waits to be saved is saved.

        Who reads a case must find there what was drawn and judged a moment ago.

        Parameters
        ----------
        task : str
            Name of the job.
        work : callable
            Gets a :class:`JobContext`; runs in a thread.
        on_result : callable, optional
            Gets the result, in the GUI thread.
        save : callable, optional
            What is to be saved first, as the last of what waits. If it fails, the job is not
            started.
        """

        def start_work(_: object) -> None:
            if not self._is_finished:
                self.storage.start(task, work, on_result)

        self.saving.start(f"save before {task}", save or _nothing, start_work)

    def stop_computing(self) -> None:
        """Stop what takes long and can be done again; waits until it has stopped."""
        runners = (self.training, self.computing, self.display)
        for runner in runners:
            runner.cancel()  # all at once, before the first is waited for
        for runner in runners:
            runner.stop()

    def finish(self) -> None:
        """End all jobs, for the end of the program; what waits to be saved is saved."""
        self._is_finished = True
        self.stop_computing()
        self.saving.finish()
        self.storage.finish()


def _nothing(job: JobContext) -> None:
    """Save nothing: the job only waits for those that came before it."""
