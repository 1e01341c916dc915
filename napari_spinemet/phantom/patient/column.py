"""The spine itself: muscles and arches behind, canal, discs, bodies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..canvas import Canvas
from ..spine import LEVELS, PhantomSpine, Vertebra
from .arch import arch_of, paint_bone_part, paint_joints
from .body_plan import BodyPlan
from .canal import paint_canal
from .looks import DISC_GRADES, Looks
from .marrow import fat_field
from .trunk import muscle_field


def paint_column(
    canvas: Canvas,
    plan: BodyPlan,
    looks: Looks,
    fat_shares: Mapping[str, float],
    rng: np.random.Generator,
) -> None:
    """Everything of the spine but disease.

    Parameters
    ----------
    canvas : Canvas
        With trunk and organs painted.
    plan : BodyPlan
    looks : Looks
    fat_shares : mapping of str to float
        Of the marrow, by level.
    rng : numpy.random.Generator
    """
    spine = plan.spine
    _paint_back_muscles(canvas, spine, looks, rng)
    for vertebra in spine.vertebrae:
        for part in arch_of(vertebra, spine.scale):
            paint_bone_part(canvas, vertebra, part, looks, fat_shares[vertebra.level], rng)
        paint_joints(canvas, vertebra, spine.scale, looks, rng)
    paint_canal(canvas, spine, looks, rng)
    wear = rng.uniform(0.5, 1.6) * (plan.age / 60)
    for upper, lower in zip(spine.vertebrae[:-1], spine.vertebrae[1:], strict=True):
        _paint_disc(canvas, upper, lower, looks, wear, rng)
    for vertebra in spine.vertebrae:
        _paint_body(canvas, vertebra, looks, fat_shares[vertebra.level], rng)


def _paint_back_muscles(
    canvas: Canvas, spine: PhantomSpine, looks: Looks, rng: np.random.Generator
) -> None:
    """Beside the processes, more fat in them downwards; a fat layer over the midline."""
    muscle = muscle_field(canvas, looks, rng)
    for vertebra in spine.vertebrae:
        height, depth, _ = vertebra.half
        pitch = 2 * height + vertebra.disc_mm
        scale, level = spine.scale, vertebra.level[0]
        thick = {"C": 16, "T": 20, "L": 27, "S": 16}[level] * scale
        for side in (-1, 1):
            centre = vertebra.point(0, depth + 20 * scale + thick * 0.55, side * 23 * scale)
            radii = (20 * scale, pitch * 0.85, thick)
            canvas.ellipsoid(centre, radii, muscle, 3, vertebra.tilt)
            front = vertebra.point(0, 0, side * (vertebra.half[2] + 16))
            if LEVELS.index(vertebra.level) >= LEVELS.index("T12"):  # psoas
                canvas.ellipsoid(front, (13, pitch * 0.8, 17), muscle, 2)
        middle = vertebra.point(height + 2, depth + 32 * scale)
        canvas.ellipsoid(middle, (6, pitch * 0.55, 22 * scale), looks["fat"], 3, vertebra.tilt)
        strip = vertebra.point(height + 2, depth + 34 * scale)
        canvas.ellipsoid(
            strip, (2, pitch * 0.5, 16 * scale), looks["ligament"], 2, vertebra.tilt, 0.7
        )


def _paint_disc(
    canvas: Canvas,
    upper: Vertebra,
    lower: Vertebra,
    looks: Looks,
    wear: float,
    rng: np.random.Generator,
) -> None:
    """Annulus and nucleus by Pfirrmann's grade, maybe a protrusion."""
    top, bottom = upper.point(upper.half[0], 0), lower.point(-lower.half[0], 0)
    x, z, y = ((a + b) / 2 for a, b in zip(top, bottom, strict=True))
    tilt = (upper.tilt + lower.tilt) / 2
    depth, width = min(upper.half[1], lower.half[1]), min(upper.half[2], lower.half[2])
    height = upper.disc_mm / 2
    # A fractured body leaves room that the disc fills.
    height += 0.5 * (upper.dent * upper.half[0] + lower.dent * lower.half[0])
    shares = np.array([grade[3] for grade in DISC_GRADES.values()])
    shares = shares * np.exp(np.log(wear) * (np.arange(5) - 2))
    grade = int(rng.choice(5, p=shares / shares.sum())) + 1
    height *= 1.0 if grade < 4 else 0.75
    if lower.level[0] == "S" and lower.level != "S1":
        grade, height = 5, max(0.6, height * 0.5)  # fused
    bulge = rng.uniform(0.98, 1.12)
    canvas.ellipsoid((x, z, y), (width, height + 1.8, depth * bulge), looks["annulus"], 1.2, tilt)
    nucleus = looks.nucleus(grade)
    back = rng.uniform(-1, 2)
    centre = (x, float(z - np.sin(tilt) * back), float(y + np.cos(tilt) * back))
    radii = (
        width * 0.8,
        float(max(0.6, height * rng.uniform(0.65, 0.95))),
        float(depth * rng.uniform(0.6, 0.85)),
    )
    canvas.ellipsoid(centre, radii, nucleus, 1.2, tilt)
    if grade <= 2 and rng.random() < 0.7:  # the dark cleft across a hydrated nucleus
        cleft = (radii[0] * 0.8, 0.5, radii[2] * 0.8)
        canvas.ellipsoid(centre, cleft, nucleus * 0.6, 0.8, tilt)
    if grade >= 3 and rng.random() < 0.35:  # protrusion into the canal, sometimes a bright tear
        out = float(rng.uniform(1, 4))
        tip = (
            x + float(rng.uniform(-6, 6)),
            float(z - np.sin(tilt) * depth),
            float(y + np.cos(tilt) * (depth + out / 2)),
        )
        canvas.ellipsoid(tip, (7, height + 0.8, out + 1), looks["annulus"], 1, tilt)
        if rng.random() < 0.4:
            canvas.ellipsoid(tip, (3, 1.2, 1.0), looks["csf"] * 0.8, 1, tilt)
    if grade >= 4 and rng.random() < 0.15:  # gas
        canvas.ellipsoid((x, z, y), (width * 0.5, 0.8, depth * 0.5), looks["lung"] * 0, 0.8, tilt)


