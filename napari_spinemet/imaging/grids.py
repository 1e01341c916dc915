"""The working grid (1 mm in plane) and the grids of the three resolutions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .geometry import AffineArray, spacing_of

FloatArray = npt.NDArray[np.float32]

WORKING_MM = 1.0
# Spacings arrive as decimal strings: 0.29 mm times 100 must count as 29 mm, not 28.999...
_ROUNDING = 1e-6


def grid_size(size: int, spacing_mm: float, resolution_mm: float = WORKING_MM) -> int:
    """Number of pixels at ``resolution_mm`` whose centres lie on ``size`` source pixels.

    Pixel 0 keeps its centre, so pixel ``j`` lies ``j * resolution_mm`` from it.

    Parameters
    ----------
    size : int
        Source pixels along an axis, at least 1.
    spacing_mm : float
        Distance of the source pixels.
    resolution_mm : float
        Distance of the new pixels; that of the working grid by default.
    """
    return math.floor((size - 1) * spacing_mm / resolution_mm + _ROUNDING) + 1


def working_shape(shape: tuple[int, int, int], affine: AffineArray) -> tuple[int, int, int]:
    """(slices, rows, columns) of the working grid of a series.

    Parameters
    ----------
    shape : tuple of int
        (slices, rows, columns) of the series.
    affine : numpy.ndarray
        4 x 4, series indices to patient LPS mm; gives the spacing.
    """
    _, row_mm, column_mm = spacing_of(affine)
    return shape[0], grid_size(shape[1], row_mm), grid_size(shape[2], column_mm)


def working_affine(affine: AffineArray) -> AffineArray:
    """Affine of the working grid of a series: same origin, 1 mm steps in plane."""
    _, row_mm, column_mm = spacing_of(affine)
    return affine @ np.diag((1.0, WORKING_MM / row_mm, WORKING_MM / column_mm, 1.0))


def resample_image(
    images: npt.NDArray[np.float32], spacing_mm: tuple[float, float], resolution_mm: float
) -> FloatArray:
    """Resample slices to square pixels: Gaussian where the step grows, then bilinear.

    Parameters
    ----------
    images : numpy.ndarray
        ``(slice, row, column)``; slices are never mixed.
    spacing_mm : tuple of float
        (row, column) spacing of the source.
    resolution_mm : float
        Pixel side of the result.

    Returns
    -------
    numpy.ndarray
        ``(slice, row, column)`` float32. Pixel 0's centre stays where it was.

    Notes
    -----
    The Gaussian's sigma is ``(step - 1) / 2`` source pixels for a step of ``step`` source
    pixels, as in :func:`skimage.transform.resize`.
    """
    steps = [resolution_mm / s for s in spacing_mm]
    shape = tuple(
        grid_size(n, s, resolution_mm) for n, s in zip(images.shape[1:], spacing_mm, strict=True)
    )
    smooth = np.asarray(images, dtype=np.float32)
    sigmas = [max(0.0, (step - 1) / 2) for step in steps]
    if any(sigmas):
        smooth = ndimage.gaussian_filter(smooth, sigma=(0, *sigmas), mode="reflect")
    if steps == [1.0, 1.0]:  # bit for bit what was scanned
        return smooth
    result = np.empty((len(images), *shape), dtype=np.float32)
    for source, target in zip(smooth, result, strict=True):
        ndimage.affine_transform(source, steps, output=target, order=1, mode="nearest")
    return result


def resample_labels(
    labels: npt.NDArray[np.uint16],
    spacing_mm: tuple[float, float],
    resolution_mm: float = WORKING_MM,
) -> npt.NDArray[np.uint16]:
    """Resample label slices by nearest neighbour, onto the grid of :func:`resample_image`.

    Parameters
    ----------
    labels : numpy.ndarray
        ``(slice, row, column)``; slices are never mixed.
    spacing_mm : tuple of float
        (row, column) spacing of the source.
    resolution_mm : float
        Pixel side of the result; that of the working grid by default.

    Returns
    -------
    numpy.ndarray
        ``(slice, row, column)`` of the same dtype.
    """
    index = [
        np.minimum(
            np.floor(np.arange(grid_size(n, s, resolution_mm)) * resolution_mm / s + 0.5), n - 1
        ).astype(np.intp)
        for n, s in zip(labels.shape[1:], spacing_mm, strict=True)
    ]
    # Two indices at once pick rows and columns in one pass, without a copy in between.
    result: npt.NDArray[np.uint16] = labels[:, index[0][:, None], index[1][None, :]]
    return result


def mask_on_series(
    mask: npt.NDArray[np.bool_], shape: tuple[int, int], spacing_mm: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """A mask ``(row, column)`` of the working grid on a slice of the series, by nearest neighbour.

    Parameters
    ----------
    mask : numpy.ndarray of bool
        ``(row, column)`` on the working grid; its last pixels are repeated where the series
        reaches beyond it.
    shape : tuple of int
        (rows, columns) of the series.
    spacing_mm : tuple of float
        (row, column) spacing of the series.
    """
    index = [
        np.minimum(np.floor(np.arange(n) * s / WORKING_MM + 0.5), limit - 1).astype(np.intp)
        for n, s, limit in zip(shape, spacing_mm, mask.shape, strict=True)
    ]
    result: npt.NDArray[np.bool_] = mask[index[0][:, None], index[1][None, :]]
    return result


def nearest_pixel(size: int, resolution_mm: float, available: int) -> npt.NDArray[np.intp]:
    """Pixel of the grid of ``resolution_mm`` nearest to each of ``size`` working pixels.

    Ties go to the lower pixel, so 2 mm takes ``i // 2``; nothing beyond the last pixel.

    Parameters
    ----------
    size : int
        Number of working pixels.
    resolution_mm : float
        Distance of the pixels that are chosen from.
    available : int
        How many of them there are.

    Returns
    -------
    numpy.ndarray
        ``(size,)`` indices.
    """
    # Subtracting a half before rounding up sends ties down; the rest is as in grid_size.
    nearest = np.ceil(np.arange(size) * WORKING_MM / resolution_mm - 0.5 - _ROUNDING)
    return np.asarray(np.clip(nearest, 0, available - 1), dtype=np.intp)


def central_columns(width: int) -> tuple[int, int]:
    """First and one past the last column of the central half ``[W/4, 3W/4)``."""
    return math.ceil(width / 4), math.ceil(3 * width / 4)
