"""Spines drawn with boxes, whose bodies are known exactly, and clicks into bodies."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_spinemet.phantom.case import PhantomCase

Click = tuple[float, float, float]

HEIGHT, DEPTH, WIDTH, DISC = 25.0, 31.0, 42.0, 7.0  # mm
CONTRASTS = {  # marrow, cortex, disc, fluid, muscle
    "STIR": (150, 40, 450, 1000, 130),
    "T1": (700, 120, 350, 180, 400),
    "T2": (400, 60, 250, 1000, 200),
}


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * float((one & other).sum()) / max(float(one.sum() + other.sum()), 1.0)


def draw_spine(
    spacing: tuple[float, float, float] = (4.0, 1.0, 1.0),
    contrast: str = "STIR",
    bodies: int = 3,
    tilt_degrees: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, list[Click]]:
    """Boxes with a dark rim, discs between them and a canal behind: image, truth, centres."""
    marrow, cortex, disc, fluid, muscle = CONTRASTS[contrast]
    pitch = HEIGHT + DISC
    size = np.array([60.0, bodies * pitch + 50, 130.0])
    shape = np.ceil(size / spacing).astype(int)
    x, z, y = (
        (np.arange(n) - (n - 1) / 2).reshape([-1 if k == axis else 1 for k in range(3)]) * step
        for axis, (n, step) in enumerate(zip(shape, spacing))
    )
    turn = np.deg2rad(tilt_degrees)
    u, v = np.cos(turn) * z + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * z
    image = np.full(shape, float(muscle))
    in_width = np.abs(x) < WIDTH / 2
    in_length = np.abs(u) < bodies * pitch / 2
    image[in_width & in_length & (np.abs(v) < DEPTH / 2)] = disc
    image[in_width & in_length & (np.abs(v) < DEPTH / 2) & (np.abs(v) > DEPTH / 2 - 4)] = cortex
    image[(np.abs(x) < 10) & (v > DEPTH / 2) & (v < DEPTH / 2 + 16)] = cortex
    image[(np.abs(x) < 8) & (v > DEPTH / 2 + 2.5) & (v < DEPTH / 2 + 14)] = fluid
    truth = np.zeros(shape, np.uint16)
    centres = []
    for k in range(bodies):
        middle = (k - (bodies - 1) / 2) * pitch
        inside = np.maximum(np.abs(u - middle) - HEIGHT / 2, np.abs(v) - DEPTH / 2)
        truth[in_width & (inside < 0)] = k + 1
        image[in_width & (inside < 1)] = cortex
        image[in_width & (inside < -0.9)] = marrow
        centre = np.array([0, middle * np.cos(turn), middle * np.sin(turn)]) / spacing
        centres.append(tuple(centre + (shape - 1) / 2))
    rng = np.random.default_rng(0)
    blurred_image = ndimage.gaussian_filter(image, (0, 0.5, 0.5))
    return blurred_image + rng.normal(0, 0.15 * marrow, shape), truth, centres


def nudge_clicks(
    clicks: list[Click], spacing: tuple[float, float, float], seed: int = 1
) -> list[Click]:
    """The clicks of somebody who is off by 2 to 4 mm."""
    rng = np.random.default_rng(seed)
    result = []
    for index, row, column in clicks:
        distance, angle = rng.uniform(2, 4), rng.uniform(0, 2 * np.pi)
        rows = distance * np.sin(angle) / spacing[1]
        columns = distance * np.cos(angle) / spacing[2]
        result.append((float(round(index)), row + rows, column + columns))
    return result


def order_labels(labels: np.ndarray) -> list[int]:
    """Labels from head to feet."""
    present = np.unique(labels[labels > 0]).tolist()
    return sorted(present, key=lambda n: np.nonzero(labels == n)[1].mean())


def click_bodies(case: PhantomCase, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """One click in the middle slice of each body, 2 to 4 mm off its centre."""
    _, row_mm, column_mm = case.series.spacing_mm
    clicks = []
    for label in order_labels(case.annotation.vertebrae):
        body = case.annotation.vertebrae == label
        slices = np.flatnonzero(body.any(axis=(1, 2)))
        index = int(slices[len(slices) // 2])
        row, column = np.argwhere(body[index]).mean(axis=0)
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(2, 4)
        rows, columns = body.shape[1:]
        clicks.append(
            (
                float(index),
                float(np.clip(row + distance * np.sin(angle) / row_mm, 0, rows - 1)),
                float(np.clip(column + distance * np.cos(angle) / column_mm, 0, columns - 1)),
            )
        )
    return clicks
