"""How a lesion of each site grows: what holds it, and what it passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..canvas import Canvas, FloatArray, Region, smooth_noise
from ..shapes import Point, part_of, region_of
from ..spine import PhantomSpine, Vertebra
from .arch import arch_of


@dataclass(frozen=True)
class Seat:
    """Where a lesion shall grow.

    Attributes
    ----------
    vertebra : Vertebra
    site, kind : str
    is_fractured : bool
        Whether the body broke by it.
    """

    vertebra: Vertebra
    site: str
    kind: str
    is_fractured: bool = False


def _blob(
    canvas: Canvas,
    region: Region,
    vertebra: Vertebra,
    centre: Point,
    radii: Point,
    rng: np.random.Generator,
) -> FloatArray:
    """Signed distance to a lobed ellipsoid in the vertebra's frame."""
    u, v, w = vertebra.local(*canvas.axes(region))
    r = np.sqrt(
        ((u - centre[0]) / radii[0]) ** 2
        + ((v - centre[1]) / radii[1]) ** 2
        + ((w - centre[2]) / radii[2]) ** 2
    )
    scale = max(3.0, 10 / canvas.pixel_mm)
    lobes = smooth_noise(rng, r.shape, (6, scale, scale)) * rng.uniform(0.03, 0.22)
    return np.asarray((r + lobes - 1) * min(radii), dtype=np.float32)


def _in_body(
    canvas: Canvas, spine: PhantomSpine, seat: Seat, rng: np.random.Generator
) -> tuple[Region, FloatArray]:
    """From a nodule to the whole body, some through a wall, never into a disc."""
    vertebra = seat.vertebra
    height, depth, width = vertebra.half
    region = canvas.region(*vertebra.box(8))
    axes = canvas.axes(region)
    body = vertebra.body(*axes)
    u, v, _ = vertebra.local(*axes)
    room = body + 0.7
    if rng.random() < 0.25:  # through the front, the side or the back wall
        outside_room = np.maximum(body - rng.uniform(2, 6), np.abs(u) - height * 0.95)
        keeps_off = v - depth * (0.9 if rng.random() < 0.6 else 1.4)
        room = np.minimum(room, np.maximum(outside_room, keeps_off))
    is_whole = seat.is_fractured or rng.random() < 0.2
    size = rng.uniform(1.3, 1.8) if is_whole else rng.uniform(0.35, 1.0)
    centre = tuple(rng.uniform(-0.55, 0.55, 3) * (0.2 if is_whole else 1.0) * vertebra.half)
    stretch = rng.uniform(0.8, 1.3, 3)
    radii = tuple(np.maximum(size * stretch * np.array([height, depth, min(width, depth)]), 4.5))
    blob = _blob(canvas, region, vertebra, centre, radii, rng)
    return region, np.maximum(room, blob)


def _in_arch(
    canvas: Canvas, spine: PhantomSpine, seat: Seat, rng: np.random.Generator
) -> tuple[Region, FloatArray]:
    """In pedicle and facet, or in lamina and process; bone expands, tissue beside is invaded."""
    vertebra = seat.vertebra
    names = ("pedicle", "facet") if seat.site == "pedicle" else ("lamina", "process")
    parts = [p for p in arch_of(vertebra, spine.scale) if p.name in names]
    if seat.site == "pedicle":
        side = rng.choice((-1, 1))
        parts = [p for p in parts if p.centre[2] * side > 0] or parts
    main = parts[int(rng.integers(len(parts)))]
    swollen = rng.uniform(0.5, 4.5)
    reach = max(max(p.half) for p in parts) + swollen + 6
    region = region_of(canvas, vertebra, main.centre, (reach + 12, reach + 12, reach))
    if min(s.stop - s.start for s in region) <= 0:
        return region, np.zeros(0, dtype=np.float32)
    axes = canvas.axes(region)
    rooms = [part_of(vertebra, p.centre, p.half, p.slope)(*axes) for p in parts]
    room = np.minimum.reduce(rooms) - swollen
    if seat.site == "pedicle":  # and into the back of the body
        _, v, _ = vertebra.local(*axes)
        rear_room = np.maximum(vertebra.body(*axes) + 0.7, vertebra.half[1] * 0.35 - v)
        room = np.minimum(room, rear_room)
    # The canal stays free, but for what an epidural mass is.
    _, v, w = vertebra.local(*axes)
    canal = np.hypot((v - vertebra.half[1] - 8.5 * spine.scale) / 7, w / 9) - 1
    room = np.maximum(room, -canal * 6)
    radii = tuple(rng.uniform(7, 22, 3))
    centre = tuple(np.array(main.centre) + rng.uniform(-3, 3, 3))
    blob = _blob(canvas, region, vertebra, centre, radii, rng)
    return region, np.maximum(room, blob)


def _in_canal(
    canvas: Canvas, spine: PhantomSpine, seat: Seat, rng: np.random.Generator
) -> tuple[Region, FloatArray]:
    """Between the back wall and the sac, or behind the sac; the sac gives way."""
    vertebra = seat.vertebra
    height, depth, _ = vertebra.half
    is_behind = rng.random() < 0.25
    thick = rng.uniform(3.5, 7.5)
    v = depth + (17 * spine.scale - thick * 0.6 if is_behind else thick * 0.75)
    radii = (float(rng.uniform(9, 1.1 * height + 9)), float(thick), float(rng.uniform(8, 14)))
    centre = (float(rng.uniform(-5, 5)), float(v), float(rng.uniform(-5, 5)))
    region = region_of(canvas, vertebra, centre, radii, 5)
    blob = _blob(canvas, region, vertebra, centre, radii, rng)
    axes = canvas.axes(region)
    _, back, w = vertebra.local(*axes)
    canal = (np.hypot((back - depth - 8.5 * spine.scale) / (10 * spine.scale), w / 16) - 1) * 8
    return region, np.maximum(np.maximum(blob, canal), -(vertebra.body(*axes) - 0.2))


def _in_soft_tissue(
    canvas: Canvas, spine: PhantomSpine, seat: Seat, rng: np.random.Generator
) -> tuple[Region, FloatArray]:
    """A mass before a body or at its side, or behind an arch."""
    vertebra = seat.vertebra
    height, depth, width = vertebra.half
    radii = (
        float(rng.uniform(9, 1.2 * height + 12)),
        float(rng.uniform(6, 15)),
        float(rng.uniform(8, 18)),
    )
    way = rng.choice(["front", "side", "back"], p=[0.35, 0.45, 0.2])
    side = float(rng.choice((-1, 1)))
    if way == "front":
        centre = (0.0, -depth - radii[1] * 0.6, float(rng.uniform(-8, 8)))
    elif way == "side":
        centre = (
            0.0,
            float(rng.uniform(-0.5, 0.8) * depth),
            side * (width * 0.75 + radii[2] * 0.5),
        )
    else:
        centre = (height * 0.5, depth + 36 * spine.scale, side * float(rng.uniform(4, 14)))
    region = region_of(canvas, vertebra, centre, radii, 5)
    blob = _blob(canvas, region, vertebra, centre, radii, rng)
    return region, np.maximum(blob, -(vertebra.body(*canvas.axes(region)) - 0.2))


SITE_SHAPES = {
    "body": _in_body,
    "pedicle": _in_arch,
    "posterior": _in_arch,
    "epidural": _in_canal,
    "paravertebral": _in_soft_tissue,
}
"""By site: a region of the canvas, and the signed distance in mm to the lesion in it."""
