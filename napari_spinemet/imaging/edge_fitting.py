"""An outline that was drawn roughly moves to the edge that it was meant for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import morphological_geodesic_active_contour

from ..errors import SpinemetError

_ITERATIONS = 30
_BLUR_MM = 1.2
"""Of the edges; an edge is sharper than this and noise is finer. Tried: 0.8, 1.2 and 1.6."""


def fit_to_edge(
    image: npt.NDArray[np.floating],
    mask: npt.NDArray[np.bool_],
    spacing_mm: tuple[float, float],
    *,
    reach_mm: float = 3.0,
) -> npt.NDArray[np.bool_]:
    """Move an outline to the nearest edge of the picture.

    A geodesic active contour without a balloon force (Caselles, Kimmel and Sapiro, Geodesic
    active contours, Int J Comput Vis 22, 1997), in its morphological form.

    Parameters
    ----------
    image : numpy.ndarray
        ``(row, column)`` intensities of one slice.
    mask : numpy.ndarray of bool
        ``(row, column)``, what is inside the outline.
    spacing_mm : tuple of float
        (row, column) spacing.
    reach_mm : float
        The outline moves no farther than this, inwards or outwards.

    Returns
    -------
    numpy.ndarray of bool
        ``(row, column)``; as it was given where there is no edge within reach.

    Raises
    ------
    SpinemetError
        If nothing is drawn.
    """
    if not mask.any():
        raise SpinemetError("There is no outline in this slice to fit; draw one first.")
    # Only the surroundings are computed, wide enough that the blur does not see their border.
    axes = zip(np.nonzero(mask), spacing_mm, strict=True)
    box = tuple(
        slice(max(int(at.min() - 4 * reach_mm / mm), 0), int(at.max() + 4 * reach_mm / mm) + 1)
        for at, mm in axes
    )
    local, inside = np.asarray(image[box], dtype=float), mask[box]
    depth_inside = ndimage.distance_transform_edt(inside, sampling=spacing_mm)
    distance_outside = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
    band = np.maximum(depth_inside, distance_outside) <= reach_mm
    slope = ndimage.gaussian_gradient_magnitude(local, [_BLUR_MM / mm for mm in spacing_mm])
    usual_slope = float(np.median(slope[band]))
    result = mask.copy()
    if usual_slope > 0:
        # An edge is what is steeper than is usual within reach, whatever the scanner's units.
        contour = morphological_geodesic_active_contour(
            1 / (1 + (slope / usual_slope) ** 2), _ITERATIONS, init_level_set=inside, balloon=0
        )
        # The contour knows no reach, so what it did beyond is not taken.
        result[box] = np.where(band, contour.astype(bool), inside)
    return result if result.any() else mask.copy()
