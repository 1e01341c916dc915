"""A reproduction of a few minutes, and its budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spinemet.errors import Cancelled
from napari_spinemet.experiments.reproduction import reproduce
from napari_spinemet.experiments.reproduction.plan import BUDGETS, SINGLE
from napari_spinemet.jobs import CancelToken, Event, JobContext, Progressed

from .tiny_budget import ONE_THREAD, TINY, task_of


@pytest.fixture
def tiny_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cases and two folds of two batches."""
    monkeypatch.setitem(BUDGETS, "tiny", TINY)


@pytest.fixture(scope="session")
def finished_reproduction(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One resolution, in three pieces: cut short while cases are made, and while maps are."""
    folder = tmp_path_factory.mktemp("reproduce")
    patches = pytest.MonkeyPatch()
    patches.setitem(BUDGETS, "tiny", TINY)
    first = reproduce(folder, task_of(minutes=0.01), workers=ONE_THREAD)
    assert first.results is None
    assert first.missing_systems == (SINGLE,)
    token = CancelToken()

    def listen(event: Event) -> None:
        if isinstance(event, Progressed) and event.task == "map" and event.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        reproduce(folder, task_of(), workers=ONE_THREAD, job=JobContext(listen, token))
    networks = {p: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")}
    assert len(networks) == 2
    last = reproduce(folder, task_of(), workers=ONE_THREAD)
    assert last.evaluated_systems == (SINGLE,)
    assert last.missing_systems == ()
    assert last.results == folder / "results"
    # What was there was not made again.
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")} == networks
    patches.undo()
    return folder
