"""What the scanner does to the tissue: partial volume, coil, resolution, ghosts, noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..canvas import Canvas, smooth_noise
from .difficulty import STANDARD, Difficulty


def scan(
    canvas: Canvas, rng: np.random.Generator, wide: bool, difficulty: Difficulty = STANDARD
) -> npt.NDArray[np.int16]:
    """Image the canvas.

    Parameters
    ----------
    canvas : Canvas
        Tissue with cerebrospinal fluid near 1.
    rng : numpy.random.Generator
    wide : bool
        Draw the properties of the scanner far wider than in life.
    difficulty : Difficulty
        Says how much noise there is, unless it is drawn wider.

    Returns
    -------
    numpy.ndarray
        ``(slice, row, column)`` int16, as stored by the scanner.
    """
    size = canvas.values.shape[1:]
    planes = canvas.values.reshape(canvas.slices, canvas.sub_slices, *size)
    image = planes.mean(axis=1)
    image = image * _draw_coil(canvas, rng, wide)
    blur = rng.uniform(0.0, 1.4) if wide else rng.uniform(0.3, 0.65)
    image = ndimage.gaussian_filter(image, (0, blur, blur * rng.uniform(0.8, 1.25)))
    # Motion along the phase direction repeats the patient, faint and shifted.
    strength = rng.uniform(0, 0.07) if wide else rng.uniform(0, 0.03)
    axis = int(rng.integers(1, 3))
    shift = int(size[0] * rng.uniform(0.08, 0.5))
    image = image + strength * np.roll(image, shift, axis) + strength * np.roll(image, -shift, axis)
    noise = rng.uniform(*((0.005, 0.12) if wide else difficulty.noise))
    correlation = rng.uniform(0, 1.3) if wide else rng.uniform(0.3, 1.0)
    real, imaginary = (_draw_noise(rng, image.shape, noise, correlation) for _ in range(2))
    # Magnitude of a complex signal: Rician noise, as a scanner's, and not below 0.
    image = np.hypot(image + real, imaginary)
    if wide and rng.random() < 0.3:  # magnitude offset removed, as some scanners do
        image = image - noise * rng.uniform(0.5, 1.5)
    if wide and rng.random() < 0.45:  # bands that the coil or a saturation pulse left empty
        top, bottom = (int(rng.uniform(0, 0.18) * size[0]) for _ in range(2))
        image[:, :top] = 0
        image[:, size[0] - bottom :] = 0
    pixels = np.clip(np.round(image * rng.uniform(450, 1100)), -200, 4095)
    return np.asarray(pixels, dtype=np.int16)


def _draw_noise(
    rng: np.random.Generator, shape: tuple[int, ...], sigma: float, correlation: float
) -> npt.NDArray[np.float32]:
    """Gaussian noise, correlated between pixels as interpolation on the scanner leaves it."""
    field = rng.standard_normal(shape, dtype=np.float32)
    field = ndimage.gaussian_filter(field, (0, correlation, correlation))
    return np.asarray(field * (sigma / field.std()), dtype=np.float32)


def _draw_coil(canvas: Canvas, rng: np.random.Generator, wide: bool) -> npt.NDArray[np.float32]:
    """Sensitivity of a surface coil behind the patient, and smooth unevenness on top."""
    z, y = canvas.z[:, None], canvas.y[None, :]
    field = canvas.field_mm
    reach = rng.uniform(90, 600) if wide else rng.uniform(150, 330)
    depth = np.clip(rng.uniform(0.72, 0.85) * field - y, -40, None)
    sensitivity = np.exp(-depth / reach)
    centre = field * rng.uniform(0.4, 0.6)
    length = rng.uniform(90, 500) if wide else rng.uniform(150, 320)
    sensitivity = sensitivity * (0.15 + np.exp(-(((z - centre) / length) ** 2)))
    uneven = smooth_noise(rng, sensitivity.shape, (len(z) / 3.5, len(z) / 3.5))
    sensitivity = sensitivity * (1 + (0.15 if wide else 0.06) * uneven)
    reference = np.median(sensitivity[len(z) // 4 : 3 * len(z) // 4, len(z) // 2])
    return np.asarray(np.clip(sensitivity / reference, 0.02, 4), dtype=np.float32)[None]
