"""The training loop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..errors import Cancelled, SpinemetError
from ..jobs import (
    UNATTENDED,
    CancelToken,
    Evaluated,
    EventCallback,
    Finished,
    JobContext,
    Started,
)
from ..network import ModelCard, SiameseNet, save_model
from ..network.device_pyramid import choose_image_device
from ..network.devices import translate_torch_error
from .batches import Batches, Cases, WindowBatches
from .blocks import IMAGE_DTYPE, BlockBatches
from .checkpoint import TrainingState, fingerprint_of, stored_fingerprint
from .computation import Computation
from .config import TrainingConfig
from .result import RunOptions, TrainingResult, ranking_score
from .schedule import epochs_in, one_cycle
from .steps import is_finite, make_optimiser, seeded_network, training_step
from .training_run import TrainingRun
from .validation_error import ValidationSamples

TASK = "train"
_TRIAL_STEPS, _WARM_UP_STEPS = 7, 2
"""Steps that are timed before a run of so many minutes; the first ones fill caches."""


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
    on_event: EventCallback | None = None,
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
    checkpoint, start, state, resume, seconds, after_epoch
        See :class:`.RunOptions`.
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

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> affine = np.array([[3.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> lesions = np.zeros((1, 24, 24), dtype=np.uint16)
    >>> lesions[0, 8:14, 8:14] = 1
    >>> voxels = np.random.default_rng(0).normal(size=(1, 24, 24)) + 3 * lesions
    >>> case = (spinemet.SagittalSeries(voxels, affine), spinemet.Annotation(lesions, lesions))
    >>> config = spinemet.TrainingConfig(
    ...     resolutions=(1,), blocks=(1, 1, 1), patch_shape=(15, 15), epochs=2, batches_per_epoch=1,
    ...     batch_size=8, device="cpu",
    ... )
    >>> result = spinemet.train([case], config)
    >>> result.best_epoch, len(result.history)
    (2, 2)
    """
    options = RunOptions(start, seconds, checkpoint, state, resume, after_epoch)
    return train_network(
        cases,
        config or TrainingConfig(),
        validation=validation,
        options=options,
        job=JobContext.of(on_event, cancel),
    )


def train_network(
    cases: Cases,
    config: TrainingConfig,
    *,
    validation: Cases = (),
    options: RunOptions | None = None,
    job: JobContext = UNATTENDED,
) -> TrainingResult:
    """What :func:`train` does, with its settings as values.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    config : TrainingConfig
    validation : sequence of (SagittalSeries, Annotation)
    options : RunOptions, optional
    job : JobContext
        Polled at every batch.
    """
    if config.outputs == 3 and cases and not any(a.vertebrae.any() for _, a in cases):
        raise SpinemetError(
            "None of the cases has vertebra contours, from which a network with three outputs "
            "learns normal bone; draw them under Annotate, or train with two outputs."
        )
    return _Trainer(cases, config, validation, options or RunOptions(), job).train()


def _make_batches(
    cases: Cases,
    model: SiameseNet,
    config: TrainingConfig,
    rng: np.random.Generator,
    device: torch.device,
) -> Batches:
    """The source of batches that the method of training asks for."""
    is_blocks = config.method == "blocks"
    dtype = IMAGE_DTYPE if is_blocks else torch.float32
    home = choose_image_device([series for series, _ in cases], model, device, dtype)
    if not is_blocks:
        return WindowBatches(cases, model, rng, config.batch_size, config.sampling, device=home)
    return BlockBatches(
        cases,
        model,
        config.batch_blocks,
        config.sampling,
        hard_negative_share=config.mistaken_share,
        recoloured_share=config.recoloured_share,
        case_limit=config.case_limit,
        device=home,
    )


