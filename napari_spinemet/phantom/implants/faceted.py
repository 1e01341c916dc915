"""Implants of a second family, that no training ever draws: facets, hard edges, another texture.

What is learned on lobed shapes with Gaussian edges and smooth unevenness may be learned of them
alone. These are cut by planes, end within a pixel or two, are made of two zones, and are speckled.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .body_frame import BodyFrame

FloatArray = npt.NDArray[np.float32]
_FACETS = (5, 10)


def faceted_distances(body: BodyFrame, slices: int, rng: np.random.Generator) -> FloatArray:
    """``(slice, row, column)``: how far from a seat, in units of a random polyhedron.

    Parameters
    ----------
    body : BodyFrame
    slices : int
        Of the scan.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        Infinite outside the body.
    """
    seat = rng.uniform(-0.45, 0.45, 2)
    planes = np.linspace(-1, 1, slices)[:, None, None]
    axial, depth = (body.axial_position - seat[0])[None], (body.depth_position - seat[1])[None]
    gauge = np.full(body.mask.shape, -np.inf)
    count = int(rng.integers(*_FACETS))
    turns = rng.uniform(0, 2 * np.pi / count) + 2 * np.pi * np.arange(count) / count
    for turn in turns + rng.uniform(-0.2, 0.2, count):
        reach, lean = rng.uniform(0.7, 1.3), rng.uniform(-0.15, 0.15)
        side = (np.cos(turn) * axial + np.sin(turn) * depth + lean * planes) / reach
        gauge = np.maximum(gauge, side)
    room = np.stack([ndimage.binary_erosion(m) if m.any() else m for m in body.mask])
    return np.where(room, gauge, np.inf).astype(np.float32)


def faceted_texture(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Factor on the intensity: two zones with a straight border, and box-shaped speckle.

    Parameters
    ----------
    shape : tuple of int
        (slices, rows, columns).
    rng : numpy.random.Generator
    """
    rows, columns = np.indices(shape[1:])
    turn = rng.uniform(0, np.pi)
    place = np.cos(turn) * (rows - shape[1] / 2) + np.sin(turn) * (columns - shape[2] / 2)
    zones = np.where(place > rng.uniform(-40, 40), 1.0, rng.uniform(0.75, 0.95))
    speckle = ndimage.uniform_filter(rng.random(shape), (1, 3, 3)) - 0.5
    return np.asarray(zones[None] * (1 + rng.uniform(0.2, 0.6) * speckle), dtype=np.float32)
