"""A block of tissue to paint soft-edged shapes into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float32]
Shape = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""Signed distance in mm of points (x, z, y), negative inside."""
Region = tuple[slice, slice, slice]
"""Planes, rows and columns of a part of the canvas."""


class Canvas:
    """Intensities on a fine grid in the scanner's frame.

    Coordinates are in mm: ``x`` to the patient's left from the mid-plane of the stack,
    ``z`` towards the feet from the first row, ``y`` towards the back from the first column.

    Parameters
    ----------
    slices : int
        Number of slices of the series.
    thickness_mm, pixel_mm, field_mm : float
        Slice distance, in-plane pixel and side of the square field of view.
    sub_slices : int
        Painted planes in each slice, averaged by the scanner (partial volume).
    channels : int or None
        Intensities of each place, as one array behind another; None for one alone.
    height_mm, first_z_mm : float, optional
        Rows of another extent, and where the first one lies; the field by default.

    Attributes
    ----------
    values : numpy.ndarray
        ``(plane, row, column)`` float32, or ``(channel, plane, row, column)``.
    """

    def __init__(
        self,
        slices: int,
        thickness_mm: float,
        pixel_mm: float,
        field_mm: float,
        sub_slices: int = 3,
        *,
        channels: int | None = None,
        height_mm: float | None = None,
        first_z_mm: float = 0.0,
    ) -> None:
        size = round(field_mm / pixel_mm)
        rows = size if height_mm is None else round(height_mm / pixel_mm)
        planes = slices * sub_slices
        self.slices, self.sub_slices, self.pixel_mm = slices, sub_slices, pixel_mm
        self.field_mm = field_mm
        step = thickness_mm / sub_slices
        self.x = ((np.arange(planes) - (planes - 1) / 2) * step).astype(np.float32)
        self.y = (np.arange(size) * pixel_mm).astype(np.float32)
        self.z = (np.arange(rows) * pixel_mm + first_z_mm).astype(np.float32)
        stack = () if channels is None else (channels,)
        self.values = np.zeros((*stack, planes, rows, size), dtype=np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns."""
        return len(self.x), len(self.z), len(self.y)

    @property
    def full_region(self) -> Region:
        """The region that is the whole canvas."""
        planes, rows, columns = self.shape
        return slice(0, planes), slice(0, rows), slice(0, columns)

    def region(
        self, x: tuple[float, float], z: tuple[float, float], y: tuple[float, float]
    ) -> Region:
        """Indices of the planes, rows and columns within intervals.

        Parameters
        ----------
        x, z, y : tuple of float
            Least and largest coordinate in mm; what lies outside the canvas is cut off, so that
            the region may be empty.
        """
        x0, x1 = np.searchsorted(self.x, x)
        z0, z1 = np.searchsorted(self.z, z)
        y0, y1 = np.searchsorted(self.y, y)
        return slice(x0, x1), slice(z0, z1), slice(y0, y1)

    def axes(self, region: Region) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coordinates (x, z, y) of a region in mm, shaped to broadcast."""
        return (
            self.x[region[0], None, None],
            self.z[None, region[1], None],
            self.y[None, None, region[2]],
        )

    def paint(
        self,
        region: Region,
        shape: Shape,
        value: float | FloatArray,
        edge_mm: float = 1.0,
        opacity: float = 1.0,
    ) -> None:
        """Blend a value into the inside of a shape.

        Parameters
        ----------
        region : tuple of slice
            Where to look, from :meth:`region`.
        shape : callable
            Signed distance in mm of points (x, z, y), negative inside.
        value : float or numpy.ndarray
            Intensity, or one a channel; an array of more axes must fit the region, or the canvas.
        edge_mm : float
            Width of the soft edge.
        opacity : float
            Share of the value well inside; the rest is what was there.
        """
        target = self.values[(..., *region)]
        if target.size == 0:
            return
        if isinstance(value, np.ndarray) and value.ndim == 1:
            value = value[:, None, None, None]
        elif isinstance(value, np.ndarray) and value.shape[-3:] == self.shape:
            value = value[(..., *region)]
        cover = np.clip(0.5 - shape(*self.axes(region)) / edge_mm, 0, 1) * opacity
        target += cover * (value - target)

    def ellipsoid(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        value: float | FloatArray,
        edge_mm: float = 1.5,
        tilt: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Paint an ellipsoid.

        Parameters
        ----------
        centre, radii : tuple of float
            In mm, along (x, z, y) before the tilt.
        value : float or numpy.ndarray
            Intensity.
        edge_mm : float
            Width of the soft edge.
        tilt : float
            Turn within the slice, in radians; positive: the foot end points to the back.
        opacity : float
            Share of the value well inside.
        """
        reach = max(radii[1], radii[2]) + edge_mm
        box = self.region(
            (centre[0] - radii[0] - edge_mm, centre[0] + radii[0] + edge_mm),
            (centre[1] - reach, centre[1] + reach),
            (centre[2] - reach, centre[2] + reach),
        )
        cosine, sine = np.cos(tilt), np.sin(tilt)

        def shape(x: FloatArray, z: FloatArray, y: FloatArray) -> FloatArray:
            u = cosine * (z - centre[1]) + sine * (y - centre[2])
            v = -sine * (z - centre[1]) + cosine * (y - centre[2])
            r = np.sqrt(
                ((x - centre[0]) / radii[0]) ** 2 + (u / radii[1]) ** 2 + (v / radii[2]) ** 2
            )
            return np.asarray((r - 1) * min(radii), dtype=np.float32)

        self.paint(box, shape, value, edge_mm, opacity)


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], scale: tuple[float, ...]
) -> FloatArray:
    """Random field of mean 0 and deviation about 1.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        Of the field.
    scale : tuple of float
        Samples along each axis over which it varies.
    """
    coarse = tuple(max(2, int(np.ceil(n / s)) + 1) for n, s in zip(shape, scale, strict=True))
    # Drawn on a coarse grid and stretched: far cheaper than to smooth a field of full size.
    field = rng.standard_normal(coarse).astype(np.float32)
    zoom = [n / c for n, c in zip(shape, coarse, strict=True)]
    result = ndimage.zoom(field, zoom, order=1, mode="nearest", grid_mode=True)
    return np.asarray(result / max(float(result.std()), 1e-6), dtype=np.float32)
