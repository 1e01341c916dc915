"""Metastases, and the mimics that must not be taken for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..canvas import Canvas, FloatArray, smooth_noise
from ..growth import draw_areas, grow, outline_lesion
from ..lesion import Lesion
from ..spine import LEVELS, PhantomSpine, Vertebra
from .difficulty import STANDARD, Difficulty
from .tissues import Tissues

MIN_SLICES, MAX_SLICES = 3, 7
AS_IN_THE_PAPER = 2
"""Diseased segments of a case, at most."""


class _LesionShape(NamedTuple):
    """Cover (plane, row, column) and mask (slice, row, column) of a lesion."""

    cover: FloatArray
    mask: npt.NDArray[np.bool_]


def paint_lesions(
    canvas: Canvas,
    spine: PhantomSpine,
    tissues: Tissues,
    rng: np.random.Generator,
    wide: bool,
    difficulty: Difficulty = STANDARD,
    max_lesions: int = AS_IN_THE_PAPER,
) -> list[Lesion]:
    """Paint lesions into one segment or more, and return their masks.

    Every lesion covers 1.65 to 9.54 cm² in each slice that carries it, and lies in 3 to 7
    slices; so do both of a case with two (paper, section 3.1). More than two lie anywhere.

    Parameters
    ----------
    canvas : Canvas
        With the patient painted.
    spine : PhantomSpine
        The same that was painted.
    tissues : Tissues
        Says how bright marrow and cerebrospinal fluid are.
    rng : numpy.random.Generator
    wide : bool
        Draw seats and contrasts far wider than in life.
    difficulty : Difficulty
        Says how plain they are, unless that is drawn wider.
    max_lesions : int
        At most, at least 1; fewer are as likely.
    """
    seats = _list_seats(spine, canvas.field_mm)
    shapes: dict[int, _LesionShape] | None = None
    while shapes is None:
        shapes = _draw_shapes(canvas, seats, rng, wide, max_lesions)
    result = []
    for seat, shape in shapes.items():
        contrast = float(rng.uniform(0.12, 1.0)) if wide else _draw_contrast(difficulty, rng)
        _blend(canvas, shape.cover, tissues, contrast, rng)
        result.append(Lesion(seats[seat].level, shape.mask, contrast))
    return result


def _list_seats(spine: PhantomSpine, field_mm: float) -> list[Vertebra]:
    """Vertebrae from T3 to S1 that lie whole in the field, or nearly so."""
    return [
        v
        for v in spine.vertebrae
        if LEVELS.index("T3") <= LEVELS.index(v.level) <= LEVELS.index("S1")
        and 18 < v.centre[1] < field_mm - 18
    ]


def _draw_shapes(
    canvas: Canvas,
    seats: Sequence[Vertebra],
    rng: np.random.Generator,
    wide: bool,
    max_lesions: int,
) -> dict[int, _LesionShape] | None:
    """Lesions by the number of their seat; None if they are not as in the paper."""
    # Larger bodies are more often the seat, as in life, where the lumbar spine leads.
    weights = np.array([v.half[0] * v.half[1] for v in seats]) ** 2
    count = min(len(seats), max_lesions, 1 + int(max_lesions * (1 - rng.random())))
    numbers = rng.choice(len(seats), count, replace=False, p=weights / weights.sum())
    # In training also at the sides, so that no slice is free of lesions by its place alone.
    lowest = 0 if wide else 1
    starts = lowest, canvas.slices - MAX_SLICES + 1 - lowest
    # The paper's two share their slices.
    many = max_lesions > AS_IN_THE_PAPER
    firsts = rng.integers(*starts, count) if many else np.repeat(rng.integers(*starts), count)
    shapes = {
        int(k): _draw_shape(canvas, seats[k], int(first), rng)
        for k, first in zip(numbers, firsts, strict=True)
    }
    disjoint = _drop_overlaps({k: shape for k, shape in shapes.items() if shape is not None})
    if many:
        # One that does not fit is not missed: how many there are is drawn anyhow.
        return disjoint or None
    slices = {s for x in disjoint.values() for s in np.flatnonzero(x.mask.any((1, 2)))}
    return disjoint if len(disjoint) == count and len(slices) <= MAX_SLICES else None


def _drop_overlaps(shapes: Mapping[int, _LesionShape]) -> dict[int, _LesionShape]:
    """Those that share no voxel with one before them."""
    result: dict[int, _LesionShape] = {}
    for seat, shape in shapes.items():
        if not any((shape.mask & other.mask).any() for other in result.values()):
            result[seat] = shape
    return result


def _draw_contrast(difficulty: Difficulty, rng: np.random.Generator) -> float:
    first, second, smallest, largest = difficulty.contrast
    return float(np.clip(rng.beta(first, second), smallest, largest))


def _draw_shape(
    canvas: Canvas, vertebra: Vertebra, first: int, rng: np.random.Generator
) -> _LesionShape | None:
    """A lesion in the seven slices from ``first`` on, or None if it does not fit."""
    box = canvas.region(*vertebra.box(8))
    distance = _draw_distances(canvas, vertebra, rng)
    sub = canvas.sub_slices
    slices = int(rng.integers(MIN_SLICES, MAX_SLICES + 1))
    # Ends fall anywhere within a slice, so that the last ones are partly filled.
    start = (first + rng.uniform(0, MAX_SLICES - slices + 0.49)) * sub
    planes = np.arange(len(canvas.x))
    position = (planes + 0.5 - start) / (slices * sub)
    pixel_cm2 = (canvas.pixel_mm / 10) ** 2
    block = grow(distance, draw_areas(position, rng)[box[0]], pixel_cm2)
    if block is None:
        return None
    cover = np.zeros(canvas.values.shape, dtype=np.float32)
    cover[box] = block
    share = cover.reshape(canvas.slices, sub, *cover.shape[1:]).mean(axis=1)
    mask = outline_lesion(share, pixel_cm2, MIN_SLICES, MAX_SLICES)
    return None if mask is None else _LesionShape(cover, mask)


def _draw_distances(canvas: Canvas, vertebra: Vertebra, rng: np.random.Generator) -> FloatArray:
    """From a point in the body, within :meth:`.Vertebra.box`; infinite where no lesion may be."""
    x, z, y = canvas.axes(canvas.region(*vertebra.box(8)))
    body = vertebra.body(x, z, y)
    u, v, _ = vertebra.local(x, z, y)
    room = body < -0.8
    if rng.random() < 0.4:  # through the front or side wall into soft tissue, never into the discs
        beside_body = (body < rng.uniform(2, 6)) & (np.abs(u) < vertebra.half[0] * 0.95)
        room |= beside_body & (v < vertebra.half[1] * 0.9)
    seat = rng.uniform(-0.45, 0.45, 2)
    stretch = rng.uniform(0.75, 1.35)
    lobes = smooth_noise(rng, body.shape, (6, 9, 9)) * rng.uniform(0.05, 0.3)
    du = (u / vertebra.half[0] - seat[0]) * stretch
    dv = (v / vertebra.half[1] - seat[1]) / stretch
    return np.where(room, np.sqrt(du**2 + dv**2) + lobes, np.inf).astype(np.float32)


def _blend(
    canvas: Canvas, cover: FloatArray, tissues: Tissues, contrast: float, rng: np.random.Generator
) -> None:
    """Mix the lesion's intensity into the canvas, with blurred edges."""
    planes = np.flatnonzero(cover.any(axis=(1, 2)))
    lesion_planes = slice(planes[0], planes[-1] + 1)
    blur = rng.uniform(0.4, 2.0) / canvas.pixel_mm
    soft = ndimage.gaussian_filter(cover[lesion_planes], (0, blur, blur))
    # Where a wide patient's fluid is no brighter than the marrow, a lesion is all the same.
    value = tissues["marrow"] + contrast * max(tissues["csf"] - tissues["marrow"], 0.12)
    uneven = 1 + rng.uniform(0.03, 0.15) * smooth_noise(rng, soft.shape, (4, 6, 6))
    target = canvas.values[lesion_planes]
    target += soft * (np.maximum(value * uneven, 0) - target)


