"""Likelihood maps from arrays."""

from __future__ import annotations

import numpy as np

from napari_spinemet.imaging import LikelihoodMap

AFFINE = np.array([[3.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def likelihood_of(values: np.ndarray, vertebra: np.ndarray | None = None) -> LikelihoodMap:
    """A map of pixels of 1 mm and slices of 3 mm, evaluated over its whole width."""
    return LikelihoodMap(
        values.astype(np.float32), AFFINE, (0, values.shape[2]), (3.0, 1, 1), vertebra=vertebra
    )
