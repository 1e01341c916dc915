"""How a lesion fills its body: so much of it in each plane, and no more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .canvas import FloatArray

MIN_AREA_CM2, MAX_AREA_CM2 = 1.65, 9.54
"""Of a lesion in a slice (paper, section 3.1)."""


def wanted_areas(
    position: npt.NDArray[np.floating], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Area in cm² in each plane: largest in the middle, nothing beyond the ends.

    Parameters
    ----------
    position : numpy.ndarray
        ``(plane,)`` from 0 at one end of the lesion to 1 at the other.
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

    Returns
    -------
    numpy.ndarray or None
        ``(plane, row, column)``; None if a plane has no room for the least area.
    """
    cover = np.zeros(distance.shape, dtype=bool)
    for plane in np.flatnonzero(areas_cm2 > 0):
        wanted = int(max(areas_cm2[plane], MIN_AREA_CM2 * 1.04) / pixel_cm2)
        room = int(np.isfinite(distance[plane]).sum())
        wanted = min(wanted, room, int(MAX_AREA_CM2 * 0.98 / pixel_cm2))
        if wanted < MIN_AREA_CM2 / pixel_cm2:
            return None
        level = np.partition(distance[plane].ravel(), wanted - 1)[wanted - 1]
        cover[plane] = main_part(distance[plane] <= level)
    return cover


def main_part(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The largest connected part of a plane: nobody contours crumbs beside a lesion."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))
