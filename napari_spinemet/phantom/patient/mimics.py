"""What looks like a lesion and is none; none of it gets a label."""

from __future__ import annotations

import itertools

import numpy as np

from ..canvas import Canvas, smooth_noise
from ..shapes import part_of, region_of
from ..spine import Vertebra
from .body_plan import BodyPlan
from .looks import Looks


def paint_mimics(canvas: Canvas, plan: BodyPlan, looks: Looks, rng: np.random.Generator) -> None:
    """Veins, haemangiomas, endplate changes, nodes of Schmorl, benign fractures, islands.

    Parameters
    ----------
    canvas : Canvas
        With the spine painted, and no lesion yet: a lesion covers a mimic.
    plan : BodyPlan
    looks : Looks
    rng : numpy.random.Generator
    """
    vertebrae = plan.spine.vertebrae
    old = max(0.0, plan.age - 40) / 40
    for vertebra in vertebrae:
        if rng.random() < 0.5:
            _paint_vein(canvas, vertebra, looks, rng)
        if rng.random() < 0.07 + 0.05 * old:
            _paint_haemangioma(canvas, vertebra, looks, rng)
        if rng.random() < 0.08:
            _paint_schmorl(canvas, vertebra, looks, rng)
        if rng.random() < 0.03:  # an island of red marrow, or of bone
            _paint_island(canvas, vertebra, looks, rng)
        fracture = plan.fractures.get(vertebra.level)
        if fracture is not None and fracture.cause == "fresh":
            _paint_fresh_fracture(canvas, vertebra, looks, rng)
        _paint_behind(canvas, vertebra, plan.spine.scale, looks, rng)
    for upper, lower in itertools.pairwise(vertebrae):
        if rng.random() < 0.10 + 0.12 * old:
            _paint_endplates(canvas, upper, lower, looks, rng)


def _paint_vein(canvas: Canvas, vertebra: Vertebra, looks: Looks, rng: np.random.Generator) -> None:
    """The basivertebral vein: a wedge from the middle of the back wall."""
    depth = vertebra.half[1]
    length = rng.uniform(0.2, 0.55) * depth
    canvas.ellipsoid(
        vertebra.point(rng.uniform(-0.25, 0.25) * vertebra.half[0], depth - length * 0.8),
        (6, rng.uniform(0.8, 2.0), length),
        looks.draw("blood"),
        1.0,
        vertebra.tilt,
        rng.uniform(0.1, 0.8),
    )


def _paint_haemangioma(
    canvas: Canvas, vertebra: Vertebra, looks: Looks, rng: np.random.Generator
) -> None:
    """Round and sharp, with coarse upright trabeculae; fatty, or bright with blood."""
    height, depth, _ = vertebra.half
    radius = rng.uniform(3.5, max(5, min(12, 0.95 * height)))
    room = max(0.1, 0.9 - radius / max(height, radius))
    u, v = rng.uniform(-room, room), rng.uniform(-0.5, 0.5)
    centre = vertebra.point(u * height, v * depth, rng.uniform(-12, 12))
    look = looks.draw("haemangioma")
    canvas.ellipsoid(centre, (radius, radius, radius), look, 0.8, 0.0, rng.uniform(0.5, 1.0))
    for offset in np.arange(-radius, radius, rng.uniform(2.4, 3.6)):
        length = 0.9 * float(np.sqrt(max(radius**2 - offset**2, 1)))
        stripe = (centre[0], centre[1], centre[2] + offset)
        thick = float(rng.uniform(0.5, 0.9))
        canvas.ellipsoid(stripe, (length, length, thick), looks["cortex"], 0.8, opacity=0.6)


def _paint_schmorl(
    canvas: Canvas, vertebra: Vertebra, looks: Looks, rng: np.random.Generator
) -> None:
    """The disc pushed into the body; a bright rim where it is fresh."""
    height, depth, _ = vertebra.half
    side, radius = rng.choice((-1, 1)), rng.uniform(2, 4.5)
    node = vertebra.point(side * (height - radius * 0.4), rng.uniform(-0.3, 0.5) * depth)
    if rng.random() < 0.3:
        rim = radius + rng.uniform(2, 4)
        canvas.ellipsoid(node, (7, rim, rim), looks.draw("oedema"), 2.0, 0.0, 0.8)
    canvas.ellipsoid(node, (5, radius + 1, radius + 1), looks["cortex"], 1.0)
    canvas.ellipsoid(node, (5, radius, radius), looks.nucleus(int(rng.integers(2, 5))), 1.0)


def _paint_island(
    canvas: Canvas, vertebra: Vertebra, looks: Looks, rng: np.random.Generator
) -> None:
    height, depth, _ = vertebra.half
    centre = vertebra.point(
        rng.uniform(-0.5, 0.5) * height, rng.uniform(-0.6, 0.6) * depth, rng.uniform(-10, 10)
    )
    if rng.random() < 0.5:
        radius = float(rng.uniform(1.5, 4))
        canvas.ellipsoid(centre, (radius, radius, radius), looks["cortex"], 1.2)
    else:
        radii = (float(rng.uniform(4, 9)), float(rng.uniform(3, 7)), float(rng.uniform(3, 7)))
        canvas.ellipsoid(centre, radii, looks.marrow(0.12), 4.0, 0.0, 0.7)


