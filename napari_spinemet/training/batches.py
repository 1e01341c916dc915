"""Batches of training samples, as windows or as densely evaluated blocks.

Windows are the paper's: one location, one window. Blocks are for the dense form, in which
neighbouring windows share almost all of their work: a lattice of working pixels is evaluated
at once, and every pixel of it that may be drawn counts with the weight it has in the paper's
sampling. Its spacing lets poolings keep their stride, so that a block costs a few windows and
says what a sample of its neighbourhood would say in the mean: neighbours a millimetre apart
add work and little else. A block is drawn as one around a sampled location, that is in
proportion to the weight it holds, and its loss is the weighted mean over it; the expected
loss is that of the sampled windows, except that blocks which would stick out of the slice
are moved in, so that what lies next to its border counts a little less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.grids import nearest_pixel
from ..imaging.patches import build_pyramid
from ..network import SiameseNet
from ..network.dense import BranchGrid, branch_grids, dense_scores
from ..network.resident import ResidentPyramid, zscored
from .sampling import PAPER_RULE, SamplingRule, draw_samples, slice_classes

Cases = Sequence[tuple[SagittalSeries, Annotation]]
CPU = torch.device("cpu")
NOTHING_TO_LEARN = "None of the cases has a lesion contour, so there is nothing to learn."


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
    left: npt.NDArray[np.intp]
    """Of those that were put in order, what has not been drawn yet: where a run stands."""

    def draw(self, rng: np.random.Generator, flips: bool) -> Batch:
        """The next batch."""


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
        self.left = np.zeros(0, dtype=np.intp)
        normalisation = None if self._per_patch else model.normalisation
        self._pyramids = [
            ResidentPyramid(
                build_pyramid(series, model.resolutions, model.window, normalisation), device
            )
            for series, _ in cases
        ]

    def draw(self, rng: np.random.Generator, flips: bool) -> WindowBatch:
        """The next batch; ``flips`` mirrors each window up-down and left-right at random."""
        while len(self.left) < self._size:
            self.left = np.concatenate([self.left, rng.permutation(self.samples)])
        chosen, self.left = self.left[: self._size], self.left[self._size :]
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


@dataclass(frozen=True, eq=False)
class _Slice:
    """One slice that is drawn from: where its pixels are and what each weighs."""

    case: int
    position: int
    width: int
    pixels: tuple[npt.NDArray[np.intp], ...]
    classes: npt.NDArray[np.int8]
    weights: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockBatch:
    """Crops of each resolution around blocks, and the class and weight of each pixel."""

    images: list[Tensor]
    grids: list[BranchGrid]
    classes: npt.NDArray[np.int8]
    weights: npt.NDArray[np.float32]

    def evaluate(self, model: SiameseNet, device: torch.device) -> Outcome:
        """Run the dense network on every block."""
        images = [image.to(device) for image in self.images]
        scores = dense_scores(model, images, self.grids)
        drawn = torch.from_numpy(self.weights > 0).to(device)
        classes = torch.from_numpy(self.classes).to(device)
        weights = torch.from_numpy(self.weights).to(device)
        return Outcome(scores.permute(0, 2, 3, 1)[drawn], classes[drawn].long(), weights[drawn])


class BlockBatches:
    """Blocks of the dense form.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    model : SiameseNet
        In dense form.
    size : int
        Blocks in a batch.
    rule : SamplingRule
    side, spacing : int
        A block scores every ``spacing``-th working pixel of a square of ``side`` pixels.
    device : torch.device
        Where the images of all cases lie.
    """

    def __init__(
        self,
        cases: Cases,
        model: SiameseNet,
        size: int,
        rule: SamplingRule = PAPER_RULE,
        *,
        side: int = 32,
        spacing: int = 8,
        device: torch.device = CPU,
    ) -> None:
        if model.form != "dense":
            raise SpinemetError("Only the dense form can be trained on blocks; use windows.")
        self._size, self._poolings, self._spacing = size, len(model.blocks), spacing
        self.left = np.zeros(0, dtype=np.intp)  # each batch is drawn afresh
        # Every block must meet the grids of all resolutions in the same phase to share a batch.
        grids = [Fraction(r).limit_denominator(100) for r in model.resolutions]
        self._period = lcm(*(r.numerator for r in grids if (spacing / r).denominator > 1))
        self._pyramids: dict[int, ResidentPyramid] = {}
        self._slices: list[_Slice] = []
        shapes = []
        for number, (series, annotation) in enumerate(cases):
            classes = slice_classes(annotation, series.spacing_mm, rule)
            if not classes:
                continue
            chosen = [c.slice for c in classes]
            pyramid = build_pyramid(
                series, model.resolutions, model.window, model.normalisation, chosen
            )
            self._pyramids[number] = ResidentPyramid(pyramid, device)
            shape = pyramid.working_shape[1:]
            within = [
                min(_before_the_end(p, r) for p, r in zip(axis, model.resolutions, strict=True))
                for axis in (pyramid.rows, pyramid.columns)
            ]
            shapes.append(within)
            for position, kinds in enumerate(classes):
                labels = np.full(shape, -1, dtype=np.int8)
                for label, pixels in enumerate(kinds.pixels):
                    labels.ravel()[pixels] = label
                counts = np.array(kinds.counts, dtype=float)
                weights = counts / [max(len(p), 1) for p in kinds.pixels]
                self._slices.append(
                    _Slice(
                        number,
                        position,
                        shape[1],
                        kinds.pixels,
                        labels[: within[0], : within[1]],
                        weights,
                        counts,
                    )
                )
        if not self._slices:
            raise SpinemetError(NOTHING_TO_LEARN)
        self.samples = int(sum(s.counts.sum() for s in self._slices))
        reach = min(side, *(n - self._period + 1 for shape in shapes for n in shape))
        self._points = max(1, (reach - 1) // spacing + 1)
        mass = np.array([s.counts.sum() for s in self._slices])
        self._chance = mass / mass.sum()

    def draw(self, rng: np.random.Generator, flips: bool) -> BlockBatch:
        """The next batch; ``flips`` mirrors each block up-down and left-right at random."""
        images: list[list[Tensor]] = []
        classes, weights = [], []
        for index in rng.choice(len(self._slices), self._size, p=self._chance):
            here = self._slices[index]
            block, inside, weight = self._choose(here, rng)
            pyramid = self._pyramids[here.case]
            grids = branch_grids(pyramid.pyramid, self._poolings, *block)
            crops = [
                grid.crop(image[here.position])
                for grid, image in zip(grids, pyramid.images, strict=True)
            ]
            if flips:
                for axis in (0, 1):
                    if rng.random() < 0.5:
                        crops = [c.flip(axis) for c in crops]
                        inside, weight = np.flip(inside, axis), np.flip(weight, axis)
            images.append(crops)
            classes.append(inside)
            weights.append(weight / weight.sum() / self._size)
        stacked = [torch.stack(crops) for crops in zip(*images, strict=True)]
        return BlockBatch(stacked, grids, np.stack(classes), np.stack(weights).astype(np.float32))

    def _choose(
        self, here: _Slice, rng: np.random.Generator
    ) -> tuple[tuple[slice, slice], npt.NDArray[np.int8], npt.NDArray[np.float64]]:
        """A block around a sampled pixel, with the class and weight of each of its pixels."""
        while True:
            label = rng.choice(3, p=here.counts / here.counts.sum())
            pixel = divmod(int(rng.choice(here.pixels[label])), here.width)
            rows, columns = here.classes.shape
            block = self._place(pixel[0], rows, rng), self._place(pixel[1], columns, rng)
            inside = here.classes[block]
            weight = np.where(inside >= 0, here.weights[inside], 0)
            if weight.any():  # not so where a block that was moved in has lost its pixel
                return block, inside, weight

    def _place(self, pixel: int, size: int, rng: np.random.Generator) -> slice:
        """A block in which the pixel has any place of the lattice, within the slice."""
        start = pixel - self._spacing * int(rng.integers(self._points))
        extent = self._spacing * (self._points - 1) + 1
        last = size - extent
        if start < 0 or start > last:
            # Moved in by whole spacings, so that the lattice still meets the pixel.
            start += self._spacing * math.ceil(max(-start, 0) / self._spacing)
            start -= self._spacing * math.ceil(max(start - last, 0) / self._spacing)
        start = min(max(start, 0), last) // self._period * self._period
        return slice(start, start + extent, self._spacing)


def _before_the_end(nearest: npt.NDArray[np.intp], resolution_mm: float) -> int:
    """Leading working pixels whose nearest at a resolution is not past its grid's end.

    The last may have theirs there and take another, out of step with the ones before.
    """
    size = len(nearest)
    return int((nearest == nearest_pixel(size, resolution_mm, available=2**31)).sum())
