"""The dense form on a processor: the wide joint layer as a product of spectra.

Three quarters of the dense form's multiplications lie in the 9 x 6 joint layer. After a
Fourier transform a convolution is a product at each frequency, which takes about a
twentieth of them and is exact to float rounding (Mathieu, Henaff, LeCun, Fast training of
convolutional networks through FFTs, ICLR 2014). Fragments of a map (see :mod:`.dense`) are
equally large and share the kernel's spectrum; large ones are cut into overlapping tiles.

Tiles are so small that the transforms themselves are best done as products with the matrix
of the transform, in whatever order of axes the next step wants; library transforms of many
small maps took longer than the products they were meant for. What is left is bound by
memory as much as by arithmetic, so fragments pass through the last blocks one by one, while
they lie in the cache, and responses are added where they belong instead of being put
together first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .dense import BranchGrid, maximum_3x3
from .siamese import Block, SiameseNet

TILE = (24, 24)
"""Most outputs (rows, columns) of one transform."""


class FftNetwork:
    """A network of the dense form, made ready to be evaluated on whole slices.

    Parameters
    ----------
    model : SiameseNet
        In dense form; evaluated in float32 on the processor.

    Notes
    -----
    Spectra of the joint layer are kept between calls with the same sizes.
    """

    def __init__(self, model: SiameseNet) -> None:
        network: Any = model.fold_batch_norms().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._blocks = [cast(Block, block) for block in network.blocks]
        self._maps = network.widths[-1] // 2
        _separate_pairs(self._blocks[-1])
        self._window = network.window
        self._kernels = network.joint.weight.detach().split(self._maps, dim=1)
        assert network.joint.bias is not None
        self._bias = network.joint.bias.detach()
        self._score = network.score
        self._spectra: dict[tuple[int, tuple[int, int]], tuple[Tensor, Tensor]] = {}
        self._buffers: dict[str, Tensor] = {}

    @torch.inference_mode()
    def scores(self, images: Sequence[Tensor], grids: Sequence[BranchGrid]) -> Tensor:
        """Class scores of one block of working pixels, as :func:`.dense.dense_scores` gives.

        Parameters
        ----------
        images : sequence of torch.Tensor
            For each resolution ``(row, column)``, cropped by the grid.
        grids : sequence of BranchGrid

        Returns
        -------
        torch.Tensor
            ``(outputs, rows, columns)``, before the softmax.
        """
        rows, columns = len(grids[0].rows), len(grids[0].columns)
        plans = [self._plan(grid) for grid in grids]
        joint = self._buffer(
            "joint", *_common_size([plan.window_grid for plan in plans]), len(self._bias)
        )
        joint[:] = self._bias
        for branch, (image, grid, plan) in enumerate(zip(images, grids, plans, strict=True)):
            if (rows, columns) == grid.size:
                self._add_responses(joint, image, branch, plan)
            else:
                own_grid = self._buffer("own grid", *plan.window_grid, len(self._bias)).zero_()
                self._add_responses(own_grid, image, branch, plan)
                _add_at_windows(joint, own_grid, grid)
        scores: Tensor = self._score(F.relu_(joint).permute(2, 0, 1)[None])[0]
        return scores[:, :rows, :columns]

    def _buffer(self, name: str, *shape: int) -> Tensor:
        """Memory that is used again: fresh pages cost as much as what is written to them."""
        buffer = self._buffers.get(name)
        size = math.prod(shape)
        if buffer is None or buffer.numel() < size:
            buffer = self._buffers[name] = torch.empty(size)
        return buffer[:size].view(shape)

    def _plan(self, grid: BranchGrid) -> _Plan:
        kernel = cast(tuple[int, int], tuple(self._kernels[0].shape[2:]))
        phases = 2 ** (len(self._blocks) - grid.strided_poolings)
        size = [math.ceil(n / phases) for n in grid.size]
        tiles = [math.ceil(n / limit) for n, limit in zip(size, TILE, strict=True)]
        # Of equal size: a small one at the edge would cost as much as a full one.
        outputs = [math.ceil(n / count) for n, count in zip(size, tiles, strict=True)]
        return _Plan(
            grid.step,
            grid.strided_poolings,
            phases,
            (tiles[0], tiles[1]),
            (outputs[0], outputs[1]),
            kernel,
        )

    def _add_responses(self, target: Tensor, image: Tensor, branch: int, plan: _Plan) -> None:
        """Add the share of one resolution to ``(row, column, unit)``."""
        extent = [
            plan.step * (n - 1) + w for n, w in zip(plan.window_grid, self._window, strict=True)
        ]
        x = F.pad(image, (0, extent[1] - image.shape[1], 0, extent[0] - image.shape[0]))
        (tile_rows, tile_columns), (rows, columns), phases = plan.tiles, plan.outputs, plan.phases
        spectra = self._transform_fragments(x, plan)
        real, imaginary = self._weights(branch, plan.transform)
        tile_count, length, units = spectra.shape[2], plan.transform[0], target.shape[2]
        product = self._buffer("product", 2, length, tile_count, units)
        half_inverse = self._buffer("half inverse", len(spectra), 2 * rows, tile_count * units)
        response = self._buffer("response", columns, tile_count * units)
        for k, spectrum in enumerate(spectra):
            torch.bmm(spectrum, real[k], out=product[0])
            torch.bmm(spectrum, imaginary[k], out=product[1])
            torch.mm(plan.row_inverse, product.flatten(2).flatten(0, 1), out=half_inverse[k])
        half_inverse = half_inverse.view(2 * len(spectra), rows, tile_count * units)
        target = target[: plan.window_grid[0], : plan.window_grid[1]]
        target = torch.unflatten(target, 0, (tile_rows, rows, phases))
        target = torch.unflatten(target, 3, (tile_columns, columns, phases))
        for row in range(rows):
            torch.mm(plan.column_inverse, half_inverse[:, row], out=response)
            # (column, phase, phase, tile row, tile column, unit) to the order of the target.
            parts = response.view(columns, phases, phases, tile_rows, tile_columns, units)
            target[:, row] += parts.permute(3, 1, 4, 0, 2, 5)

    def _transform_fragments(self, x: Tensor, plan: _Plan) -> Tensor:
        """Spectra ``(column frequency, row frequency, tile, re and im of each map)``."""
        (tile_rows, tile_columns), (rows, columns), phases = plan.tiles, plan.outputs, plan.phases
        length, width = plan.transform
        maps = self._maps
        tiles = self._buffer("tiles", width, length, phases, phases, tile_rows, tile_columns, maps)
        for row, column, fragment in self._fragments(x[None, None], 0, plan.strided_poolings):
            for i in range(tile_rows):
                for j in range(tile_columns):
                    row_0, column_0 = i * rows, j * columns
                    part = fragment[0, :, row_0 : row_0 + length, column_0 : column_0 + width]
                    tiles[:, :, row, column, i, j] = part.permute(2, 1, 0)
        frequencies, tile_count = width // 2 + 1, phases**2 * tile_rows * tile_columns
        one_axis = self._buffer("one axis", 2 * frequencies, length * tile_count * maps)
        torch.mm(plan.column_transform, tiles.flatten(1), out=one_axis)
        spectra = self._buffer("spectra", frequencies, length, tile_count, 2, maps)
        both_axes = self._buffer("both axes", 2 * length, tile_count * maps)
        for column, spectrum in zip(
            one_axis.view(frequencies, 2 * length, -1), spectra, strict=True
        ):
            torch.mm(plan.row_transform, column, out=both_axes)
            # From (re or im, frequency, tile, map).
            spectrum.copy_(both_axes.view(2, length, tile_count, maps).permute(1, 2, 0, 3))
        return spectra.flatten(3)

    def _fragments(
        self, x: Tensor, k: int, strided_poolings: int
    ) -> Iterator[tuple[int, int, Tensor]]:
        """Row phase, column phase and features ``(1, map, row, column)`` of each fragment."""
        if k == len(self._blocks):
            yield 0, 0, x
            return
        x = self._blocks[k](x.contiguous(memory_format=torch.channels_last))
        if k == len(self._blocks) - 1:
            # Before the other maximum: it halves what that has to do.
            x = torch.maximum(x[:, : self._maps], x[:, self._maps :])
        if k < strided_poolings:
            yield from self._fragments(F.max_pool2d(x, 3, 2), k + 1, strided_poolings)
            return
        x = maximum_3x3(x)
        for a in (0, 1):
            for b in (0, 1):
                for row, column, fragment in self._fragments(
                    x[:, :, a::2, b::2], k + 1, strided_poolings
                ):
                    yield a + 2 * row, b + 2 * column, fragment

    def _weights(self, branch: int, transform: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """What a spectrum is multiplied by for the real and for the imaginary part.

        Each ``(column frequency, row frequency, re and im of each map, hidden)``.
        """
        key = (branch, transform)
        if key not in self._spectra:
            spectrum = torch.fft.rfft2(self._kernels[branch].double(), s=transform)
            spectrum = spectrum.permute(3, 2, 1, 0)
            re, im = spectrum.real.float(), spectrum.imag.float()
            # The layer correlates: spectra are multiplied by the conjugate.
            self._spectra[key] = torch.cat([re, im], 2), torch.cat([-im, re], 2)
        return self._spectra[key]


@dataclass(frozen=True)
class _Plan:
    """How the windows of one resolution are cut into fragments, tiles and transforms.

    Attributes
    ----------
    step : int
        Pixels between neighbouring windows.
    strided_poolings : int
        Poolings that keep their stride.
    phases : int
        Fragments along each axis.
    tiles : tuple of int
        Tiles of each fragment along (rows, columns).
    outputs : tuple of int
        (rows, columns) of outputs of each tile.
    kernel : tuple of int
        Of the joint layer.
    """

    step: int
    strided_poolings: int
    phases: int
    tiles: tuple[int, int]
    outputs: tuple[int, int]
    kernel: tuple[int, int]

    @property
    def window_grid(self) -> tuple[int, int]:
        """(rows, columns) of windows that are computed."""
        rows, columns = (
            tiles * n * self.phases for tiles, n in zip(self.tiles, self.outputs, strict=True)
        )
        return rows, columns

    @property
    def transform(self) -> tuple[int, int]:
        """(rows, columns) of each transform: where the kernel wraps around, nothing is used."""
        rows, columns = (n + k - 1 for n, k in zip(self.outputs, self.kernel, strict=True))
        return rows, columns

    @cached_property
    def column_transform(self) -> Tensor:
        """Real transform of columns: to (frequency, re or im) from column."""
        n = self.transform[1]
        cos, sin = _waves(n // 2 + 1, n, n)
        return torch.stack([cos, -sin], 1).flatten(0, 1).float()

    @cached_property
    def row_transform(self) -> Tensor:
        """Complex transform of rows: to (re or im, frequency) from (re or im, row)."""
        n = self.transform[0]
        cos, sin = _waves(n, n, n)
        return _complex_product(cos, -sin).float()

    @cached_property
    def row_inverse(self) -> Tensor:
        """Its inverse, for the rows that are used: from (re or im, frequency)."""
        n = self.transform[0]
        cos, sin = _waves(self.outputs[0], n, n)
        return (_complex_product(cos, sin) / n).float()

    @cached_property
    def column_inverse(self) -> Tensor:
        """To the columns that are used from (frequency, re or im)."""
        n = self.transform[1]
        cos, sin = _waves(self.outputs[1], n // 2 + 1, n)
        # A real signal has its frequencies in pairs, of which one is stored, but for the first and,
        # of an even number, the last.
        weights = torch.full((n // 2 + 1,), 2 / n, dtype=torch.float64)
        weights[0] /= 2
        if n % 2 == 0:
            weights[-1] /= 2
        return torch.stack([cos * weights, -sin * weights], 2).flatten(1).float()


def _waves(first: int, second: int, period: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of ``2 pi i j / period``, float64."""
    # The product is reduced first, so that large angles keep their digits.
    turns = torch.outer(torch.arange(first), torch.arange(second)) % period
    angles = turns.double() * (2 * math.pi / period)
    return angles.cos(), angles.sin()


def _complex_product(re: Tensor, im: Tensor) -> Tensor:
    """The real matrix on stacked (re, im) that multiplies by a complex one."""
    return torch.cat([torch.cat([re, -im], 1), torch.cat([im, re], 1)])


def _separate_pairs(block: Block) -> None:
    """Reorder the last maps: those with even number first, then their partners."""
    last = cast(nn.Conv2d, block.layers[-2])
    maps = torch.arange(last.out_channels)
    order = torch.cat([maps[::2], maps[1::2]])
    assert last.bias is not None
    last.weight.data, last.bias.data = last.weight.data[order], last.bias.data[order]


def _common_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return max(rows for rows, _ in sizes), max(columns for _, columns in sizes)


def _add_at_windows(target: Tensor, own_grid: Tensor, grid: BranchGrid) -> None:
    """Add responses on a resolution's own grid to those of the working pixels."""
    columns, former_row = torch.from_numpy(grid.columns), -1
    for row, window_row in enumerate(grid.rows.tolist()):
        if window_row != former_row:  # at a coarse resolution several rows share their windows
            responses = own_grid[window_row].index_select(0, columns)
            former_row = window_row
        target[row, : len(columns)] += responses
