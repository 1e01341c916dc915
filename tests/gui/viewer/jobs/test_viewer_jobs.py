"""Which kind of work waits for which."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtWidgets import QMainWindow

from napari_spinemet.errors import SpinemetError
from napari_spinemet.gui.viewer.jobs import ViewerJobs
from napari_spinemet.jobs import JobContext


@pytest.fixture
def jobs(qtbot: Any) -> Iterator[ViewerJobs]:
    """The runners of a window that shows nothing."""
    window = QMainWindow()
    yield ViewerJobs(window, window)
    window.close()


def test_a_read_waits_for_what_was_to_be_saved_before(qtbot: Any, jobs: ViewerJobs) -> None:
    """And for no save that comes later."""
    order: list[str] = []
    disk = threading.Event()
    jobs.saving.start("stroke", lambda job: disk.wait(30))
    jobs.start_after_saving("load", lambda job: order.append("load"))
    assert not jobs.storage.is_busy
    assert jobs.is_disk_busy
    jobs.saving.start("later stroke", lambda job: order.append("later stroke"))
    disk.set()
    qtbot.waitUntil(lambda: not jobs.is_busy, timeout=30_000)
    assert sorted(order) == ["later stroke", "load"]


def test_nothing_is_read_where_the_save_before_it_fails(qtbot: Any, jobs: ViewerJobs) -> None:
    """What was drawn stays on the screen, and the reason is told."""
    reads: list[int] = []

    def fail(job: JobContext) -> None:
        raise SpinemetError("The disk is full.")

    with qtbot.waitSignal(jobs.job_failed, timeout=30_000) as heard:
        jobs.start_after_saving("load", lambda job: reads.append(1), save=fail)
    assert heard.args == ["The disk is full."]
    qtbot.waitUntil(lambda: not jobs.is_busy, timeout=30_000)
    assert reads == []


def test_at_the_end_all_is_saved_and_nothing_more_is_read(qtbot: Any, jobs: ViewerJobs) -> None:
    """What takes long and can be done again is stopped."""
    saved: list[str] = []
    reads: list[int] = []

    def train(job: JobContext) -> None:
        while True:
            job.raise_if_cancelled()

    jobs.training.start("training", train)
    disk = threading.Event()
    jobs.saving.start("first", lambda job: (disk.wait(30), saved.append("first")))
    jobs.saving.start("second", lambda job: saved.append("second"))
    jobs.start_after_saving("load", lambda job: reads.append(1))
    threading.Timer(0.1, disk.set).start()
    jobs.finish()
    assert saved == ["first", "second"]
    qtbot.waitUntil(lambda: not jobs.is_busy, timeout=30_000)
    assert reads == []
