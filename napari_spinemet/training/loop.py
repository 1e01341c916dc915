"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..errors import Cancelled, SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.patches import LocalZScore
from ..jobs import CancelToken, Evaluated, EventCallback, Finished, Progressed, Started
from ..jobs.events import ignore
from ..network import ModelCard, SiameseNet, save_model
from ..network.device_pyramid import home_of_images
from ..network.devices import choose_device, failure_of, reduced_precision
from .batches import Batch, Batches, WindowBatches
from .blocks import KEPT, BlockBatches
from .checkpoint import TrainingState, fingerprint_of
from .config import TrainingConfig
from .schedule import epochs_in, one_cycle
from .training_run import Run
from .validation_error import ValidationSamples, weighted_loss

TASK = "train"
Cases = Sequence[tuple[SagittalSeries, Annotation]]


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a training run gave.

    Attributes
    ----------
    model : SiameseNet
        In evaluation mode, with the weights of the epoch that was kept.
    best_epoch : int
        Which that was, from 1.
    history : list of dict
        For each epoch: ``loss``, and with validation cases ``validation_error`` (share of
        samples on the wrong side of 0.5) and ``validation_loss``.
    samples : int
        Locations that the training cases offer.
    seconds : float
    """

    model: SiameseNet
    best_epoch: int
    history: list[dict[str, float]] = field(default_factory=list)
    samples: int = 0
    seconds: float = 0.0

    @property
    def error(self) -> float | None:
        """Validation error of the epoch that was kept; None without validation cases."""
        return self._best().get("validation_error")

    @property
    def score(self) -> float:
        """What runs are ranked by: that error, and of equal ones the lower loss."""
        best = self._best()
        if "validation_error" not in best:
            return math.inf
        return best["validation_error"] + 1e-6 * best["validation_loss"]

    def _best(self) -> dict[str, float]:
        known = 0 < self.best_epoch <= len(self.history)
        return self.history[self.best_epoch - 1] if known else {}


def train(
    cases: Cases,
    config: TrainingConfig | None = None,
    *,
    validation: Cases = (),
    checkpoint: Path | None = None,
    start: SiameseNet | None = None,
    state: Path | None = None,
    resume: bool = False,
    seconds: float | None = None,
    after_epoch: Callable[[SiameseNet, int], None] | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> TrainingResult:
    """Train a network on contoured cases.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
        At least one with a lesion.
    config : TrainingConfig, optional
    validation : sequence of (SagittalSeries, Annotation)
        The epoch with the lowest error on samples of these is kept; without them, or without a
        lesion among them, the last. So it is with the one-cycle schedule unless there is a
        patience: its last epochs, in which the rate falls to nothing, find what the others
        miss, and the error at 0.5 does not see that.
    checkpoint : Path, optional
        Receives the weights that would be kept after each epoch, whole or not at all.
    start : SiameseNet, optional
        Go on from these weights; the network must be the one that ``config`` describes.
    state : Path, optional
        Where the run is kept after each epoch, every half minute and when it is cancelled,
        see :mod:`.checkpoint`. It is left there at the end.
    resume : bool
        Go on from ``state``, if that is there, to the weights that the run would have had if
        nothing had stopped it: on one processor thread bit for bit.
    seconds : float, optional
        How long training may take, instead of the settings' number of epochs: a few steps are
        timed, as many epochs planned as fit, and the plan corrected after each.
    after_epoch : callable, optional
        Gets the network, in evaluation mode, and the number of the epoch; it must leave both
        as they are.
    on_event : callable, optional
        Receives :mod:`~napari_spinemet.jobs` events.
    cancel : CancelToken, optional
        Polled at every batch.

    Returns
    -------
    TrainingResult

    Raises
    ------
    SpinemetError
        If there is nothing to learn from, none of the cases has vertebra contours for the third
        output, the loss is no longer a number, the device ran out
        of memory, the outputs no longer vary (collapse), or ``state`` is of another run.
    Cancelled
        If the token was raised; the checkpoint of the last whole epoch remains.
    """
    config = config or TrainingConfig()
    if config.outputs == 3 and cases and not any(a.vertebrae.any() for _, a in cases):
        raise SpinemetError(
            "None of the cases has vertebra contours, from which a network with three outputs "
            "learns normal bone; draw them under Annotate, or train with two outputs."
        )
    device = choose_device(config.device)
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = network_of(config)
    if start is not None:
        if start.configuration() != model.configuration():
            raise SpinemetError(
                "The model to start from is another network than the one to be trained; choose one "
                "with the same form, resolutions and outputs, or start from nothing."
            )
        model.load_state_dict(start.state_dict())
    rng = np.random.default_rng(config.seed)
    kept = KEPT if config.method == "blocks" else torch.float32
    home = home_of_images([series for series, _ in cases], model, device, kept)
    batches: Batches = (
        BlockBatches(
            cases,
            model,
            config.batch_blocks,
            config.sampling,
            mistaken_share=config.mistaken_share,
            device=home,
        )
        if config.method == "blocks"
        else WindowBatches(cases, model, rng, config.batch_size, config.sampling, device=home)
    )
    # Without a lesion among them there is no error to measure.
    judged_by = validation if any(a.lesions.any() for _, a in validation) else ()
    judge = ValidationSamples(judged_by, model, config) if judged_by else None
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    rate = config.learning_rate
    assert rate is not None  # the settings fill it in
    optimiser = make_optimiser(model, config)
    per_epoch = config.batches_per_epoch or max(1, batches.samples // config.batch_size)
    reduced = reduced_precision(config.precision, device)
    run = Run(model, optimiser, batches, rng, generator)
    if state is not None:
        facts = {**config.to_dict(), "device": str(device), "timed": seconds is not None}
        weights = start.state_dict() if start is not None else None
        run.keep_at(state, fingerprint_of(facts, cases, validation, start=weights))
    goes_on = resume and state is not None and state.is_file()
    try:
        if goes_on:
            run.restore()
        here = run.standing
        if seconds is None:
            here.epochs = config.epochs
        elif not here.epochs:  # a run that was cut short before it had a plan has none either
            here.epochs = _epochs_within(
                seconds, per_epoch, model, batches, judge, config, device, reduced, cancel
            )
        on_event(Started(TASK, per_epoch * here.epochs))
        while here.epoch <= here.epochs and not _patience_is_over(here, config):
            length = here.length or per_epoch
            total = per_epoch * (here.epochs - 1) + length
            ahead = (1 - here.progress) / (here.epochs - here.epoch + 1)
            # Shares of epochs do not add up to whole numbers exactly.
            due = math.floor(here.progress * (config.looks + 1) + 1e-9)
            told = f"epoch {here.epoch} of {here.epochs}"
            if config.mistaken_share and here.batch == 0 and due > here.looks:
                done = (here.epoch - 1) * per_epoch
                on_event(Progressed(TASK, done, total, f"{told}: looking for what it gets wrong"))
                with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
                    batches.look(model.eval(), device, cancel)
                here.looks = due
            model.train()
            for number in range(here.batch + 1, length + 1):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                if config.schedule == "one-cycle":
                    run.set_rate(one_cycle(here.progress + ahead * (number - 1) / length, rate))
                batch = batches.draw(rng, config.flips, config.variation)
                with torch.random.fork_rng(devices=[]):
                    # Dropout draws from this run's own stream, whatever else uses torch.
                    torch.set_rng_state(generator.get_state())
                    loss = training_step(model, batch, optimiser, device, reduced, config.clip_norm)
                    generator.set_state(torch.get_rng_state())
                if not math.isfinite(loss):
                    raise _diverged(here.epoch)
                here.losses.append(loss)
                here.batch = number
                done = (here.epoch - 1) * per_epoch + number
                on_event(
                    Progressed(
                        TASK,
                        done,
                        total,
                        told,
                        {"loss": loss, "samples": float(config.batch_size)},
                    )
                )
                run.keep_at_intervals()
            values = {"loss": float(np.mean(here.losses))}
            score = float(-here.epoch)
            if judge is not None:
                values |= judge.judge(model, device, reduced, cancel)
                if config.schedule == "constant" or config.patience is not None:
                    score = values["validation_error"] + 1e-6 * values["validation_loss"]
            # The last step may have thrown the weights off after its loss was known.
            if not (all(map(math.isfinite, values.values())) and _finite(model)):
                raise _diverged(here.epoch)
            here.history.append(values)
            if score < here.best_score:
                run.best = copy.deepcopy(model.state_dict())
                here.best_score, here.best_epoch = score, here.epoch
                if checkpoint is not None:
                    _save_checkpoint(model, checkpoint, config, here.history)
            judged = here.epoch
            # Before anything that may be cancelled: what is in the history is over.
            here.epoch, here.batch, here.losses = here.epoch + 1, 0, []
            here.progress += ahead
            on_event(Evaluated(TASK, judged, values))
            if after_epoch is not None:
                after_epoch(model.eval(), judged)
            if seconds is not None:
                here.epochs, here.length = epochs_in(
                    seconds, run.seconds, judged, here.progress, per_epoch
                )
            run.keep()
    except Cancelled:
        run.keep()
        raise
    except (RuntimeError, MemoryError) as error:
        raise failure_of(error) from error
    model.load_state_dict(run.best)
    model.to("cpu").eval()
    if judge is not None and judge.collapsed(model):
        raise SpinemetError(
            "The run collapsed: the network gives the same answer everywhere; use a smaller "
            "weight decay or learning rate."
        )
    on_event(Finished(TASK, run.seconds))
    return TrainingResult(model, here.best_epoch, here.history, batches.samples, run.seconds)


def _epochs_within(
    seconds: float,
    per_epoch: int,
    model: SiameseNet,
    batches: Batches,
    judge: ValidationSamples | None,
    config: TrainingConfig,
    device: torch.device,
    reduced: bool,
    cancel: CancelToken | None,
) -> int:
    """How many epochs fit into a time, by a few steps of a copy of the network."""
    trial = copy.deepcopy(model).train()
    optimiser, rng = make_optimiser(trial, config), np.random.default_rng(0)
    standing = batches.standing()
    times = []
    try:
        with torch.random.fork_rng(devices=[]):
            for _ in range(7):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                began = time.perf_counter()
                batch = batches.draw(rng, config.flips, config.variation)
                training_step(trial, batch, optimiser, device, reduced, config.clip_norm)
                times.append(time.perf_counter() - began)
    finally:
        batches.restore(standing)
    epoch = per_epoch * float(np.median(times[2:]))  # the first ones fill caches
    if judge is not None:
        began = time.perf_counter()
        judge.judge(trial, device, reduced, cancel)
        epoch += time.perf_counter() - began
    return max(1, int(seconds / epoch))


def _patience_is_over(here: TrainingState, config: TrainingConfig) -> bool:
    return config.patience is not None and here.epoch - 1 - here.best_epoch >= config.patience


def _diverged(epoch: int) -> SpinemetError:
    return SpinemetError(
        f"The loss was no longer a number in epoch {epoch}; lower the learning rate and start "
        "again."
    )


def _finite(model: nn.Module) -> bool:
    return all(bool(v.isfinite().all()) for v in model.state_dict().values())


def network_of(config: TrainingConfig) -> SiameseNet:
    """The network that a run of these settings trains, with its first weights."""
    return SiameseNet(
        config.resolutions,
        config.form,
        config.blocks,
        config.outputs,
        patch_shape=config.patch_shape,
        normalisation=LocalZScore(config.zscore_sigma_mm),
    )


def make_optimiser(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Stochastic gradient descent with the settings' rate, momentum and weight decay."""
    rate = config.learning_rate
    assert rate is not None  # the settings fill it in
    groups = _parameter_groups(model, config.weight_decay)
    return torch.optim.SGD(groups, lr=rate, momentum=config.momentum)


def training_step(
    model: SiameseNet,
    batch: Batch,
    optimiser: torch.optim.Optimizer,
    device: torch.device,
    reduced: bool,
    clip_norm: float | None,
) -> float:
    """One step of descent on a batch; gives its loss."""
    with torch.autocast(device.type, torch.bfloat16, enabled=reduced):
        outcome = batch.evaluate(model, device)
    loss = weighted_loss(outcome, model.outputs)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimiser.step()
    return float(loss.detach())


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """The penalty is on weights of convolutions and fully connected layers only."""
    weights = [p for p in model.parameters() if p.dim() > 1]
    shifts = [p for p in model.parameters() if p.dim() <= 1]
    return [
        {"params": weights, "weight_decay": weight_decay},
        {"params": shifts, "weight_decay": 0.0},
    ]


def _save_checkpoint(
    model: SiameseNet, path: Path, config: TrainingConfig, history: list[dict[str, float]]
) -> None:
    card = ModelCard(
        name=path.stem,
        training={"config": config.to_dict(), "finished": False},
        metrics={"history": history},
    )
    save_model(model, path, card)
