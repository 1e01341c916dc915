"""A job in a process of its own: its result, its events, its failures and its end."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.jobs import CancelToken, Event, EventCallback, Progressed
from napari_spinemet.jobs.process import run_in_process

HERE = f"{Path(__file__).stem}:"


def count(to: int, *, on_event: EventCallback, cancel: CancelToken) -> dict[str, int]:
    """Count, telling of each step, and printing where nothing should be printed."""
    for number in range(to):
        cancel.raise_if_cancelled()
        print("a line on stdout", flush=True)
        on_event(Progressed("count", number + 1, to))
    return {"to": to, "pid": os.getpid(), "niceness": os.nice(0)}


def fail(kind: str, *, on_event: EventCallback, cancel: CancelToken) -> None:
    """Fail in one of many ways."""
    if kind == "ours":
        raise SpinemetError("The disk is full; free some space.")
    if kind == "memory":
        raise MemoryError("no more")
    if kind == "torch":
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    if kind == "exit":
        os._exit(7)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ZeroDivisionError("division by zero")


def hang(*, on_event: EventCallback, cancel: CancelToken) -> None:
    """Work until told to stop."""
    on_event(Progressed("hang", os.getpid(), 0))
    while True:
        cancel.raise_if_cancelled()
        time.sleep(0.005)


@pytest.fixture
def here() -> dict[str, str]:
    """Where the child finds this module."""
    return {"PYTHONPATH": str(Path(__file__).parent)}


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_result_and_events_come_from_another_process(here: dict[str, str]) -> None:
    """In order, whatever else is printed there; the process is gone afterwards."""
    events: list[Event] = []
    result = run_in_process(HERE + "count", {"to": 5}, on_event=events.append, environment=here)
    assert [e.done for e in events] == [1, 2, 3, 4, 5]
    assert result["to"] == 5
    assert result["pid"] != os.getpid()
    assert not alive(result["pid"])


def test_the_other_process_gives_way(here: dict[str, str]) -> None:
    """Its priority is lower than ours, which stays what it was."""
    before = os.nice(0)
    result = run_in_process(HERE + "count", {"to": 1}, environment=here)
    assert result["niceness"] == min(before + 5, 19)
    assert os.nice(0) == before


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("ours", SpinemetError, "free some space"),
        ("memory", RuntimeError, "MemoryError"),
        ("torch", RuntimeError, "CUDA out of memory"),
        ("other", SpinemetError, "ZeroDivisionError.*please report"),
        ("exit", SpinemetError, "status 7.*Resume"),
        ("killed", SpinemetError, "status -9.*stopped from outside.*Resume"),
    ],
)
def test_every_failure_is_told(
    here: dict[str, str], kind: str, error: type[Exception], words: str
) -> None:
    """As what it was where the parent knows it, also if the process dies without a word."""
    with pytest.raises(error, match=words):
        run_in_process(HERE + "fail", {"kind": kind}, environment=here)


def test_it_is_cancelled_and_leaves_nothing_behind(here: dict[str, str]) -> None:
    """The token is raised there too."""
    token, pids = CancelToken(), []
    timer = threading.Timer(0.3, token.cancel)

    def heard(event: Event) -> None:
        pids.append(event.done)
        timer.start()

    before = threading.active_count()
    with pytest.raises(Cancelled):
        run_in_process(HERE + "hang", {}, on_event=heard, cancel=token, environment=here)
    assert not alive(pids[0])
    timer.join()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_an_ear_that_fails_ends_the_process(here: dict[str, str]) -> None:
    """What the listener raises goes through, and nothing runs on."""
    pids = []

    def ear(event: Event) -> None:
        pids.append(event.done)
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        run_in_process(HERE + "hang", {}, on_event=ear, environment=here)
    assert not alive(pids[0])
