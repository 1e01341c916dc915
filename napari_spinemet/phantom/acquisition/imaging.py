"""From tissue to the pixels that a scanner stores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..canvas import Canvas, FloatArray, smooth_noise
from ..physics.sequences import Protocol
from .hardware import Hardware, sensitivity


@dataclass(frozen=True)
class Window:
    """Which rows of the canvas are the picture; those beyond are wrapped into it, or lost.

    Attributes
    ----------
    first, last : int
    """

    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Disturbance:
    """What disturbs the field in this patient.

    Attributes
    ----------
    off_resonance : numpy.ndarray
        ``(slice, row, column)``: 0 where spectral suppression works, 1 where it fails.
    metal : numpy.ndarray or None
        ``(slice, row, column)``: 1 where metal takes all signal away, -1 where it piles it up.
    """

    off_resonance: FloatArray
    metal: FloatArray | None


def draw_disturbance(
    canvas: Canvas, spots: list[tuple[float, float, float]], rng: np.random.Generator
) -> Disturbance:
    """A field that is even in the middle and uneven at the ends, and metal where it is.

    Parameters
    ----------
    canvas : Canvas
    spots : list of tuple of float
        (x, z, y) of metal; most patients have none.
    rng : numpy.random.Generator
    """
    shape = (canvas.slices, *canvas.shape[1:])
    scales = (4, shape[1] / 4, shape[2] / 4)
    uneven = smooth_noise(rng, shape, scales) * rng.uniform(0, 0.25)
    z = (canvas.z - canvas.z.mean()) / (np.ptp(canvas.z) / 2)
    ends = rng.uniform(0, 0.9) * np.clip(np.abs(z) - rng.uniform(0.5, 0.95), 0, None) * 3
    resonance = np.clip(uneven + ends[None, :, None], 0, 1).astype(np.float32)
    metal = None
    x = canvas.x.reshape(canvas.slices, -1).mean(axis=1)
    for spot in spots:
        distance = np.sqrt(
            ((x[:, None, None] - spot[0]) / 9) ** 2
            + ((canvas.z[None, :, None] - spot[1]) / 7) ** 2
            + ((canvas.y[None, None, :] - spot[2]) / 16) ** 2
        )
        mark = np.clip((1.15 - distance) * 6, 0, 1) - np.clip(1 - np.abs(distance - 1.3) * 7, 0, 1)
        metal = mark if metal is None else np.where(np.abs(mark) > np.abs(metal), mark, metal)
        resonance = np.maximum(resonance, np.clip(2.2 - distance, 0, 1).astype(np.float32))
    return Disturbance(resonance, None if metal is None else metal.astype(np.float32))


def make_image(
    canvas: Canvas,
    number: int,
    protocol: Protocol,
    hardware: Hardware,
    disturbance: Disturbance,
    window: Window,
    back_mm: npt.NDArray[np.floating],
    rng: np.random.Generator,
) -> npt.NDArray[np.int16]:
    """One image of the canvas.

    Parameters
    ----------
    canvas : Canvas
        Signals with cerebrospinal fluid at 1, water and fat of each image.
    number : int
        Which image.
    protocol : Protocol
    hardware : Hardware
    disturbance : Disturbance
    window : Window
    back_mm : numpy.ndarray
        ``(row,)``: column of the skin of the back, in mm.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        ``(slice, row, column)`` int16.
    """
    size = canvas.shape[1:]
    pair = canvas.values[2 * number : 2 * number + 2]
    water, fat = pair.reshape(2, canvas.slices, canvas.sub_slices, *size).mean(axis=2)
    if protocol.fat_left < 1:
        # Where suppression fails, fat is as bright as without it.
        fat = fat * (1 + (1 / protocol.fat_left - 1) * 0.6 * disturbance.off_resonance)
    frequency_axis = 3 - hardware.phase_axis
    shift = [0.0, 0.0, 0.0]
    shift[frequency_axis] = protocol.fat_shift_pixels * rng.choice((-1, 1))
    signal = water + ndimage.shift(fat, shift, order=1, mode="nearest")
    if disturbance.metal is not None:
        signal = signal * (1 - np.clip(disturbance.metal, 0, 1))
        signal = signal + 1.5 * np.clip(-disturbance.metal, 0, 1) * np.abs(signal).max() * 0.5
    field_mm = canvas.field_mm
    coil = sensitivity(hardware, canvas.z, canvas.y, back_mm, field_mm, rng)
    signal = signal * coil
    signal = _wrap(signal, window, hardware, canvas.pixel_mm)
    coil = coil[window.first : window.last]
    signal = ndimage.gaussian_filter(
        signal, (0, hardware.blur, hardware.blur * rng.uniform(0.8, 1.25))
    )
    if hardware.ghost:
        step = int(signal.shape[hardware.phase_axis] * rng.uniform(0.08, 0.5))
        for way in (step, -step):
            signal = signal + hardware.ghost * np.roll(signal, way, hardware.phase_axis)
    image = _with_noise(signal, hardware, rng)
    if hardware.evenness:
        # The scanner knows its coil but for what the patient changes in it.
        image = image / np.clip(coil, 0.08, None) ** hardware.evenness
    image = image - hardware.offset * hardware.noise
    _paint_borders(image, hardware, rng)
    scale = rng.uniform(350, 1100) / max(1.0, float(np.percentile(image, 99.7)))
    return np.clip(np.round(image * scale), -200, 4095).astype(np.int16)


def _wrap(signal: FloatArray, window: Window, hardware: Hardware, pixel_mm: float) -> FloatArray:
    """The rows of the picture; with the phase along them what lies beyond comes in again."""
    picture = signal[:, window.first : window.last].copy()
    rows = int(hardware.wrap_mm / pixel_mm)
    if hardware.phase_axis != 1 or not rows:
        return picture
    upper_rows = signal[:, max(0, window.first - rows) : window.first]
    lower_rows = signal[:, window.last : window.last + rows]
    if upper_rows.shape[1]:
        picture[:, -upper_rows.shape[1] :] += upper_rows
    if lower_rows.shape[1]:
        picture[:, : lower_rows.shape[1]] += lower_rows
    return picture


def _with_noise(
    signal: FloatArray, hardware: Hardware, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Magnitude of the complex signal: Rician, correlated between pixels."""
    fields = []
    for _ in range(2):
        field = rng.standard_normal(signal.shape, dtype=np.float32)
        field = ndimage.gaussian_filter(field, (0, hardware.grain, hardware.grain))
        fields.append(field * (hardware.noise / field.std()))
    return np.asarray(np.hypot(signal + fields[0], fields[1]), dtype=np.float64)


def _paint_borders(
    image: npt.NDArray[np.float64], hardware: Hardware, rng: np.random.Generator
) -> None:
    """Bands that nothing was received in, and rims that reconstruction left."""
    rows, columns = hardware.signal_window(*image.shape[1:])
    image[:, : rows.start] = 0
    image[:, rows.stop :] = 0
    if hardware.bright_rim:
        level = float(np.percentile(image, 99)) * rng.uniform(0.5, 2.0)
        if rng.random() < 0.5:
            image[:, -hardware.bright_rim :] = level
        if rng.random() < 0.8:
            image[:, :, -hardware.bright_rim :] = level
    image[:, :, : columns.start] = 0
    image[:, :, columns.stop :] = 0
