"""The dense form over a whole slice: every window at once, nothing computed twice.

A pooling with stride 2 loses three of four phases of its input. To have the window of
every pixel, all phases are kept: each pooling splits a map into 2 x 2 fragments that go on
as a batch, and plain undilated convolutions run on each (Giusti et al., Fast image scanning
with deep max-pooling convolutional neural networks, ICIP 2013). The result equals the
network in which the pooling has stride 1 and everything after it is dilated by 2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .siamese import SiameseNet, pair_maximum


def step_of(resolution_mm: float, poolings: int) -> int:
    """Pixels between the windows of neighbouring working pixels, where that is 1, 2, 4, ...

    Those first poolings keep their stride. 1 also stands for every resolution whose windows
    are evaluated on its own grid and then looked up.
    """
    step = round(1 / resolution_mm)
    power_of_two = step >= 1 and step & (step - 1) == 0 and math.isclose(step * resolution_mm, 1)
    return min(step, 2**poolings) if power_of_two else 1


def branch_response(
    model: SiameseNet, image: Tensor, branch: int, step: int, rows: int, columns: int
) -> Tensor:
    """Share of one resolution in the joint layer's response, at a grid of windows.

    Parameters
    ----------
    model : SiameseNet
        In dense form and evaluation mode.
    image : torch.Tensor
        ``(row, column)``, the normalised and padded image whose top left window is output
        (0, 0).
    branch : int
        Index of the resolution.
    step : int
        Pixels between neighbouring windows: a power of two.
    rows, columns : int
        Size of the grid of windows.

    Returns
    -------
    torch.Tensor
        ``(hidden, rows, columns)``, without the bias.
    """
    poolings = len(model.blocks)
    kept = step.bit_length() - 1
    phases = 2 ** (poolings - kept)
    # All fragments come out equally large if the grid is a whole number of phases.
    grid = [math.ceil(n / phases) * phases for n in (rows, columns)]
    needed = [step * (n - 1) + w for n, w in zip(grid, model.window, strict=True)]
    x = image[None, None, : needed[0], : needed[1]]
    missing = [n - have for n, have in zip(needed, x.shape[2:], strict=True)]
    if any(missing):
        x = F.pad(x, (0, missing[1], 0, missing[0]))
    for k, block in enumerate(model.blocks):
        x = block(x)
        if k < kept:
            x = F.max_pool2d(x, 3, 2)
        else:
            pieces = [F.max_pool2d(x[:, :, a:, b:], 3, 2) for a in (0, 1) for b in (0, 1)]
            x = torch.cat(pieces)
    maps = model.widths[-1] // 2
    weight = model.joint.weight[:, branch * maps : (branch + 1) * maps]
    x = F.conv2d(pair_maximum(x), weight)
    for _ in range(poolings - kept):
        # Undo the last split first: the fragments' own pixels interleave two by two.
        x = x.unflatten(0, (2, 2, -1)).permute(2, 3, 4, 0, 5, 1).flatten(2, 3).flatten(3, 4)
    return x[0, :, :rows, :columns]