def paint_mimics(
    canvas: Canvas,
    spine: PhantomSpine,
    tissues: Tissues,
    rng: np.random.Generator,
    wide: bool,
    difficulty: Difficulty = STANDARD,
) -> None:
    """Bright things in and at the bodies that are no metastasis; they get no label.

    Parameters
    ----------
    canvas : Canvas
        With the patient painted, and no lesion yet: a lesion covers a mimic.
    spine : PhantomSpine
        The same that was painted.
    tissues : Tissues
        Says how bright marrow and cerebrospinal fluid are.
    rng : numpy.random.Generator
    wide : bool
        As many as in training.
    difficulty : Difficulty
        Says how many, otherwise.
    """
    rate = 1.6 if wide else difficulty.mimics
    csf = max(tissues["csf"], tissues["marrow"] + 0.2)

    def bright(low: float, high: float) -> float:
        return float(tissues["marrow"] + rng.uniform(low, high) * (csf - tissues["marrow"]))

    for vertebra in spine.vertebrae:
        height, depth, _ = vertebra.half
        if rng.random() < 0.8:  # basivertebral vein: a wedge from the middle of the back wall
            length = rng.uniform(0.2, 0.55) * depth
            canvas.ellipsoid(
                vertebra.point(rng.uniform(-1, 1), depth - length * 0.8),
                (6, rng.uniform(0.9, 2.2), length),
                bright(0.2, 0.8),
                1.0,
                vertebra.tilt,
            )
        if rng.random() < 0.18 * rate:
            _paint_haemangioma(canvas, vertebra, tissues["marrow"], bright(0.3, 1.0), rng)
        if rng.random() < 0.28 * rate:
            _paint_endplate_change(canvas, vertebra, bright(0.3, 0.95), rng)
        if rng.random() < 0.10 * rate:  # Schmorl's node: the disc pushed into the body
            side = rng.choice((-1, 1))
            radius = rng.uniform(2, 4)
            node = vertebra.point(side * (height - radius * 0.4), rng.uniform(-0.3, 0.5) * depth)
            canvas.ellipsoid(node, (5, radius + 1, radius + 1), tissues["cortex"], 1.0)
            canvas.ellipsoid(node, (5, radius, radius), tissues.draw("nucleus"), 1.0)


