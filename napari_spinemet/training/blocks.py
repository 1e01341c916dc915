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
from scipy import ndimage
from torch import Tensor

from ..errors import SpinemetError
from ..imaging.grids import nearest_pixel, resample_labels
from ..imaging.patches import build_pyramid
from ..jobs import JobContext
from ..network import SiameseNet
from ..network.dense import BranchGrid, branch_grids, dense_scores
from ..network.device_pyramid import DevicePyramid
from .batches import CPU, Cases, Outcome
from .hard_negatives import far_from_lesions, lesion_likelihood
from .sampling import PAPER_RULE, SamplingRule, slice_classes
from .variation import Variation

FloatArray = npt.NDArray[np.float64]
_TRIES = 1000
POINTS, LEAST_SPACING = 4, 8
KEPT = torch.float16
"""How the images of all cases are kept. They are z-scores: three digits say more than their noise,
and memory holds nearly twice as many cases as in float32."""
NOTHING_TO_LEARN = "None of the cases has a lesion contour, so there is nothing to learn."


@dataclass(frozen=True, eq=False)
class _Slice:
    """One slice that is drawn from: where its pixels are and what each weighs."""

    case: int
    position: int
    width: int
    pixels: tuple[npt.NDArray[np.int32], ...]
    classes: npt.NDArray[np.int8]
    weights: FloatArray
    counts: FloatArray
    healthy: npt.NDArray[np.bool_]
    """Pixels that can be mistaken for a lesion."""


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
    points, spacing : int
        A block scores ``points`` times ``points`` working pixels, so many apart; by default
        what :func:`lattice_spacing` finds.
    device : torch.device
        Where the images of all cases lie.
    kept : torch.dtype
        As what they lie there; blocks are float32.
    """

    def __init__(
        self,
        cases: Cases,
        model: SiameseNet,
        size: int,
        rule: SamplingRule = PAPER_RULE,
        *,
        mistaken_share: float = 0.0,
        points: int = POINTS,
        spacing: int | None = None,
        device: torch.device = CPU,
        kept: torch.dtype = KEPT,
    ) -> None:
        if model.form != "dense":
            raise SpinemetError("Only the dense form can be trained on blocks; use windows.")
        self._size, self._poolings = size, len(model.blocks)
        self._spacing = spacing = lattice_spacing(model) if spacing is None else spacing
        self._mistaken_share = mistaken_share
        # Likelihoods of a lesion on the lattice of each slice, 0 to 255; none before a look.
        self._mistaken: list[npt.NDArray[np.uint8]] = []
        self._mistaken_chance = np.zeros(0)
        # Every block must meet the grids of all resolutions in the same phase to share a batch.
        grids = [Fraction(r).limit_denominator(100) for r in model.resolutions]
        self._period = lcm(*(r.numerator for r in grids if (spacing / r).denominator > 1))
        self._pyramids: dict[int, DevicePyramid] = {}
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
            self._pyramids[number] = DevicePyramid(pyramid, device, kept)
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
                        tuple(p.astype(np.int32) for p in kinds.pixels),
                        labels,
                        weights,
                        counts,
                        healthy,
                    )
                )
        self.samples = int(sum(s.counts.sum() for s in self._slices))
        if not self.samples:
            raise SpinemetError(NOTHING_TO_LEARN)
        extent = (points - 1) * spacing + 1
        reach = min(extent, *(n - self._period + 1 for shape in shapes for n in shape))
        self._points = max(1, (reach - 1) // spacing + 1)
        self._balance(1.0)

    def _balance(self, normal: float) -> None:
        """Draw so much of what the rule says of normal locations, and all of lesions."""
        self._parts = np.array([normal, 1.0, normal])
        mass = np.array([(s.counts * self._parts).sum() for s in self._slices])
        self._chance = mass / mass.sum()

    def draw(self, rng: np.random.Generator, flips: bool, variation: float = 0.0) -> BlockBatch:
        """The next batch; ``flips`` mirrors each block up-down and left-right at random.

        Strength 1 of ``variation`` is as wide as :mod:`.variation` says, and 0 is none.
        """
        drawn = [self._draw_block(rng, flips, variation) for _ in range(self._size)]
        images = [torch.stack(crops) for crops in zip(*(d[0] for d in drawn), strict=True)]
        weights = np.stack([d[3] / d[3].sum() / self._size for d in drawn])
        return BlockBatch(
            images, drawn[-1][1], np.stack([d[2] for d in drawn]), weights.astype(np.float32)
        )

    def _draw_block(
        self, rng: np.random.Generator, flips: bool, variation: float
    ) -> tuple[list[Tensor], list[BranchGrid], npt.NDArray[np.int8], FloatArray]:
        """One block: its images and their grids, and the class and weight of each pixel."""
        for _ in range(_TRIES):
            if self._mistaken and rng.random() < self._mistaken_share:
                index = rng.choice(len(self._slices), p=self._mistaken_chance)
                known = _squared(self._mistaken[index])
            else:
                index, known = rng.choice(len(self._slices), p=self._chance), None
            here = self._slices[index]
            row, column = (
                self._sampled(here, rng) if known is None else self._mistaken_pixel(known, rng)
            )
            height, width = here.classes.shape
            block = self._place(row, height, rng), self._place(column, width, rng)
            rows, columns = np.arange(height)[block[0]], np.arange(width)[block[1]]
            varied = None
            if variation:
                # About the pixel that was chosen, so that the block does not turn away from it.
                varied = Variation.draw(rng, variation, flips, (row, column))
                at = varied.places(rows.astype(float), columns.astype(float))
                places = tuple(np.rint(place).astype(np.intp) for place in at)
            else:
                places = tuple(np.meshgrid(rows, columns, indexing="ij"))
            inside, weight = self._at(here, known, *places)
            if weight.any():  # not so where a block that was moved in has lost its pixel
                break
        else:
            raise SpinemetError(
                "The lesions are so few and small that no block meets them; train on windows, or "
                "contour more cases."
            )
        pyramid = self._pyramids[here.case]
        grids = branch_grids(pyramid.pyramid, self._poolings, *block)
        slices = pyramid.plane(here.position)
        if varied is not None:
            border = pyramid.pyramid.window[0] // 2, pyramid.pyramid.window[1] // 2
            crops = [
                varied.crop(image, grid.first, grid.extent, border, mm)
                for grid, image, mm in zip(grids, slices, pyramid.pyramid.resolutions, strict=True)
            ]
            return crops, grids, inside, weight
        crops = [grid.crop(image) for grid, image in zip(grids, slices, strict=True)]
        if flips:
            for axis in (0, 1):
                if rng.random() < 0.5:
                    crops = [c.flip(axis) for c in crops]
                    inside, weight = np.flip(inside, axis), np.flip(weight, axis)
        return crops, grids, inside, weight

    def _at(
        self,
        here: _Slice,
        known: FloatArray | None,
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
    ) -> tuple[npt.NDArray[np.int8], FloatArray]:
        """Class and weight of working pixels; of mistakes, what is ``known`` is the weight."""
        height, width = here.classes.shape
        within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
        inside = np.where(within, here.classes[rows, columns], np.int8(-1))
        if known is None:
            return inside, np.where(inside >= 0, (here.weights * self._parts)[inside], 0)
        # What is known at the lattice holds for the pixels about each of its points.
        cells = [
            np.minimum((place + self._spacing // 2) // self._spacing, n - 1)
            for place, n in zip((rows, columns), known.shape, strict=True)
        ]
        healthy = within & here.healthy[rows, columns]
        return inside, np.where(healthy, known[cells[0], cells[1]], 0)

    def _sampled(self, here: _Slice, rng: np.random.Generator) -> tuple[int, int]:
        """A pixel as the sampling rule draws them."""
        counts = here.counts * self._parts
        label = rng.choice(3, p=counts / counts.sum())
        return divmod(int(rng.choice(here.pixels[label])), here.width)

    def _mistaken_pixel(self, known: FloatArray, rng: np.random.Generator) -> tuple[int, int]:
        """A pixel of the lattice, by the weight of its mistake."""
        chosen = int(rng.choice(known.size, p=known.ravel() / known.sum()))
        row, column = divmod(chosen, known.shape[1])
        return self._spacing * row, self._spacing * column

    def look(self, model: SiameseNet, device: torch.device, job: JobContext) -> None:
        """Find where the network takes healthy tissue for a lesion, to draw more of it.

        By a rule that draws from all slices, cases without a lesion are looked at too: it is
        all that is learned from them.
        """
        folded = model.folded().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        found = []
        for here in self._slices:
            job.raise_if_cancelled()
            healthy = here.healthy[:: self._spacing, :: self._spacing]
            mistaken = np.zeros(healthy.shape, dtype=np.uint8)
            if healthy.any():
                # Nothing is drawn of the outer columns, so they are not evaluated either.
                box = ndimage.find_objects(healthy.astype(np.uint8))[0]
                rows, columns = (
                    slice(b.start * self._spacing, (b.stop - 1) * self._spacing + 1, self._spacing)
                    for b in box
                )
                likelihood = lesion_likelihood(
                    folded, self._pyramids[here.case], here.position, rows, columns, device
                )
                mistaken[box] = np.rint(255 * np.where(healthy[box], likelihood, 0))
            found.append(mistaken)
        self._keep_mistaken(found)

    def _keep_mistaken(self, found: list[npt.NDArray[np.uint8]]) -> None:
        mass = np.array([_squared(each).sum() for each in found])
        if mass.any():  # a network that is never wrong leaves what was known before
            self._mistaken, self._mistaken_chance = found, mass / mass.sum()
            # Mistakes take the place of other normal locations: half of all stays lesion.
            self._balance(max(0.0, 1 - 2 * self._mistaken_share))

    def position(self) -> dict[str, npt.NDArray[np.generic]]:
        """What the network gets wrong; each batch is drawn afresh."""
        flat = [each.ravel() for each in self._mistaken]
        return {"mistaken": np.concatenate(flat) if flat else np.zeros(0, np.uint8)}

    def restore(self, position: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go back to where batches stood."""
        flat = position["mistaken"].astype(np.uint8)
        self._mistaken, self._mistaken_chance = [], np.zeros(0)
        self._balance(1.0)
        if len(flat):
            shapes = [h.healthy[:: self._spacing, :: self._spacing].shape for h in self._slices]
            ends = np.cumsum([math.prod(shape) for shape in shapes])
            parts = np.split(flat, ends[:-1])
            shaped = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
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


