"""Turned, stretched and brightened copies of what is learned from.

Of fifteen patients a network remembers each; what it must not depend on is varied while it
learns: how a spine lies, how large it is, how bright a tissue is beside another. Without any,
and without mirroring, the same run finds a third of what it finds with mirroring
(``docs/decisions.md``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

TURN_DEG, SIZE, ASPECT = 15.0, 1.2, 1.08
GAIN, SHIFT, BEND = 1.2, 0.1, 0.04
"""Widest of each at strength 1; sizes and gains are factors. Images are z-scored: a shift is in
local standard deviations, and a bend adds so much of the square."""

MARROW_ERROR, COARSE_ERROR, COARSE_SHARE = 0.1, 0.4, 0.15
"""Standard deviations of the logarithm of a level of marrow, as it is found in a scan and as it is
guessed at first, and the share of the blocks that are shown with the latter."""

FloatArray = npt.NDArray[np.float64]


def draw_marrow_error(rng: np.random.Generator, strength: float) -> float:
    """By how much a level of marrow is misjudged: what wide views are brighter by, as log.

    Contours say the level to the point; what a scan is looked at with is found by the network
    itself, or at first guessed. And what is off for all bodies alike is no lesion.

    Parameters
    ----------
    rng : numpy.random.Generator
    strength : float
        1 for as wide as the constants of this module say.
    """
    is_coarse = rng.random() < COARSE_SHARE
    return strength * rng.normal(0, COARSE_ERROR if is_coarse else MARROW_ERROR)


@dataclass(frozen=True, eq=False)
class Variation:
    """How one block is varied.

    Attributes
    ----------
    matrix : numpy.ndarray
        ``(2, 2)``: from (row, column) distances in the block to those in the slice.
    pivot : tuple of float
        Working (row, column) that stays where it is.
    gain, shift, bend : float
        A value v becomes ``gain * v + bend * v ** 2 + shift``.
    """

    matrix: FloatArray
    pivot: tuple[float, float]
    gain: float
    shift: float
    bend: float

    @classmethod
    def draw(
        cls, rng: np.random.Generator, strength: float, flips: bool, pivot: tuple[float, float]
    ) -> Variation:
        """At random about a working pixel.

        Parameters
        ----------
        rng : numpy.random.Generator
        strength : float
            1 for as wide as the constants of this module say.
        flips : bool
            Mirror along each axis with probability one half.
        pivot : tuple of float
            Working (row, column) that stays where it is.
        """
        turn, size, aspect, gain, shift, bend = strength * rng.uniform(-1, 1, 6)
        mirrors = np.where(rng.random(2) < 0.5, -1.0, 1.0) if flips else np.ones(2)
        angle = math.radians(TURN_DEG) * turn
        rotation = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        sides = SIZE**size * np.array([ASPECT**aspect, ASPECT**-aspect])
        return cls(rotation * (sides * mirrors), pivot, GAIN**gain, SHIFT * shift, BEND * bend)

    def locate(self, rows: FloatArray, columns: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Where in the slice the pixels of a block lie, all in working pixels.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            ``(n,)`` and ``(m,)``, of the block.

        Returns
        -------
        rows, columns : numpy.ndarray
            ``(n, m)`` each.
        """
        offsets = np.stack(
            np.meshgrid(rows - self.pivot[0], columns - self.pivot[1], indexing="ij"), axis=-1
        )
        positions = offsets @ self.matrix.T + np.array(self.pivot)
        return positions[..., 0], positions[..., 1]

    def places(
        self,
        first: tuple[int, int],
        size: tuple[int, int],
        border: tuple[int, int],
        resolution_mm: float,
    ) -> tuple[FloatArray, FloatArray]:
        """Rows and columns of a part of a padded slice, in mm from the pivot.

        Parameters
        ----------
        first, size, border, resolution_mm
            See :meth:`crop`.
        """
        rows, columns = _pixels_mm(first, size, border, resolution_mm)
        return rows - self.pivot[0], columns - self.pivot[1]

    def crop(
        self,
        image: Tensor,
        first: tuple[int, int],
        size: tuple[int, int],
        border: tuple[int, int],
        resolution_mm: float,
    ) -> Tensor:
        """The varied part of a padded slice.

        Parameters
        ----------
        image : torch.Tensor
            ``(row, column)``.
        first, size : tuple of int
            Of the part, in pixels of the padded image.
        border : tuple of int
            Rows and columns of padding before the first pixel of the slice.
        resolution_mm : float
            Side of a pixel; a working pixel has 1 mm.
        """
        rows, columns = _pixels_mm(first, size, border, resolution_mm)
        # The library takes (column, row) from -1 at the first pixel to 1 at the last.
        coordinates = [
            2 * (position / resolution_mm + b) / (n - 1) - 1
            for position, b, n in zip(self.locate(rows, columns), border, image.shape, strict=True)
        ]
        grid = torch.from_numpy(np.stack(coordinates[::-1], axis=-1).astype(np.float32))
        # Cubic, since a linear one would blur, and what is detected on is not blurred.
        values = F.grid_sample(
            image[None, None],
            grid[None].to(image.device),
            mode="bicubic",
            padding_mode="border",
            align_corners=True,
        )[0, 0]
        return self.gain * values + self.bend * values.square() + self.shift


def _pixels_mm(
    first: tuple[int, int], size: tuple[int, int], border: tuple[int, int], resolution_mm: float
) -> tuple[FloatArray, FloatArray]:
    """Rows and columns of a part of a padded slice, in working pixels of a millimetre."""
    rows, columns = (
        resolution_mm * np.arange(f - b, f - b + n, dtype=np.float64)
        for f, n, b in zip(first, size, border, strict=True)
    )
    return rows, columns
