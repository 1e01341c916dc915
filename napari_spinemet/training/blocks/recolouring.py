"""Random curves and fields of intensity: what no scanner keeps from one scan to the next.

How bright marrow is beside muscle, disc and fluid follows from the sequence; how bright one end
of a scan is beside the other follows from the coil. A network shall rely on neither. Order is
kept: what is brighter than its like stays brighter (random monotone maps and bias fields, as in
Billot et al., SynthSeg, Med Image Anal 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

KNOTS = (-3.0, -1.5, -0.75, 0.0, 0.75, 1.5, 3.0, 6.0)
"""Local z-scores between which a curve is straight."""
STEEPEST = 2.2
"""Most that a piece is steeper, or flatter, than the plain value."""
GAIN, SHIFT = 0.3, 0.3
"""Most that a field changes the logarithm of the contrast, and the value, over :data:`REACH_MM`."""
REACH_MM = 50.0

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recolouring:
    """How the values of one block are changed, alike at all resolutions.

    Attributes
    ----------
    values : numpy.ndarray
        ``(len(KNOTS),)``: what a curve makes of the knots.
    gain, shift : numpy.ndarray
        ``(5,)`` each, of a field: along rows, along columns, their squares and their product.
    """

    values: FloatArray
    gain: FloatArray
    shift: FloatArray

    @classmethod
    def draw(cls, rng: np.random.Generator, strength: float) -> Recolouring:
        """At random.

        Parameters
        ----------
        rng : numpy.random.Generator
        strength : float
            1 for as wide as the constants of this module say, 0 for no change.
        """
        slopes = STEEPEST ** (strength * rng.uniform(-1, 1, len(KNOTS) - 1))
        values = np.concatenate([[0.0], np.cumsum(slopes * np.diff(KNOTS))])
        values -= np.interp(0.0, KNOTS, values)
        # Squares grow faster than the field of a coil does; they are weaker.
        spread = strength * np.array([1.0, 1.0, 0.5, 0.5, 0.5])
        gain, shift = (spread * rng.uniform(-most, most, 5) for most in (GAIN, SHIFT))
        return cls(values, gain, shift)

    def apply(
        self, crops: list[Tensor], places_mm: list[tuple[FloatArray, FloatArray]]
    ) -> list[Tensor]:
        """Change the values of a block.

        A curve moves the mean and stretches the spread, which a z-score would take back: so they
        are put back to what they were in the crop of the middle resolution.

        Parameters
        ----------
        crops : list of torch.Tensor
            ``(row, column)`` local z-scores, one for each resolution.
        places_mm : list of (numpy.ndarray, numpy.ndarray)
            Of the rows and of the columns of each, from the middle of the block.

        Returns
        -------
        list of torch.Tensor
        """
        curved = [self._curve(crop) for crop in crops]
        middle = len(crops) // 2
        before, after = (_moments(parts[middle]) for parts in (crops, curved))
        factor = before[1] / after[1] if after[1] > 1e-6 else 1.0
        return [
            self._field(factor * (crop - after[0]) + before[0], *places)
            for crop, places in zip(curved, places_mm, strict=True)
        ]

    def _curve(self, crop: Tensor) -> Tensor:
        """The curve goes on beyond its ends as it was there."""
        knots = torch.tensor(KNOTS, dtype=crop.dtype, device=crop.device)
        values = torch.as_tensor(self.values, dtype=crop.dtype, device=crop.device)
        slopes = values.diff() / knots.diff()
        piece = torch.bucketize(crop, knots[1:-1])
        return values[piece] + slopes[piece] * (crop - knots[piece])

    def _field(self, crop: Tensor, rows_mm: FloatArray, columns_mm: FloatArray) -> Tensor:
        row, column = (np.clip(mm / REACH_MM, -1.5, 1.5) for mm in (rows_mm, columns_mm))
        row, column = row[:, None], column[None, :]
        fields = (
            c[0] * row + c[1] * column + c[2] * row**2 + c[3] * column**2 + c[4] * row * column
            for c in (self.gain, self.shift)
        )
        gain, shift = (torch.from_numpy(f.astype(np.float32)).to(crop.device) for f in fields)
        return gain.exp() * crop + shift


def _moments(crop: Tensor) -> tuple[float, float]:
    """Mean and standard deviation."""
    deviation, mean = torch.std_mean(crop.float(), correction=0)
    return float(mean), float(deviation)