def _paint_haemangioma(
    canvas: Canvas, vertebra: Vertebra, marrow: float, value: float, rng: np.random.Generator
) -> None:
    """Round, sharp, up to the height of the body, with coarse upright trabeculae in it."""
    height, depth, _ = vertebra.half
    radius = rng.uniform(4, max(5, min(12, 0.95 * height)))
    room = max(0.1, 0.9 - radius / max(height, radius))
    u, v = rng.uniform(-room, room), rng.uniform(-0.5, 0.5)
    centre = vertebra.point(u * height, v * depth, rng.uniform(-12, 12))
    canvas.ellipsoid(centre, (radius, radius, radius), value, 0.8)
    for offset in np.arange(-radius, radius, rng.uniform(2.4, 3.6)):
        length = 0.9 * float(np.sqrt(max(radius**2 - offset**2, 1)))
        stripe = (centre[0], centre[1], centre[2] + offset)
        canvas.ellipsoid(stripe, (length, length, rng.uniform(0.5, 0.9)), marrow, 0.8)


def _paint_endplate_change(
    canvas: Canvas, vertebra: Vertebra, value: float, rng: np.random.Generator
) -> None:
    """A band along the disc (Modic type 1), from a rim to a third of the body."""
    height, depth, _ = vertebra.half
    side = rng.choice((-1, 1))
    half = rng.uniform(2.0, max(2.5, 0.5 * height))
    reach = depth * rng.uniform(0.5, 0.95)
    shift = rng.uniform(-1, 1) * max(0.0, 0.9 * depth - reach)
    canvas.ellipsoid(
        vertebra.point(side * (height - half), shift),
        (rng.uniform(8, 18), half, reach),
        value,
        1.5,
        vertebra.tilt,
    )
