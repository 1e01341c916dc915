"""The likelihood of metastasis at every location, by either of two engines.

``patch`` cuts, normalises and scores the window of each location by itself: the reference,
and the only way for the patch form. ``dense`` evaluates a whole slice of the dense form at
once and gives the same numbers to float rounding.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ..imaging import EvaluatedRegion, LikelihoodMap, SagittalSeries, ScanWarning
from ..imaging.evaluated_region import CENTRE, SPINE, WHOLE_WIDTH
from ..imaging.grids import working_affine, working_shape
from ..jobs import UNATTENDED, CancelToken, EventCallback, Finished, JobContext, Started
from ..network import SiameseNet
from ..network.devices import choose_detection_dtype, choose_device, translate_torch_error
from .coarse_look import LESION, VERTEBRA, CoarseLook, take_coarse_look
from .comparison.familiarity import FamiliarityModel
from .comparison.second_look import SecondLook, look_again
from .corridor import SpineCourse, corridor_along
from .map_settings import DEFAULT_MAP_SETTINGS, MapSettings
from .slice_engines import is_reduced, slice_scorer
from .slice_images import SliceImages, compares_with_marrow

TASK = "detect"
NO_SPINE = "no-spine"
FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.intp]
Band = tuple[slice, slice]
"""Rows and columns of a rectangle of the working grid."""
Picks = tuple[IndexArray, IndexArray]
"""Which of its rows and columns are evaluated."""
OnSlice = Callable[[int, FloatArray], None]
"""Hears the number of a slice, and the likelihoods ``(row, column)`` that it was given."""


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
    on_slice: OnSlice | None = None,
    job: JobContext = UNATTENDED,
) -> LikelihoodMap:
    """What :func:`likelihood_map` does, with its settings as one value.

    Parameters
    ----------
    series : SagittalSeries
    model : SiameseNet
    settings : MapSettings
    on_slice : callable, optional
        Hears of each slice as it is done, the middle ones first; in the thread of the computation.
    job : JobContext
        Polled at every slice and batch.
    """
    start_time = time.perf_counter()
    device = choose_device(settings.device)
    slices, rows, width = working_shape(series.shape, series.affine)
    dtype = choose_detection_dtype(settings.precision, device)
    scorer = slice_scorer(model, settings, device, dtype)
    # Before anything is computed: the card may hold another than this program's.
    second_look = None if model.second_look is None else SecondLook.of_card(model.second_look)
    familiarity_model = (
        None if model.familiarity is None else FamiliarityModel.of_card(model.familiarity)
    )
    job.report(Started(TASK, slices))
    probabilities = np.zeros((model.outputs, slices, rows, width), dtype=np.float32)
    try:
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=is_reduced(dtype)):
            images = SliceImages.first(series, model, device)
            look = _look(images, settings, job)
            region, notes = _choose_region(images, look.course, settings)
            images = images.over(look.marrow)
            for count, index in enumerate(from_the_middle(slices), 1):
                pyramid = images.take(index)
                for band, picks in _bands(region, settings.stride):
                    job.raise_if_cancelled()
                    coarse = scorer(pyramid, *picks, job)
                    probabilities[:, index, band[0], band[1]] = _fill(coarse, band, picks)
                if on_slice is not None:
                    on_slice(index, probabilities[LESION, index].copy())
                job.progress(TASK, count, slices, f"{count} of {slices} slices")
    except (RuntimeError, MemoryError) as error:
        raise translate_torch_error(error) from error
    likelihood = LikelihoodMap(
        values=probabilities[LESION],
        affine=working_affine(series.affine),
        columns=region.columns,
        series_spacing_mm=series.spacing_mm,
        vertebra=probabilities[VERTEBRA] if model.outputs == 3 else None,
        stride=settings.stride,
        model=model_identity(model),
        series_uid=series.series_uid,
        warnings=(*series.warnings, *_outlier_warnings(series), *notes),
        region=region,
        learned_from=model.learned_from,
    )
    if likelihood.vertebra is not None:
        likelihood = look_again(series, likelihood, second_look, familiarity_model)
    job.report(Finished(TASK, time.perf_counter() - start_time))
    return likelihood


def with_familiarity(
    series: SagittalSeries, likelihood: LikelihoodMap, model: SiameseNet
) -> LikelihoodMap:
    """A map with how familiar its model is with the scan: one that was stored may lack that.

    Parameters
    ----------
    series : SagittalSeries
        That was evaluated.
    likelihood : LikelihoodMap
        Plain.
    model : SiameseNet
        By which it was made.
    """
    if likelihood.vertebra is None or likelihood.familiarity or model.familiarity is None:
        return likelihood
    look = None if model.second_look is None else SecondLook.of_card(model.second_look)
    familiarity_model = FamiliarityModel.of_card(model.familiarity)
    return replace(
        likelihood, familiarity=look_again(series, likelihood, look, familiarity_model).familiarity
    )


def _look(images: SliceImages, settings: MapSettings, job: JobContext) -> CoarseLook:
    """Where it is of use: for the corridor, or for the level that images are compared with."""
    model = images.model
    finds_corridor = settings.columns == SPINE and model.outputs == 3
    if finds_corridor or compares_with_marrow(model):
        return take_coarse_look(images, settings, job)
    return CoarseLook(None, None)


def _choose_region(
    images: SliceImages, course: SpineCourse | None, settings: MapSettings
) -> tuple[EvaluatedRegion, list[ScanWarning]]:
    """What is evaluated, and what a reader must know of it."""
    series, model = images.series, images.model
    _, rows, width = working_shape(series.shape, series.affine)
    if settings.columns == WHOLE_WIDTH:
        return EvaluatedRegion.whole((rows, width)), []
    central = EvaluatedRegion.central((rows, width))
    if settings.columns == CENTRE:
        return central, []
    if model.outputs == 3:
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


def from_the_middle(slices: int) -> list[int]:
    """Numbers of slices, those nearest to the middle first: most of the spine lies there.

    Parameters
    ----------
    slices : int

    Examples
    --------
    >>> from_the_middle(5)
    [2, 1, 3, 0, 4]
    """
    middle = (slices - 1) / 2
    return sorted(range(slices), key=lambda index: (abs(index - middle), index))


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


def model_identity(model: SiameseNet) -> str:
    """Form and a hash of the weights: two models with the same identity are the same."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return f"{model.form}:{digest.hexdigest()[:16]}"


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
