"""Work off the GUI thread: one job at a time, for the viewer and not for a widget."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from qtpy.QtCore import QObject, Signal

from ....errors import Cancelled, SpinemetError
from ....jobs import UNATTENDED, CancelToken, Event, JobContext
from ....jobs.allocator import give_memory_back
from ....jobs.openmp import let_waiting_threads_sleep

Work = Callable[[JobContext], Any]
"""What a job does, in a thread; its result goes back to the GUI thread."""
OnResult = Callable[[Any], None]
_log = logging.getLogger(__name__)


class _Job(NamedTuple):
    task: str
    work: Work
    on_result: OnResult | None


class JobRunner(QObject):
    """Run core functions in a thread and tell of them by signals.

    The core knows no thread: a job is a function of a :class:`JobContext`. Signals arrive in the
    GUI thread. Every end of a job, good or bad, gives exactly one of ``job_finished``,
    ``job_failed`` and ``job_cancelled``, and then ``idle``. A job that comes while another runs
    waits for it.

    Parameters
    ----------
    parent : QObject, optional
    frees_memory : bool
        Collect garbage and give memory back after each job. All threads, and the window, stand
        still for about a quarter of a second then: only for jobs that leave much behind in
        cycles of references, such as a network and its batches, or the trees of a map.

    Attributes
    ----------
    failure : SpinemetError or None
        Why the last job failed, while ``job_failed`` is heard.

    Signals
    -------
    job_queued(str), job_started(str), event_reported(str, Event), job_finished(str, result),
    job_failed(str, sentence), job_cancelled(str), idle()
    """

    job_queued = Signal(str)
    job_started = Signal(str)
    event_reported = Signal(str, object)
    job_finished = Signal(str, object)
    job_failed = Signal(str, str)
    job_cancelled = Signal(str)
    idle = Signal()
    _thread_ended = Signal(str, object, object)

    def __init__(self, parent: QObject | None = None, *, frees_memory: bool = False) -> None:
        super().__init__(parent)
        self._frees_memory = frees_memory
        self._queue: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._token = CancelToken()
        self._on_result: OnResult | None = None
        self._task = ""
        self.failure: SpinemetError | None = None
        self._thread_ended.connect(self._on_thread_ended)

    @property
    def is_busy(self) -> bool:
        """Whether a job is running or its end has not been handled yet."""
        return self._thread is not None

    @property
    def task(self) -> str:
        """Name of the running job."""
        return self._task if self.is_busy else ""

    def has(self, task: str) -> bool:
        """Whether a job of that name is running or waits."""
        return self.task == task or any(job.task == task for job in self._queue)

    def start(self, task: str, work: Work, on_result: OnResult | None = None) -> None:
        """Start a job, now or after those that came before.

        Parameters
        ----------
        task : str
            Name of the job; several may have the same.
        work : callable
            Gets a :class:`JobContext`; runs in a thread, so it touches no widget and no layer.
        on_result : callable, optional
            Gets the result, in the GUI thread.
        """
        if self.is_busy:
            self._queue.append(_Job(task, work, on_result))
            self.job_queued.emit(task)
            return
        self._task, self._on_result, self._token = task, on_result, CancelToken()
        self._thread = threading.Thread(
            target=self._run, args=(task, work, self._token), name=f"spinemet {task}", daemon=True
        )
        self.job_started.emit(task)
        self._thread.start()

    def cancel(self, task: str = "") -> None:
        """Ask the running job to stop, within a batch; or one of that name that waits."""
        if not task or task == self.task:
            self._token.cancel()
            return
        former = len(self._queue)
        self._queue = deque(job for job in self._queue if job.task != task)
        for _ in range(former - len(self._queue)):
            self.job_cancelled.emit(task)

    def stop(self, seconds: float = 10.0) -> None:
        """Cancel and wait, for the end of the program; what waits is not begun."""
        self._queue.clear()
        self.cancel()
        if self._thread is not None:
            self._thread.join(seconds)

    def finish(self, seconds: float = 60.0) -> None:
        """Wait, for the end of the program, and do what waits; nobody hears of its end."""
        queue, self._queue = self._queue, deque()
        if self._thread is not None:
            self._thread.join(seconds)
        for job in queue:
            with suppress(SpinemetError):  # there is no window left to say it in
                job.work(UNATTENDED)

    def _run(self, task: str, work: Work, token: CancelToken) -> None:
        def report(event: Event) -> None:
            self.event_reported.emit(task, event)

        result: Any = None
        failure: SpinemetError | None = None
        let_waiting_threads_sleep()  # in case it is this job that loads torch
        try:
            result = work(JobContext(report, token))
        except BaseException as error:  # noqa: BLE001 - a thread must not end in silence
            failure = _without_frames(to_user_error(error))
        if self._frees_memory:
            _free_memory()
        with suppress(RuntimeError):  # the window is gone, and nobody waits for the result
            self._thread_ended.emit(task, result, failure)

    def _on_thread_ended(self, task: str, result: Any, failure: SpinemetError | None) -> None:
        on_result, self._thread, self._on_result = self._on_result, None, None
        if failure is None:
            try:
                if on_result is not None:
                    on_result(result)
                self.job_finished.emit(task, result)
            except Exception as error:  # noqa: BLE001 - the widgets must be told of any end
                failure = _without_frames(to_user_error(error))
        if isinstance(failure, Cancelled):
            self.job_cancelled.emit(task)
        elif failure is not None:
            self.failure = failure
            self.job_failed.emit(task, str(failure))
            self.failure = None
        self.idle.emit()
        if self._queue and not self.is_busy:
            self.start(*self._queue.popleft())


def to_user_error(error: BaseException) -> SpinemetError:
    """Any failure as one sentence; what is our fault goes to the log in full."""
    if isinstance(error, SpinemetError):
        return error
    _log.error("A job failed.", exc_info=error)
    if isinstance(error, (RuntimeError, MemoryError)):
        from ....network.devices import translate_torch_error

        user_error = translate_torch_error(error)
    else:
        text = " ".join(str(error).split())
        user_error = SpinemetError(
            f"The program failed ({type(error).__name__}: {text}); this is its fault, please "
            "report it."
        )
    user_error.__cause__ = error
    return user_error


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

        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()


@contextmanager
def leave_a_core_to_the_interface() -> Iterator[None]:
    """Let torch use one core less than there are, so that the window stays alive."""
    from ....network.threads import choose_threads, torch_threads

    with torch_threads(choose_threads(spare_cores=1)):
        yield
