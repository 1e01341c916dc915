"""Independent tasks one after the other, on a local cluster, or on any dask scheduler.

A computer may be so busy that a worker takes minutes to start, or a scheduler to answer. Whatever
dask does by itself with a time limit of seconds is done here step by step: there is a scheduler,
there is a worker, data is spread. Between the steps, and during them, the cancel token is polled.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from ..errors import SpinemetError
from ..jobs import UNATTENDED, Event, JobContext
from ..jobs.allocator import ALLOCATOR_VARIABLES
from ..jobs.events import event_from_dict, event_to_dict
from ..jobs.openmp import short_spin_variables, usable_cores

LOCAL = "local"
_ATTEMPTS = 4
"""How often a task whose worker was lost is begun again."""
_POLL_S = 0.2
_CONNECT_S = 60.0
"""A scheduler that has not answered by then is none."""
_FIRST_WORKER_S = 600.0
"""Without a worker by then there will be none: one starts in seconds, in a minute at worst."""
_ALL_WORKERS_S = 60.0
"""So long the first workers wait for the others, to whom data is then spread along with them."""
_SPREAD_S = 600.0
_CLOSE_S = 60.0
"""Workers that have not ended by then are left to the end of the program."""
_TOPIC = "napari-spinemet"

Task = Callable[..., Any]


def run_tasks(
    function: Task,
    arguments: Sequence[tuple[Any, ...]],
    *,
    shared_data: Sequence[Any] = (),
    scheduler: str | None = None,
    workers: int | None = None,
    task: str = "tasks",
    on_done: Callable[[int, Any], None] = lambda number, result: None,
    job: JobContext = UNATTENDED,
) -> None:
    """Call a function with each of many arguments, in whatever order they come to an end.

    Parameters
    ----------
    function : callable
        ``function(shared_data, *arguments, job=)``; importable by name on the workers.
    arguments : sequence of tuple
        One for each task.
    shared_data : sequence
        Large things that all tasks look at: each worker gets them once.
    scheduler : str, optional
        None for this process, ``"local"`` for a cluster of processes on this machine that lives
        as long as the call, else the address of a dask scheduler.
    workers : int, optional
        Of a local cluster, with one thread each; one a usable core by default.
    task : str
        Name of the whole in the events.
    on_done : callable
        Gets the number of a task and its result as soon as it is there, in this process. What is
        kept here need not be done again by the next call.
    job : JobContext
        Hears what the tasks report and how many are done. Once its token is raised no further
        task is begun; those on other processes are given up.

    Raises
    ------
    SpinemetError
        The first failure of a task, if the scheduler cannot be reached or has no worker, or if a
        task lost its worker again and again.
    Cancelled
        If the token was raised.
    """
    finished_tasks = 0

    def finish(number: int, result: Any) -> None:
        nonlocal finished_tasks
        on_done(number, result)
        finished_tasks += 1
        total = len(arguments)
        job.progress(task, finished_tasks, total, f"{finished_tasks} of {total} done")

    if scheduler is None:
        for number, values in enumerate(arguments):
            job.raise_if_cancelled()
            finish(number, function(shared_data, *values, job=job))
        return
    if not arguments:  # no cluster for nothing
        return
    with _connect(scheduler, workers, job) as client:
        job.progress(task, 0, len(arguments), "waiting for workers")
        _wait_for_workers(client, scheduler, workers, job)
        client.subscribe_topic(_TOPIC, lambda message: job.report(_event_from_text(message[1])))
        open_tasks = dict(enumerate(arguments))
        for _ in range(_ATTEMPTS):
            for number, result in _results(client, function, open_tasks, shared_data, job):
                del open_tasks[number]
                finish(number, result)
            if not open_tasks:
                return
        raise SpinemetError(
            f"{len(open_tasks)} of {len(arguments)} tasks lost their worker {_ATTEMPTS} times, "
            "perhaps for want of memory; what is done is kept, so start again with fewer workers."
        )


def _results(
    client: Any,
    function: Task,
    tasks: Mapping[int, tuple[Any, ...]],
    shared_data: Sequence[Any],
    job: JobContext,
) -> Iterator[tuple[int, Any]]:
    """Results of tasks as they come; those that were lost with their worker are left out."""
    from distributed import KilledWorker, as_completed
    from distributed.client import FutureCancelledError

    spread_futures: Sequence[Any] = ()
    if shared_data:
        # To every worker: what only one of them held would be lost with it.
        spread_futures = _call_and_poll(
            lambda: client.scatter(list(shared_data), broadcast=True, timeout=_SPREAD_S), job
        )
    number_of = {
        client.submit(_call_on_worker, function, spread_futures, values, pure=False): number
        for number, values in list(tasks.items())
    }
    futures = as_completed(list(number_of), loop=client.loop)
    try:
        while not futures.is_empty():
            job.raise_if_cancelled()
            if not futures.has_ready():
                time.sleep(_POLL_S)
                continue
            future = next(futures)
            try:
                result = future.result()
            except (KilledWorker, FutureCancelledError):
                continue
            yield number_of[future], result
    finally:
        client.cancel(list(number_of))


def _call_on_worker(function: Task, shared_data: Sequence[Any], values: tuple[Any, ...]) -> Any:
    """What a worker does: events go home by the scheduler."""
    from distributed import get_worker

    worker = get_worker()

    def report(event: Event) -> None:
        worker.log_event(_TOPIC, json.dumps(event_to_dict(event)))

    return function(shared_data, *values, job=JobContext(report))


def _event_from_text(text: str) -> Event:
    return event_from_dict(json.loads(text))


def _wait_for_workers(client: Any, scheduler: str, workers: int | None, job: JobContext) -> None:
    """Return once there are as many workers as asked for, or at least one after a while."""
    count = (workers or usable_cores()) if scheduler == LOCAL else 1
    start = time.monotonic()
    while True:
        job.raise_if_cancelled()
        seconds = time.monotonic() - start
        present = _count_running_workers(client)
        if present >= count or (present and seconds >= _ALL_WORKERS_S):
            return
        if seconds >= _FIRST_WORKER_S:
            raise SpinemetError(
                f"No worker came to the dask scheduler within {_FIRST_WORKER_S / 60:.0f} minutes; "
                + (
                    "close other programs, or compute without workers."
                    if scheduler == LOCAL
                    else f"start one with 'dask worker {scheduler}'."
                )
            )
        time.sleep(_POLL_S)


def _count_running_workers(client: Any) -> int:
    """Workers that take data: one that has only just announced itself does not yet."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return sum(worker["status"] == "running" for worker in workers)


