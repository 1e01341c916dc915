"""How a lesion fills its body: so much of it in each plane, and no more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .canvas import FloatArray

MIN_AREA_CM2, MAX_AREA_CM2 = 1.65, 9.54
"""Of a lesion in a slice (paper, section 3.1)."""


def draw_areas(
    position: npt.NDArray[np.floating], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Area in cm² in each plane: largest in the middle, nothing beyond the ends.

    Parameters
    ----------
    position : numpy.ndarray
        ``(plane,)`` from 0 at one end of the lesion to 1 at the other.
    rng : numpy.random.Generator
    """
    largest = float(np.clip(rng.normal(6.6, 2.3), 2.2, 9.4))
    waist = np.clip(1 - (2 * position - 1) ** 2, 0, 1) ** rng.uniform(0.15, 0.4)
    return np.where((position > 0) & (position < 1), largest * waist, 0)


def grow(
    distance: FloatArray, areas_cm2: npt.NDArray[np.floating], pixel_cm2: float
) -> npt.NDArray[np.bool_] | None:
    """In each plane the part of the body that lies nearest to the lesion's seat.

    Parameters
    ----------
    distance : numpy.ndarray
        ``(plane, row, column)`` from the seat; infinite where no lesion may be.
    areas_cm2 : numpy.ndarray
        ``(plane,)``; 0 for no lesion there.
    pixel_cm2 : float
        Area of a pixel.

    Returns
    -------
    numpy.ndarray or None
        ``(plane, row, column)``; None if a plane has no room for the least area.
    """
    cover = np.zeros(distance.shape, dtype=bool)
    for plane in np.flatnonzero(areas_cm2 > 0):
        # A little within the limits: planes are averaged over a slice, and crumbs fall off.
        pixels = int(max(areas_cm2[plane], MIN_AREA_CM2 * 1.04) / pixel_cm2)
        room = int(np.isfinite(distance[plane]).sum())
        pixels = min(pixels, room, int(MAX_AREA_CM2 * 0.98 / pixel_cm2))
        if pixels < MIN_AREA_CM2 / pixel_cm2:
            return None
        level = np.partition(distance[plane].ravel(), pixels - 1)[pixels - 1]
        cover[plane] = keep_main_part(distance[plane] <= level)
    return cover


def outline_lesion(
    share: npt.NDArray[np.floating],
    pixel_cm2: float,
    min_slices: int,
    max_slices: int,
) -> npt.NDArray[np.bool_] | None:
    """What a reader contours of a lesion: in each slice the voxels that it fills by half.

    Parameters
    ----------
    share : numpy.ndarray
        ``(slice, row, column)``: share of lesion in each voxel.
    pixel_cm2 : float
        Area of a pixel.
    min_slices, max_slices : int
        How many slices carry a lesion.

    Returns
    -------
    numpy.ndarray or None
        ``(slice, row, column)``; None if it is in fewer slices or more, or smaller or larger in
        one of them than a lesion is.
    """
    mask = np.stack([keep_main_part(plane) for plane in share >= 0.5])
    areas = mask.sum(axis=(1, 2)) * pixel_cm2
    areas = areas[areas > 0]
    if not min_slices <= len(areas) <= max_slices:
        return None
    if areas.min() < MIN_AREA_CM2 or areas.max() > MAX_AREA_CM2:
        return None
    return mask


def keep_main_part(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The largest connected part of a plane: nobody contours crumbs beside a lesion."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))