class _Trainer:
    """One call of :func:`train`: the network, what it learns from, and how far it is."""

    def __init__(
        self,
        cases: Cases,
        config: TrainingConfig,
        validation: Cases,
        options: RunOptions,
        job: JobContext,
    ) -> None:
        if options.start is not None:
            config = config.starting_from(options.start)
        self._computation = Computation.of(config)
        fingerprint = self._fingerprint_by(cases, validation, options)
        if options.resume and options.state is not None and options.state.is_file():
            former = stored_fingerprint(options.state)
            config = config.as_begun(lambda c: fingerprint(c) == former)
        self._config, self._options, self._job = config, options, job
        device = self._computation.device
        # Dropout draws from this run's own stream, whatever else uses torch.
        self._generator = torch.Generator().manual_seed(config.seed)
        self._model = seeded_network(config, options.start)
        self._rng = np.random.default_rng(config.seed)
        self._batches = _make_batches(cases, self._model, config, self._rng, device)
        # Without a lesion among them there is no error to measure.
        has_lesion = any(a.lesions.any() for _, a in validation)
        self._validation = (
            ValidationSamples(validation, self._model, config) if has_lesion else None
        )
        self._model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = make_optimiser(self._model, config)
        self._optimiser = optimiser
        self._per_epoch = config.batches_per_epoch or max(
            1, self._batches.samples // config.batch_size
        )
        self._run = TrainingRun(self._model, optimiser, self._batches, self._rng, self._generator)
        if options.state is not None:
            self._run.keep_at(options.state, fingerprint(config))

    def _fingerprint_by(
        self, cases: Cases, validation: Cases, options: RunOptions
    ) -> Callable[[TrainingConfig], str]:
        """A hash of all that a run depends on, by its settings."""
        device, is_timed = str(self._computation.device), options.seconds is not None
        weights = options.start.state_dict() if options.start is not None else None

        def fingerprint(config: TrainingConfig) -> str:
            facts = {**config.fingerprint_facts(), "device": device, "timed": is_timed}
            return fingerprint_of(facts, cases, validation, start=weights)

        return fingerprint

    @property
    def _state(self) -> TrainingState:
        return self._run.state

    def train(self) -> TrainingResult:
        """Train to the end, or raise and leave the run where it can be gone on with."""
        options, run = self._options, self._run
        try:
            if options.resume and options.state is not None and options.state.is_file():
                if run.is_kept or not options.replaces_other:
                    run.restore()
                else:
                    self._job.progress(TASK, 0, 1, "begun anew: scans, verdicts or settings differ")
            self._plan()
            self._job.report(Started(TASK, self._per_epoch * self._state.epochs))
            while self._state.epoch <= self._state.epochs and not self._patience_is_over():
                self._train_epoch()
        except Cancelled:
            run.keep()
            raise
        except (RuntimeError, MemoryError) as error:
            raise translate_torch_error(error) from error
        return self._finish()

    def _plan(self) -> None:
        """How many epochs there are: as the settings say, or as many as fit into the time."""
        state, seconds = self._state, self._options.seconds
        if seconds is None:
            state.epochs = self._config.epochs
        elif not state.epochs:  # a run that was cut short before it had a plan has none either
            state.epochs = self._epochs_within(seconds)

    def _train_epoch(self) -> None:
        state = self._state
        length = state.length or self._per_epoch
        share = (1 - state.progress) / (state.epochs - state.epoch + 1)
        title = f"epoch {state.epoch} of {state.epochs}"
        total = self._per_epoch * (state.epochs - 1) + length
        self._look_for_mistakes(title, total)
        self._model.train()
        for number in range(state.batch + 1, length + 1):
            self._job.raise_if_cancelled()
            if self._config.schedule == "one-cycle":
                progress = state.progress + share * (number - 1) / length
                assert self._config.learning_rate is not None  # the settings fill it in
                self._run.set_rate(one_cycle(progress, self._config.learning_rate))
            loss = self._step()
            state.losses.append(loss)
            state.batch = number
            steps_done = (state.epoch - 1) * self._per_epoch + number
            values = {"loss": loss, "samples": float(self._config.batch_size)}
            self._job.progress(TASK, steps_done, total, title, values)
            self._run.keep_at_intervals()
        self._end_epoch(share)

    def _look_for_mistakes(self, title: str, total: int) -> None:
        """Find what the network gets wrong, at equal distances in the run."""
        state, config = self._state, self._config
        # Shares of epochs do not add up to whole numbers exactly.
        due = math.floor(state.progress * (config.looks + 1) + 1e-9) + self._options.looks_first
        if not config.mistaken_share or state.batch != 0 or due <= state.looks:
            return
        steps_done = (state.epoch - 1) * self._per_epoch
        self._job.progress(TASK, steps_done, total, f"{title}: looking for what it gets wrong")
        with self._computation.autocast():
            self._batches.look(self._model.eval(), self._computation.device, self._job)
        state.looks = due

    def _step(self) -> float:
        batch = self._batches.draw(self._rng, self._config.flips, self._config.variation)
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._generator.get_state())
            loss = training_step(
                self._model, batch, self._optimiser, self._computation, self._config.clip_norm
            )
            self._generator.set_state(torch.get_rng_state())
        if not math.isfinite(loss):
            raise _divergence_error(self._state.epoch)
        return loss

    def _end_epoch(self, share: float) -> None:
        """Measure, keep the weights if they are the best, and go on to the next epoch."""
        state, options = self._state, self._options
        values = {"loss": float(np.mean(state.losses))}
        score = float(-state.epoch)
        if self._validation is not None:
            values |= self._validation.measure(self._model, self._computation, self._job)
            if self._config.schedule == "constant" or self._config.patience is not None:
                score = ranking_score(values)
        # The last step may have thrown the weights off after its loss was known.
        if not (all(map(math.isfinite, values.values())) and is_finite(self._model)):
            raise _divergence_error(state.epoch)
        state.history.append(values)
        if score < state.best_score:
            self._run.best = copy.deepcopy(self._model.state_dict())
            state.best_score, state.best_epoch = score, state.epoch
            if options.checkpoint is not None:
                self._save_checkpoint(options.checkpoint)
        epoch = state.epoch
        # Before anything that may be cancelled: what is in the history is over.
        state.epoch, state.batch, state.losses = epoch + 1, 0, []
        state.progress += share
        self._job.report(Evaluated(TASK, epoch, values))
        if options.after_epoch is not None:
            options.after_epoch(self._model.eval(), epoch)
        if options.seconds is not None:
            state.epochs, state.length = epochs_in(
                options.seconds, self._run.seconds, epoch, state.progress, self._per_epoch
            )
        self._run.keep()

    def _patience_is_over(self) -> bool:
        patience, state = self._config.patience, self._state
        return patience is not None and state.epoch - 1 - state.best_epoch >= patience

    def _finish(self) -> TrainingResult:
        model, state = self._model, self._state
        model.load_state_dict(self._run.best)
        model.to("cpu").eval()
        if self._validation is not None and self._validation.has_collapsed(model):
            raise SpinemetError(
                "The run collapsed: the network gives the same answer everywhere; use a smaller "
                "weight decay or learning rate."
            )
        seconds = self._run.seconds
        self._job.report(Finished(TASK, seconds))
        return TrainingResult(
            model, state.best_epoch, state.history, self._batches.samples, seconds, self._config
        )

    def _epochs_within(self, seconds: float) -> int:
        """How many epochs fit into a time, by a few steps of a copy of the network."""
        config = self._config
        trial = copy.deepcopy(self._model).train()
        optimiser, rng = make_optimiser(trial, config), np.random.default_rng(0)
        position = self._batches.position()
        times = []
        try:
            with torch.random.fork_rng(devices=[]):
                for _ in range(_TRIAL_STEPS):
                    self._job.raise_if_cancelled()
                    start_time = time.perf_counter()
                    batch = self._batches.draw(rng, config.flips, config.variation)
                    training_step(trial, batch, optimiser, self._computation, config.clip_norm)
                    times.append(time.perf_counter() - start_time)
        finally:
            self._batches.restore(position)
        epoch_seconds = self._per_epoch * float(np.median(times[_WARM_UP_STEPS:]))
        if self._validation is not None:
            start_time = time.perf_counter()
            self._validation.measure(trial, self._computation, self._job)
            epoch_seconds += time.perf_counter() - start_time
        return max(1, int(seconds / epoch_seconds))

    def _save_checkpoint(self, path: Path) -> None:
        card = ModelCard(
            name=path.stem,
            training={"config": self._config.to_dict(), "finished": False},
            metrics={"history": self._state.history},
        )
        save_model(self._model, path, card)


def _divergence_error(epoch: int) -> SpinemetError:
    return SpinemetError(
        f"The loss was no longer a number in epoch {epoch}; lower the learning rate and start "
        "again."
    )
