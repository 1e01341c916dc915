"""A reproduction of a few minutes, and its budget."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from napari_spinemet.errors import Cancelled
from napari_spinemet.experiments.reproduction import questions, reproduce
from napari_spinemet.experiments.reproduction.plan import AGAIN_SUFFIX, BUDGETS, SINGLE
from napari_spinemet.jobs import CancelToken, Event, JobContext, Progressed

from .tiny_budget import ONE_THREAD, TINY, task_of


@pytest.fixture
def tiny_budget(thin_phantoms: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four thin cases and two folds of two batches."""
    monkeypatch.setitem(BUDGETS, "tiny", TINY)
    monkeypatch.setattr(questions, "N_RESAMPLES", 1_000)


@pytest.fixture(scope="session")
def finished_reproduction(
    tmp_path_factory: pytest.TempPathFactory,
    use_thin_phantoms: Callable[[], AbstractContextManager[None]],
) -> Path:
    """One resolution, trained twice, in three pieces: cut short among cases, and among maps."""
    folder = tmp_path_factory.mktemp("reproduce")
    with use_thin_phantoms(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "tiny", TINY)
        patch.setattr(questions, "N_RESAMPLES", 1_000)
        _reproduce_in_pieces(folder)
    return folder


def _reproduce_in_pieces(folder: Path) -> None:
    first = reproduce(folder, task_of(minutes=0.01), workers=ONE_THREAD)
    assert first.results is None
    assert first.missing_systems == (SINGLE, SINGLE + AGAIN_SUFFIX)
    token = CancelToken()

    def listen(event: Event) -> None:
        if isinstance(event, Progressed) and event.task == "map" and event.done == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        reproduce(folder, task_of(), workers=ONE_THREAD, job=JobContext(listen, token))
    networks = {p: p.stat().st_mtime_ns for p in folder.rglob("*.safetensors")}
    assert len(networks) == 2
    last = reproduce(folder, task_of(), workers=ONE_THREAD)
    assert last.evaluated_systems == (SINGLE, SINGLE + AGAIN_SUFFIX)
    assert last.missing_systems == ()
    assert last.results == folder / "results"
    # What was there was not made again.
    assert {p: p.stat().st_mtime_ns for p in networks} == networks
