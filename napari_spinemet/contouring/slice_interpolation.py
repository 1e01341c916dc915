"""Outlines for the slices between those that were contoured."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage

LabelArray = npt.NDArray[np.unsignedinteger]


def interpolate_slices(
    labels: LabelArray, spacing_mm: tuple[float, float]
) -> dict[int, LabelArray]:
    """Fill the empty slices between contoured ones, label by label.

    Shape-based: halfway between two slices runs the outline on which the signed distances
    to both outlines cancel (Raya and Udupa, Shape-based interpolation of multidimensional
    objects, IEEE Trans Med Imaging 9, 1990). Where the two shapes lie apart, the first is
    carried towards the second, centre of gravity on a straight line, so that nothing is
    lost between them.

    Parameters
    ----------
    labels : numpy.ndarray
        ``(slice, row, column)``.
    spacing_mm : tuple of float
        (row, column) spacing.

    Returns
    -------
    dict of int to numpy.ndarray
        The slices that change, ``(row, column)``; pixels with another label keep it.
    """
    slices: dict[int, LabelArray] = {}
    for label in np.unique(labels[labels > 0]):
        label_slices = np.flatnonzero((labels == label).any(axis=(1, 2)))
        for first, last in pairwise(label_slices):
            if last - first < 2:
                continue
            ends = [_Shape(labels[k] == label, spacing_mm) for k in (first, last)]
            for index in range(first + 1, last):
                share = (index - first) / (last - first)
                shape = _interpolate_shape(ends[0], ends[1], share)
                image = slices.setdefault(int(index), labels[index].copy())
                image[shape & (image == 0)] = label
    return slices


class _Shape:
    """A region of one slice: signed distance, positive inside, and centre in pixels."""

    def __init__(self, mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float]) -> None:
        # Half a pixel on either side, so that the outline runs between the pixels.
        inside = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing_mm)[1:-1, 1:-1]
        outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
        half = min(spacing_mm) / 2
        self.distance = np.where(mask, inside - half, half - outside)
        self.centre = np.array(ndimage.center_of_mass(mask))

    def shift_to(self, centre: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The signed distance with the centre elsewhere."""
        result: npt.NDArray[np.float64] = ndimage.shift(
            self.distance, centre - self.centre, order=1, mode="nearest"
        )
        return result


def _interpolate_shape(first: _Shape, last: _Shape, share: float) -> npt.NDArray[np.bool_]:
    """The pixels of the shape that lies a share of the way from the first to the last."""
    centre = (1 - share) * first.centre + share * last.centre
    mean = (1 - share) * first.shift_to(centre) + share * last.shift_to(centre)
    return np.asarray(mean > 0)