def lattice_spacing(model: SiameseNet) -> int:
    """Working pixels between the scored ones with which a block costs least.

    The least is 8, see the module. With others than powers of two among the resolutions another
    is cheaper: what lies no whole number of a resolution's pixels apart needs every window
    between, and every convolution at full size. For 0.5, 1 and 1.5 mm 12 is cheapest.
    """

    def multiplications(spacing: int) -> float:
        total = 0.0
        for resolution in model.resolutions:
            step = spacing / Fraction(resolution).limit_denominator(100)
            whole = int(step) if step.denominator == 1 else 1
            pixels = math.prod(float(step) * (POINTS - 1) + side for side in model.window)
            for k, block in enumerate(model.blocks):
                kept = math.gcd(whole, 2**k)  # poolings before this block that keep their stride
                weights = sum(p.numel() for p in block.parameters() if p.ndim == 4)
                total += pixels * weights / kept**2
        return total

    return min(range(LEAST_SPACING, 2 * LEAST_SPACING + 1), key=multiplications)


def _squared(likelihood: npt.NDArray[np.uint8]) -> FloatArray:
    """What a mistake weighs: many that are slight shall not outweigh the few that are grave."""
    squares: FloatArray = np.square(likelihood.astype(float))
    return squares


def _before_the_end(nearest: npt.NDArray[np.intp], resolution_mm: float) -> int:
    """Leading working pixels whose nearest at a resolution is not past its grid's end.

    The last may have theirs there and take another, out of step with the ones before.
    """
    size = len(nearest)
    return int((nearest == nearest_pixel(size, resolution_mm, available=2**31)).sum())
