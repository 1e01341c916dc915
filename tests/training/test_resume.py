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

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.jobs import CancelToken, Event, JobContext, Progressed
from napari_spinemet.network import SiameseNet
from napari_spinemet.training import TrainingResult, train, training_run
from napari_spinemet.training.loop import train_network
from napari_spinemet.training.result import RunOptions

from .quick_runs import Case, quick_config, weight_bytes

KILLS = int(os.environ.get("SPINEMET_TRAINING_KILLS", "4"))


pytestmark = pytest.mark.usefixtures("few_validation_samples")


def _is_step(event: Event) -> bool:
    return isinstance(event, Progressed) and "loss" in event.values


@pytest.fixture(scope="module")
def whole_runs() -> dict[str, TrainingResult]:
    """Runs that nobody stopped, by kind: each is made once."""
    return {}


@pytest.mark.parametrize(
    ("kind", "stop"),
    [
        *(("blocks", stop) for stop in range(1, 7)),
        *((kind, stop) for kind in ("windows", "adamw") for stop in (1, 3, 5)),
    ],
)
def test_cancelled_and_resumed_is_bit_for_bit_the_same(
    small_case: Case,
    tmp_path: Path,
    whole_runs: dict[str, TrainingResult],
    kind: str,
    stop: int,
) -> None:
    """At the start, within an epoch, between two, at the end; weights, history and best epoch."""
    torch.set_num_threads(1)
    method = "windows" if kind == "windows" else "blocks"
    optimiser = "adamw" if kind == "adamw" else "sgd"
    config = quick_config(epochs=2, method=method, optimiser=optimiser, schedule="one-cycle")
    if kind not in whole_runs:
        whole_runs[kind] = train([small_case], config, validation=[small_case])
    whole = whole_runs[kind]
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
    steps = []
    again = train(
        [small_case],
        config,
        validation=[small_case],
        state=state,
        resume=True,
        on_event=lambda e: steps.append(e.done) if _is_step(e) else None,
    )
    assert steps == list(range(stop + 1, 7))  # nothing is done twice
    assert weight_bytes(again) == weight_bytes(whole)
    assert (again.history, again.best_epoch) == (whole.history, whole.best_epoch)


def test_a_checkpoint_of_another_run_is_refused(small_case: Case, tmp_path: Path) -> None:
    """Other settings, contours that were changed, other weights to start from, a damaged file."""
    state = tmp_path / "state.safetensors"
    config = quick_config(batches_per_epoch=1)
    series, annotation = small_case
    train([small_case], config, state=state)
    train([small_case], config, state=state, resume=True)
    lesions = annotation.lesions.copy()
    lesions[np.nonzero(lesions)[0][0]] = 0
    other = (series, Annotation(lesions, annotation.vertebrae))
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


@pytest.mark.parametrize("is_changed", [False, True])
def test_who_says_so_begins_anew_where_the_data_are_others(
    small_case: Case, tmp_path: Path, *, is_changed: bool
) -> None:
    """As an adaptation does when verdicts came since: the weights are those of a fresh run."""
    torch.set_num_threads(1)
    state, config = tmp_path / "state.safetensors", quick_config(batches_per_epoch=2)
    series, annotation = small_case
    train([small_case], config, state=state)
    nothing = np.zeros(series.shape, dtype=bool)
    nothing[0, 0, 0] = is_changed
    case = (series, replace(annotation, uncertain=nothing)) if is_changed else small_case
    options = RunOptions(state=state, resume=True, replaces_other=True)
    steps: list[int] = []
    job = JobContext.of(lambda e: steps.append(e.done) if _is_step(e) else None, None)
    result = train_network([case], config, options=options, job=job)
    assert bool(steps) == is_changed
    assert weight_bytes(result) == weight_bytes(train([case], config))


def test_a_full_disk_ends_the_run_with_a_sentence(
    small_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former checkpoint stays."""
    from napari_spinemet.training import checkpoint

    state = tmp_path / "state.safetensors"
    config = quick_config(epochs=2, batches_per_epoch=1)
    train([small_case], config, state=state)
    content = state.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", fail)
    with pytest.raises(SpinemetError, match="No space left"):
        train([small_case], config, state=state)
    assert state.read_bytes() == content
    assert list(tmp_path.iterdir()) == [state]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["blocks", "windows"])
def test_kills_at_random_moments_change_nothing(
    small_case: Case, tmp_path: Path, method: str
) -> None:
    """Killed (SIGKILL) again and again while it trains; the end is that of the whole run.

    Four kills, or as many as SPINEMET_TRAINING_KILLS says, half of them for each method; a run
    that came to its end begins anew.
    """
    series, annotation = small_case
    case_file = tmp_path / "case.npz"
    np.savez(
        case_file,
        voxels=series.voxels,
        affine=series.affine,
        lesions=annotation.lesions,
        vertebrae=annotation.vertebrae,
    )
    program = Path(__file__).with_name("interrupted.py")

    def start_run(state: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, program, case_file, state, method],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    expected, err = start_run(tmp_path / "whole").communicate()
    assert expected, err
    expected = expected.split()[-1]
    rng, kills, ends, state = random.Random(3), 0, 0, tmp_path / "state"
    while kills < max(2, KILLS // 2) or not ends:
        run = start_run(state)
        assert run.stdout is not None
        assert run.stderr is not None
        # A run that was killed between its last state and its last word has only that to say.
        first = run.stdout.readline()
        if kills < max(2, KILLS // 2):
            time.sleep(rng.uniform(0, 0.25))
            run.send_signal(signal.SIGKILL)
            kills += 1
        words = (first + run.stdout.read()).split()
        err = run.stderr.read()
        run.wait()
        if words and len(words[-1]) == 64:
            assert words[-1] == expected
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

    train([small_case], quick_config(epochs=1, batches_per_epoch=6), state=state, on_event=listen)
    assert training_run.KEEP_EVERY_S > 10
    assert set(times[:-1]) == {0}


def test_a_timed_run_that_was_stopped_before_it_had_a_plan_makes_one(
    small_case: Case, tmp_path: Path
) -> None:
    """It must not end at once with weights that learned nothing."""
    state, token = tmp_path / "run.state", CancelToken()
    token.cancel()
    options: dict[str, Any] = {"state": state, "seconds": 0.5}
    with pytest.raises(Cancelled):
        train([small_case], quick_config(), cancel=token, **options)
    assert train([small_case], quick_config(), resume=True, **options).best_epoch >= 1


def test_a_run_cancelled_while_its_epoch_is_looked_at_counts_it_once(
    small_case: Case, tmp_path: Path
) -> None:
    """The history is that of a run that nobody stopped."""
    state = tmp_path / "run.state"
    whole = train([small_case], quick_config(), validation=[small_case])

    def stop(*_: Any) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        train([small_case], quick_config(), validation=[small_case], state=state, after_epoch=stop)
    resumed = train([small_case], quick_config(), validation=[small_case], state=state, resume=True)
    assert resumed.history == whole.history
    assert resumed.best_epoch == whole.best_epoch


def test_validation_cases_without_a_lesion_judge_nothing(
    small_case: Case,
) -> None:
    """Normal cases may be all that a fold validates on; the last epoch is kept then."""
    series, annotation = small_case
    normal = Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae, {1: "L2"})
    result = train([small_case], quick_config(), validation=[(series, normal)])
    assert result.error is None
    assert result.best_epoch == quick_config().epochs
