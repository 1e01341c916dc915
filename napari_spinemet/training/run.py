"""A training run: all that changes while a network is trained, and where it is kept."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..network import SiameseNet
from .batches import Batches
from .checkpoint import Standing, load_standing, pack_optimiser, save_standing, unpack_optimiser

KEEP_EVERY_S = 30.0
"""Between two checkpoints: writing one takes a few hundredths of a second."""


class Run:
    """Network, optimiser, schedule and random streams of one run.

    Attributes
    ----------
    standing : Standing
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
        self._schedule: torch.optim.lr_scheduler.OneCycleLR | None = None
        self._schedule_state: Any = None
        self._batches, self._rng, self._generator = batches, rng, generator
        self.standing = Standing()
        self.best = copy.deepcopy(model.state_dict())
        self._groups: Any = []
        self._path: Path | None = None
        self._fingerprint = ""
        self._began = self._kept = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time that the run has taken, before and after it was interrupted."""
        return self.standing.seconds + time.perf_counter() - self._began

    def schedule(self, peak: float, total: int) -> None:
        """Let the learning rate rise to its peak and fall again over so many steps."""
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, peak, total_steps=total + 1, cycle_momentum=False
        )
        if self._schedule_state is not None:
            self._schedule.load_state_dict(self._schedule_state)
            # Making the schedule has put the rate back to its start.
            for group, stood in zip(self._optimiser.param_groups, self._groups, strict=True):
                group.update({k: v for k, v in stood.items() if k != "params"})

    def step(self) -> None:
        """One step of the schedule."""
        if self._schedule is not None:
            self._schedule.step()

    def keep_at(self, path: Path, fingerprint: str) -> None:
        """Say where."""
        self._path, self._fingerprint = path, fingerprint

    def keep_at_intervals(self) -> None:
        """Write a checkpoint if the last one is old."""
        if time.perf_counter() - self._kept >= KEEP_EVERY_S:
            self.keep()

    def keep(self) -> None:
        """Write a checkpoint; nothing without a place for it."""
        if self._path is None:
            return
        standing = replace(self.standing, seconds=self.seconds)
        optimiser, groups = pack_optimiser(self._optimiser)
        tensors = {
            **{f"model.{k}": v for k, v in self._model.state_dict().items()},
            **{f"best.{k}": v for k, v in self.best.items()},
            **optimiser,
            "generator": self._generator.get_state(),
            "left": torch.as_tensor(self._batches.left),
        }
        states = {
            "groups": groups,
            "rng": self._rng.bit_generator.state,
            "schedule": self._schedule.state_dict() if self._schedule is not None else None,
        }
        save_standing(self._path, standing, self._fingerprint, tensors, states)
        self._kept = time.perf_counter()

    def restore(self) -> None:
        """Go back to the last checkpoint."""
        assert self._path is not None
        self.standing, tensors, states = load_standing(self._path, self._fingerprint)

        def part(of: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(of): v for k, v in tensors.items() if k.startswith(of)}

        self._model.load_state_dict(part("model."))
        self.best = part("best.")
        unpack_optimiser(self._optimiser, tensors, states["groups"])
        self._groups, self._schedule_state = states["groups"], states["schedule"]
        self._generator.set_state(tensors["generator"])
        self._rng.bit_generator.state = states["rng"]
        self._batches.left = tensors["left"].numpy()
