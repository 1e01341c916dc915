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
from ..imaging.brightness.marrow_level import MarrowLevel
from ..imaging.patches import build_pyramid
from ..jobs import JobContext
from ..network import SiameseNet
from ..network.device_pyramid import DevicePyramid, zscore_windows
from .sampling import PAPER_RULE, SamplingRule, draw_samples

Cases = Sequence[tuple[SagittalSeries, Annotation]]
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class BatchOutcome:
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

    def evaluate(self, model: SiameseNet, device: torch.device) -> BatchOutcome:
        """Run the network.

        Parameters
        ----------
        model : SiameseNet
            On the device, in training or evaluation mode as the caller has set it.
        device : torch.device
        """


class Batches(Protocol):
    """A source of batches."""

    samples: int
    """Locations that the cases offer."""

    def draw(self, rng: np.random.Generator, flips: bool, variation: float = 0.0) -> Batch:
        """The next batch.

        Parameters
        ----------
        rng : numpy.random.Generator
        flips : bool
            Mirror samples up-down and left-right at random.
        variation : float
            How far samples are varied otherwise, if the source does so; 0 for not at all.
        """

    def look(self, model: SiameseNet, device: torch.device, job: JobContext) -> None:
        """Find what the network gets wrong, to draw more of it.

        Parameters
        ----------
        model : SiameseNet
            In evaluation mode, which the caller sets.
        device : torch.device
        job : JobContext
            Polled now and then.
        """

    def position(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that the batches to come depend on, beside the random stream."""

    def restore(self, position: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go back to where batches stood."""


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """Windows ``(n, resolution, row, column)`` and their labels."""

    windows: Tensor
    labels: npt.NDArray[np.int64]

    def evaluate(self, model: SiameseNet, device: torch.device) -> BatchOutcome:
        """Run the network on every window.

        Parameters
        ----------
        model : SiameseNet
            On the device, in training or evaluation mode as the caller has set it.
        device : torch.device
        """
        scores = model(self.windows.to(device))
        labels = torch.from_numpy(self.labels).to(device)
        weights = torch.full_like(labels, 1 / len(labels), dtype=scores.dtype)
        return BatchOutcome(scores, labels, weights)


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
        self._sampled_locations = draw_samples(cases, rng, rule)
        self.samples = len(self._sampled_locations)
        self._size = size
        self._per_patch = model.form == "patch"
        # Numbers of locations in the order in which they come next.
        self._queue: npt.NDArray[np.intp] = np.zeros(0, dtype=np.intp)
        normalisation = None if self._per_patch else model.normalisation
        self._pyramids = [
            DevicePyramid(
                build_pyramid(
                    series,
                    model.resolutions,
                    model.window,
                    normalisation,
                    marrow=MarrowLevel.of_contours(series, annotation),
                ),
                device,
            )
            for series, annotation in cases
        ]

    def draw(self, rng: np.random.Generator, flips: bool, variation: float = 0.0) -> WindowBatch:
        """The next batch.

        Parameters
        ----------
        rng : numpy.random.Generator
        flips : bool
            Mirror each window up-down and left-right at random.
        variation : float
            Has no effect: windows are not varied otherwise.
        """
        while len(self._queue) < self._size:
            self._queue = np.concatenate([self._queue, rng.permutation(self.samples)])
        numbers, self._queue = self._queue[: self._size], self._queue[self._size :]
        locations = self._sampled_locations.locations[numbers]
        parts, order = [], []
        for case in np.unique(locations[:, 0]):
            of_case = np.flatnonzero(locations[:, 0] == case)
            parts.append(self._pyramids[case].windows(*locations[of_case, 1:].T))
            order.append(of_case)
        windows = torch.cat(parts)
        # Back to the order in which they were drawn.
        drawing_order = torch.as_tensor(np.argsort(np.concatenate(order)), device=windows.device)
        windows = windows[drawing_order]
        if flips:
            for axis in (2, 3):
                is_mirrored = torch.as_tensor(rng.random(len(windows)) < 0.5, device=windows.device)
                windows[is_mirrored] = windows[is_mirrored].flip(axis)
        if self._per_patch:
            windows = zscore_windows(windows)
        return WindowBatch(windows, self._sampled_locations.labels[numbers])

    def look(self, model: SiameseNet, device: torch.device, job: JobContext) -> None:
        """Do nothing: the paper draws its locations once.

        Parameters
        ----------
        model : SiameseNet
        device : torch.device
        job : JobContext
        """

    def position(self) -> dict[str, npt.NDArray[np.generic]]:
        """Of the locations that were put in order, those which have not been drawn yet."""
        return {"left": self._queue}

    def restore(self, position: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go back to where batches stood."""
        self._queue = position["left"].astype(np.intp)
