"""Work off the GUI thread: one job at a time, for the viewer and not for a widget."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal

from ..errors import Cancelled, SpinemetError
from ..jobs import CancelToken, Event, EventCallback
from ..jobs.events import ignore

Work = Callable[[EventCallback, CancelToken], Any]


class JobRunner(QObject):
    """Run core functions in a thread and tell of them by signals.

    The core knows no thread: a job is a function of ``(on_event, cancel)``. Signals arrive
    in the GUI thread. Every end of a job, good or bad, gives exactly one of ``finished``,
    ``failed`` and ``cancelled``, and then ``idle``.

    Parameters
    ----------
    parent : QObject, optional
    queues : bool
        A job that comes while another runs waits for it instead of being refused.

    Signals
    -------
    started(str), reported(Event), finished(str, result), failed(str, sentence),
    cancelled(str), idle()
    """

    started = Signal(str)
    reported = Signal(str, object)
    finished = Signal(str, object)
    failed = Signal(str, str)
    cancelled = Signal(str)
    idle = Signal()
    _ended = Signal(str, object, object)

    def __init__(self, parent: QObject | None = None, *, queues: bool = False) -> None:
        super().__init__(parent)
        self._queues = queues
        self._waiting: deque[tuple[str, Work, Callable[[Any], None] | None]] = deque()
        self._thread: threading.Thread | None = None
        self._token = CancelToken()
        self._done: Callable[[Any], None] | None = None
        self._task = ""
        self._ended.connect(self._on_ended)

    @property
    def busy(self) -> bool:
        """Whether a job is running or its end has not been handled yet."""
        return self._thread is not None

    @property
    def task(self) -> str:
        """Name of the running job."""
        return self._task if self.busy else ""

    def start(self, task: str, work: Work, done: Callable[[Any], None] | None = None) -> None:
        """Start a job; ``done`` gets its result in the GUI thread.

        Raises
        ------
        SpinemetError
            If another job is running and jobs do not queue.
        """
        if self.busy and self._queues:
            self._waiting.append((task, work, done))
            return
        if self.busy:
            raise SpinemetError(f"'{self._task}' is still running; wait for it or cancel it first.")
        self._task, self._done, self._token = task, done, CancelToken()
        self._thread = threading.Thread(
            target=self._run, args=(task, work, self._token), name=f"spinemet {task}", daemon=True
        )
        self.started.emit(task)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the running job to stop; it does so within a batch."""
        self._token.cancel()

    def stop(self, seconds: float = 10.0) -> None:
        """Cancel and wait, for the end of the program; what waits is not begun."""
        self._waiting.clear()
        self.cancel()
        if self._thread is not None:
            self._thread.join(seconds)

    def finish(self, seconds: float = 60.0) -> None:
        """Wait, for the end of the program, and do what waits; nobody hears of its end."""
        waiting, self._waiting = self._waiting, deque()
        if self._thread is not None:
            self._thread.join(seconds)
        for _, work, _ in waiting:
            with suppress(SpinemetError):  # there is no window left to say it in
                work(ignore, CancelToken())

    def _run(self, task: str, work: Work, token: CancelToken) -> None:
        def report(event: Event) -> None:
            self.reported.emit(task, event)

        result: Any = None
        failure: BaseException | None = None
        try:
            result = work(report, token)
        except BaseException as error:  # noqa: BLE001 - a thread must not end in silence
            failure = error
        with suppress(RuntimeError):  # the window is gone, and nobody waits for the result
            self._ended.emit(task, result, failure)

    def _on_ended(self, task: str, result: Any, failure: BaseException | None) -> None:
        done, self._thread, self._done = self._done, None, None
        if failure is None:
            try:
                if done is not None:
                    done(result)
                self.finished.emit(task, result)
            except Exception as error:  # noqa: BLE001 - the widgets must be told of any end
                self.failed.emit(task, sentence_of(error))
        elif isinstance(failure, Cancelled):
            self.cancelled.emit(task)
        else:
            self.failed.emit(task, sentence_of(failure))
        self.idle.emit()
        if self._waiting and not self.busy:
            self.start(*self._waiting.popleft())


def sentence_of(error: BaseException) -> str:
    """One sentence for any failure."""
    if isinstance(error, SpinemetError):
        return str(error)
    if isinstance(error, (RuntimeError, MemoryError)):
        from ..network.devices import describe_failure

        return describe_failure(error)
    text = " ".join(str(error).split())
    return (
        f"The program failed ({type(error).__name__}: {text}); this is its fault, please report it."
    )


def leave_a_core_to_the_interface() -> None:
    """Let torch use one core less than there are, so that the window stays alive."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
