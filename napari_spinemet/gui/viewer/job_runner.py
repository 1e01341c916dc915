"""Work off the GUI thread: one job at a time, for the viewer and not for a widget."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QObject, Signal

from ...errors import Cancelled, SpinemetError
from ...jobs import CancelToken, Event, EventCallback
from ...jobs.allocator import give_memory_back
from ...jobs.events import ignore

Work = Callable[[EventCallback, CancelToken], Any]
_log = logging.getLogger(__name__)


class JobRunner(QObject):
    """Run core functions in a thread and tell of them by signals.

    The core knows no thread: a job is a function of ``(on_event, cancel)``. Signals arrive
    in the GUI thread. Every end of a job, good or bad, gives exactly one of ``finished``,
    ``failed`` and ``cancelled``, and then ``idle``. A job that comes while another runs waits
    for it.

    Attributes
    ----------
    failure : SpinemetError or None
        Why the last job failed, while ``failed`` is heard.

    Signals
    -------
    queued(str), started(str), reported(str, Event), finished(str, result),
    failed(str, sentence), cancelled(str), idle()
    """

    queued = Signal(str)
    started = Signal(str)
    reported = Signal(str, object)
    finished = Signal(str, object)
    failed = Signal(str, str)
    cancelled = Signal(str)
    idle = Signal()
    _ended = Signal(str, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[tuple[str, Work, Callable[[Any], None] | None]] = deque()
        self._thread: threading.Thread | None = None
        self._token = CancelToken()
        self._done: Callable[[Any], None] | None = None
        self._task = ""
        self.failure: SpinemetError | None = None
        self._ended.connect(self._on_ended)

    @property
    def busy(self) -> bool:
        """Whether a job is running or its end has not been handled yet."""
        return self._thread is not None

    @property
    def task(self) -> str:
        """Name of the running job."""
        return self._task if self.busy else ""

    def has(self, task: str) -> bool:
        """Whether a job of that name is running or waits."""
        return self.task == task or any(name == task for name, _, _ in self._waiting)

    def start(self, task: str, work: Work, done: Callable[[Any], None] | None = None) -> None:
        """Start a job, now or after those that came before; ``done`` gets its result.

        ``done`` is called in the GUI thread.
        """
        if self.busy:
            self._waiting.append((task, work, done))
            self.queued.emit(task)
            return
        self._task, self._done, self._token = task, done, CancelToken()
        self._thread = threading.Thread(
            target=self._run, args=(task, work, self._token), name=f"spinemet {task}", daemon=True
        )
        self.started.emit(task)
        self._thread.start()

    def cancel(self, task: str = "") -> None:
        """Ask the running job to stop, within a batch; or one of that name that waits."""
        if not task or task == self.task:
            self._token.cancel()
            return
        kept = deque(job for job in self._waiting if job[0] != task)
        dropped = len(self._waiting) - len(kept)
        self._waiting = kept
        for _ in range(dropped):
            self.cancelled.emit(task)

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
        failure: SpinemetError | None = None
        try:
            result = work(report, token)
        except BaseException as error:  # noqa: BLE001 - a thread must not end in silence
            failure = _without_frames(_in_words(error))
        _free_memory()
        with suppress(RuntimeError):  # the window is gone, and nobody waits for the result
            self._ended.emit(task, result, failure)

    def _on_ended(self, task: str, result: Any, failure: SpinemetError | None) -> None:
        done, self._thread, self._done = self._done, None, None
        if failure is None:
            try:
                if done is not None:
                    done(result)
                self.finished.emit(task, result)
            except Exception as error:  # noqa: BLE001 - the widgets must be told of any end
                failure = _without_frames(_in_words(error))
        if isinstance(failure, Cancelled):
            self.cancelled.emit(task)
        elif failure is not None:
            self.failure = failure
            self.failed.emit(task, str(failure))
            self.failure = None
        self.idle.emit()
        if self._waiting and not self.busy:
            self.start(*self._waiting.popleft())


def _in_words(error: BaseException) -> SpinemetError:
    """Any failure as one sentence; what is our fault goes to the log in full."""
    if isinstance(error, SpinemetError):
        return error
    _log.error("A job failed.", exc_info=error)
    if isinstance(error, (RuntimeError, MemoryError)):
        from ...network.devices import failure_of

        told = failure_of(error)
    else:
        text = " ".join(str(error).split())
        told = SpinemetError(
            f"The program failed ({type(error).__name__}: {text}); this is its fault, please "
            "report it."
        )
    told.__cause__ = error
    return told


def _without_frames(error: SpinemetError) -> SpinemetError:
    """An error that no longer holds what its functions held: a network, all batches."""
    part: BaseException | None = error
    while part is not None:
        traceback.clear_frames(part.__traceback__)
        part.__traceback__ = None
        deeper = part.__cause__ or part.__context__
        part.__cause__ = part.__context__ = None
        part = deeper
    return error


def _free_memory() -> None:
    """What a job held is free for the next one, or for another program."""
    gc.collect()
    give_memory_back()
    if "torch" in sys.modules:
        import torch

        if torch.cuda.is_available() and torch.cuda.is_initialized():
            torch.cuda.empty_cache()


def leave_a_core_to_the_interface() -> None:
    """Let torch use one core less than there are, so that the window stays alive."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