def _paint_fresh_fracture(
    canvas: Canvas, vertebra: Vertebra, looks: Looks, rng: np.random.Generator
) -> None:
    """Oedema along the broken plate, a dark line in it; the back corner is often spared."""
    height, depth, width = vertebra.half
    region = canvas.region(*vertebra.box(2))
    size = tuple(s.stop - s.start for s in region)
    if min(size) <= 0:
        return
    side = float(rng.choice((-1, 1)))
    reach = rng.uniform(0.5, 1.6) * height
    shift = rng.uniform(-0.3, 0.3) * depth
    scale = max(3.0, 8 / canvas.pixel_mm)
    waves = smooth_noise(rng, size, (4, scale, scale)) * 2.5

    def shape(x, z, y):  # type: ignore[no-untyped-def]
        u, v, _ = vertebra.local(x, z, y)
        band = np.abs(u - side * height) - reach + waves
        return np.maximum(
            np.maximum(vertebra.body(x, z, y) + 0.8, band), v - depth * 0.9 - shift
        ).astype(np.float32)

    canvas.paint(region, shape, looks.draw("oedema"), 3.0, rng.uniform(0.5, 1.0))
    line = vertebra.point(side * height * 0.6, shift)
    canvas.ellipsoid(
        line, (width * 0.7, 0.8, depth * 0.7), looks["cortex"], 1.0, vertebra.tilt, 0.7
    )


def _paint_endplates(
    canvas: Canvas, upper: Vertebra, lower: Vertebra, looks: Looks, rng: np.random.Generator
) -> None:
    """Modic's changes on one side of a disc or both: oedema, fat, or bone; a rim to half a body."""
    name = str(rng.choice(["oedema", "fatty_endplate", "cortex"], p=[0.5, 0.38, 0.12]))
    look = looks.draw(name)
    is_large = rng.random() < 0.25  # both bodies really bright, and no tumour
    both = is_large or rng.random() < 0.6
    front = rng.uniform(-1, 1)
    for vertebra, side in ((upper, 1.0), (lower, -1.0)):
        if not both and rng.random() < 0.5:
            continue
        height, depth, _ = vertebra.half
        half = rng.uniform(0.5, 0.95) * height if is_large else rng.uniform(2.0, 0.5 * height + 1)
        reach = depth * (rng.uniform(0.8, 1.0) if is_large else rng.uniform(0.35, 0.95))
        shift = front * max(0.0, 0.9 * depth - reach)
        centre = (side * (height - 0.5 * half), shift, rng.uniform(-8, 8))
        shape_half = (half, reach, rng.uniform(9, 22))
        region = region_of(canvas, vertebra, centre, shape_half)
        part = part_of(vertebra, centre, shape_half, 0.0, 2.5)

        def shape(x, z, y, part=part, vertebra=vertebra):  # type: ignore[no-untyped-def]
            return np.maximum(part(x, z, y), vertebra.body(x, z, y) + 0.7)

        canvas.paint(region, shape, look, rng.uniform(1.5, 4), rng.uniform(0.5, 1.0))


def _paint_behind(
    canvas: Canvas, vertebra: Vertebra, scale: float, looks: Looks, rng: np.random.Generator
) -> None:
    """Veins, interspinous fluid and bursae, oedema of worn facets."""
    if vertebra.level[0] == "S":
        return
    height, depth, width = vertebra.half
    for _ in range(rng.integers(0, 3) if rng.random() < 0.6 else 0):
        spot = vertebra.point(
            height + rng.uniform(-4, 4), depth + rng.uniform(20, 46) * scale, rng.uniform(-14, 14)
        )
        radii = (5, float(rng.uniform(0.8, 2.2)), float(rng.uniform(1.5, 6)))
        turn, dense = float(rng.uniform(-1, 1)), float(rng.uniform(0.15, 0.8))
        canvas.ellipsoid(spot, radii, looks.draw("blood"), 1, turn, dense)
    if rng.random() < 0.10:
        bursa = vertebra.point(height + vertebra.disc_mm / 2, depth + 30 * scale)
        radii = (3, float(rng.uniform(2, 5)), float(rng.uniform(3, 9)))
        canvas.ellipsoid(bursa, radii, looks["csf"], 1.5, 0.0, float(rng.uniform(0.4, 1)))
    if rng.random() < 0.08:
        side = float(rng.choice((-1, 1)))
        facet = vertebra.point(height * 0.5, depth + 15 * scale, side * width * 0.6)
        radii = (6, float(rng.uniform(4, 8)), float(rng.uniform(3, 6)))
        canvas.ellipsoid(facet, radii, looks.draw("oedema"), 3, 0.2, float(rng.uniform(0.4, 0.9)))
