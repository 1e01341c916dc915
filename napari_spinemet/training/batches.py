"""Batches of training samples, and the paper's: one location, one window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..imaging import Annotation, SagittalSeries
from ..imaging.patches import build_pyramid
from ..jobs import JobContext
from ..network import SiameseNet
from ..network.device_pyramid import DevicePyramid, zscored
from .sampling import PAPER_RULE, SamplingRule, draw_samples

Cases = Sequence[tuple[SagittalSeries, Annotation]]
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a network says of a batch.

    Attributes
    ----------
    scores : torch.Tensor
        ``(n, outputs)``.
    labels : torch.Tensor
        ``(n,)``: 0 neither, 1 lesion, 2 normal vertebra.
    weights : torch.Tensor
        ``(n,)``, summing to 1.
    """

    scores: Tensor
    labels: Tensor
    weights: Tensor


class Batch(Protocol):
    """Something that a network can be evaluated on."""

    def evaluate(self, model: SiameseNet, device: torch.device) -> Outcome:
        """Run the network."""


class Batches(Protocol):
    """A source of batches."""

    samples: int
    """Locations that the cases offer."""

    def draw(self, rng: np.random.Generator, flips: bool, variation: float = 0.0) -> Batch:
        """The next batch."""

    def look(self, model: SiameseNet, device: torch.device, job: JobContext) -> None:
        """Find what the network, in evaluation mode, gets wrong, to draw more of it."""

    def position(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that the batches to come depend on, beside the random stream."""

    def restore(self, position: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go back to where batches stood."""


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows ``(n, resolution, row, column)`` and their labels."""

    windows: Tensor
    labels: npt.NDArray[np.int64]

    def evaluate(self, model: SiameseNet, device: torch.device) -> Outcome:
        """Run the network on every window."""
        scores = model(self.windows.to(device))
        labels = torch.from_numpy(self.labels).to(device)
        return Outcome(scores, labels, torch.full_like(labels, 1 / len(labels), dtype=scores.dtype))


class WindowBatches:
    """The paper's batches: sampled locations, each once in random order, then again.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    model : SiameseNet
        Says which windows and which normalisation.
    rng : numpy.random.Generator
        Draws the locations.
    size : int
        Windows in a batch.
    rule : SamplingRule
    device : torch.device
        Where the images of all cases lie and windows are cut.
    """

    def __init__(
        self,
        cases: Cases,
        model: SiameseNet,
        rng: np.random.Generator,
        size: int,
        rule: SamplingRule = PAPER_RULE,
        *,
        device: torch.device = CPU,
    ) -> None:
        drawn = draw_samples(cases, rng, rule)
        self.samples = len(drawn)
        self._drawn, self._size = drawn, size
        self._per_patch = model.form == "patch"
        self._left: npt.NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        normalisation = None if self._per_patch else model.normalisation
        self._pyramids = [
            DevicePyramid(
                build_pyramid(series, model.resolutions, model.window, normalisation), device
            )
            for series, _ in cases
        ]

    def draw(self, rng: np.random.Generator, flips: bool, variation: float = 0.0) -> WindowBatch:
        """The next batch; ``flips`` mirrors each window up-down and left-right at random.

        Windows are not varied otherwise.
        """
        while len(self._left) < self._size:
            self._left = np.concatenate([self._left, rng.permutation(self.samples)])
        chosen, self._left = self._left[: self._size], self._left[self._size :]
        locations = self._drawn.locations[chosen]
        parts, order = [], []
        for case in np.unique(locations[:, 0]):
            mine = np.flatnonzero(locations[:, 0] == case)
            parts.append(self._pyramids[case].windows(*locations[mine, 1:].T))
            order.append(mine)
        windows = torch.cat(parts)
        # Back to the order in which they were drawn.
        place = torch.as_tensor(np.argsort(np.concatenate(order)), device=windows.device)
        windows = windows[place]
        if flips:
            for axis in (2, 3):
                half = rng.random(len(windows)) < 0.5
                mirrored = torch.as_tensor(half, device=windows.device)
                windows[mirrored] = windows[mirrored].flip(axis)
        if self._per_patch:
            windows = zscored(windows)
        return WindowBatch(windows, self._drawn.labels[chosen])

    def look(self, model: SiameseNet, device: torch.device, job: JobContext) -> None:
        """Nothing: the paper draws its locations once."""

    def position(self) -> dict[str, npt.NDArray[np.generic]]:
        """Of the locations that were put in order, those which have not been drawn yet."""
        return {"left": self._left}

    def restore(self, position: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go back to where batches stood."""
        self._left = position["left"].astype(np.intp)
