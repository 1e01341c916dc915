"""The dense form over a whole slice: every window at once, nothing computed twice.

A pooling with stride 2 loses three of four phases of its input. To have the window of
every pixel, all phases are kept: each pooling splits a map into 2 x 2 fragments that go on
as a batch, and plain undilated convolutions run on each (Giusti et al., Fast image scanning
with deep max-pooling convolutional neural networks, ICIP 2013). The result equals the
network in which the pooling has stride 1 and everything after it is dilated by 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ..imaging.patches import Pyramid
from .siamese import Block, SiameseNet, pair_maximum


def maximum_3x3(x: Tensor) -> Tensor:
    """Maximum over 3 x 3 pixels at every pixel, ``(batch, map, row - 2, column - 2)``.

    Without gradients by rows and then by columns: the library's pooling also writes down
    where each maximum came from, which takes three times as long.
    """
    if torch.is_grad_enabled():
        return F.max_pool2d(x, 3, 1)
    rows = torch.maximum(x[:, :, :-2], x[:, :, 1:-1])
    torch.maximum(rows, x[:, :, 2:], out=rows)
    both = torch.maximum(rows[..., :-2], rows[..., 1:-1])
    return torch.maximum(both, rows[..., 2:], out=both)


@dataclass(frozen=True)
class BranchGrid:
    """Which windows of one resolution a block of working pixels needs.

    Attributes
    ----------
    step : int
        Pixels between neighbouring windows: 1, 2, 4, ...
    first : tuple of int
        Padded (row, column) of the first window.
    size : tuple of int
        Rows and columns of windows.
    rows, columns : numpy.ndarray
        The window of each working row (column) of the block, counted from the first.
    window : tuple of int
        (rows, columns) of one window.
    """

    step: int
    first: tuple[int, int]
    size: tuple[int, int]
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    window: tuple[int, int]

    @property
    def strided_poolings(self) -> int:
        """Poolings that keep their stride: those whose other phases no window needs."""
        return self.step.bit_length() - 1

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that these windows cover."""
        height, width = (
            self.step * (n - 1) + w for n, w in zip(self.size, self.window, strict=True)
        )
        return height, width

    def crop(self, image: Tensor) -> Tensor:
        """The part of a padded image ``(..., row, column)`` that these windows cover."""
        (row, column), (height, width) = self.first, self.extent
        return image[..., row : row + height, column : column + width]


def branch_grids(pyramid: Pyramid, poolings: int, rows: slice, columns: slice) -> list[BranchGrid]:
    """The windows that a block of working pixels needs at each resolution of a pyramid.

    Parameters
    ----------
    pyramid : Pyramid
        Says where the window of each working pixel lies; its images are not looked at.
    poolings : int
        Of the network, each with stride 2.
    rows, columns : slice
        The block, in working pixels; not empty. With a step only every so-many-th is scored.
    """
    grids = []
    for all_rows, all_columns in zip(pyramid.rows, pyramid.columns, strict=True):
        row, column = (pixels - pixels[0] for pixels in (all_rows[rows], all_columns[columns]))
        # Poolings can keep their stride as often as 2 divides the distances of all windows.
        common = int(np.gcd.reduce(np.r_[row, column, 2**poolings]))
        row, column = row // common, column // common
        grids.append(
            BranchGrid(
                common,
                (int(all_rows[rows][0]), int(all_columns[columns][0])),
                (int(row[-1]) + 1, int(column[-1]) + 1),
                row,
                column,
                pyramid.window,
            )
        )
    return grids


def dense_scores(
    model: SiameseNet, images: Sequence[Tensor], grids: Sequence[BranchGrid]
) -> Tensor:
    """Class scores at every pixel of blocks of working pixels.

    Parameters
    ----------
    model : SiameseNet
        In dense form.
    images : sequence of torch.Tensor
        For each resolution ``(batch, row, column)``, normalised and cropped by the grid.
    grids : sequence of BranchGrid
        One for each resolution, the same for the whole batch.

    Returns
    -------
    torch.Tensor
        ``(batch, outputs, rows, columns)``, before the softmax.
    """
    assert model.joint.bias is not None
    joint = model.joint.bias[None, :, None, None]
    weights = torch.unflatten(model.joint.weight, 1, (len(grids), -1)).unbind(1)
    branches = list(range(len(grids)))
    # In training they share batch statistics layer by layer; else one by one, for the memory.
    for group in [branches] if model.training else [[k] for k in branches]:
        group_grids = [grids[k] for k in group]
        features = _features(model, [images[k] for k in group], group_grids)
        for k, grid, x in zip(group, group_grids, features, strict=True):
            splits = len(model.blocks) - grid.strided_poolings
            joint = joint + _response(x, weights[k], grid, splits)
    return model.head(joint)


def _features(
    model: SiameseNet, images: Sequence[Tensor], grids: Sequence[BranchGrid]
) -> list[Tensor]:
    """Features of each resolution's fragments: ``(fragment, maps, row, column)``."""
    poolings = len(model.blocks)
    parts = []
    for image, grid in zip(images, grids, strict=True):
        phases = 2 ** (poolings - grid.strided_poolings)
        # All fragments come out equally large if the grid is a whole number of phases;
        # pixels beyond the last window do not count.
        size = [math.ceil(n / phases) * phases for n in grid.size]
        extent = [grid.step * (n - 1) + w for n, w in zip(size, model.window, strict=True)]
        padding = [n - present for n, present in zip(extent, image.shape[1:], strict=True)]
        parts.append(F.pad(image[:, None], (0, padding[1], 0, padding[0])))
    for k, block in enumerate(model.blocks):
        parts = cast(Block, block).forward_several(parts)
        for branch, grid in enumerate(grids):
            if k < grid.strided_poolings:
                parts[branch] = F.max_pool2d(parts[branch], 3, 2)
            else:
                # Pooling once with stride 1 spares copying the map for each of its four phases.
                x = maximum_3x3(parts[branch])
                parts[branch] = torch.cat([x[:, :, a::2, b::2] for a in (0, 1) for b in (0, 1)])
    return [pair_maximum(x) for x in parts]


def _response(x: Tensor, weight: Tensor, grid: BranchGrid, splits: int) -> Tensor:
    """A resolution's share in the joint layer at the block's pixels, without the bias."""
    # Where windows lie farther apart than poolings can follow, those between are left out.
    step = 1 if splits else int(np.gcd.reduce(np.r_[0, grid.rows, grid.columns])) or 1
    # With the maps last, the numbers of one pixel are copied in one piece below.
    x = F.conv2d(x, weight, stride=step).permute(0, 2, 3, 1)
    for _ in range(splits):
        # Undo the last split first: the fragments' own pixels interleave two by two.
        x = torch.unflatten(x, 0, (2, 2, -1)).permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(1, 2)
    size = [(n - 1) // step + 1 for n in grid.size]
    x = x.permute(0, 3, 1, 2)[:, :, : size[0], : size[1]]
    if len(grid.rows) != size[0] or len(grid.columns) != size[1]:
        rows, columns = (
            torch.from_numpy(v // step).to(x.device) for v in (grid.rows, grid.columns)
        )
        # At a coarse resolution several working pixels have the same window.
        x = x.index_select(2, rows).index_select(3, columns)
    return x