def _paint_body(
    canvas: Canvas,
    vertebra: Vertebra,
    looks: Looks,
    fat_share: float,
    rng: np.random.Generator,
) -> None:
    """Thin dark cortex, marrow with its own unevenness, spurs in some."""
    region = canvas.region(*vertebra.box(3))
    size = tuple(s.stop - s.start for s in region)
    if min(size) <= 0:
        return
    shape = vertebra.body
    canvas.paint(region, shape, looks["cortex"], 0.9)
    fat = fat_field(rng, size, fat_share, canvas.pixel_mm)
    if rng.random() < 0.3:  # fat gathers about the vein and along the plates, or red marrow does
        u, v, _ = vertebra.local(*canvas.axes(region))
        near_plate = np.clip((np.abs(u) / vertebra.half[0] - 0.6) / 0.3, 0, 1)
        centre = np.exp(-((u / 5) ** 2 + ((v - vertebra.half[1] * 0.5) / 7) ** 2))
        fat = np.clip(
            fat + rng.uniform(-0.12, 0.2) * near_plate + rng.uniform(-0.05, 0.25) * centre, 0, 1
        )
    canvas.paint(
        region,
        lambda x, z, y: np.asarray(shape(x, z, y) + 0.9, dtype=np.float32),
        looks.marrow(fat),
        1.2,
    )
    if rng.random() < 0.25:
        for side in (-1, 1):
            spur = vertebra.point(side * vertebra.half[0], -vertebra.half[1] - 1.5)
            canvas.ellipsoid(spur, (10, 2.0, 3.0), looks.marrow(0.6), 1)
