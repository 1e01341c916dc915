"""One scanner and its coil, and what may go wrong on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..canvas import FloatArray, smooth_noise


@dataclass(frozen=True)
class Hardware:
    """What one examination is made with; the same for all its images.

    Attributes
    ----------
    reach_mm : float
        Over so much depth the sensitivity of the surface coil falls to a third.
    length_mm : float
        Along the spine: half of what the coil's elements cover.
    centre : float
        Of them, as a share of the field.
    unevenness : float
        Smooth, on top.
    evenness : float
        How much of the fall-off the scanner divides out again: 0 none, 1 all of it; noise grows.
    noise : float
        Deviation of each channel where the coil is best, as a share of the fluid's signal.
    grain : float
        Its correlation in pixels, from interpolation.
    blur : float
        Sigma of the picture in pixels.
    ghost : float
        Strength of what motion repeats along the phase direction.
    phase_axis : int
        1 along the rows of the picture (head to feet), 2 along its columns.
    wrap_mm : float
        So much of what lies beyond the field comes in at the other end of the phase direction.
    bands : tuple of float
        Shares of the field left black above and below.
    bright_rim, dark_rim : int
        Width in pixels of a rim at the borders of the picture.
    offset : float
        Taken off all values, in deviations of the noise.
    """

    reach_mm: float
    length_mm: float
    centre: float
    unevenness: float
    evenness: float
    noise: float
    grain: float
    blur: float
    ghost: float
    phase_axis: int
    wrap_mm: float
    bands: tuple[float, float]
    bright_rim: int
    dark_rim: int
    offset: float

    def signal_window(self, rows: int, columns: int) -> tuple[slice, slice]:
        """Rows and columns of a picture in which there is signal: between the black borders.

        Parameters
        ----------
        rows, columns : int
            Of the picture.
        """
        top, bottom = (int(share * rows) for share in self.bands)
        return slice(top, rows - bottom), slice(self.dark_rim, columns - self.dark_rim)


def draw_hardware(rng: np.random.Generator, field_t: float, field_mm: float) -> Hardware:
    """A scanner as hospitals have them, from worn ones to new ones.

    Parameters
    ----------
    rng : numpy.random.Generator
    field_t : float
        In tesla: a low field is noisy.
    field_mm : float
        Side of the picture.
    """
    # From a quiet new scanner to a noisy low-field one; twice the noise for half the field.
    usual = 0.016 * (1.5 / field_t) ** 0.6
    noise = float(np.clip(usual * np.exp(rng.normal(0.1, 0.5)), 0.004, 0.1))
    steep = rng.random() < 0.35
    return Hardware(
        reach_mm=float(rng.uniform(45, 110) if steep else rng.uniform(110, 500)),
        length_mm=float(rng.uniform(0.28, 0.8) * field_mm + 20),
        centre=float(rng.uniform(0.38, 0.62)),
        unevenness=float(rng.uniform(0.02, 0.14)),
        evenness=float(rng.choice((0.0, 0.5, 0.9), p=(0.5, 0.2, 0.3))),
        noise=noise,
        grain=float(rng.uniform(0.25, 1.2)),
        blur=float(rng.uniform(0.15, 1.0)),
        ghost=float(rng.uniform(0, 0.05) if rng.random() < 0.5 else 0.0),
        phase_axis=1 if rng.random() < 0.65 else 2,
        wrap_mm=float(rng.uniform(8, 35) if rng.random() < 0.12 else 0.0),
        bands=(
            (float(rng.uniform(0, 0.15)), float(rng.uniform(0, 0.15)))
            if rng.random() < 0.2
            else (0.0, 0.0)
        ),
        bright_rim=int(rng.integers(1, 6)) if rng.random() < 0.12 else 0,
        dark_rim=int(rng.integers(1, 10)) if rng.random() < 0.15 else 0,
        offset=float(rng.uniform(0.5, 1.5)) if rng.random() < 0.12 else 0.0,
    )


def sensitivity(
    hardware: Hardware,
    z: npt.NDArray[np.floating],
    y: npt.NDArray[np.floating],
    back_mm: npt.NDArray[np.floating],
    field_mm: float,
    rng: np.random.Generator,
) -> FloatArray:
    """``(row, column)``: of the coil, 1 where it is about as good as it gets at the spine.

    Parameters
    ----------
    hardware : Hardware
    z, y : numpy.ndarray
        ``(row,)`` and ``(column,)`` in mm.
    back_mm : numpy.ndarray
        ``(row,)``: where the skin of the back is.
    field_mm : float
    rng : numpy.random.Generator
    """
    depth = np.clip(back_mm[:, None] - y[None, :], -15, None)
    field = np.exp(-depth / hardware.reach_mm)
    profile = np.exp(-(((z - hardware.centre * field_mm) / hardware.length_mm) ** 2))
    field = field * (0.06 + 0.94 * profile)[:, None]
    scales = (len(z) / 3.5, len(y) / 3.5)
    uneven = 1 + hardware.unevenness * smooth_noise(rng, field.shape, scales)
    field = field * np.clip(uneven, 0.3, 2)
    rows = slice(len(z) // 4, 3 * len(z) // 4)
    at_spine = depth[rows].ravel()
    reference = np.median(field[rows].ravel()[(at_spine > 45) & (at_spine < 75)])
    return np.asarray(np.clip(field / max(float(reference), 1e-3), 0.01, 12), dtype=np.float32)
