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

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ..imaging import LikelihoodMap, SagittalSeries, ScanWarning
from ..imaging.grids import central_columns, working_affine, working_shape
from ..imaging.patches import build_pyramid
from ..jobs import UNATTENDED, CancelToken, EventCallback, Finished, JobContext, Started
from ..network import SiameseNet
from ..network.dense import BranchGrid, branch_grids, dense_scores
from ..network.device_pyramid import DevicePyramid, zscore_windows
from ..network.devices import choose_detection_dtype, choose_device, translate_torch_error
from ..network.fft_inference import FftNetwork
from .map_settings import DEFAULT_MAP_SETTINGS, MapSettings

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
SliceScorer = Callable[
    [DevicePyramid, npt.NDArray[np.intp], npt.NDArray[np.intp], JobContext], FloatArray
]
"""Probabilities ``(outputs, rows, columns)`` at some rows and columns of a slice."""


def likelihood_map(
    series: SagittalSeries,
    model: SiameseNet,
    *,
    engine: str = "auto",
    stride: int = 1,
    columns: str = "centre",
    device: str = "auto",
    precision: str = "float32",
    on_event: EventCallback | None = None,
    cancel: CancelToken | None = None,
) -> LikelihoodMap:
    """Evaluate a network at every working-grid location (paper, section 2.5).

    Parameters
    ----------
    series : SagittalSeries
        In any contrast; whether the model knows it is the caller's to judge.
    model : SiameseNet
    engine, stride, columns, device, precision
        See :class:`.MapSettings`.
    on_event : callable, optional
        Hears :mod:`~napari_spinemet.jobs` events, one a slice.
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

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> affine = np.array([[3.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> series = spinemet.SagittalSeries(np.random.default_rng(0).normal(size=(1, 8, 12)), affine)
    >>> model = spinemet.SiameseNet((1,), "dense", (1,), widths=(2,), patch_shape=(7, 7))
    >>> likelihood = spinemet.likelihood_map(series, model.eval(), columns="all", device="cpu")
    >>> likelihood.values.shape
    (1, 8, 12)
    """
    settings = MapSettings(engine, stride, columns, device, precision)
    return map_series(series, model, settings, job=JobContext.of(on_event, cancel))


def map_series(
    series: SagittalSeries,
    model: SiameseNet,
    settings: MapSettings = DEFAULT_MAP_SETTINGS,
    *,
    job: JobContext = UNATTENDED,
) -> LikelihoodMap:
    """What :func:`likelihood_map` does, with its settings as one value.

    Parameters
    ----------
    series : SagittalSeries
    model : SiameseNet
    settings : MapSettings
    job : JobContext
        Polled at every slice and batch.
    """
    start_time = time.perf_counter()
    device = choose_device(settings.device)
    slices, rows, width = working_shape(series.shape, series.affine)
    first, last = central_columns(width) if settings.columns == "centre" else (0, width)
    dtype = choose_detection_dtype(settings.precision, device)
    scorer = _slice_scorer(model, settings, device, dtype)
    job.report(Started(TASK, slices))
    probabilities = np.zeros((model.outputs, slices, rows, width), dtype=np.float32)
    # The last row and column are evaluated in any case, so that nothing is extrapolated.
    row_picks = np.unique(np.r_[np.arange(0, rows, settings.stride), rows - 1])
    column_picks = np.unique(np.r_[np.arange(first, last, settings.stride), last - 1])
    normalisation = model.normalisation if model.form == "dense" else None
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=_is_reduced(dtype)):
            for index in range(slices):
                job.raise_if_cancelled()
                pyramid = build_pyramid(
                    series, model.resolutions, model.window, normalisation, [index]
                )
                coarse = scorer(DevicePyramid(pyramid, device), row_picks, column_picks, job)
                probabilities[:, index, :, first:last] = _fill(
                    coarse, row_picks, column_picks - first, (rows, last - first)
                )
                job.progress(TASK, index + 1, slices, f"slice {index + 1} of {slices}")
    except (RuntimeError, MemoryError) as error:
        raise translate_torch_error(error) from error
    job.report(Finished(TASK, time.perf_counter() - start_time))
    return LikelihoodMap(
        values=probabilities[1],
        affine=working_affine(series.affine),
        columns=(first, last),
        series_spacing_mm=series.spacing_mm,
        vertebra=probabilities[2] if model.outputs == 3 else None,
        stride=settings.stride,
        model=model_identity(model),
        series_uid=series.series_uid,
        warnings=(*series.warnings, *_outlier_warnings(series)),
    )


def _outlier_warnings(series: SagittalSeries) -> list[ScanWarning]:
    """Whether pixels were not taken for what they say."""
    low, high = series.value_range
    share = float(np.mean((series.voxels < low) | (series.voxels > high)))
    if not share:
        return []
    amount = f"{share:.1%}" if share >= 0.001 else f"{round(share * series.voxels.size)}"
    return [
        ScanWarning(
            "values-out-of-range",
            f"{amount} of the pixels lie far beyond all others, as burnt-in text and undeclared "
            "borders do; they were taken for the nearest of the other values.",
        )
    ]


def _is_reduced(dtype: torch.dtype) -> bool:
    return dtype != torch.float32


def _slice_scorer(
    model: SiameseNet, settings: MapSettings, device: torch.device, dtype: torch.dtype
) -> SliceScorer:
    """The way to evaluate a slice that is fastest for these settings on this device."""
    poolings = len(model.blocks)
    if settings.engine_for(model.form) == "patch":
        batch_size = CPU_BATCH if device.type == "cpu" else GPU_BATCH
        return partial(_patch_slice, _fold(model, device), batch_size)
    if settings.stride % _SPARSE == 0:
        by_convolutions = _by_convolutions(_fold(model, device))
        return partial(_dense_lattice, by_convolutions, poolings, settings.stride)
    if device.type == "cpu" and not _is_reduced(dtype):
        return partial(_dense_slice, FftNetwork(model).scores, poolings)
    return partial(_dense_slice, _by_convolutions(_fold(model, device)), poolings)


def model_identity(model: SiameseNet) -> str:
    """Form and a hash of the weights: two models with the same identity are the same."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return f"{model.form}:{digest.hexdigest()[:16]}"


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
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
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
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    job: JobContext,
) -> FloatArray:
    """The same by the dense network: every pixel of the range, in tiles of equal rows."""
    reach = slice(int(columns[0]), int(columns[-1]) + 1)
    height, width = int(rows[-1]) + 1, reach.stop - reach.start
    # Tiles share their windows' margins with none, so a few large ones cost least.
    tiles = min(height, math.ceil(height * width / TILE_PIXELS))
    edges = [height * k // tiles for k in range(tiles + 1)]
    parts = []
    for tile in map(slice, edges, edges[1:]):
        job.raise_if_cancelled()
        parts.append(_block(evaluate, poolings, pyramid, tile, reach))
    probabilities: FloatArray = np.concatenate(parts, axis=1)
    return probabilities[:, rows][:, :, columns - columns[0]]


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
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    job: JobContext,
) -> FloatArray:
    """The same on a lattice alone, the last row and column by themselves."""
    bands = []
    for row in _lattice(rows, stride):
        job.raise_if_cancelled()
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
    positions = np.meshgrid(
        np.interp(np.arange(shape[0]), rows, np.arange(len(rows))),
        np.interp(np.arange(shape[1]), columns, np.arange(len(columns))),
        indexing="ij",
    )
    planes = [ndimage.map_coordinates(c, positions, order=1, mode="nearest") for c in coarse]
    return np.asarray(np.clip(np.stack(planes), 0, 1), dtype=np.float32)