def _call_and_poll(function: Callable[[], Any], job: JobContext) -> Any:
    """What a function gives that may block, with the token polled meanwhile.

    Once cancelled nobody waits for it: the connection is closed under it, and it fails unheard.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def call() -> None:
        try:
            outcome.append((function(), None))
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            outcome.append((None, error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_S)
        if thread.is_alive():
            job.raise_if_cancelled()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


@contextmanager
def _connect(scheduler: str, workers: int | None, job: JobContext) -> Iterator[Any]:
    """A client of a scheduler; a cluster of our own ends with it."""
    # Losing a worker is foreseen, and told where it matters.
    for name in ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        address: Any = scheduler
        if scheduler == LOCAL:
            address = stack.enter_context(_local_cluster(workers or usable_cores()))
        client = _open_client(address, scheduler, job)
        stack.callback(_close, client)
        yield client


def _open_client(address: Any, scheduler: str, job: JobContext) -> Any:
    from distributed import Client

    clients: list[Any] = []

    def connect() -> None:
        if scheduler != LOCAL:
            _try_port(scheduler)
        clients.append(Client(address, timeout=_CONNECT_S, set_as_default=False))
        if job.cancel.is_cancelled:  # nobody waits for it any more
            _close(clients[0])

    try:
        _call_and_poll(connect, job)
    except (OSError, ValueError, TimeoutError) as error:
        raise SpinemetError(
            f"There is no dask scheduler at {scheduler} ({error}); start one with "
            "'dask scheduler', or leave the address out."
        ) from error
    return clients[0]


def _try_port(scheduler: str) -> None:
    """Raise at once where nobody listens: dask would go on asking for as long as it may wait."""
    from distributed.comm.addressing import get_address_host_port

    host, port = get_address_host_port(scheduler)
    socket.create_connection((host, port), _CONNECT_S).close()


@contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    """A scheduler of our own, whose workers are on their way."""
    import dask
    from distributed import LocalCluster

    variables = {**ALLOCATOR_VARIABLES, **short_spin_variables()}
    settings: dict[str, Any] = {
        # By itself dask lets workers give back all that they free.
        **{f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in variables.items()},
        # A busy worker may take long to answer, and is not lost for that.
        "distributed.comm.timeouts.connect": f"{_CONNECT_S}s",
        "distributed.comm.timeouts.tcp": f"{_CONNECT_S}s",
    }
    # What dask wants its workers to find it sets here, and leaves here, for all our later children.
    former_environment = dict(os.environ)
    try:
        with dask.config.set(settings):
            cluster = LocalCluster(
                # None at first: a cluster is not handed out before all of its workers have started.
                n_workers=0,
                threads_per_worker=1,
                # Of all memory: what dask works out only for workers that are there from the first.
                memory_limit=1 / workers,
                processes=True,
                dashboard_address=None,
                host="127.0.0.1",
            )
            try:
                cluster.scale(workers)
                yield cluster
            finally:
                _close(cluster)
    finally:
        for name in os.environ.keys() - former_environment.keys():
            del os.environ[name]
        os.environ.update(former_environment)


def _close(connection: Any) -> None:
    """Close a client or a cluster; the results are there, whatever becomes of it."""
    with suppress(TimeoutError):
        connection.close(timeout=_CLOSE_S)
