"""The lattice of working pixels that a block scores: its spacing, its size, where it may lie."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from ...network import SiameseNet

POINTS = 4
"""Scored pixels along each side of a block."""
LEAST_SPACING = 8


@dataclass(frozen=True)
class Lattice:
    """The scored pixels of a block along either axis.

    Attributes
    ----------
    points, spacing : int
        So many, so many working pixels apart.
    period : int
        First pixels are multiples of this. Where the spacing is no whole number of a
        resolution's pixels, the nearest pixels of that resolution lie at unequal distances, in a
        pattern that depends on where the block begins. All blocks of a batch go through the
        network with one set of grids, so all of them must begin at the same phase of the pattern.
    """

    points: int
    spacing: int
    period: int

    @classmethod
    def within(
        cls,
        shapes: Iterable[tuple[int, int]],
        resolutions: Sequence[float],
        points: int,
        spacing: int,
    ) -> Lattice:
        """The lattice of at most so many points that fits every slice, whatever its phase.

        Parameters
        ----------
        shapes : iterable of tuple of int
            Rows and columns of the slices, in working pixels.
        resolutions : sequence of float
            mm a pixel.
        points, spacing : int
            Points along a side if there is room for them, and working pixels between them.
        """
        sizes = [Fraction(r).limit_denominator(100) for r in resolutions]
        # A working pixel is 1 mm: so many of them until a resolution's pixels begin anew.
        period = lcm(*(r.numerator for r in sizes if (spacing / r).denominator > 1))
        extent = (points - 1) * spacing + 1
        # Moving a block down to a multiple of the period takes up to period - 1 pixels.
        reach = min(extent, *(n - period + 1 for shape in shapes for n in shape))
        return cls(max(1, (reach - 1) // spacing + 1), spacing, period)

    def draw_window(self, pixel: int, size: int, rng: np.random.Generator) -> slice:
        """A block in which the pixel has any place of the lattice, within the slice.

        Parameters
        ----------
        pixel : int
            Row or column of the working pixel that was drawn.
        size : int
            Rows or columns of the slice.
        rng : numpy.random.Generator
            Draws the place.
        """
        start = pixel - self.spacing * int(rng.integers(self.points))
        extent = self.spacing * (self.points - 1) + 1
        last = size - extent
        if start < 0 or start > last:
            # Moved in by whole spacings, so that the lattice still meets the pixel.
            start += self.spacing * math.ceil(max(-start, 0) / self.spacing)
            start -= self.spacing * math.ceil(max(start - last, 0) / self.spacing)
        start = min(max(start, 0), last) // self.period * self.period
        return slice(start, start + extent, self.spacing)


def lattice_spacing(model: SiameseNet) -> int:
    """Working pixels between the scored ones with which a block costs least.

    The least is 8: neighbours that are closer say almost the same. With others than powers of
    two among the resolutions another is cheaper: what lies no whole number of a resolution's
    pixels apart needs every window between, and every convolution at full size. For 0.5, 1 and
    1.5 mm 12 is cheapest.
    """

    def multiplications(spacing: int) -> float:
        total = 0.0
        for resolution in model.resolutions:
            step = spacing / Fraction(resolution).limit_denominator(100)
            whole = int(step) if step.denominator == 1 else 1
            pixels = math.prod(float(step) * (POINTS - 1) + side for side in model.window)
            for k, block in enumerate(model.blocks):
                stride = math.gcd(whole, 2**k)  # of poolings before this block that keep theirs
                weights = sum(p.numel() for p in block.parameters() if p.ndim == 4)
                total += pixels * weights / stride**2
        return total

    return min(range(LEAST_SPACING, 2 * LEAST_SPACING + 1), key=multiplications)
