"""Metastases, and the mimics that must not be taken for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .canvas import Canvas, FloatArray, smooth_noise
from .difficulty import STANDARD, Difficulty
from .growth import MAX_AREA_CM2, MIN_AREA_CM2, grow, main_part, wanted_areas
from .spine import LEVELS, Spine, Vertebra
from .tissues import Tissues

MIN_SLICES, MAX_SLICES = 3, 7
AS_IN_THE_PAPER = 2
"""Diseased segments of a case, at most."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """One diseased segment.

    Attributes
    ----------
    level : str
        The vertebra.
    mask : numpy.ndarray
        ``(slice, row, column)`` bool: where lesion fills at least half of the voxel.
    contrast : float
        How far of the way from marrow to cerebrospinal fluid its intensity lies.
    """

    level: str
    mask: npt.NDArray[np.bool_]
    contrast: float


def paint_lesions(
    canvas: Canvas,
    spine: Spine,
    tissues: Tissues,
    rng: np.random.Generator,
    wide: bool,
    difficulty: Difficulty = STANDARD,
    most: int = AS_IN_THE_PAPER,
) -> list[Lesion]:
    """Paint lesions into one segment or more, ``most`` of them at most, and return their masks.

    Every lesion covers 1.65 to 9.54 cm² in each slice that carries it, and lies in 3 to 7
    slices; so do both of a case with two (paper, section 3.1). More than two lie anywhere.
    """
    seats = [
        v
        for v in spine.vertebrae
        if LEVELS.index("T3") <= LEVELS.index(v.level) <= LEVELS.index("S1")
        and 18 < v.centre[1] < canvas.field_mm - 18
    ]
    # Larger bodies are more often the seat, as in life, where the lumbar spine leads.
    weights = np.array([v.half[0] * v.half[1] for v in seats]) ** 2
    while True:
        count = min(len(seats), most, 1 + int(most * (1 - rng.random())))
        chosen = rng.choice(len(seats), count, replace=False, p=weights / weights.sum())
        # In training also at the sides, so that no slice is free of lesions by its place alone.
        lowest = 0 if wide else 1
        starts = lowest, canvas.slices - MAX_SLICES + 1 - lowest
        many = most > AS_IN_THE_PAPER
        firsts = rng.integers(*starts, count) if many else np.repeat(rng.integers(*starts), count)
        drawn = {
            int(k): _draw(canvas, seats[k], int(first), rng)
            for k, first in zip(chosen, firsts, strict=True)
        }
        lesions = _apart({k: lesion for k, lesion in drawn.items() if lesion is not None})
        slices = {s for _, mask in lesions.values() for s in np.flatnonzero(mask.any((1, 2)))}
        if lesions and (many or (len(lesions) == count and len(slices) <= MAX_SLICES)):
            break
    result = []
    for k, (cover, mask) in lesions.items():
        contrast = float(rng.uniform(0.12, 1.0)) if wide else _contrast(difficulty, rng)
        _blend(canvas, cover, tissues, contrast, rng)
        result.append(Lesion(seats[k].level, mask, contrast))
    return result


_Shape = tuple[FloatArray, npt.NDArray[np.bool_]]
"""Cover (plane, row, column) and mask (slice, row, column) of a lesion."""


def _apart(lesions: dict[int, _Shape]) -> dict[int, _Shape]:
    """Those that share no voxel with one before them."""
    kept: dict[int, _Shape] = {}
    for seat, (cover, mask) in lesions.items():
        if not any((mask & other).any() for _, other in kept.values()):
            kept[seat] = cover, mask
    return kept


def _contrast(difficulty: Difficulty, rng: np.random.Generator) -> float:
    first, second, least, largest = difficulty.contrast
    return float(np.clip(rng.beta(first, second), least, largest))


def _draw(
    canvas: Canvas, vertebra: Vertebra, first: int, rng: np.random.Generator
) -> _Shape | None:
    """A lesion, or None if it does not fit."""
    box = canvas.region(*vertebra.box(8))
    x, z, y = canvas.axes(box)
    body = vertebra.body(x, z, y)
    u, v, _ = vertebra.local(x, z, y)
    grows = rng.random() < 0.4
    allowed = body < -0.8
    if grows:  # through the front or side wall into soft tissue, never into the discs
        beyond = (body < rng.uniform(2, 6)) & (np.abs(u) < vertebra.half[0] * 0.95)
        allowed |= beyond & (v < vertebra.half[1] * 0.9)
    pixel_cm2 = (canvas.pixel_mm / 10) ** 2
    seat = rng.uniform(-0.45, 0.45, 2)
    stretch = rng.uniform(0.75, 1.35)
    lobes = smooth_noise(rng, body.shape, (6, 9, 9)) * rng.uniform(0.05, 0.3)
    du = (u / vertebra.half[0] - seat[0]) * stretch
    dv = (v / vertebra.half[1] - seat[1]) / stretch
    distance = np.where(allowed, np.sqrt(du**2 + dv**2) + lobes, np.inf).astype(np.float32)

    sub = canvas.sub_slices
    slices = int(rng.integers(MIN_SLICES, MAX_SLICES + 1))
    # Ends fall anywhere within a slice, so that the last ones are partly filled.
    start = (first + rng.uniform(0, MAX_SLICES - slices + 0.49)) * sub
    planes = np.arange(len(canvas.x))
    position = (planes + 0.5 - start) / (slices * sub)
    grown = grow(distance, wanted_areas(position, rng)[box[0]], pixel_cm2)
    if grown is None:
        return None
    cover = np.zeros(canvas.values.shape, dtype=np.float32)
    cover[box] = grown
    share = cover.reshape(canvas.slices, sub, *cover.shape[1:]).mean(axis=1)
    mask = np.stack([main_part(plane) for plane in share >= 0.5])
    areas = mask.sum(axis=(1, 2)) * pixel_cm2
    present = areas[areas > 0]
    if not MIN_SLICES <= len(present) <= MAX_SLICES:
        return None
    if present.min() < MIN_AREA_CM2 or present.max() > MAX_AREA_CM2:
        return None
    return cover, mask


def _blend(
    canvas: Canvas, cover: FloatArray, tissues: Tissues, contrast: float, rng: np.random.Generator
) -> None:
    """Mix the lesion's intensity into the canvas, with blurred edges."""
    from scipy import ndimage

    planes = np.flatnonzero(cover.any(axis=(1, 2)))
    used = slice(planes[0], planes[-1] + 1)
    blur = rng.uniform(0.4, 2.0) / canvas.pixel_mm
    soft = ndimage.gaussian_filter(cover[used], (0, blur, blur))
    value = tissues["marrow"] + contrast * max(tissues["csf"] - tissues["marrow"], 0.12)
    uneven = 1 + rng.uniform(0.03, 0.15) * smooth_noise(rng, soft.shape, (4, 6, 6))
    target = canvas.values[used]
    target += soft * (np.maximum(value * uneven, 0) - target)


