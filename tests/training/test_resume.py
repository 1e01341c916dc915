"""A run that was interrupted goes on as if nothing had stopped it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_loop import Case, _bytes, _config

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.jobs import CancelToken, Event, Progressed
from napari_spinemet.network import SiameseNet
from napari_spinemet.training import train
from napari_spinemet.training import training_run as run

KILLS = int(os.environ.get("SPINEMET_TRAINING_KILLS", "6"))


def _is_step(event: Event) -> bool:
    return isinstance(event, Progressed) and "loss" in event.values


@pytest.mark.parametrize(
    ("method", "stop"),
    [*(("blocks", stop) for stop in range(1, 7)), *(("windows", stop) for stop in (1, 3, 5))],
)
def test_cancelled_and_resumed_is_bit_for_bit_the_same(
    small_case: Case, tmp_path: Path, method: str, stop: int
) -> None:
    """At the start, within an epoch, between two, at the end; weights, history and best epoch."""
    torch.set_num_threads(1)
    config = _config(epochs=2, method=method, schedule="one-cycle")
    whole = train([small_case], config, validation=[small_case])
    state, token = tmp_path / "run" / "state.safetensors", CancelToken()

    def listen(event: Event) -> None:
        if _is_step(event) and event.done == stop:
            token.cancel()

    def run() -> None:
        train(
            [small_case],
            config,
            validation=[small_case],
            state=state,
            on_event=listen,
            cancel=token,
        )

    with pytest.raises(Cancelled):
        run()
    seen = []
    again = train(
        [small_case],
        config,
        validation=[small_case],
        state=state,
        resume=True,
        on_event=lambda e: seen.append(e.done) if _is_step(e) else None,
    )
    assert seen == list(range(stop + 1, 7))  # nothing is done twice
    assert _bytes(again) == _bytes(whole)
    assert (again.history, again.best_epoch) == (whole.history, whole.best_epoch)


def test_a_checkpoint_of_another_run_is_refused(small_case: Case, tmp_path: Path) -> None:
    """Other settings, contours that were changed, other weights to start from, a damaged file."""
    state = tmp_path / "state.safetensors"
    config = _config(batches_per_epoch=1)
    series, annotation = small_case
    train([small_case], config, state=state)
    train([small_case], config, state=state, resume=True)
    changed = annotation.lesions.copy()
    changed[np.nonzero(changed)[0][0]] = 0
    other = (series, Annotation(changed, annotation.vertebrae))
    start = SiameseNet(config.resolutions, config.form, config.blocks, config.outputs)
    for call in (
        lambda: train([small_case], replace(config, seed=5), state=state, resume=True),
        lambda: train([small_case, other], config, state=state, resume=True),
        lambda: train([small_case], config, start=start, state=state, resume=True),
    ):
        with pytest.raises(SpinemetError, match="other settings or of contours that were changed"):
            call()
    state.write_bytes(state.read_bytes()[:200])
    with pytest.raises(SpinemetError, match="damaged; start the training again"):
        train([small_case], config, state=state, resume=True)
    train([small_case], config, state=state)  # without resuming it is replaced


def test_a_full_disk_ends_the_run_with_a_sentence(
    small_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former checkpoint stays."""
    from napari_spinemet.training import checkpoint

    state = tmp_path / "state.safetensors"
    config = _config(epochs=2, batches_per_epoch=1)
    train([small_case], config, state=state)
    before = state.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(SpinemetError, match="No space left"):
        train([small_case], config, state=state)
    assert state.read_bytes() == before
    assert list(tmp_path.iterdir()) == [state]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["blocks", "windows"])
def test_kills_at_random_moments_change_nothing(
    small_case: Case, tmp_path: Path, method: str
) -> None:
    """Killed (SIGKILL) again and again while it trains; the end is that of the whole run.

    Six kills, or half of SPINEMET_TRAINING_KILLS for each method; a run that came to its end
    begins anew.
    """
    series, annotation = small_case
    held = tmp_path / "case.npz"
    np.savez(
        held,
        voxels=series.voxels,
        affine=series.affine,
        lesions=annotation.lesions,
        vertebrae=annotation.vertebrae,
    )
    program = Path(__file__).with_name("interrupted.py")

    def started(state: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, program, held, state, method],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    wanted, err = started(tmp_path / "whole").communicate()
    assert wanted, err
    wanted = wanted.split()[-1]
    rng, kills, ends, state = random.Random(3), 0, 0, tmp_path / "state"
    while kills < max(3, KILLS // 2) or not ends:
        run = started(state)
        assert run.stdout is not None
        assert run.stderr is not None
        # A run that was killed between its last state and its last word has only that to say.
        first = run.stdout.readline()
        if kills < max(3, KILLS // 2):
            time.sleep(rng.uniform(0, 0.25))
            run.send_signal(signal.SIGKILL)
            kills += 1
        told = (first + run.stdout.read()).split()
        err = run.stderr.read()
        run.wait()
        if told and len(told[-1]) == 64:
            assert told[-1] == wanted
            ends += 1
            state.unlink()
        else:
            assert run.returncode == -signal.SIGKILL, err
    print(f"{method}: {kills} kills, {ends} ends, all with the weights of the whole run")


def test_keeping_takes_no_more_than_it_should(small_case: Case, tmp_path: Path) -> None:
    """Once at the end of each epoch, not after each batch, unless a run is slow."""
    times = []
    state = tmp_path / "state.safetensors"

    def listen(event: Event) -> None:
        times.append(state.stat().st_mtime_ns if state.exists() else 0)

    train([small_case], _config(epochs=1, batches_per_epoch=6), state=state, on_event=listen)
    assert run.KEEP_EVERY_S > 10
    assert set(times[:-1]) == {0}


def test_a_timed_run_that_was_stopped_before_it_had_a_plan_makes_one(
    small_case: Case, tmp_path: Path
) -> None:
    """It must not end at once with weights that learned nothing."""
    state, token = tmp_path / "run.state", CancelToken()
    token.cancel()
    given: dict[str, Any] = {"state": state, "seconds": 0.5}
    with pytest.raises(Cancelled):
        train([small_case], _config(), cancel=token, **given)
    assert train([small_case], _config(), resume=True, **given).best_epoch >= 1


def test_a_run_cancelled_while_its_epoch_is_looked_at_counts_it_once(
    small_case: Case, tmp_path: Path
) -> None:
    """The history is that of a run that nobody stopped."""
    state = tmp_path / "run.state"
    whole = train([small_case], _config(), validation=[small_case])

    def stop(*_: Any) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        train([small_case], _config(), validation=[small_case], state=state, after_epoch=stop)
    resumed = train([small_case], _config(), validation=[small_case], state=state, resume=True)
    assert resumed.history == whole.history
    assert resumed.best_epoch == whole.best_epoch


def test_validation_cases_without_a_lesion_judge_nothing(
    small_case: Case,
) -> None:
    """Normal cases may be all that a fold validates on; the last epoch is kept then."""
    series, annotation = small_case
    normal = Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae, {1: "L2"})
    result = train([small_case], _config(), validation=[(series, normal)])
    assert result.error is None
    assert result.best_epoch == _config().epochs
