"""Scans whose voxels say where they are, and what is contoured on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.brightness.normalisation import LocalZScore
from napari_spinemet.training.sampling import LESION, NORMAL, VERTEBRA

MakeSeries = Callable[..., SagittalSeries]
TINY = {"widths": (2, 4, 4), "blocks": (1, 1, 1), "hidden": 4}
RESOLUTIONS = [(0.5, 1.0, 2.0), (0.25, 1.0, 1.25), (0.5, 1.0, 1.5)]


class RawImages(LocalZScore):
    """No normalisation at all, so that an image can carry a code."""

    def __call__(self, images: np.ndarray, resolution_mm: float) -> np.ndarray:
        """The image as it is."""
        return images


def contour_scan(rows: int, columns: int) -> Annotation:
    """A lesion in a vertebra, off the middle, in slice 1 of 3; another kind in slice 2."""
    lesions, vertebrae = np.zeros((3, rows, columns)), np.zeros((3, rows, columns))
    vertebrae[:, rows // 5 : rows // 5 + 26, columns // 3 : columns // 3 + 20] = 1
    lesions[1, rows // 5 + 3 : rows // 5 + 17, columns // 3 + 2 : columns // 3 + 13] = 1
    lesions[2, rows // 5 + 8 : rows // 5 + 14, columns // 3 + 4 : columns // 3 + 22] = 2
    return Annotation(lesions, vertebrae)


def expected_classes(annotation: Annotation, k: int) -> np.ndarray:
    """Class of each pixel of a slice, -1 where none may be drawn; 1 mm pixels."""
    lesion, body = annotation.lesions[k] > 0, annotation.vertebrae[k] > 0
    column = np.arange(lesion.shape[1])[None, :]
    central = (4 * column >= lesion.shape[1]) & (4 * column < 3 * lesion.shape[1])
    return np.where(lesion, LESION, np.where(body, VERTEBRA, np.where(central, NORMAL, -1)))


def coded_series(make_series: MakeSeries, annotation: Annotation) -> SagittalSeries:
    """Each voxel says where it is: 90 000 slice + 300 row + column."""
    k, row, column = np.indices(annotation.lesions.shape)
    return make_series(90_000.0 * k + 300.0 * row + column)
