"""Training runs: reproducible, cancellable, and honest when they fail."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.jobs import (
    CancelToken,
    Evaluated,
    Event,
    Finished,
    JobContext,
    Progressed,
    Started,
)
from napari_spinemet.network import load_card, load_model
from napari_spinemet.training import TrainingConfig, loop, train
from napari_spinemet.training.loop import train_network
from napari_spinemet.training.result import RunOptions

from .quick_runs import Case, quick_config, weight_bytes


@pytest.mark.parametrize("method", ["blocks", "windows"])
def test_the_same_seed_gives_the_same_network_bit_for_bit(small_case: Case, method: str) -> None:
    """Whatever torch's own stream is at, which the run leaves as it was; another seed differs."""
    torch.manual_seed(1)
    one = train([small_case], quick_config(method=method))
    torch.manual_seed(2)
    stream = torch.get_rng_state()
    same = train([small_case], quick_config(method=method))
    assert torch.equal(torch.get_rng_state(), stream)
    other = train([small_case], quick_config(method=method, seed=1))
    assert weight_bytes(one) == weight_bytes(same)
    assert one.history == same.history
    assert weight_bytes(one) != weight_bytes(other)


def _count_parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_network_learns_what_is_plain_to_see(small_case: Case) -> None:
    """On a bright lesion in noise the loss falls to less than half within 30 batches."""
    losses = []

    def listen(event: Event) -> None:
        if isinstance(event, Progressed):
            losses.append(event.values["loss"])

    train(
        [small_case],
        quick_config(
            method="windows", batches_per_epoch=30, batch_size=24, outputs=2, background="centre"
        ),
        on_event=listen,
    )
    assert np.mean(losses[-8:]) < np.mean(losses[:2]) / 2


@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
def test_a_run_reports_its_course(small_case: Case, tmp_path: Path, schedule: str) -> None:
    """Started, each batch, each epoch's figures, finished; the epoch that is kept is on disk.

    At a constant rate it is the one with the lowest error, else the last, whose rate is lowest.
    """
    events: list[Event] = []
    result = train(
        [small_case],
        quick_config(epochs=2, batches_per_epoch=2, method="windows", schedule=schedule),
        validation=[small_case],
        checkpoint=tmp_path / "best.safetensors",
        on_event=events.append,
    )
    kinds = [type(e) for e in events]
    epoch = [Progressed, Progressed, Evaluated]
    assert kinds == [Started, *epoch, *epoch, Finished]
    assert {e.task for e in events} == {"train"}
    assert events[0] == Started("train", 4)
    progressed = [e for e in events if isinstance(e, Progressed)]
    assert [(e.done, e.total) for e in progressed] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    evaluated = [e for e in events if isinstance(e, Evaluated)]
    assert [e.step for e in evaluated] == [1, 2]
    assert [dict(e.values) for e in evaluated] == result.history
    assert set(result.history[0]) == {"loss", "validation_error", "validation_loss"}
    assert 0 <= result.history[0]["validation_error"] <= 1

    errors = [(h["validation_error"] + 1e-6 * h["validation_loss"]) for h in result.history]
    assert result.best_epoch == (1 + int(np.argmin(errors)) if schedule == "constant" else 2)
    assert result.samples == 127  # 64 lesion pixels, and 21 others in each of three slices
    stored = load_model(tmp_path / "best.safetensors").state_dict()
    for name, tensor in result.model.state_dict().items():
        assert torch.equal(stored[name], tensor)
    card = load_card(tmp_path / "best.safetensors")
    assert card.training["config"]["seed"] == 0
    assert len(card.metrics["history"]) == result.best_epoch
    assert not result.model.training


def test_cancelling_stops_before_the_next_batch(small_case: Case, tmp_path: Path) -> None:
    """Cancelled is raised within one batch; the former checkpoint keeps every byte."""
    former = tmp_path / "best.safetensors"
    former.write_bytes(b"the former model")
    token, events = CancelToken(), []

    def listen(event: Event) -> None:
        events.append(event)
        if isinstance(event, Progressed):
            token.cancel()

    with pytest.raises(Cancelled):
        train(
            [small_case],
            quick_config(batches_per_epoch=5),
            checkpoint=former,
            on_event=listen,
            cancel=token,
        )
    assert [type(e) for e in events] == [Started, Progressed]
    assert former.read_bytes() == b"the former model"
    assert list(tmp_path.iterdir()) == [former]


def test_a_run_cancelled_before_it_starts_does_nothing(small_case: Case) -> None:
    """Not even one batch."""
    token, events = CancelToken(), []
    token.cancel()
    with pytest.raises(Cancelled):
        train([small_case], quick_config(), on_event=events.append, cancel=token)
    assert not any(isinstance(e, Progressed) for e in events)


