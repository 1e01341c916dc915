"""A job in a process of its own: its result, its events, its failures and its end."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from napari_spinemet.errors import Cancelled, OutOfMemory, SpinemetError
from napari_spinemet.jobs import CancelToken, Event, JobContext, Progressed, process
from napari_spinemet.jobs.process import run_in_process

MODULE = f"{Path(__file__).stem}:"


def count(to: int, *, job: JobContext) -> dict[str, int]:
    """Count, telling of each step, and printing where nothing should be printed."""
    for number in range(to):
        job.raise_if_cancelled()
        print("a line on stdout", flush=True)
        job.report(Progressed("count", number + 1, to))
    return {"to": to, "pid": os.getpid(), "niceness": os.nice(0)}


def fail(kind: str, *, job: JobContext) -> None:
    """Fail in one of many ways."""
    if kind == "ours":
        raise SpinemetError("The disk is full; free some space.")
    if kind == "memory":
        raise MemoryError("no more")
    if kind == "torch":
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
    if kind == "card":
        raise OutOfMemory("The graphics card ran out of memory; use a smaller batch.")
    if kind == "exit":
        os._exit(7)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise ZeroDivisionError("division by zero")


def echo(value: object, *, job: JobContext) -> object:
    """Give what comes."""
    return value


def give_set(*, job: JobContext) -> set[int]:
    """Give what does not fit through the pipe."""
    return {1}


def hang(*, job: JobContext) -> None:
    """Work until told to stop."""
    job.report(Progressed("hang", os.getpid(), 0))
    while True:
        job.raise_if_cancelled()
        time.sleep(0.005)


def sleep(*, job: JobContext) -> None:
    """Work and listen to nobody."""
    job.report(Progressed("sleep", os.getpid(), 0))
    time.sleep(600)


@pytest.fixture
def module_path() -> dict[str, str]:
    """Where the child finds this module."""
    return {"PYTHONPATH": str(Path(__file__).parent)}


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_result_and_events_come_from_another_process(module_path: dict[str, str]) -> None:
    """In order, whatever else is printed there; the process is gone afterwards."""
    events: list[Event] = []
    result = run_in_process(
        MODULE + "count", {"to": 5}, job=JobContext(events.append), environment=module_path
    )
    assert [e.done for e in events] == [1, 2, 3, 4, 5]
    assert result["to"] == 5
    assert result["pid"] != os.getpid()
    assert not alive(result["pid"])


def test_the_other_process_gives_way(module_path: dict[str, str]) -> None:
    """Its priority is lower than ours, which stays what it was."""
    before = os.nice(0)
    result = run_in_process(MODULE + "count", {"to": 1}, environment=module_path)
    assert result["niceness"] == min(before + 5, 19)
    assert os.nice(0) == before


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("ours", SpinemetError, "free some space"),
        ("card", OutOfMemory, "smaller batch"),
        ("memory", RuntimeError, "MemoryError"),
        ("torch", RuntimeError, "CUDA out of memory"),
        ("other", SpinemetError, "ZeroDivisionError.*please report"),
        ("exit", SpinemetError, "status 7.*Resume"),
        ("killed", SpinemetError, "status -9.*stopped from outside.*Resume"),
    ],
)
def test_every_failure_is_told(
    module_path: dict[str, str], kind: str, error: type[Exception], words: str
) -> None:
    """As what it was where the parent knows it, also if the process dies without a word."""
    with pytest.raises(error, match=words):
        run_in_process(MODULE + "fail", {"kind": kind}, environment=module_path)


def test_it_is_cancelled_and_leaves_nothing_behind(module_path: dict[str, str]) -> None:
    """The token is raised there too."""
    token, pids = CancelToken(), []
    timer = threading.Timer(0.3, token.cancel)

    def heard(event: Event) -> None:
        pids.append(event.done)
        timer.start()

    before = threading.active_count()
    with pytest.raises(Cancelled):
        run_in_process(MODULE + "hang", {}, job=JobContext(heard, token), environment=module_path)
    assert not alive(pids[0])
    timer.join()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_a_listener_that_fails_ends_the_process(module_path: dict[str, str]) -> None:
    """What the listener raises goes through, and nothing runs on."""
    pids = []

    def listen(event: Event) -> None:
        pids.append(event.done)
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        run_in_process(MODULE + "hang", {}, job=JobContext(listen), environment=module_path)
    assert not alive(pids[0])


def test_plain_data_comes_back_to_the_last_bit(module_path: dict[str, str]) -> None:
    """Figures, infinities, text of any kind, nesting; a tuple as a list."""
    value = {"x": [0.1 + 0.2, 5e-324, math.inf, -0.0, 2**70], "y": {"ü\n": None, "z": True}}
    result = run_in_process(
        MODULE + "echo", {"value": {**value, "t": (1, 2)}}, environment=module_path
    )
    assert repr(result) == repr({**value, "t": [1, 2]})


def test_what_is_no_plain_data_is_refused_before_a_process_is_begun(
    module_path: dict[str, str],
) -> None:
    """With where it is."""
    with pytest.raises(TypeError, match=r"\['value'\]\['paths'\]\[1\] is a PosixPath"):
        run_in_process("nowhere:nothing", {"value": {"paths": ["a", Path("b")]}})
    with pytest.raises(TypeError, match=r"A key of .*\['value'\] is 1"):
        run_in_process("nowhere:nothing", {"value": {1: "a"}})


def test_a_result_that_is_no_plain_data_is_told(module_path: dict[str, str]) -> None:
    """As the same error, here."""
    with pytest.raises(TypeError, match=r"result of test_process:give_set is a set"):
        run_in_process(MODULE + "give_set", {}, environment=module_path)


def test_a_child_that_does_not_listen_is_killed(
    module_path: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, and the job counts as cancelled."""
    monkeypatch.setattr(process, "_GRACE_S", 0.2)
    token, pids = CancelToken(), []

    def listen(event: Event) -> None:
        pids.append(event.done)
        token.cancel()

    with pytest.raises(Cancelled):
        run_in_process(MODULE + "sleep", {}, job=JobContext(listen, token), environment=module_path)
    assert not alive(pids[0])
