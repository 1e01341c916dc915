"""The likelihood of metastasis at every location, by either of two engines.

``patch`` cuts, normalises and scores the window of each location by itself: the reference,
and the only way for the patch form. ``dense`` evaluates a whole slice of the dense form at
once and gives the same numbers to float rounding.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ..imaging import EvaluatedRegion, LikelihoodMap, SagittalSeries, ScanWarning
from ..imaging.evaluated_region import CENTRE, SPINE, WHOLE_WIDTH
from ..imaging.grids import working_affine, working_shape
from ..imaging.patches import build_pyramid
from ..jobs import UNATTENDED, CancelToken, EventCallback, Finished, JobContext, Started
from ..network import SiameseNet
from ..network.dense import BranchGrid, branch_grids, dense_scores
from ..network.device_pyramid import DevicePyramid, zscore_windows
from ..network.devices import choose_detection_dtype, choose_device, translate_torch_error
from ..network.fft_inference import FftNetwork
from .corridor import CORRIDOR_RULE, SpineCourse, corridor_along, looks_at, trace_course
from .map_settings import DEFAULT_MAP_SETTINGS, MapSettings

TASK = "detect"
NO_SPINE = "no-spine"
VERTEBRA = 2
"""Output that knows normal vertebra."""
CPU_BATCH, GPU_BATCH = 16, 512
"""Windows at a time: on a processor, few enough for their features to stay in its cache."""
TILE_PIXELS = 400 * 200
"""Working pixels evaluated at once: a usual slice in one piece, memory bounded for any."""

_SPARSE = 4
"""At multiples of this stride most poolings keep theirs, so the few pixels cost less than all."""

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.intp]
Band = tuple[slice, slice]
"""Rows and columns of a rectangle of the working grid."""
Picks = tuple[IndexArray, IndexArray]
"""Which of its rows and columns are evaluated."""
BlockScores = Callable[[Sequence[torch.Tensor], Sequence[BranchGrid]], torch.Tensor]
"""Class scores ``(outputs, rows, columns)`` from cropped images of each resolution."""
SliceScorer = Callable[[DevicePyramid, IndexArray, IndexArray, JobContext], FloatArray]
"""Probabilities ``(outputs, rows, columns)`` at some rows and columns of a slice."""


def likelihood_map(
    series: SagittalSeries,
    model: SiameseNet,
    *,
    engine: str = "auto",
    stride: int = 1,
    columns: str = SPINE,
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
    dtype = choose_detection_dtype(settings.precision, device)
    scorer = _slice_scorer(model, settings, device, dtype)
    job.report(Started(TASK, slices))
    probabilities = np.zeros((model.outputs, slices, rows, width), dtype=np.float32)
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=_is_reduced(dtype)):
            region, notes = _choose_region(series, model, settings, device, job)
            for index in range(slices):
                pyramid = _slice_pyramid(series, model, index, device)
                for band, picks in _bands(region, settings.stride):
                    job.raise_if_cancelled()
                    coarse = scorer(pyramid, *picks, job)
                    probabilities[:, index, band[0], band[1]] = _fill(coarse, band, picks)
                job.progress(TASK, index + 1, slices, f"slice {index + 1} of {slices}")
    except (RuntimeError, MemoryError) as error:
        raise translate_torch_error(error) from error
    job.report(Finished(TASK, time.perf_counter() - start_time))
    return LikelihoodMap(
        values=probabilities[1],
        affine=working_affine(series.affine),
        columns=region.columns,
        series_spacing_mm=series.spacing_mm,
        vertebra=probabilities[2] if model.outputs == 3 else None,
        stride=settings.stride,
        model=model_identity(model),
        series_uid=series.series_uid,
        warnings=(*series.warnings, *_outlier_warnings(series), *notes),
        region=region,
    )


def _slice_pyramid(
    series: SagittalSeries, model: SiameseNet, index: int, device: torch.device
) -> DevicePyramid:
    normalisation = model.normalisation if model.form == "dense" else None
    pyramid = build_pyramid(series, model.resolutions, model.window, normalisation, [index])
    return DevicePyramid(pyramid, device)


def _choose_region(
    series: SagittalSeries,
    model: SiameseNet,
    settings: MapSettings,
    device: torch.device,
    job: JobContext,
) -> tuple[EvaluatedRegion, list[ScanWarning]]:
    """What is evaluated, and what a reader must know of it."""
    _, rows, width = working_shape(series.shape, series.affine)
    if settings.columns == WHOLE_WIDTH:
        return EvaluatedRegion.whole((rows, width)), []
    central = EvaluatedRegion.central((rows, width))
    if settings.columns == CENTRE:
        return central, []
    if model.outputs == 3:
        course = _find_spine(series, model, settings, device, job)
        if course is not None:
            return corridor_along(course, (rows, width)), []
        warnings = [
            ScanWarning(
                "no-spine",
                "No spine was found in this scan, so that only the central half of its columns "
                "was evaluated, and no detection was dropped for its place.",
            )
        ]
        return replace(central, kind=SPINE, stands_in="no spine was found"), warnings
    # Nothing is wrong with the scan: a network of two outputs knows no vertebrae to follow.
    return replace(central, kind=SPINE, stands_in="the model does not tell vertebrae"), []


def _find_spine(
    series: SagittalSeries,
    model: SiameseNet,
    settings: MapSettings,
    device: torch.device,
    job: JobContext,
) -> SpineCourse | None:
    """Where it runs, by every so-many-th pixel of some slices over the whole width."""
    slices, rows, width = working_shape(series.shape, series.affine)
    rule = CORRIDOR_RULE
    # In single precision on any device: where the corridor lies shall not depend on that.
    scorer = _slice_scorer(model, replace(settings, stride=rule.stride), device, torch.float32)
    row_picks, column_picks = _lattice(rows, rule.stride), _lattice(width, rule.stride)
    planes: list[FloatArray] = []
    course = None
    for look in looks_at(slices):
        for index in look:
            job.raise_if_cancelled()
            pyramid = _slice_pyramid(series, model, int(index), device)
            with torch.autocast(device.type, enabled=False):
                planes.append(scorer(pyramid, row_picks, column_picks, job)[VERTEBRA])
        course = trace_course(np.stack(planes), row_picks, column_picks)
        if course is not None and course.seen_share >= rule.seen_share:
            break
    if course is None or course.seen_share * rows < rule.least_mm:
        return None
    return course


def _lattice(size: int, stride: int) -> IndexArray:
    """Every so-many-th pixel, as far from the first border as from the last, about."""
    count = max(1, size // stride)
    return (size - 1 - stride * (count - 1)) // 2 + stride * np.arange(count)


def _bands(region: EvaluatedRegion, stride: int) -> Iterator[tuple[Band, Picks]]:
    """The rectangles of a region, and which of their rows and columns are evaluated."""
    for band in region.bands():
        # The last row and column in any case, so that nothing is extrapolated.
        rows, columns = (np.unique(np.r_[b.start : b.stop : stride, b.stop - 1]) for b in band)
        yield band, (rows, columns)


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


def _fill(coarse: FloatArray, band: Band, picks: Picks) -> FloatArray:
    """Bilinear values at every pixel of a rectangle from those at the rows and columns picked."""
    rows, columns = (np.arange(b.start, b.stop) for b in band)
    if coarse.shape[1:] == (len(rows), len(columns)):
        return coarse
    positions = np.meshgrid(
        *(np.interp(n, p, np.arange(len(p))) for n, p in zip((rows, columns), picks, strict=True)),
        indexing="ij",
    )
    planes = [ndimage.map_coordinates(c, positions, order=1, mode="nearest") for c in coarse]
    return np.asarray(np.clip(np.stack(planes), 0, 1), dtype=np.float32)