def test_without_a_lesion_there_is_nothing_to_learn(small_case: Case) -> None:
    """No cases and healthy cases are one sentence."""
    series, annotation = small_case
    healthy = (series, Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae))
    for method in ("blocks", "windows"):
        config = quick_config(method=method)
        for cases in ([], [healthy]):
            with pytest.raises(SpinemetError, match="nothing to learn"):
                train(cases, config)


def test_a_loss_that_is_no_number_ends_the_run(
    small_case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the batch where it happens, with the epoch and what to do; nothing is written."""
    step, calls = loop.training_step, []

    def step_then_nan(*arguments: Any) -> float:
        calls.append(1)
        return step(*arguments) if len(calls) < 2 else math.nan

    monkeypatch.setattr(loop, "training_step", step_then_nan)
    with pytest.raises(SpinemetError, match=r"no longer a number in epoch 1; lower the learning"):
        train([small_case], quick_config(), checkpoint=tmp_path / "best.safetensors")
    assert len(calls) == 2
    assert not list(tmp_path.iterdir())


def test_weights_that_ran_away_are_never_a_result(small_case: Case, tmp_path: Path) -> None:
    """An absurd rate ends in an error, and what is on disk by then can be loaded."""
    config = quick_config(
        learning_rate=10.0,
        clip_norm=None,
        schedule="constant",
        weight_decay=10.0,
        batches_per_epoch=1,
        epochs=60,
    )
    with pytest.raises(SpinemetError):
        train([small_case], config, checkpoint=tmp_path / "best.safetensors")
    if (tmp_path / "best.safetensors").exists():
        load_model(tmp_path / "best.safetensors")  # refuses weights that are not finite


def test_weights_that_are_not_finite_after_the_last_step_end_the_run(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss was a number, but the step it led to was not."""
    step = loop.training_step

    def poison(model: Any, *arguments: Any) -> float:
        loss = step(model, *arguments)
        with torch.no_grad():
            model.score.bias[0] = math.inf
        return loss

    monkeypatch.setattr(loop, "training_step", poison)
    with pytest.raises(SpinemetError, match="no longer a number"):
        train([small_case], quick_config(batches_per_epoch=1))


def test_a_failure_inside_torch_is_one_sentence(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graphics card that is full is something the user can mend."""

    def run_out_of_memory(*_: Any) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    monkeypatch.setattr(loop, "training_step", run_out_of_memory)
    with pytest.raises(SpinemetError, match="graphics card ran out of memory"):
        train([small_case], quick_config())


def test_a_network_that_says_the_same_everywhere_has_collapsed(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported as such and not as a result."""
    step = loop.training_step

    def flatten(model: Any, *arguments: Any) -> float:
        loss = step(model, *arguments)
        with torch.no_grad():
            model.score.weight.zero_()
        return loss

    monkeypatch.setattr(loop, "training_step", flatten)
    with pytest.raises(SpinemetError, match="collapsed"):
        train(
            [small_case],
            quick_config(batches_per_epoch=1, method="windows"),
            validation=[small_case],
        )


def test_training_stops_when_patience_ends(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two epochs without a lower error, and the best epoch's weights are given."""
    errors = iter([0.4, 0.2, 0.3, 0.25, 0.1])
    weights: list[torch.Tensor] = []

    class ValidationSamples:
        def __init__(self, *_: Any) -> None: ...

        def measure(self, model: Any, *_: Any) -> dict[str, float]:
            weights.append(model.score.weight.detach().clone())
            return {"validation_error": next(errors), "validation_loss": 1.0}

        def has_collapsed(self, _: Any) -> bool:
            return False

    monkeypatch.setattr(loop, "ValidationSamples", ValidationSamples)
    result = train(
        [small_case],
        quick_config(epochs=9, batches_per_epoch=1, patience=2, method="windows"),
        validation=[small_case],
    )
    assert len(result.history) == 4
    assert result.best_epoch == 2
    assert torch.equal(result.model.score.weight, weights[1])
    assert not torch.equal(weights[1], weights[3])


def test_weight_decay_is_on_weights_only(small_case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions and connected layers; shifts and biases are free. lambda counts twice."""
    optimisers = []

    class Spy(torch.optim.SGD):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            optimisers.append(self)

    monkeypatch.setattr(torch.optim, "SGD", Spy)
    config = TrainingConfig.paper(
        regularisation=0.01, epochs=1, batches_per_epoch=1, batch_size=4, device="cpu"
    )
    result = train([small_case], config)
    penalised, free = optimisers[0].param_groups
    assert (penalised["weight_decay"], free["weight_decay"]) == (0.02, 0.0)
    assert all(p.dim() == 4 for p in penalised["params"])
    assert all(p.dim() == 1 for p in free["params"])
    n_weights = sum(p.numel() for g in optimisers[0].param_groups for p in g["params"])
    assert n_weights == _count_parameters(result.model) == 733_410
    assert {g["momentum"] for g in optimisers[0].param_groups} == {0.9}
    assert {g["lr"] for g in optimisers[0].param_groups} == {0.06}
    assert result.model.form == "patch"


def test_the_patch_form_trains(small_case: Case) -> None:
    """On windows; every layer moves away from its start."""
    config = quick_config(form="patch", method="windows", batches_per_epoch=2, outputs=2)
    result = train([small_case], config)
    torch.manual_seed(config.seed)
    start = loop.SiameseNet(config.resolutions, "patch", config.blocks, 2).state_dict()
    assert all(
        not torch.equal(start[n], t)
        for n, t in result.model.state_dict().items()
        if n.endswith("weight")
    )
    assert math.isfinite(result.history[0]["loss"])


def test_the_whole_network_trains_on_blocks(small_case: Case) -> None:
    """Three resolutions and three outputs, as it is by default."""
    config = TrainingConfig(
        epochs=1,
        batches_per_epoch=1,
        method="blocks",
        batch_size=8,
        device="cpu",
        precision="float32",
    )
    result = train([small_case], config)
    assert _count_parameters(result.model) == 733_410 + 129
    assert math.isfinite(result.history[0]["loss"])


def _clock(monkeypatch: pytest.MonkeyPatch, cost: float) -> tuple[list[float], list[float]]:
    """A clock that steps alone move: by 1 s in the first seven, by ``cost`` from then on.

    Gives the time and the rate of each step, as they come.
    """
    clock, rates = [0.0], list[float]()

    def step(_: Any, batch: Any, optimiser: Any, *rest: Any) -> float:
        clock[0] += 1.0 if len(rates) < 7 else cost
        rates.append(optimiser.param_groups[0]["lr"])
        return 1.0

    monkeypatch.setattr(loop, "training_step", step)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    return clock, rates


def test_a_run_of_so_many_seconds_takes_them(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps take twice as long as those that were timed at first; the plan is corrected.

    By a clock that only training steps move: of 100 seconds 95 to 105 are taken, and
    the rate has come down at the end as in a run whose length was known.
    """
    clock, rates = _clock(monkeypatch, 2.0)
    result = train([small_case], quick_config(batches_per_epoch=5), seconds=100)
    assert 95 <= clock[0] <= 105
    # Seven seconds went into the first plan, ninety into nine epochs; a short one ends it.
    assert len(result.history) == 10
    shares = np.array(rates[7:]) / 0.02
    assert shares[0] == pytest.approx(1 / 25)
    assert shares.max() > 0.9
    assert np.all(np.diff(shares[shares.argmax() :]) < 0)
    assert shares[-1] < 0.02


def test_a_run_that_is_far_too_slow_still_lowers_its_rate(
    small_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first of two planned epochs nearly all time is over: a short one ends the run."""
    _, rates = _clock(monkeypatch, 1.8)
    result = train([small_case], quick_config(batches_per_epoch=50), seconds=110)
    assert len(result.history) == 2
    # 97 seconds are over after the first epoch: of the next 13 / 97 are done.
    assert len(rates) == 7 + 50 + round(50 * 13 / 97)
    assert rates[-1] < 0.1 * max(rates)


def test_looks_come_at_equal_distances(small_case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four in ten epochs: before the third, fifth, seventh and ninth."""
    epochs: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, Progressed) and "wrong" in event.message:
            epochs.append(event.message.split()[1])

    monkeypatch.setattr(loop, "training_step", lambda *_: 1.0)
    train([small_case], quick_config(epochs=10, batches_per_epoch=1), on_event=note)
    assert epochs == ["3", "5", "7", "9"]
    epochs.clear()
    config = quick_config(epochs=10, batches_per_epoch=1)
    options = RunOptions(looks_first=True)
    train_network([small_case], config, options=options, job=JobContext(note))
    assert epochs == ["1", "3", "5", "7", "9"], "one that was trained before has mistakes at once"


def test_an_unknown_device_is_refused(small_case: Case) -> None:
    """In a sentence, not as torch says it."""
    with pytest.raises(SpinemetError, match="'abacus' is not available"):
        train([small_case], quick_config(device="abacus"))
