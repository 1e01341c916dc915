"""Which intensities a picture shows from black to white.

A bladder, or fat close to the coil, is far brighter than the spine; a window that reaches up to
it leaves the spine nearly black. So the brightest tissue is looked up at each height of the body,
in the middle of the picture, and the middle of these heights decides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HEIGHTS = 12
TOP_PERCENT = 97.0
"""Of what lies at one height: the canal fills more of the middle than what is left out."""
MARGIN = 1.1


def display_window(voxels: npt.NDArray[np.float32]) -> tuple[float, float]:
    """What is black, and what is white.

    Parameters
    ----------
    voxels : numpy.ndarray
        ``(slice, row, column)`` of a sagittal series.

    Returns
    -------
    tuple of float
        The second is greater than the first, whatever the series holds.
    """
    slices, _, columns = voxels.shape
    middle = voxels[slices // 4 : slices - slices // 4, :, columns // 4 : columns - columns // 4]
    low = float(np.percentile(middle, 1))
    bands = [band for band in np.array_split(middle, HEIGHTS, axis=1) if band.size]
    # A height without a picture, such as a black border, has no say.
    tops = [np.percentile(band, TOP_PERCENT) for band in bands if band.min() < band.max()]
    high = low + MARGIN * (float(np.median(tops)) - low) if tops else low
    if high <= low:  # a few bright voxels on a flat ground
        high = float(voxels.max())
    return low, max(high, low + 1e-6 * max(1.0, abs(low)))