def paint_mimics(
    canvas: Canvas,
    spine: Spine,
    tissues: Tissues,
    rng: np.random.Generator,
    wide: bool,
    difficulty: Difficulty = STANDARD,
) -> None:
    """Bright things in and at the bodies that are no metastasis; they get no label."""
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
            at = vertebra.point(side * (height - radius * 0.4), rng.uniform(-0.3, 0.5) * depth)
            canvas.ellipsoid(at, (5, radius + 1, radius + 1), tissues["cortex"], 1.0)
            canvas.ellipsoid(at, (5, radius, radius), tissues.draw("nucleus"), 1.0)


def _paint_haemangioma(
    canvas: Canvas, vertebra: Vertebra, marrow: float, value: float, rng: np.random.Generator
) -> None:
    """Round, sharp, up to the height of the body, with coarse upright trabeculae in it."""
    height, depth, _ = vertebra.half
    radius = rng.uniform(4, max(5, min(12, 0.95 * height)))
    room = max(0.1, 0.9 - radius / max(height, radius))
    up, back = rng.uniform(-room, room), rng.uniform(-0.5, 0.5)
    at = vertebra.point(up * height, back * depth, rng.uniform(-12, 12))
    canvas.ellipsoid(at, (radius, radius, radius), value, 0.8)
    for offset in np.arange(-radius, radius, rng.uniform(2.4, 3.6)):
        length = 0.9 * float(np.sqrt(max(radius**2 - offset**2, 1)))
        stripe = (at[0], at[1], at[2] + offset)
        canvas.ellipsoid(stripe, (length, length, rng.uniform(0.5, 0.9)), marrow, 0.8)


def _paint_endplate_change(
    canvas: Canvas, vertebra: Vertebra, value: float, rng: np.random.Generator
) -> None:
    """A band along the disc (Modic type 1), from a rim to a third of the body."""
    height, depth, _ = vertebra.half
    side = rng.choice((-1, 1))
    half = rng.uniform(2.0, max(2.5, 0.5 * height))
    along = depth * rng.uniform(0.5, 0.95)
    shift = rng.uniform(-1, 1) * max(0.0, 0.9 * depth - along)
    canvas.ellipsoid(
        vertebra.point(side * (height - half), shift),
        (rng.uniform(8, 18), half, along),
        value,
        1.5,
        vertebra.tilt,
    )
