"""The likelihood of metastasis at every location, by either of two engines.

``patch`` cuts, normalises and scores the window of each location by itself: the reference,
and the only way for the patch form. ``dense`` evaluates a whole slice of the dense form at
once and gives the same numbers to float rounding.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ..errors import SpinemetError
from ..imaging import LikelihoodMap, SagittalSeries
from ..imaging.grids import central_columns, working_affine, working_shape
from ..imaging.patches import build_pyramid
from ..jobs import CancelToken, EventCallback, Finished, Progressed, Started
from ..jobs.events import ignore
from ..network import SiameseNet
from ..network.dense import BranchGrid, branch_grids, dense_scores
from ..network.device_pyramid import DevicePyramid, zscored
from ..network.devices import choose_device, detection_dtype, failure_of
from ..network.fft_inference import FftNetwork

TASK = "detect"
CPU_BATCH, GPU_BATCH = 16, 512
"""Windows at a time: on a processor, few enough for their features to stay in its cache."""
TILE_PIXELS = 400 * 200
"""Working pixels evaluated at once: a usual slice in one piece, memory bounded for any."""

_SPARSE = 4
"""At multiples of this stride most poolings keep theirs, so the few pixels cost less than all."""

FloatArray = npt.NDArray[np.float32]
BlockScores = Callable[[Sequence[torch.Tensor], Sequence[BranchGrid]], torch.Tensor]
"""Class scores ``(outputs, rows, columns)`` from cropped images of each resolution."""


class MapSettings(TypedDict, total=False):
    """What :func:`likelihood_map` takes beside a series and a model."""

    engine: str
    stride: int
    columns: str
    device: str
    precision: str
    on_event: EventCallback
    cancel: CancelToken | None


def likelihood_map(
    series: SagittalSeries,
    model: SiameseNet,
    *,
    engine: str = "auto",
    stride: int = 1,
    columns: str = "centre",
    device: str = "auto",
    precision: str = "float32",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> LikelihoodMap:
    """Evaluate a network at every working-grid location (paper, section 2.5).

    Parameters
    ----------
    series : SagittalSeries
    model : SiameseNet
    engine : {"auto", "dense", "patch"}
        ``auto`` is dense for the dense form and patch for the patch form, which has no
        dense evaluation.
    stride : int
        Evaluate every so-many-th pixel and fill bilinearly between them.
    columns : {"centre", "all"}
        The central half of the columns, or the whole width.
    device : str
        ``"auto"``, ``"cpu"``, or a torch device.
    precision : {"float32", "float16", "bfloat16", "auto"}
        What is multiplied; see :func:`~napari_spinemet.network.devices.detection_dtype`.
    on_event : callable, optional
    cancel : CancelToken, optional
        Polled at every slice and batch.

    Returns
    -------
    LikelihoodMap
        Not aggregated.

    Raises
    ------
    SpinemetError
        If the engine does not fit the form, or the device fails.
    Cancelled
        If the token was raised.
    """
    if engine not in ("auto", "dense", "patch"):
        raise SpinemetError(f"The engine is auto, dense or patch, not '{engine}'.")
    if engine == "dense" and model.form != "dense":
        raise SpinemetError(
            "This model has the patch form, which has no dense evaluation; use the engine 'patch'."
        )
    if stride < 1 or columns not in ("centre", "all"):
        raise SpinemetError("The stride is at least 1, and columns is 'centre' or 'all'.")
    started = time.perf_counter()
    where = choose_device(device)
    slices, rows, width = working_shape(series.shape, series.affine)
    first, last = central_columns(width) if columns == "centre" else (0, width)
    dtype = detection_dtype(precision, where)
    reduced = dtype != torch.float32
    normalisation = model.normalisation if model.form == "dense" else None
    on_event(Started(TASK, slices))
    poolings = len(model.blocks)
    evaluate: Callable[..., FloatArray]
    if engine == "patch" or model.form == "patch":
        size = CPU_BATCH if where.type == "cpu" else GPU_BATCH
        evaluate = partial(_patch_slice, _folded(model, where), size)
    elif stride % _SPARSE == 0:
        evaluate = partial(
            _dense_lattice, _by_convolutions(_folded(model, where)), poolings, stride
        )
    elif where.type == "cpu" and not reduced:
        evaluate = partial(_dense_slice, FftNetwork(model).scores, poolings)
    else:
        evaluate = partial(_dense_slice, _by_convolutions(_folded(model, where)), poolings)
    probabilities = np.zeros((model.outputs, slices, rows, width), dtype=np.float32)
    row_picks = np.unique(np.r_[np.arange(0, rows, stride), rows - 1])
    column_picks = np.unique(np.r_[np.arange(first, last, stride), last - 1])
    try:
        with torch.inference_mode(), torch.autocast(where.type, dtype, enabled=reduced):
            for index in range(slices):
                if cancel is not None:
                    cancel.raise_if_cancelled()
                pyramid = build_pyramid(
                    series, model.resolutions, model.window, normalisation, [index]
                )
                coarse = evaluate(DevicePyramid(pyramid, where), row_picks, column_picks, cancel)
                probabilities[:, index, :, first:last] = _fill(
                    coarse, row_picks, column_picks - first, (rows, last - first)
                )
                on_event(Progressed(TASK, index + 1, slices, f"slice {index + 1} of {slices}"))
    except (RuntimeError, MemoryError) as error:
        raise failure_of(error) from error
    on_event(Finished(TASK, time.perf_counter() - started))
    return LikelihoodMap(
        values=probabilities[1],
        affine=working_affine(series.affine),
        columns=(first, last),
        series_spacing_mm=series.spacing_mm,
        vertebra=probabilities[2] if model.outputs == 3 else None,
        stride=stride,
        model=model_identity(model),
        series_uid=series.series_uid,
    )


def model_identity(model: SiameseNet) -> str:
    """Form and a hash of the weights: two models with the same identity are the same."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return f"{model.form}:{digest.hexdigest()[:16]}"


