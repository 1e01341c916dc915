"""The spines of the second generator."""

from __future__ import annotations

import numpy as np

from ..spine import LEVELS, SIZES_MM, TILTS_DEG, PhantomSpine, Vertebra, interpolate_levels


def make_spine(rng: np.random.Generator, region: str, field_mm: float, wide: bool) -> PhantomSpine:
    """Draw a spine.

    Parameters
    ----------
    rng : numpy.random.Generator
    region : {"lumbar", "thoracic", "cervical"}
        What the field is centred on.
    field_mm : float
        Side of the square field of view.
    wide : bool
        Draw size and posture far wider than in life.
    """
    scale = float(rng.uniform(0.82, 1.2) if wide else rng.normal(1.0, 0.05))
    sizes = interpolate_levels(SIZES_MM) * scale
    sizes *= 1 + rng.normal(0, 0.02 if not wide else 0.05, sizes.shape)
    bend = rng.uniform(0.3, 1.6) if wide else rng.normal(1.0, 0.15)
    tilts = np.deg2rad(interpolate_levels(TILTS_DEG)[:, 0] * bend + rng.normal(0, 1.5, len(LEVELS)))
    if wide:
        tilts += np.deg2rad(rng.normal(0, 4))
    heights, discs = sizes[:, 0], sizes[:, 3]
    # March down the spine, then move the whole so that the region's level is in mid-field.
    z, y = np.zeros(len(LEVELS)), np.zeros(len(LEVELS))
    for k in range(1, len(LEVELS)):
        step = heights[k - 1] / 2 + discs[k - 1] + heights[k] / 2
        middle = (tilts[k - 1] + tilts[k]) / 2
        z[k] = z[k - 1] + step * np.cos(middle)
        y[k] = y[k - 1] + step * np.sin(middle)
    anchor, height = {"lumbar": ("L2", 0.5), "thoracic": ("T8", 0.5), "cervical": ("T1", 0.52)}[
        region
    ]
    shift = rng.uniform(-0.16, 0.16) if wide else rng.uniform(-0.07, 0.07)
    k = LEVELS.index(anchor)
    z += (height + shift) * field_mm - z[k]
    inside = (z > -40) & (z < field_mm + 40)
    middle_y = float(y[(z > 0) & (z < field_mm)].mean())
    sideways = rng.uniform(0.42, 0.6) if wide else rng.uniform(0.47, 0.56)
    y += sideways * field_mm - middle_y
    # Mild scoliosis: a sideways wave, and a stack that is not quite in the middle.
    wave = rng.normal(0, 4.0 if wide else 2.0) * np.sin(
        2 * np.pi * z / rng.uniform(250, 420) + rng.uniform(0, 6.3)
    )
    x = wave + rng.normal(0, 2.5 if wide else 1.2)
    vertebrae = tuple(
        Vertebra(
            LEVELS[k],
            (float(x[k]), float(z[k]), float(y[k])),
            (float(sizes[k, 0] / 2), float(sizes[k, 1] / 2), float(sizes[k, 2] / 2)),
            float(tilts[k]),
            float(discs[k]),
        )
        for k in np.flatnonzero(inside)
    )
    ends = np.linspace(z[inside].min(), z[inside].max(), 400)
    return PhantomSpine(vertebrae, ends, np.interp(ends, z, x), np.interp(ends, z, y), scale)
