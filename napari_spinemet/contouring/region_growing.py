"""A region that grows from a click."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import flood

from ..errors import SpinemetError


def grow_region(
    image: npt.NDArray[np.floating],
    seed: tuple[int, int],
    spacing_mm: tuple[float, float],
    *,
    tolerance: float,
    radius_mm: float,
    within: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.bool_]:
    """The pixels around a seed that look like it.

    Parameters
    ----------
    image : numpy.ndarray
        ``(row, column)`` intensities of one slice.
    seed : tuple of int
        (row, column) of the click.
    spacing_mm : tuple of float
        (row, column) spacing.
    tolerance : float
        Largest difference from the mean of the 3 x 3 pixels at the seed, as a share of that
        mean: one noisy pixel under the click must not decide. The differences are those of the
        median of 3 x 3 pixels, so that grain neither frays the edge nor stops the growth.
    radius_mm : float
        Nothing lies farther from the seed than this.
    within : numpy.ndarray of bool, optional
        Nothing lies outside of this, for example outside the vertebra that was clicked.

    Returns
    -------
    numpy.ndarray of bool
        ``(row, column)``: connected, without holes, the seed included.

    Raises
    ------
    SpinemetError
        If the seed lies outside the slice or where nothing may grow.
    """
    if not all(0 <= at < size for at, size in zip(seed, image.shape, strict=True)):
        raise SpinemetError("The click was beside the picture; click into it.")
    if within is not None and not within[seed]:
        raise SpinemetError("Nothing may grow at that place; click inside the outline.")
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = np.hypot((rows - seed[0]) * spacing_mm[0], (columns - seed[1]) * spacing_mm[1])
    limits = distance <= radius_mm
    if within is not None:
        limits &= within
    first_row, first_column = (max(at - 1, 0) for at in seed)
    level = float(image[first_row : seed[0] + 2, first_column : seed[1] + 2].mean())
    smooth = ndimage.median_filter(image, 3, mode="nearest")
    similar = (np.abs(smooth - level) <= tolerance * abs(level)) & limits
    similar[seed] = True
    # By edges only: through corners it would leak along noise.
    region = ndimage.binary_fill_holes(flood(similar.astype(np.uint8), seed, connectivity=1))
    # A hole that is filled may reach beyond the limits.
    return np.asarray(region & limits)
