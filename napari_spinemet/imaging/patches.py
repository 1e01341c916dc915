"""Windows around locations: padding, z-scores, and the pyramid they are cut from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .grids import nearest_pixel, resample_image, working_shape
from .series import SagittalSeries

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.intp]

PATCH_SHAPE = (79, 55)
"""(rows, columns) of a patch: 79 high, 55 wide, centre at (39, 27) (paper, section 2.4)."""

WIDE_MM = 2.0
"""Side of a pixel from which a resolution is a wide view."""


def zscore(patches: npt.NDArray[np.floating]) -> FloatArray:
    """Mean 0 and standard deviation 1 over the last two axes; a constant patch gives zeros."""
    patches = np.asarray(patches, dtype=np.float64)
    differences = patches - patches.mean(axis=(-2, -1), keepdims=True)
    deviation = differences.std(axis=(-2, -1), keepdims=True)
    # A constant patch leaves a rounding residue: compare with the size of its values.
    scale = np.abs(patches).max(axis=(-2, -1), keepdims=True)
    flat = deviation <= 1e-7 * scale
    return np.where(flat, 0.0, differences / np.where(flat, 1.0, deviation)).astype(np.float32)


def gaussian_mean(images: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """Gaussian-weighted mean around each pixel of images continued by their mirror image.

    On that continuation (numpy's ``symmetric``, the edge pixel repeated) a convolution is a
    product in the cosine transform. Of a window tens of pixels wide only some tens of the
    lowest frequencies are left, so two narrow products of matrices do the whole transform.

    Parameters
    ----------
    images : numpy.ndarray
        Images along the last two axes, any number of axes before them.
    sigma : float
        Of the Gaussian, in pixels; the smaller, the more frequencies and the slower.
    """
    # The brackets matter: the middle product is as small as the frequencies are few.
    rows, columns = (_low_waves(size, sigma) for size in images.shape[-2:])
    result: npt.NDArray[np.float64] = rows @ (rows.T @ images @ columns) @ columns.T
    return result


@lru_cache(maxsize=32)
def _low_waves(size: int, sigma: float) -> npt.NDArray[np.float64]:
    """Orthonormal cosines ``(pixel, frequency)``, each times the root of its Gaussian weight.

    Frequencies whose weight is lost in float64 are left out.
    """
    frequency = np.arange(size)
    weight = np.exp(-0.5 * (sigma * np.pi * frequency / size) ** 2)
    low = frequency[weight > 1e-18]
    waves = np.cos(np.pi / size * np.outer(np.arange(size) + 0.5, low))
    # The root, since the waves are applied twice: into the transform and back.
    waves *= np.sqrt(np.where(low == 0, 1, 2) / size * weight[low])
    return waves


@dataclass(frozen=True)
class LocalZScore:
    """The normalisation of the dense form: a z-score over a Gaussian neighbourhood.

    Each image, minus its Gaussian-weighted local mean, over its local standard deviation
    plus ``floor`` times the standard deviation of the whole slice, so that empty air is
    not blown up.

    Attributes
    ----------
    sigma_mm : float
        Sigma of the Gaussian window.
    floor : float
        Share of the slice's own standard deviation that is added.
    wide_sigma_mm : float or None
        Sigma for pixels of :data:`WIDE_MM` and more, whose windows show a body among its like: one
        that is no larger than the bodies takes away what tells them apart. None for the same.

    Raises
    ------
    ValueError
        If a window is not a number of mm, or the share negative.
    """

    sigma_mm: float = 20.0
    floor: float = 0.1
    wide_sigma_mm: float | None = None

    def __post_init__(self) -> None:
        for sigma_mm in (self.sigma_mm, self.wide_sigma_mm):
            if sigma_mm is not None and not 0 < float(sigma_mm) < math.inf:
                raise ValueError(f"a z-score has no window of {sigma_mm} mm")
        if not 0 <= float(self.floor) < math.inf:
            raise ValueError(f"a z-score has no floor of {self.floor}")

    def sigma_at(self, resolution_mm: float) -> float:
        """Sigma in mm for pixels of a side in mm."""
        if self.wide_sigma_mm is None or resolution_mm < WIDE_MM:
            return self.sigma_mm
        return self.wide_sigma_mm

    def __call__(self, images: FloatArray, resolution_mm: float) -> FloatArray:
        """Normalise images, each slice by itself.

        Parameters
        ----------
        images : numpy.ndarray
            ``(slice, row, column)``.
        resolution_mm : float
            Side of their square pixels, so that the neighbourhood is as large in mm.
        """
        result = np.empty(images.shape, dtype=np.float32)
        for image, target in zip(images, result, strict=True):
            # Around the slice's own mean, float32 keeps its digits in the squares.
            differences = (image - image.mean(dtype=np.float64)).astype(np.float64)
            slice_deviation = differences.std()
            if slice_deviation <= 1e-7 * np.abs(image).max(initial=0.0):
                target[:] = 0
                continue
            mean, square = gaussian_mean(
                np.stack([differences, differences**2]),
                self.sigma_at(resolution_mm) / resolution_mm,
            )
            # Rounding may take the difference below zero where the image is flat.
            deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
            target[:] = (differences - mean) / (deviation + self.floor * slice_deviation)
        return result


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