def _folded(model: SiameseNet, device: torch.device) -> SiameseNet:
    network: SiameseNet = model.folded().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
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
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    cancel: CancelToken | None,
) -> FloatArray:
    """Probabilities ``(outputs, len(rows), len(columns))``, window by window in batches."""
    row, column = (g.ravel() for g in np.meshgrid(rows, columns, indexing="ij"))
    zeros = np.zeros_like(row)
    parts = []
    for start in range(0, len(row), size):
        if cancel is not None:
            cancel.raise_if_cancelled()
        batch = slice(start, start + size)
        windows = pyramid.windows(zeros[batch], row[batch], column[batch])
        scores = model(zscored(windows) if model.form == "patch" else windows)
        parts.append(torch.softmax(scores.float(), 1))
    return torch.cat(parts).cpu().numpy().T.reshape(-1, len(rows), len(columns))


def _dense_slice(
    evaluate: BlockScores,
    poolings: int,
    pyramid: DevicePyramid,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    cancel: CancelToken | None,
) -> FloatArray:
    """The same by the dense network: every pixel of the range, in tiles of equal rows."""
    reach = slice(int(columns[0]), int(columns[-1]) + 1)
    height, width = int(rows[-1]) + 1, reach.stop - reach.start
    # Tiles share their windows' margins with none, so a few large ones cost least.
    tiles = min(height, math.ceil(height * width / TILE_PIXELS))
    edges = [height * k // tiles for k in range(tiles + 1)]
    parts = []
    for tile in map(slice, edges, edges[1:]):
        if cancel is not None:
            cancel.raise_if_cancelled()
        parts.append(_block(evaluate, poolings, pyramid, tile, reach))
    every: FloatArray = np.concatenate(parts, axis=1)
    return every[:, rows][:, :, columns - columns[0]]


def _block(
    evaluate: BlockScores, poolings: int, pyramid: DevicePyramid, rows: slice, columns: slice
) -> FloatArray:
    """Probabilities ``(outputs, rows, columns)`` of a block of the pyramid's only slice."""
    grids = branch_grids(pyramid.pyramid, poolings, rows, columns)
    images = [grid.crop(image[0]) for grid, image in zip(grids, pyramid.images, strict=True)]
    found: FloatArray = torch.softmax(evaluate(images, grids).float(), 0).cpu().numpy()
    return found


def _dense_lattice(
    evaluate: BlockScores,
    poolings: int,
    stride: int,
    pyramid: DevicePyramid,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    cancel: CancelToken | None,
) -> FloatArray:
    """The same on a lattice alone, the last row and column by themselves."""
    bands = []
    for row in _lattice(rows, stride):
        if cancel is not None:
            cancel.raise_if_cancelled()
        parts = []
        for column in _lattice(columns, stride):
            parts.append(_block(evaluate, poolings, pyramid, row, column))
        bands.append(np.concatenate(parts, axis=2))
    return np.concatenate(bands, axis=1)


def _lattice(picks: npt.NDArray[np.intp], stride: int) -> list[slice]:
    """Pixels as slices: those at equal distances, and the last if it is at another."""
    first, last = int(picks[0]), int(picks[-1])
    if (last - first) % stride == 0:
        return [slice(first, last + 1, stride)]
    return [slice(first, last, stride), slice(last, last + 1)]


def _fill(
    coarse: FloatArray,
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    shape: tuple[int, int],
) -> FloatArray:
    """Bilinear values at every pixel from those at the given rows and columns."""
    if coarse.shape[1:] == shape:
        return coarse
    at = np.meshgrid(
        np.interp(np.arange(shape[0]), rows, np.arange(len(rows))),
        np.interp(np.arange(shape[1]), columns, np.arange(len(columns))),
        indexing="ij",
    )
    filled = [ndimage.map_coordinates(c, at, order=1, mode="nearest") for c in coarse]
    return np.asarray(np.clip(np.stack(filled), 0, 1), dtype=np.float32)
