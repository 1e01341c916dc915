"""Two plain detectors that a network must beat, as likelihood maps.

``intensity_map`` is bright-is-lesion. ``blob_map`` looks for bright blobs of a lesion's
size inside the true vertebrae, which gives it knowledge that the network does not have.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..imaging import Annotation, LikelihoodMap, SagittalSeries
from ..imaging.grids import central_columns, resample_image, resample_labels, working_affine

BLOB_SIGMAS_MM = (6.0, 9.0, 12.0)
"""A disc of radius r answers most at sigma = r / sqrt(2): lesions of 2 to 9 cm²."""


def intensity_map(series: SagittalSeries) -> LikelihoodMap:
    """Intensity as likelihood: the share of the series' pixels that are darker."""
    image = resample_image(series.voxels, series.spacing_mm[1:], 1.0)
    smooth = ndimage.gaussian_filter(image, (0, 1, 1))
    return _as_map(series, _ranks(smooth), "intensity")


def blob_map(series: SagittalSeries, annotation: Annotation) -> LikelihoodMap:
    """Bright-blob response (scale-normalised Laplacian) inside the annotated vertebrae.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        Its contours, on its grid; without a vertebra the map is 0.
    """
    image = resample_image(series.voxels, series.spacing_mm[1:], 1.0)
    response = np.stack(
        [
            np.max([-(s**2) * ndimage.gaussian_laplace(slice_, s) for s in BLOB_SIGMAS_MM], axis=0)
            for slice_ in image
        ]
    )
    inside = resample_labels(annotation.vertebrae, series.spacing_mm[1:]) > 0
    ranks = np.zeros(image.shape, dtype=np.float32)
    if inside.any():
        ranks[inside] = _ranks(np.maximum(response[inside], 0))
    return _as_map(series, ranks, "blob")


def _ranks(values: np.ndarray) -> np.ndarray:
    """The share of the values that are smaller, for each."""
    rising = np.sort(values, axis=None)
    return (np.searchsorted(rising, values) / max(values.size - 1, 1)).clip(0, 1).astype(np.float32)


def _as_map(series: SagittalSeries, values: np.ndarray, name: str) -> LikelihoodMap:
    columns = central_columns(values.shape[2])
    central = np.zeros_like(values)
    central[:, :, slice(*columns)] = values[:, :, slice(*columns)]
    return LikelihoodMap(
        central,
        working_affine(series.affine),
        columns,
        series.spacing_mm,
        model=name,
        series_uid=series.series_uid,
    )
