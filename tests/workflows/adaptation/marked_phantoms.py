"""Phantoms with maps that are drawn by the truth, as a network would give that makes no mistake."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from napari_spinemet.imaging import Annotation, LikelihoodMap, SagittalSeries
from napari_spinemet.imaging.evaluated_region import EvaluatedRegion
from napari_spinemet.imaging.grids import resample_labels, working_affine
from napari_spinemet.phantom import PhantomCase, make_case
from napari_spinemet.phantom.case import CALIBRATED


@lru_cache(maxsize=4)
def phantom(number: int, *, has_lesions: bool = False) -> PhantomCase:
    """A lumbar spine of the second generator, quickly made."""
    return make_case((27_777, number), generator=CALIBRATED, has_lesions=has_lesions, pixel_mm=1.0)


def map_by_truth(
    series: SagittalSeries, annotation: Annotation, marked: np.ndarray | None = None
) -> LikelihoodMap:
    """Bone where bodies are contoured, lesion where something is marked.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
    marked : numpy.ndarray, optional
        bool ``(slice, row, column)`` on the grid of the series; the lesions by default.
    """
    spacing = series.spacing_mm[1:]
    marked = annotation.lesions > 0 if marked is None else marked
    lesion = resample_labels(marked.astype(np.uint16), spacing) > 0
    bone = resample_labels(annotation.vertebrae, spacing) > 0
    # As likelihoods fall at edges.
    soft = ndimage.gaussian_filter((bone & ~lesion).astype(np.float32), (0, 1.5, 1.5))
    values = 0.95 * lesion.astype(np.float32)
    region = EvaluatedRegion.whole(values.shape[1:])
    return LikelihoodMap(
        values,
        working_affine(series.affine),
        region.columns,
        series.spacing_mm,
        np.clip(soft, 0, 1 - values),
        series_uid=series.series_uid,
        region=region,
    )
