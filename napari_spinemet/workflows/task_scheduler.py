"""Independent tasks one after the other, on a local cluster, or on any dask scheduler."""

from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import SpinemetError
from ..jobs import CancelToken, Event, EventCallback, Progressed
from ..jobs.allocator import KEEPING
from ..jobs.events import ignore

LOCAL = "local"
_ATTEMPTS = 4
"""How often a task whose worker was lost is begun again."""
_POLL_S = 0.2
_TOPIC = "napari-spinemet"

Task = Callable[..., Any]


def run_tasks(
    function: Task,
    arguments: Sequence[tuple[Any, ...]],
    *,
    shared: Sequence[Any] = (),
    scheduler: str | None = None,
    workers: int | None = None,
    task: str = "tasks",
    on_done: Callable[[int, Any], None] = lambda number, result: None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> None:
    """Call a function with each of many arguments, in whatever order they come to an end.

    Parameters
    ----------
    function : callable
        ``function(shared, *arguments, on_event=, cancel=)``; importable by name on the workers.
    arguments : sequence of tuple
        One for each task.
    shared : sequence
        Large things that all tasks look at: each worker gets them once.
    scheduler : str, optional
        None for this process, ``"local"`` for a cluster of processes on this machine that lives
        as long as the call, else the address of a dask scheduler.
    workers : int, optional
        Of a local cluster, with one thread each; one a processor core by default.
    task : str
        Name of the whole in the events.
    on_done : callable
        Gets the number of a task and its result as soon as it is there, in this process. What is
        kept here need not be done again by the next call.
    on_event : callable, optional
        Hears what the tasks report and how many are done.
    cancel : CancelToken, optional
        Raised, no further task is begun; those on other processes are given up.

    Raises
    ------
    SpinemetError
        The first failure of a task, if the scheduler cannot be reached, or if a task lost its
        worker again and again.
    Cancelled
        If the token was raised.
    """
    done = 0

    def finished(number: int, result: Any) -> None:
        nonlocal done
        on_done(number, result)
        done += 1
        on_event(Progressed(task, done, len(arguments), f"{done} of {len(arguments)} done"))

    if scheduler is None:
        for number, given in enumerate(arguments):
            if cancel is not None:
                cancel.raise_if_cancelled()
            finished(number, function(shared, *given, on_event=on_event, cancel=cancel))
        return
    with _client(scheduler, workers) as client:
        client.subscribe_topic(_TOPIC, lambda told: on_event(pickle.loads(told[1])))
        left = dict(enumerate(arguments))
        for _ in range(_ATTEMPTS):
            for number, result in _completed(client, function, left, shared, cancel):
                del left[number]
                finished(number, result)
            if not left:
                return
        raise SpinemetError(
            f"{len(left)} of {len(arguments)} tasks lost their worker {_ATTEMPTS} times, perhaps "
            "for want of memory; what is done is kept, so start again with fewer workers."
        )


def _completed(
    client: Any,
    function: Task,
    tasks: dict[int, tuple[Any, ...]],
    shared: Sequence[Any],
    cancel: CancelToken | None,
) -> Iterator[tuple[int, Any]]:
    """Results of tasks as they come; those that were lost with their worker are left out."""
    from distributed import KilledWorker, as_completed
    from distributed.client import FutureCancelledError

    # To every worker: what only one of them held would be lost with it.
    spread = client.scatter(list(shared), broadcast=True) if shared else []
    number_of = {
        client.submit(_call, function, spread, given, pure=False): number
        for number, given in list(tasks.items())
    }
    waiting = as_completed(list(number_of), loop=client.loop)
    try:
        while not waiting.is_empty():
            if cancel is not None:
                cancel.raise_if_cancelled()
            if not waiting.has_ready():
                time.sleep(_POLL_S)
                continue
            future = next(waiting)
            try:
                result = future.result()
            except (KilledWorker, FutureCancelledError):
                continue
            yield number_of[future], result
    finally:
        client.cancel(list(number_of))


def _call(function: Task, shared: Sequence[Any], given: tuple[Any, ...]) -> Any:
    """What a worker does: events go home by the scheduler."""
    from distributed import get_worker

    worker = get_worker()

    def tell(event: Event) -> None:
        worker.log_event(_TOPIC, pickle.dumps(event))

    return function(shared, *given, on_event=tell, cancel=None)


@contextmanager
def _client(scheduler: str, workers: int | None) -> Iterator[Any]:
    """A connection; a cluster of our own ends with it."""
    import dask
    from distributed import Client, LocalCluster

    # Losing a worker is foreseen, and told where it matters.
    for name in ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    cluster = None
    # What dask wants its workers to find it sets here, and leaves here, for all our later children.
    before = dict(os.environ)
    try:
        if scheduler == LOCAL:
            # By itself dask lets workers give back all that they free.
            kept = {f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in KEEPING.items()}
            with dask.config.set(kept):
                cluster = LocalCluster(
                    n_workers=workers or os.cpu_count() or 1,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    host="127.0.0.1",
                )
        try:
            client = Client(cluster or scheduler, timeout="15s", set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise SpinemetError(
                f"There is no dask scheduler at {scheduler} ({error}); start one with "
                "'dask scheduler', or leave the address out."
            ) from error
        try:
            yield client
        finally:
            client.close(timeout=5)
    finally:
        if cluster is not None:
            cluster.close(timeout=10)
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)
