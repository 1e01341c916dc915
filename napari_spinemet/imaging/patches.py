"""Windows around locations: padding, and the pyramid they are cut from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .brightness.marrow_level import MarrowLevel
from .brightness.normalisation import MARROW, LocalZScore
from .grids import nearest_pixel, resample_image, working_shape
from .series import SagittalSeries

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.intp]

PATCH_SHAPE = (79, 55)
"""(rows, columns) of a patch: 79 high, 55 wide, centre at (39, 27) (paper, section 2.4)."""


@dataclass(frozen=True, eq=False)
class Pyramid:
    """One series at several resolutions, padded so that a window fits at every location.

    Attributes
    ----------
    resolutions : tuple of float
        Pixel side in mm, one for each image stack.
    images : tuple of numpy.ndarray
        ``(slice, row, column)`` float32, one for each resolution, padded on all sides with
        numpy's ``symmetric`` mode (the edge pixel is repeated).
    rows, columns : tuple of numpy.ndarray
        For each resolution, the first padded row (column) of the window of each
        working-grid row (column).
    window : tuple of int
        (rows, columns) of a window.
    """

    resolutions: tuple[float, ...]
    images: tuple[FloatArray, ...]
    rows: tuple[IndexArray, ...]
    columns: tuple[IndexArray, ...]
    window: tuple[int, int]

    @property
    def working_shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns) of the working grid."""
        return len(self.images[0]), len(self.rows[0]), len(self.columns[0])

    def windows(self, slices: IndexArray, rows: IndexArray, columns: IndexArray) -> FloatArray:
        """Cut the windows of many working-grid locations.

        Parameters
        ----------
        slices, rows, columns : numpy.ndarray
            ``(n,)`` indices on the working grid.

        Returns
        -------
        numpy.ndarray
            ``(n, resolution, row, column)`` float32.
        """
        height, width = self.window
        result = np.empty((len(slices), len(self.images), height, width), dtype=np.float32)
        for k, image in enumerate(self.images):
            # A view of all windows; only those that are asked for are copied.
            view = np.lib.stride_tricks.sliding_window_view(image, self.window, axis=(1, 2))
            result[:, k] = view[slices, self.rows[k][rows], self.columns[k][columns]]
        return result


def build_pyramid(
    series: SagittalSeries,
    resolutions: Sequence[float],
    window: tuple[int, int] = PATCH_SHAPE,
    normalise: LocalZScore | None = None,
    slices: Sequence[int] | None = None,
    marrow: MarrowLevel | None = None,
) -> Pyramid:
    """Resample a series to each resolution, normalise if asked, and pad.

    Parameters
    ----------
    series : SagittalSeries
    resolutions : sequence of float
        Pixel sides in mm, in the order in which windows are stacked.
    window : tuple of int
        (rows, columns), both odd.
    normalise : LocalZScore, optional
        Applied to each resolution before padding (dense form).
    slices : sequence of int, optional
        Only these slices, in this order; all by default.
    marrow : MarrowLevel, optional
        What a normalisation with that reference divides by; without one, what the picture lets
        guess.

    Returns
    -------
    Pyramid
        With a copy of its own of each image.
    """
    _, row_mm, column_mm = series.spacing_mm
    half = (window[0] // 2, window[1] // 2)
    images, rows, columns = [], [], []
    voxels = series.voxels if slices is None else series.voxels[list(slices)]
    # Else burnt-in text or an undeclared border would be all that a spread tells of. A scan
    # without either keeps every value.
    low, high = series.value_range
    voxels = np.clip(voxels, low, high)
    if normalise is not None and normalise.reference == MARROW:
        voxels = (marrow or MarrowLevel.guess(series)).divide(voxels, row_mm)
    working = working_shape(series.shape, series.affine)[1:]
    for resolution in resolutions:
        image = resample_image(voxels, (row_mm, column_mm), resolution)
        if normalise is not None:
            image = normalise(image, resolution)
        rows.append(nearest_pixel(working[0], resolution, image.shape[1]))
        columns.append(nearest_pixel(working[1], resolution, image.shape[2]))
        padding = ((0, 0), (half[0], half[0]), (half[1], half[1]))
        images.append(np.pad(image, padding, mode="symmetric"))
    return Pyramid(tuple(resolutions), tuple(images), tuple(rows), tuple(columns), window)
