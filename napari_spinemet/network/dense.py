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

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ..imaging.patches import Pyramid
from .siamese import SiameseNet, pair_maximum


def branch_response(
    model: SiameseNet, images: Tensor, branch: int, step: int, rows: int, columns: int
) -> Tensor:
    """Share of one resolution in the joint layer's response, at a grid of windows.

    Parameters
    ----------
    model : SiameseNet
        In dense form.
    images : torch.Tensor
        ``(batch, row, column)``, normalised and padded images whose top left window is output
        (0, 0); pixels beyond the last window do not count, missing ones are taken as 0.
    branch : int
        Index of the resolution.
    step : int
        Pixels between neighbouring windows: a power of two.
    rows, columns : int
        Size of the grid of windows.

    Returns
    -------
    torch.Tensor
        ``(batch, hidden, rows, columns)``, without the bias.
    """
    poolings = len(model.blocks)
    kept = step.bit_length() - 1
    phases = 2 ** (poolings - kept)
    # All fragments come out equally large if the grid is a whole number of phases.
    grid = [math.ceil(n / phases) * phases for n in (rows, columns)]
    needed = [step * (n - 1) + w for n, w in zip(grid, model.window, strict=True)]
    x = images[:, None, : needed[0], : needed[1]]
    missing = [n - have for n, have in zip(needed, x.shape[2:], strict=True)]
    if any(missing):
        x = F.pad(x, (0, missing[1], 0, missing[0]))
    for k, block in enumerate(model.blocks):
        x = block(x)
        if k < kept:
            x = F.max_pool2d(x, 3, 2)
        else:
            # Pooling once with stride 1 spares copying the map for each of its four phases.
            x = maximum_3x3(x)
            x = torch.cat([x[:, :, a::2, b::2] for a in (0, 1) for b in (0, 1)])
    maps = model.widths[-1] // 2
    weight = model.joint.weight[:, branch * maps : (branch + 1) * maps]
    x = F.conv2d(pair_maximum(x), weight)
    # With the maps last, what is copied lies together.
    x = x.permute(0, 2, 3, 1)
    for _ in range(poolings - kept):
        # Undo the last split first: the fragments' own pixels interleave two by two.
        x = torch.unflatten(x, 0, (2, 2, -1)).permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(1, 2)
    return x.permute(0, 3, 1, 2)[:, :, :rows, :columns]


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

    def crop(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The part of padded images ``(slice, row, column)`` that these windows cover."""
        ends = [
            f + self.step * (n - 1) + w
            for f, n, w in zip(self.first, self.size, self.window, strict=True)
        ]
        return images[:, self.first[0] : ends[0], self.first[1] : ends[1]]


def branch_grids(pyramid: Pyramid, poolings: int, rows: slice, columns: slice) -> list[BranchGrid]:
    """The windows that a block of working pixels needs at each resolution of a pyramid.

    ``rows`` and ``columns`` may have a step: then only every so-many-th pixel is scored.
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
        For each resolution ``(batch, row, column)``, cropped by the grid.
    grids : sequence of BranchGrid
        One for each resolution, the same for the whole batch.

    Returns
    -------
    torch.Tensor
        ``(batch, outputs, rows, columns)``, before the softmax.
    """
    assert model.joint.bias is not None
    joint = model.joint.bias[None, :, None, None]
    for branch, (image, grid) in enumerate(zip(images, grids, strict=True)):
        response = branch_response(model, image, branch, grid.step, *grid.size)
        if len(grid.rows) != grid.size[0] or len(grid.columns) != grid.size[1]:
            rows = torch.from_numpy(grid.rows).to(response.device)
            columns = torch.from_numpy(grid.columns).to(response.device)
            response = response.index_select(2, rows).index_select(3, columns)
        joint = joint + response
    return model.head(joint)
