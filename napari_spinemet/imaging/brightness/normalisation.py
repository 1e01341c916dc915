"""How images are normalised: z-scores of patches, of neighbourhoods, and shares of marrow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

WIDE_MM = 2.0
"""Side of a pixel from which a resolution is a wide view."""

MARROW = "marrow"
GAIN = 2.0
"""A mark by half as bright again as its like then differs by 0.8, about as z-scores do."""
SHARES = (math.exp(-1.5), math.exp(2.0))
"""Of the level of marrow: no tissue that matters is darker or brighter."""


def zscore(patches: npt.NDArray[np.floating]) -> FloatArray:
    """Mean 0 and standard deviation 1 over the last two axes; a constant patch gives zeros."""
    patches = np.asarray(patches, dtype=np.float64)
    differences = patches - patches.mean(axis=(-2, -1), keepdims=True)
    deviation = differences.std(axis=(-2, -1), keepdims=True)
    # A constant patch leaves a rounding residue: compare with the size of its values.
    scale = np.abs(patches).max(axis=(-2, -1), keepdims=True)
    flat = deviation <= 1e-7 * scale
    return np.where(flat, 0.0, differences / np.where(flat, 1.0, deviation)).astype(np.float32)


def gaussian_mean(images: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """Gaussian-weighted mean around each pixel of images continued by their mirror image.

    On that continuation (numpy's ``symmetric``, the edge pixel repeated) a convolution is a
    product in the cosine transform. Of a window tens of pixels wide only some tens of the
    lowest frequencies are left, so two narrow products of matrices do the whole transform.

    Parameters
    ----------
    images : numpy.ndarray
        Images along the last two axes, any number of axes before them.
    sigma : float
        Of the Gaussian, in pixels; the smaller, the more frequencies and the slower.
    """
    # The brackets matter: the middle product is as small as the frequencies are few.
    rows, columns = (_low_waves(size, sigma) for size in images.shape[-2:])
    result: npt.NDArray[np.float64] = rows @ (rows.T @ images @ columns) @ columns.T
    return result


@lru_cache(maxsize=32)
def _low_waves(size: int, sigma: float) -> npt.NDArray[np.float64]:
    """Orthonormal cosines ``(pixel, frequency)``, each times the root of its Gaussian weight.

    Frequencies whose weight is lost in float64 are left out.
    """
    frequency = np.arange(size)
    weight = np.exp(-0.5 * (sigma * np.pi * frequency / size) ** 2)
    low = frequency[weight > 1e-18]
    waves = np.cos(np.pi / size * np.outer(np.arange(size) + 0.5, low))
    # The root, since the waves are applied twice: into the transform and back.
    waves *= np.sqrt(np.where(low == 0, 1, 2) / size * weight[low])
    return waves


@dataclass(frozen=True)
class LocalZScore:
    """The normalisation of the dense form: a z-score over a Gaussian neighbourhood.

    Each image, minus its Gaussian-weighted local mean, over its local standard deviation
    plus ``floor`` times the standard deviation of the whole slice, so that empty air is
    not blown up.

    Attributes
    ----------
    sigma_mm : float
        Sigma of the Gaussian window.
    floor : float
        Share of the slice's own standard deviation that is added.
    wide_sigma_mm : float or None
        Sigma for pixels of :data:`WIDE_MM` and more, whose windows show a body among its like: one
        that is no larger than the bodies takes away what tells them apart. None for the same.

    Raises
    ------
    ValueError
        If a window is not a number of mm, or the share negative.
    """

    sigma_mm: float = 20.0
    floor: float = 0.1
    wide_sigma_mm: float | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        for sigma_mm in (self.sigma_mm, self.wide_sigma_mm):
            if sigma_mm is not None and not 0 < float(sigma_mm) < math.inf:
                raise ValueError(f"a z-score has no window of {sigma_mm} mm")
        if not 0 <= float(self.floor) < math.inf:
            raise ValueError(f"a z-score has no floor of {self.floor}")
        if self.reference not in (None, MARROW):
            raise ValueError(f"images have no reference '{self.reference}'")
        if self.reference is not None and self.wide_sigma_mm is not None:
            raise ValueError("shares of marrow are not z-scored, so that they have no window")

    def sigma_at(self, resolution_mm: float) -> float:
        """Sigma in mm for pixels of a side in mm."""
        if self.wide_sigma_mm is None or resolution_mm < WIDE_MM:
            return self.sigma_mm
        return self.wide_sigma_mm

    def __call__(self, images: FloatArray, resolution_mm: float) -> FloatArray:
        """Normalise images, each slice by itself.

        Parameters
        ----------
        images : numpy.ndarray
            ``(slice, row, column)``.
            With a reference, as shares of it.
        resolution_mm : float
            Side of their square pixels, so that the neighbourhood is as large in mm.
        """
        if self.reference is not None and resolution_mm >= WIDE_MM:
            shares = np.clip(images, *SHARES)
            return np.asarray(GAIN * np.log(shares), dtype=np.float32)
        result = np.empty(images.shape, dtype=np.float32)
        for image, target in zip(images, result, strict=True):
            # Around the slice's own mean, float32 keeps its digits in the squares.
            differences = (image - image.mean(dtype=np.float64)).astype(np.float64)
            slice_deviation = differences.std()
            if slice_deviation <= 1e-7 * np.abs(image).max(initial=0.0):
                target[:] = 0
                continue
            mean, square = gaussian_mean(
                np.stack([differences, differences**2]),
                self.sigma_at(resolution_mm) / resolution_mm,
            )
            # Rounding may take the difference below zero where the image is flat.
            deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
            target[:] = (differences - mean) / (deviation + self.floor * slice_deviation)
        return result
