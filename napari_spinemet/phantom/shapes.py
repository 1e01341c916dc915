"""Shapes that a patient is painted from, as signed distances in mm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .canvas import Canvas, FloatArray, Region, Shape
from .spine import Vertebra

AnyFloat = npt.NDArray[np.floating]
Point = tuple[float, float, float]


def slab(front: AnyFloat, rear: AnyFloat) -> Shape:
    """The part between two surfaces.

    Parameters
    ----------
    front, rear : numpy.ndarray
        ``(row,)``: where each surface lies in a row, in mm.
    """
    return lambda x, z, y: np.maximum(front[None, :, None] - y, y - rear[None, :, None])


def tube(x: AnyFloat, y: AnyFloat, rx: AnyFloat, ry: AnyFloat) -> Shape:
    """A tube along the rows.

    Parameters
    ----------
    x, y, rx, ry : numpy.ndarray
        ``(row,)``: its axis and its half widths, in mm.
    """

    def shape(px: FloatArray, pz: FloatArray, py: FloatArray) -> FloatArray:
        r = np.sqrt(
            ((px - x[None, :, None]) / rx[None, :, None]) ** 2
            + ((py - y[None, :, None]) / ry[None, :, None]) ** 2
        )
        return np.asarray((r - 1) * np.minimum(rx, ry)[None, :, None], dtype=np.float32)

    return shape


def part_of(
    vertebra: Vertebra, centre: Point, half: Point, slope: float = 0.0, power: float = 3.0
) -> Shape:
    """A rounded box fixed to a vertebra.

    Parameters
    ----------
    vertebra : Vertebra
    centre, half : tuple of float
        Along its axis (to the feet), to the back, to the left, in mm.
    slope : float
        Turn within the slice against the vertebra's own; positive: its back points to the feet.
    power : float
        2 for an ellipsoid, more for a box.
    """
    cosine, sine = np.cos(slope), np.sin(slope)

    def shape(x: FloatArray, z: FloatArray, y: FloatArray) -> FloatArray:
        u, v, w = vertebra.local(x, z, y)
        du, dv, dw = u - centre[0], v - centre[1], w - centre[2]
        along, back = cosine * du - sine * dv, sine * du + cosine * dv
        r = (
            np.abs(along / half[0]) ** power
            + np.abs(back / half[1]) ** power
            + np.abs(dw / half[2]) ** power
        ) ** (1 / power)
        return np.asarray((r - 1) * min(half), dtype=np.float32)

    return shape


def region_of(
    canvas: Canvas, vertebra: Vertebra, centre: Point, half: Point, margin_mm: float = 2.0
) -> Region:
    """The region of the canvas that holds a part, however it is turned.

    Parameters
    ----------
    canvas : Canvas
    vertebra : Vertebra
    centre, half : tuple of float
        As for :func:`part_of`.
    margin_mm : float
    """
    x, z, y = vertebra.point(*centre)
    reach = float(np.hypot(half[0], half[1])) + margin_mm
    wide = half[2] + margin_mm
    return canvas.region((x - wide, x + wide), (z - reach, z + reach), (y - reach, y + reach))
