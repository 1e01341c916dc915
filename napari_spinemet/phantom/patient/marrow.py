"""How fat is spread in the marrow of a patient."""

from __future__ import annotations

import numpy as np

from ..canvas import smooth_noise
from ..spine import LEVELS, PhantomSpine
from .looks import Looks


def fat_field(
    rng: np.random.Generator, shape: tuple[int, ...], share: float, pixel_mm: float
) -> np.ndarray:
    """How fat is spread in one bone: patches of some millimetres, of red marrow and yellow.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (planes, rows, columns).
    share : float
        Mean.
    pixel_mm : float
    """
    coarse = smooth_noise(rng, shape, (5, max(2, 9 / pixel_mm), max(2, 9 / pixel_mm)))
    fine = smooth_noise(rng, shape, (2, max(1.5, 3 / pixel_mm), max(1.5, 3 / pixel_mm)))
    deviation = rng.uniform(0.02, 0.09)
    return np.clip(share + deviation * coarse + 0.5 * deviation * fine, 0.01, 0.97)


def draw_fat_shares(
    spine: PhantomSpine, looks: Looks, rng: np.random.Generator
) -> dict[str, float]:
    """Mean fat share of each vertebra: neighbours are alike to two or three per cent.

    Parameters
    ----------
    spine : PhantomSpine
    looks : Looks
        Knows the patient's usual share by level.
    rng : numpy.random.Generator
    """
    shares = {
        v.level: looks.fat_share(LEVELS.index(v.level)) + float(rng.normal(0, 0.025))
        for v in spine.vertebrae
    }
    if rng.random() < 0.05:  # after irradiation several levels in a row are all fat
        first = int(rng.integers(len(spine.vertebrae)))
        for vertebra in spine.vertebrae[first : first + int(rng.integers(2, 6))]:
            shares[vertebra.level] = float(rng.uniform(0.75, 0.92))
    return {level: float(np.clip(share, 0.02, 0.95)) for level, share in shares.items()}
