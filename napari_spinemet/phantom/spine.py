"""Where the vertebrae are: curve, levels, sizes and the frame of each body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..imaging.vertebra_levels import LEVELS as ALL_LEVELS

FloatArray = npt.NDArray[np.float32]

LEVELS = ALL_LEVELS[1:]
"""Without the atlas, which has no body."""

# Height, depth and width of a body and height of the disc below it, in mm, at the ends of
# each region; those between are interpolated. Round figures of adult morphometry.
SIZES_MM = {
    "C2": (18, 15, 16, 4.5),
    "C7": (14, 17, 24, 5),
    "T1": (16, 17, 26, 4),
    "T12": (26, 31, 39, 6),
    "L1": (27, 33, 42, 8),
    "L5": (29, 37, 50, 10),
    "S1": (30, 33, 46, 3.5),
    "S5": (12, 9, 22, 1.5),
}
"""By level."""
# Angle of the body's axis to the vertical, in degrees; positive: the foot end points back.
TILTS_DEG = {
    "C2": -12, "C5": 0, "C7": 14, "T1": 18, "T4": 12, "T7": 0, "T10": -8, "T12": -12,
    "L1": -10, "L3": 0, "L4": 7, "L5": 20, "S1": 42, "S3": 38, "S5": -12,
}  # fmt: skip
"""By level."""


def interpolate_levels(
    table: Mapping[str, tuple[float, ...] | float],
) -> npt.NDArray[np.float64]:
    """``(level, column)`` of a table that names some levels only.

    Parameters
    ----------
    table : mapping of str to float or tuple of float
        By level; those between are interpolated.
    """
    knots = [LEVELS.index(level) for level in table]
    values = np.array([np.atleast_1d(v) for v in table.values()], dtype=float)
    return np.stack(
        [np.interp(np.arange(len(LEVELS)), knots, column) for column in values.T], axis=1
    )


@dataclass(frozen=True)
class Vertebra:
    """One vertebral body: a rounded box in its own frame.

    Attributes
    ----------
    level : str
        ``"C2"`` to ``"S5"``.
    centre : tuple of float
        (x, z, y) in mm in the canvas.
    half : tuple of float
        Half height (along the spine), half depth (towards the back), half width.
    tilt : float
        Angle of the axis in radians; positive: the foot end points to the back.
    disc_mm : float
        Height of the disc below.
    wedge, dent : float
        Share of the height that is loss in front, and in the middle: a fracture.
    """

    level: str
    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    tilt: float
    disc_mm: float
    wedge: float = 0.0
    dent: float = 0.0

    def local(
        self, x: FloatArray, z: FloatArray, y: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coordinates along the axis (to the feet), to the back, and to the left, in mm.

        Parameters
        ----------
        x, z, y : numpy.ndarray
            In mm in the canvas; shapes that broadcast.
        """
        dx, dz, dy = x - self.centre[0], z - self.centre[1], y - self.centre[2]
        cosine, sine = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        return cosine * dz + sine * dy, cosine * dy - sine * dz, dx

    def point(self, u: float, v: float, w: float = 0.0) -> tuple[float, float, float]:
        """Canvas (x, z, y) of a local point.

        Parameters
        ----------
        u, v, w : float
            In mm from the centre along the axis (to the feet), to the back, and to the left.
        """
        cosine, sine = np.cos(self.tilt), np.sin(self.tilt)
        return (
            self.centre[0] + w,
            float(self.centre[1] + cosine * u - sine * v),
            float(self.centre[2] + sine * u + cosine * v),
        )

    def body(self, x: FloatArray, z: FloatArray, y: FloatArray) -> FloatArray:
        """Signed distance, about in mm, to the surface of the body; negative inside.

        Parameters
        ----------
        x, z, y : numpy.ndarray
            In mm in the canvas; shapes that broadcast.
        """
        u, v, w = self.local(x, z, y)
        height, depth, width = self.half
        u, v, w = u / height, v / depth, w / width
        if self.wedge or self.dent:
            loss = self.wedge * np.clip(0.5 - 0.5 * v, 0, 1)
            loss = loss + self.dent * np.clip(1 - v**2, 0, 1) * np.clip(1 - w**2, 0, 1)
            u = u / np.clip(1 - loss, 0.2, 1)
        # Concave endplates, and a waist in front and behind.
        u = u * (1 + 0.07 * np.clip(1 - v**2, 0, 1))
        v = v * (1 + 0.09 * np.clip(1 - u**2, 0, 1))
        r = (u**6 + v**6 + np.abs(w) ** 5) ** (1 / 5.7)
        return np.asarray((r - 1) * min(height, depth), dtype=np.float32)

    def box(self, margin_mm: float = 0.0) -> tuple[tuple[float, float], ...]:
        """Intervals of x, z and y that hold the body and a margin."""
        reach = float(np.hypot(self.half[0], self.half[1])) + margin_mm
        x, z, y = self.centre
        width = self.half[2] + margin_mm
        return (x - width, x + width), (z - reach, z + reach), (y - reach, y + reach)


@dataclass(frozen=True)
class PhantomSpine:
    """The vertebrae in the field of view, and the curve through them.

    Attributes
    ----------
    vertebrae : tuple of Vertebra
        From head to feet, those whose centre lies within 40 mm of the field.
    z, x, y : numpy.ndarray
        The curve: left-right and front-back position at each height.
    scale : float
        Size of the person against the average.
    """

    vertebrae: tuple[Vertebra, ...]
    z: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    scale: float

    def curve_at(self, z: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(x, y) of the curve at heights ``z``; straight on beyond its ends."""
        heights = np.asarray(z, dtype=np.float64)
        return np.interp(heights, self.z, self.x), np.interp(heights, self.z, self.y)

    def find(self, level: str) -> Vertebra | None:
        """The vertebra of that level if it is near the field."""
        return next((v for v in self.vertebrae if v.level == level), None)
