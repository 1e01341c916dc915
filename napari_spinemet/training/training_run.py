"""A training run: all that changes while a network is trained, and where it is kept."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..network import SiameseNet
from .batches import Batches
from .checkpoint import (
    TrainingState,
    load_training_state,
    pack_optimiser,
    save_training_state,
    stored_fingerprint,
    unpack_optimiser,
)

KEEP_EVERY_S = 30.0
"""Between two checkpoints: writing one takes a few hundredths of a second."""


class TrainingRun:
    """Network, optimiser and random streams of one run.

    Parameters
    ----------
    model : SiameseNet
        On its device.
    optimiser : torch.optim.Optimizer
        Of the model.
    batches : Batches
    rng : numpy.random.Generator
        Draws the batches.
    generator : torch.Generator
        Draws what dropout leaves out.

    Attributes
    ----------
    state : TrainingState
        How far it is.
    best : dict of str to torch.Tensor
        The weights of the best epoch so far.
    """

    def __init__(
        self,
        model: SiameseNet,
        optimiser: torch.optim.Optimizer,
        batches: Batches,
        rng: np.random.Generator,
        generator: torch.Generator,
    ) -> None:
        self._model, self._optimiser = model, optimiser
        self._batches, self._rng, self._generator = batches, rng, generator
        self.state = TrainingState()
        self.best = copy.deepcopy(model.state_dict())
        self._path: Path | None = None
        self._fingerprint = ""
        self._start_time = self._last_write = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time that the run has taken, before and after it was interrupted."""
        return self.state.seconds + time.perf_counter() - self._start_time

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next step."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate

    def keep_at(self, path: Path, fingerprint: str) -> None:
        """Say where checkpoints go; nothing is written yet.

        Parameters
        ----------
        path : Path
        fingerprint : str
            Of settings and data, see :func:`.fingerprint_of`.
        """
        self._path, self._fingerprint = path, fingerprint

    @property
    def is_kept(self) -> bool:
        """Whether the checkpoint that is there is of this run, by its settings and data."""
        return self._path is not None and stored_fingerprint(self._path) == self._fingerprint

    def keep_at_intervals(self) -> None:
        """Write a checkpoint if the last one is old."""
        if time.perf_counter() - self._last_write >= KEEP_EVERY_S:
            self.keep()

    def keep(self) -> None:
        """Write a checkpoint; nothing without a place for it."""
        if self._path is None:
            return
        state = replace(self.state, seconds=self.seconds)
        optimiser, groups = pack_optimiser(self._optimiser)
        tensors = {
            **{f"model.{k}": v for k, v in self._model.state_dict().items()},
            **{f"best.{k}": v for k, v in self.best.items()},
            **optimiser,
            "generator": self._generator.get_state(),
            **{f"batches.{k}": torch.as_tensor(v) for k, v in self._batches.position().items()},
        }
        states = {"groups": groups, "rng": self._rng.bit_generator.state}
        save_training_state(self._path, state, self._fingerprint, tensors, states)
        self._last_write = time.perf_counter()

    def restore(self) -> None:
        """Go back to the last checkpoint."""
        assert self._path is not None
        self.state, tensors, states = load_training_state(self._path, self._fingerprint)

        def part(prefix: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self._model.load_state_dict(part("model."))
        self.best = part("best.")
        unpack_optimiser(self._optimiser, tensors, states["groups"])
        self._generator.set_state(tensors["generator"])
        self._rng.bit_generator.state = states["rng"]
        self._batches.restore({k: v.numpy() for k, v in part("batches.").items()})
