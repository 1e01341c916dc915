"""Batches of densely evaluated blocks.

In the dense form neighbouring windows share almost all of their work: a lattice of working
pixels is evaluated at once, and every pixel of it that may be drawn counts with the weight it
has in the paper's sampling. Its spacing lets poolings keep their stride, so that a block costs
a few windows and says what a sample of its neighbourhood would say in the mean: neighbours a
millimetre apart add work and little else. A block is drawn as one around a sampled location,
that is in proportion to the weight it holds, and its loss is the weighted mean over it; the
expected loss is that of the sampled windows, except that blocks which would stick out of the
slice are moved in, so that what lies next to its border counts a little less.

Beside these, a share of the blocks is drawn in the same way where the network was found to be
wrong (:mod:`.mistakes`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import SpinemetError
from ..imaging.grids import nearest_pixel, resample_labels
from ..imaging.patches import build_pyramid
from ..jobs import CancelToken
from ..network import SiameseNet
from ..network.dense import BranchGrid, branch_grids, dense_scores
from ..network.resident import ResidentPyramid
from .batches import CPU, Cases, Outcome
from .mistakes import far_from_lesions, lesion_likelihood
from .sampling import LESION, PAPER_RULE, SamplingRule, slice_classes

NOTHING_TO_LEARN = "None of the cases has a lesion contour, so there is nothing to learn."


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
    healthy: npt.NDArray[np.bool_]
    """Of the lattice's pixels those that can be mistaken for a lesion."""


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
    mistaken_share : float
        Share of the blocks that are drawn where the network was wrong, once it has been
        looked at, see :meth:`look`.
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
        mistaken_share: float = 0.0,
        side: int = 32,
        spacing: int = 8,
        device: torch.device = CPU,
    ) -> None:
        if model.form != "dense":
            raise SpinemetError("Only the dense form can be trained on blocks; use windows.")
        self._size, self._poolings, self._spacing = size, len(model.blocks), spacing
        self._mistaken_share = mistaken_share
        # Likelihoods of a lesion on the lattice of each slice, 0 to 255; none before a look.
        self._mistaken: list[npt.NDArray[np.uint8]] = []
        self._mistaken_chance = np.zeros(0)
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
            in_plane = series.spacing_mm[1], series.spacing_mm[2]
            away = far_from_lesions(resample_labels(annotation.lesions, in_plane) > 0)
            for position, kinds in enumerate(classes):
                labels = np.full(shape, -1, dtype=np.int8)
                for label, pixels in enumerate(kinds.pixels):
                    labels.ravel()[pixels] = label
                labels = labels[: within[0], : within[1]]
                healthy = (labels >= 0) & away[kinds.slice, : within[0], : within[1]]
                counts = np.array(kinds.counts, dtype=float)
                weights = counts / [max(len(p), 1) for p in kinds.pixels]
                self._slices.append(
                    _Slice(
                        number,
                        position,
                        shape[1],
                        kinds.pixels,
                        labels,
                        weights,
                        counts,
                        healthy[::spacing, ::spacing],
                    )
                )
        self.samples = int(sum(s.counts.sum() for s in self._slices))
        if not self.samples:
            raise SpinemetError(NOTHING_TO_LEARN)
        reach = min(side, *(n - self._period + 1 for shape in shapes for n in shape))
        self._points = max(1, (reach - 1) // spacing + 1)
        mass = np.array([s.counts.sum() for s in self._slices])
        self._chance = mass / mass.sum()

    def draw(self, rng: np.random.Generator, flips: bool) -> BlockBatch:
        """The next batch; ``flips`` mirrors each block up-down and left-right at random."""
        images: list[list[Tensor]] = []
        classes, weights = [], []
        for _ in range(self._size):
            if self._mistaken and rng.random() < self._mistaken_share:
                index = rng.choice(len(self._slices), p=self._mistaken_chance)
                here = self._slices[index]
                block, inside, weight = self._choose_mistaken(here, self._mistaken[index], rng)
            else:
                here = self._slices[rng.choice(len(self._slices), p=self._chance)]
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

    def _choose_mistaken(
        self, here: _Slice, mistaken: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[tuple[slice, slice], npt.NDArray[np.int8], npt.NDArray[np.float64]]:
        """A block around a pixel that was taken for a lesion; all in it count by that."""
        weights = _squared(mistaken)
        while True:
            chosen = int(rng.choice(weights.size, p=weights.ravel() / weights.sum()))
            row, column = (self._spacing * p for p in divmod(chosen, weights.shape[1]))
            height, width = here.classes.shape
            block = self._place(row, height, rng), self._place(column, width, rng)
            # What is known at the lattice holds for the pixels about each of its points.
            rows, columns = (
                np.minimum((np.arange(n)[b] + self._spacing // 2) // self._spacing, m - 1)
                for b, n, m in zip(block, here.classes.shape, weights.shape, strict=True)
            )
            inside = here.classes[block]
            weight = np.where((inside >= 0) & (inside != LESION), weights[rows][:, columns], 0)
            if weight.any():
                return block, inside, weight

    def look(self, model: SiameseNet, device: torch.device, cancel: CancelToken | None) -> None:
        """Find where the network takes healthy tissue for a lesion, to draw more of it.

        Cases without a lesion are looked at too: it is all that is learned from them.
        """
        found = []
        for here in self._slices:
            if cancel is not None:
                cancel.raise_if_cancelled()
            likelihood = lesion_likelihood(
                model,
                self._pyramids[here.case],
                here.position,
                here.classes.shape,
                self._spacing,
                device,
            )
            found.append(np.rint(255 * np.where(here.healthy, likelihood, 0)).astype(np.uint8))
        self._keep_mistaken(found)

    def _keep_mistaken(self, found: list[npt.NDArray[np.uint8]]) -> None:
        mass = np.array([_squared(each).sum() for each in found])
        if mass.any():  # a network that is never wrong leaves what was known before
            self._mistaken, self._mistaken_chance = found, mass / mass.sum()

    def standing(self) -> dict[str, npt.NDArray[np.generic]]:
        """What the network gets wrong; each batch is drawn afresh."""
        flat = [each.ravel() for each in self._mistaken]
        return {"mistaken": np.concatenate(flat) if flat else np.zeros(0, np.uint8)}

    def restore(self, standing: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go back to where batches stood."""
        flat = standing["mistaken"].astype(np.uint8)
        self._mistaken, self._mistaken_chance = [], np.zeros(0)
        if len(flat):
            ends = np.cumsum([here.healthy.size for here in self._slices])
            parts = np.split(flat, ends[:-1])
            shaped = [p.reshape(h.healthy.shape) for p, h in zip(parts, self._slices, strict=True)]
            self._keep_mistaken(shaped)

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


def _squared(likelihood: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """What a mistake weighs: many that are slight shall not outweigh the few that are grave."""
    squares: npt.NDArray[np.float64] = np.square(likelihood.astype(float))
    return squares


def _before_the_end(nearest: npt.NDArray[np.intp], resolution_mm: float) -> int:
    """Leading working pixels whose nearest at a resolution is not past its grid's end.

    The last may have theirs there and take another, out of step with the ones before.
    """
    size = len(nearest)
    return int((nearest == nearest_pixel(size, resolution_mm, available=2**31)).sum())
