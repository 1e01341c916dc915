"""Tasks on dask's workers, which come when they come."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from distributed import LocalCluster

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.jobs import CancelToken, Event, JobContext, Progressed
from napari_spinemet.jobs.events import event_from_dict
from napari_spinemet.workflows import task_scheduler
from napari_spinemet.workflows.task_scheduler import run_tasks


def add(shared_data: Sequence[int], number: int, *, job: JobContext) -> int:
    """Add what is shared, and report it."""
    total = number + sum(shared_data)
    job.report(Progressed("add", total, 0, values={"tenth": 0.1}))
    return total


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A scheduler without a worker, in this process."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address=None,
    ) as empty:
        yield empty


class PolledToken(CancelToken):
    """Does something when it is polled for the third time: whoever waits does poll."""

    def __init__(self, action: Any) -> None:
        super().__init__()
        self.action, self.polls = action, 0

    @property
    def is_cancelled(self) -> bool:
        """Count, and act at the third time."""
        self.polls += 1
        if self.polls == 3:
            self.action()
        return super().is_cancelled

    def raise_if_cancelled(self) -> None:
        """By the property above."""
        if self.is_cancelled:
            raise Cancelled("The run was cancelled; what was there before is as it was.")


def test_workers_that_come_late_are_waited_for(cluster: LocalCluster) -> None:
    """Data is spread once one is there; events and results come home as they were."""
    results: dict[int, int] = {}
    events: list[Event] = []
    token = PolledToken(lambda: cluster.scale(1))
    run_tasks(
        add,
        [(1,), (2,)],
        shared_data=(10, 20),
        scheduler=cluster.scheduler_address,
        task="sum",
        on_done=results.__setitem__,
        job=JobContext(events.append, token),
    )
    assert results == {0: 31, 1: 32}
    assert token.polls >= 3
    assert Progressed("sum", 0, 2, "waiting for workers") in events
    assert Progressed("sum", 2, 2, "2 of 2 done") in events
    sent = [text for _, text in cluster.scheduler.get_events("napari-spinemet")]
    assert all(isinstance(text, str) for text in sent)
    assert Progressed("add", 31, 0, values={"tenth": 0.1}) in [
        event_from_dict(json.loads(text)) for text in sent
    ]


def test_a_job_that_waits_for_workers_can_be_cancelled(cluster: LocalCluster) -> None:
    """Though none ever comes."""
    token = PolledToken(lambda: token.cancel())
    with pytest.raises(Cancelled):
        run_tasks(add, [(1,)], scheduler=cluster.scheduler_address, job=JobContext(cancel=token))


def test_a_scheduler_without_workers_is_told(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, after a long while."""
    monkeypatch.setattr(task_scheduler, "_FIRST_WORKER_S", 0.5)
    with pytest.raises(SpinemetError, match=r"No worker came .*'dask worker tcp://127.0.0.1"):
        run_tasks(add, [(1,)], shared_data=(1,), scheduler=cluster.scheduler_address)


def test_a_cluster_of_our_own_waits_for_its_workers_too() -> None:
    """It is handed out before they are there; it ends with the call."""
    results: dict[int, int] = {}
    run_tasks(
        add,
        [(1,), (2,), (3,)],
        shared_data=(10,),
        scheduler="local",
        workers=1,
        on_done=results.__setitem__,
    )
    assert results == {0: 11, 1: 12, 2: 13}


def test_without_tasks_no_scheduler_is_asked() -> None:
    """Not even whether it is there."""
    run_tasks(add, [], scheduler="tcp://127.0.0.1:9")


def test_waiting_for_a_scheduler_can_be_cancelled() -> None:
    """Whoever listens at that address never answers, and the token is heard all the same."""
    token = PolledToken(lambda: token.cancel())
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        address = f"tcp://127.0.0.1:{silent_server.getsockname()[1]}"
        with pytest.raises(Cancelled):
            run_tasks(add, [(1,)], scheduler=address, job=JobContext(cancel=token))
