"""Both engines on the image of one slice: every window by itself, or all of them at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from ..jobs import JobContext
from ..network import SiameseNet
from ..network.dense import BranchGrid, branch_grids, dense_scores
from ..network.device_pyramid import DevicePyramid, zscore_windows
from ..network.fft_inference import FftNetwork
from .map_settings import MapSettings

CPU_BATCH, GPU_BATCH = 16, 512
"""Windows at a time: on a processor, few enough for their features to stay in its cache."""
TILE_PIXELS = 400 * 200
"""Working pixels evaluated at once: a usual slice in one piece, memory bounded for any."""

_SPARSE = 4
"""At multiples of this stride most poolings keep theirs, so the few pixels cost less than all."""

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.intp]
BlockScores = Callable[[Sequence[torch.Tensor], Sequence[BranchGrid]], torch.Tensor]
"""Class scores ``(outputs, rows, columns)`` from cropped images of each resolution."""
SliceScorer = Callable[[DevicePyramid, IndexArray, IndexArray, JobContext], FloatArray]
"""Probabilities ``(outputs, rows, columns)`` at some rows and columns of a slice."""


def is_reduced(dtype: torch.dtype) -> bool:
    """Whether numbers have fewer digits than single precision."""
    return dtype != torch.float32


def slice_scorer(
    model: SiameseNet, settings: MapSettings, device: torch.device, dtype: torch.dtype
) -> SliceScorer:
    """The way to evaluate a slice that is fastest for these settings on this device.

    Parameters
    ----------
    model : SiameseNet
    settings : MapSettings
        Engine and stride.
    device : torch.device
    dtype : torch.dtype
        In which the network is multiplied.
    """
    poolings = len(model.blocks)
    if settings.engine_for(model.form) == "patch":
        batch_size = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        return partial(_patch_slice, _fold(model, device), batch_size)
    if settings.stride % _SPARSE == 0:
        by_convolutions = _by_convolutions(_fold(model, device))
        return partial(_dense_lattice, by_convolutions, poolings, settings.stride)
    if device.type == "cpu" and not is_reduced(dtype):
        return partial(_dense_slice, FftNetwork(model).scores, poolings)
    return partial(_dense_slice, _by_convolutions(_fold(model, device)), poolings)


def _fold(model: SiameseNet, device: torch.device) -> SiameseNet:
    """The network with its normalisation folded into the weights, on the device."""
    network: SiameseNet = model.fold_batch_norms().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _by_convolutions(model: SiameseNet) -> BlockScores:
    """Score blocks of working pixels by plain convolutions, in any precision."""

    def scores(images: Sequence[torch.Tensor], grids: Sequence[BranchGrid]) -> torch.Tensor:
        return dense_scores(model, [image[None] for image in images], grids)[0]

    return scores


def _patch_slice(
    model: SiameseNet,
    size: int,
    pyramid: DevicePyramid,
    rows: IndexArray,
    columns: IndexArray,
    job: JobContext,
) -> FloatArray:
    """Probabilities ``(outputs, len(rows), len(columns))``, window by window in batches."""
    row, column = (g.ravel() for g in np.meshgrid(rows, columns, indexing="ij"))
    zeros = np.zeros_like(row)
    parts = []
    for start in range(0, len(row), size):
        job.raise_if_cancelled()
        batch = slice(start, start + size)
        windows = pyramid.windows(zeros[batch], row[batch], column[batch])
        scores = model(zscore_windows(windows) if model.form == "patch" else windows)
        parts.append(torch.softmax(scores.float(), 1))
    return torch.cat(parts).cpu().numpy().T.reshape(-1, len(rows), len(columns))


def _dense_slice(
    evaluate: BlockScores,
    poolings: int,
    pyramid: DevicePyramid,
    rows: IndexArray,
    columns: IndexArray,
    job: JobContext,
) -> FloatArray:
    """The same by the dense network: every pixel of the range, in tiles of equal rows."""
    reach = slice(int(columns[0]), int(columns[-1]) + 1)
    first, height, width = int(rows[0]), int(rows[-1] - rows[0]) + 1, reach.stop - reach.start
    # Tiles share their windows' margins with none, so a few large ones cost least.
    tiles = min(height, math.ceil(height * width / TILE_PIXELS))
    edges = [first + height * k // tiles for k in range(tiles + 1)]
    parts = []
    for tile in map(slice, edges, edges[1:]):
        job.raise_if_cancelled()
        parts.append(_block(evaluate, poolings, pyramid, tile, reach))
    probabilities: FloatArray = np.concatenate(parts, axis=1)
    return probabilities[:, rows - first][:, :, columns - columns[0]]


def _block(
    evaluate: BlockScores, poolings: int, pyramid: DevicePyramid, rows: slice, columns: slice
) -> FloatArray:
    """Probabilities ``(outputs, rows, columns)`` of a block of the pyramid's only slice."""
    grids = branch_grids(pyramid.pyramid, poolings, rows, columns)
    images = [grid.crop(image[0]) for grid, image in zip(grids, pyramid.images, strict=True)]
    probabilities: FloatArray = torch.softmax(evaluate(images, grids).float(), 0).cpu().numpy()
    return probabilities


def _dense_lattice(
    evaluate: BlockScores,
    poolings: int,
    stride: int,
    pyramid: DevicePyramid,
    rows: IndexArray,
    columns: IndexArray,
    job: JobContext,
) -> FloatArray:
    """The same on a lattice alone, the last row and column by themselves."""
    bands = []
    for row in _even_parts(rows, stride):
        job.raise_if_cancelled()
        parts = []
        for column in _even_parts(columns, stride):
            parts.append(_block(evaluate, poolings, pyramid, row, column))
        bands.append(np.concatenate(parts, axis=2))
    return np.concatenate(bands, axis=1)


def _even_parts(picks: IndexArray, stride: int) -> list[slice]:
    """Pixels as slices: those at equal distances, and the last if it is at another."""
    first, last = int(picks[0]), int(picks[-1])
    if (last - first) % stride == 0:
        return [slice(first, last + 1, stride)]
    return [slice(first, last, stride), slice(last, last + 1)]
