"""A cohort of likelihood maps like a network's, without one: quick to make in any number."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_spinemet.imaging import Annotation, FrocCase, LikelihoodMap
from napari_spinemet.imaging.grids import central_columns

SHAPE = (13, 340, 340)


def synthetic_cohort(count: int, seed: int = 0) -> list[FrocCase]:
    """Cases of 13 slices of 340 x 340 mm, 1 mm pixels, one or two lesions, smooth likelihood."""
    return [_case(k, np.random.default_rng([seed, k])) for k in range(count)]


def _case(number: int, rng: np.random.Generator) -> FrocCase:
    first, last = central_columns(SHAPE[2])
    noise = ndimage.gaussian_filter(rng.normal(size=SHAPE).astype(np.float32), (0.6, 5, 5))
    score = 2.2 * noise / noise.std() - 4.5
    lesions = np.zeros(SHAPE, dtype=np.uint16)
    row, column = np.indices(SHAPE[1:])
    for lesion in range(1 + number % 2):
        centre = rng.uniform((60, first + 40), (280, last - 40))
        radii = rng.uniform(8, 16, size=2)
        shape = np.hypot(
            *((g - c) / r for g, c, r in zip((row, column), centre, radii, strict=True))
        )
        start = int(rng.integers(2, 6))
        for index in range(start, start + int(rng.integers(3, 7))):
            lesions[index][shape <= 1] = lesion + 1
            score[index] += rng.uniform(3, 8) * np.exp(-((shape / 1.3) ** 4))
    values = np.zeros(SHAPE, dtype=np.float32)
    values[:, :, first:last] = 1 / (1 + np.exp(-score[:, :, first:last]))
    affine = np.eye(4)
    affine[:3, :3] = [[3.0, 0, 0], [0, 0, 1], [0, -1, 0]]
    likelihood = LikelihoodMap(values, affine, (first, last), (3.0, 1.0, 1.0), model="synthetic")
    annotation = Annotation(lesions, (lesions > 0).astype(np.uint16))
    return FrocCase(f"case-{number + 1:03d}", ((likelihood, annotation),))
