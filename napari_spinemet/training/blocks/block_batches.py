"""Blocks as batches: where the next ones lie, their images, and what each pixel weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import SpinemetError
from ...imaging.brightness.normalisation import GAIN, WIDE_MM
from ...imaging.patches import Pyramid
from ...jobs import JobContext
from ...network import SiameseNet
from ...network.dense import BranchGrid, branch_grids, dense_scores
from ..batches import CPU, BatchOutcome, Cases
from ..sampling import PAPER_RULE, SamplingRule
from .hard_negatives import HardNegatives, find_mistakes
from .lattice import POINTS, Lattice, lattice_spacing
from .recolouring import Recolouring
from .slices import IMAGE_DTYPE, FloatArray, IndexArray, SourceSlice, slices_of_case
from .variation import Variation, draw_marrow_error

_TRIES = 1000
MIMIC_SHARE, MIMIC_SHARE_OF_CASE = 0.15, 0.01
"""Of the blocks that are drawn where a person has said that what was marked is no lesion: all of
them together at most, and of each case with such a place. They are few, and what else a network
gets a little wrong is much: by the weight of mistakes alone they would hardly be drawn. They take
from all others alike, lest other healthy tissue be forgotten. Of the places each is drawn as often
as any other, however large it is."""
NOTHING_TO_LEARN = "None of the cases has a lesion contour, so there is nothing to learn."


@dataclass(frozen=True, eq=False)
class BlockBatch:
    """Crops of each resolution around blocks, and the class and weight of each pixel.

    Attributes
    ----------
    images : list of torch.Tensor
        For each resolution ``(block, row, column)``.
    grids : list of BranchGrid
        For each resolution, the same for all blocks.
    classes : numpy.ndarray
        ``(block, row, column)`` of the scored pixels, -1 where nothing is drawn.
    weights : numpy.ndarray
        Same shape, summing to 1; 0 for pixels that do not count.
    """

    images: list[Tensor]
    grids: list[BranchGrid]
    classes: npt.NDArray[np.int8]
    weights: npt.NDArray[np.float32]

    def evaluate(self, model: SiameseNet, device: torch.device) -> BatchOutcome:
        """Run the dense network on every block.

        Parameters
        ----------
        model : SiameseNet
            In dense form, on the device.
        device : torch.device
        """
        images = [image.to(device) for image in self.images]
        scores = dense_scores(model, images, self.grids)
        counts = torch.from_numpy(self.weights > 0).to(device)
        classes = torch.from_numpy(self.classes).to(device)
        weights = torch.from_numpy(self.weights).to(device)
        return BatchOutcome(
            scores.permute(0, 2, 3, 1)[counts], classes[counts].long(), weights[counts]
        )


@dataclass(frozen=True, eq=False)
class _Target:
    """What one block is drawn around.

    Attributes
    ----------
    source : SourceSlice
    pixel : tuple of int
        Working (row, column).
    mistakes : numpy.ndarray or None
        Weights on the lattice of the slice, of a block that is drawn where the network was wrong.
    is_mimic : bool
        Whether it is drawn at what a person has said to be none.
    """

    source: SourceSlice
    pixel: tuple[int, int]
    mistakes: FloatArray | None = None
    is_mimic: bool = False


@dataclass(frozen=True, eq=False)
class _Block:
    """One block: its images and their grids, and the class and weight of each pixel."""

    images: list[Tensor]
    grids: list[BranchGrid]
    classes: npt.NDArray[np.int8]
    weights: FloatArray


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
    hard_negative_share : float
        Share of the blocks that are drawn where the network was wrong, once it has been
        looked at, see :meth:`look`.
    recoloured_share : float
        Share of the varied blocks whose values are changed too, see :mod:`.recolouring`.
    case_limit : float or None
        At most so many times as often as the median case, of those that are drawn from, is one
        drawn from. The lesions of one patient whose marrow is infiltrated throughout hold as many
        pixels as those of thirty others, who would else be learned from as little.
    points, spacing : int
        A block scores ``points`` times ``points`` working pixels, so many apart; by default
        what :func:`lattice_spacing` finds.
    device : torch.device
        Where the images of all cases lie.
    image_dtype : torch.dtype
        As what they lie there; blocks are float32.

    Raises
    ------
    SpinemetError
        If the network has another form, or no case a lesion.
    """

    def __init__(
        self,
        cases: Cases,
        model: SiameseNet,
        size: int,
        rule: SamplingRule = PAPER_RULE,
        *,
        hard_negative_share: float = 0.0,
        recoloured_share: float = 0.0,
        case_limit: float | None = None,
        points: int = POINTS,
        spacing: int | None = None,
        device: torch.device = CPU,
        image_dtype: torch.dtype = IMAGE_DTYPE,
    ) -> None:
        if model.form != "dense":
            raise SpinemetError("Only the dense form can be trained on blocks; use windows.")
        self._size, self._poolings = size, len(model.blocks)
        self._reference = model.normalisation.reference
        spacing = lattice_spacing(model) if spacing is None else spacing
        by_case = [
            slices_of_case(series, annotation, model, rule, device, image_dtype)
            for series, annotation in cases
        ]
        self._slices = [source for slices in by_case for source in slices]
        self._slice_shares = np.repeat(
            _case_shares(by_case, case_limit), [len(slices) for slices in by_case]
        )
        self.samples = int(sum(s.counts.sum() for s in self._slices))
        if not self.samples:
            raise SpinemetError(NOTHING_TO_LEARN)
        shapes = [source.shape for source in self._slices]
        self._lattice = Lattice.within(shapes, model.resolutions, points, spacing)
        self._hard_negative_share = hard_negative_share
        self._recoloured_share = recoloured_share
        self._mimics = _places_of_mimics(by_case)
        cases_with_mimics = len({case for case, _ in self._mimics})
        self._mimic_share = min(MIMIC_SHARE, MIMIC_SHARE_OF_CASE * cases_with_mimics)
        self._hard_negatives = HardNegatives(
            [(-(-rows // spacing), -(-columns // spacing)) for rows, columns in shapes], spacing
        )
        self._rebalance()

    def _balance(self, normal: float) -> None:
        """Draw so much of what the rule says of normal locations, and all of lesions."""
        self._class_shares = np.array([normal, 1.0, normal])
        mass = np.array([(s.counts * self._class_shares).sum() for s in self._slices])
        mass *= self._slice_shares
        self._slice_chances = mass / mass.sum()

    def _rebalance(self) -> None:
        """Hard negatives take the place of other normal locations: half of all stays lesion."""
        hard_share = 0.0 if self._hard_negatives.is_empty else self._hard_negative_share
        self._balance(max(0.0, 1 - 2 * hard_share))

    def draw(self, rng: np.random.Generator, flips: bool, variation: float = 0.0) -> BlockBatch:
        """The next batch.

        Parameters
        ----------
        rng : numpy.random.Generator
        flips : bool
            Mirror each block up-down and left-right at random.
        variation : float
            Strength; 1 is as wide as :mod:`.variation` says, and 0 is none.
        """
        blocks = [self._draw_block(rng, flips, variation) for _ in range(self._size)]
        images = [torch.stack(crops) for crops in zip(*(b.images for b in blocks), strict=True)]
        # Each block counts as much as any other, whatever its pixels weigh together: it was
        # drawn in proportion to what it holds.
        weights = np.stack([b.weights / b.weights.sum() / self._size for b in blocks])
        classes = np.stack([b.classes for b in blocks])
        # Grids differ in where they begin alone, which the crops have used up.
        return BlockBatch(images, blocks[-1].grids, classes, weights.astype(np.float32))

    def _draw_block(self, rng: np.random.Generator, flips: bool, variation: float) -> _Block:
        for _ in range(_TRIES):
            target = self._draw_target(rng)
            window = self._draw_window(target, rng)
            # About the pixel that was drawn, so that the block does not turn away from it.
            varied_by = Variation.draw(rng, variation, flips, target.pixel) if variation else None
            rows, columns = _pixels_of(window, target.source.shape, varied_by)
            classes, weights = self._weigh(target, rows, columns)
            if weights.any():  # not so where a block that was moved in has lost its pixel
                break
        else:
            raise SpinemetError(
                "The lesions are so few and small that no block meets them; train on windows, or "
                "contour more cases."
            )
        pyramid = target.source.pyramid.pyramid
        images = target.source.pyramid.plane(target.source.position)
        grids = branch_grids(pyramid, self._poolings, *window)
        if varied_by is not None:  # mirroring is part of it
            crops = self._vary(varied_by, images, grids, pyramid, rng, variation)
            return _Block(crops, grids, classes, weights)
        crops = [grid.crop(image) for grid, image in zip(grids, images, strict=True)]
        if flips:
            for axis in (0, 1):
                if rng.random() < 0.5:
                    crops = [c.flip(axis) for c in crops]
                    classes, weights = np.flip(classes, axis), np.flip(weights, axis)
        return _Block(crops, grids, classes, weights)

    def _vary(
        self,
        varied_by: Variation,
        images: Sequence[Tensor],
        grids: Sequence[BranchGrid],
        pyramid: Pyramid,
        rng: np.random.Generator,
        strength: float,
    ) -> list[Tensor]:
        """The crops of a block, turned and stretched, some recoloured, some off in their level."""
        border = pyramid.window[0] // 2, pyramid.window[1] // 2
        parts = list(zip(grids, images, pyramid.resolutions, strict=True))
        crops = [
            varied_by.crop(image, grid.first, grid.extent, border, mm) for grid, image, mm in parts
        ]
        if self._recoloured_share and rng.random() < self._recoloured_share:
            places = [
                varied_by.places(grid.first, grid.extent, border, mm) for grid, _, mm in parts
            ]
            crops = Recolouring.draw(rng, strength).apply(crops, places)
        if self._reference is not None:
            error = GAIN * draw_marrow_error(rng, strength)
            crops = [
                crop + error if mm >= WIDE_MM else crop
                for crop, mm in zip(crops, pyramid.resolutions, strict=True)
            ]
        return crops

    def _draw_window(self, target: _Target, rng: np.random.Generator) -> tuple[slice, slice]:
        """Rows and columns of a block that holds the pixel of a target."""
        (row, column), (height, width) = target.pixel, target.source.shape
        return (
            self._lattice.draw_window(row, height, rng),
            self._lattice.draw_window(column, width, rng),
        )

    def _draw_target(self, rng: np.random.Generator) -> _Target:
        """A pixel by the sampling rule or, of a share of the blocks, one that was mistaken."""
        if self._mimic_share and rng.random() < self._mimic_share:
            places = list(self._mimics)
            case, number = places[int(rng.integers(len(places)))]
            sources, chances = self._mimics[case, number]
            source = sources[int(rng.choice(len(sources), p=chances))]
            return _Target(source, source.draw_mimic(number, rng), is_mimic=True)
        negatives = self._hard_negatives
        if not negatives.is_empty and rng.random() < self._hard_negative_share:
            index, mistakes = negatives.draw_slice(rng)
            return _Target(self._slices[index], negatives.draw_pixel(mistakes, rng), mistakes)
        source = self._slices[rng.choice(len(self._slices), p=self._slice_chances)]
        return _Target(source, source.draw_pixel(self._class_shares, rng))

    def _weigh(
        self, target: _Target, rows: IndexArray, columns: IndexArray
    ) -> tuple[npt.NDArray[np.int8], FloatArray]:
        """Class and weight of working pixels."""
        source = target.source
        classes = source.classes_at(rows, columns)
        if target.is_mimic:
            assert source.mimics is not None
            at_pixels = source.mimics[source.clip(rows, columns)] > 0
            is_mimic = source.contains(rows, columns) & at_pixels
            return classes, is_mimic.astype(float)
        if target.mistakes is None:
            weights = (source.weights * self._class_shares)[classes]
            return classes, np.where(classes >= 0, weights, 0)
        # What is known at a point of the lattice holds for the pixels about it, if healthy.
        nearest = source.clip(rows, columns)
        healthy = source.contains(rows, columns) & source.healthy[nearest]
        weights = self._hard_negatives.weights_at(target.mistakes, *nearest)
        return classes, np.where(healthy, weights, 0)

    def look(self, model: SiameseNet, device: torch.device, job: JobContext) -> None:
        """Find where the network takes healthy tissue for a lesion, to draw more of it.

        By a rule that draws from all slices, cases without a lesion are looked at too: it is
        all that is learned from them.

        Parameters
        ----------
        model : SiameseNet
            In evaluation mode.
        device : torch.device
        job : JobContext
            Polled at every slice.
        """
        network = model.fold_batch_norms().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        likelihoods = []
        for source in self._slices:
            job.raise_if_cancelled()
            likelihoods.append(
                find_mistakes(
                    network,
                    source.pyramid,
                    source.position,
                    source.healthy,
                    self._lattice.spacing,
                    device,
                )
            )
        self._hard_negatives.replace(likelihoods)
        self._rebalance()

    def position(self) -> dict[str, npt.NDArray[np.generic]]:
        """What the network gets wrong; each batch is drawn afresh."""
        return {"mistaken": self._hard_negatives.pack()}

    def restore(self, position: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go back to where batches stood."""
        self._hard_negatives.unpack(position["mistaken"].astype(np.uint8))
        self._rebalance()


def _places_of_mimics(
    by_case: Sequence[Sequence[SourceSlice]],
) -> dict[tuple[int, int], tuple[list[SourceSlice], FloatArray]]:
    """By case and number: the slices of each place, and how often each of these is drawn from."""
    pixels: dict[tuple[int, int], list[tuple[SourceSlice, int]]] = {}
    for case, slices in enumerate(by_case):
        for source in slices:
            if source.mimics is not None:
                counts = np.bincount(source.mimics.ravel())
                for number in np.flatnonzero(counts[1:]) + 1:
                    pixels.setdefault((case, int(number)), []).append((source, int(counts[number])))
    return {
        key: (
            [source for source, _ in parts],
            np.array([n for _, n in parts]) / sum(n for _, n in parts),
        )
        for key, parts in pixels.items()
    }


def _case_shares(by_case: Sequence[Sequence[SourceSlice]], case_limit: float | None) -> FloatArray:
    """So much of what the rule says is drawn of each case."""
    samples = np.array([sum(s.counts.sum() for s in slices) for slices in by_case], dtype=float)
    if case_limit is None or not samples.any():
        return np.ones(len(samples))
    most = case_limit * np.median(samples[samples > 0])
    return np.asarray(np.minimum(1.0, most / np.maximum(samples, 1.0)))


def _pixels_of(
    window: tuple[slice, slice], shape: tuple[int, int], varied_by: Variation | None
) -> tuple[IndexArray, IndexArray]:
    """Working (rows, columns) of the scored pixels; varied, the nearest to where they come from."""
    rows, columns = (np.arange(n)[part] for part, n in zip(window, shape, strict=True))
    if varied_by is None:
        row_image, column_image = np.meshgrid(rows, columns, indexing="ij")
        return row_image, column_image
    positions = varied_by.locate(rows.astype(float), columns.astype(float))
    return np.rint(positions[0]).astype(np.intp), np.rint(positions[1]).astype(np.intp)
