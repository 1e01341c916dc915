"""From the skin inwards: outline, wall, organs by height, and the pelvis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..canvas import Canvas, FloatArray, smooth_noise
from ..shapes import AnyFloat, slab, tube
from ..spine import LEVELS, Vertebra
from .body_plan import BodyPlan
from .looks import Looks


@dataclass(frozen=True, eq=False)
class Trunk:
    """Where the skin is.

    Attributes
    ----------
    front, rear : numpy.ndarray
        ``(row,)`` columns in mm.
    fat_mm : float
        Under the skin in front.
    """

    front: AnyFloat
    rear: AnyFloat
    fat_mm: float


def paint_trunk(canvas: Canvas, plan: BodyPlan, looks: Looks, rng: np.random.Generator) -> Trunk:
    """Outline, subcutaneous fat, muscle wall, and a cavity filled with fat.

    Parameters
    ----------
    canvas : Canvas
        Empty.
    plan : BodyPlan
    looks : Looks
    rng : numpy.random.Generator
    """
    spine, scale = plan.spine, plan.spine.scale
    curve = spine.curve_at(canvas.z)[1].astype(np.float32)
    depth = float(rng.uniform(85, 165)) * scale
    back = rng.uniform(52, 88) * scale
    rows = len(canvas.z)
    # The back is smoother than the spine: it bridges the hollow of the loin.
    sigma = max(3.0, 90 / canvas.pixel_mm)
    smooth: AnyFloat = _smooth(curve, sigma)
    rear = _smooth(np.maximum(smooth + back, curve + 40 * scale), sigma / 5)
    rear = rear + _wave(rng, rows, 80 / canvas.pixel_mm) * 4
    front = smooth - depth + _wave(rng, rows, 70 / canvas.pixel_mm) * 8
    chest = spine.find("T2")
    if plan.region == "cervical" or (plan.region == "whole" and chest is not None):
        start = chest.centre[1] if chest else plan.field_mm / 2
        narrow = np.clip((start + 30 - canvas.z) / 70, 0, 1).astype(np.float32)
        front = front + narrow * (depth - 48 * scale)
        rear = rear - narrow * (back - 42 * scale)
    seat = spine.find("S2")
    if seat is not None:  # the buttocks
        swell = np.clip((canvas.z - seat.centre[1] + 30) / 60, 0, 1).astype(np.float32)
        rear = rear + swell * rng.uniform(0, 25)
    sigma = 14 / canvas.pixel_mm
    front_line, rear_line = _smooth(front, sigma), _smooth(rear, sigma)
    fat = float(rng.uniform(5, 35))
    full = canvas.full_region
    canvas.paint(full, slab(front_line, rear_line), looks["skin_fat"], 1.5)
    septa = smooth_noise(rng, canvas.shape, (4, 3, 12))
    shell = slab(front_line, rear_line)
    canvas.paint(
        full,
        lambda x, z, y: np.where(septa > 2.0, shell(x, z, y) + 2, 5.0).astype(np.float32),
        looks["muscle"],
        1.0,
        0.5,
    )
    rear_fat = rear_line - rng.uniform(0.3, 0.8) * fat
    canvas.paint(full, slab(front_line + fat, rear_fat), muscle_field(canvas, looks, rng), 2.0)
    wall = fat + float(rng.uniform(7, 16))
    canvas.paint(full, slab(front_line + wall, curve + 6), looks["fat"], 2.0)
    return Trunk(front_line, rear_line, wall)


def muscle_field(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> FloatArray:
    """``(channel, plane, row, column)``: muscle with streaks of fat along its fibres.

    Parameters
    ----------
    canvas : Canvas
    looks : Looks
    rng : numpy.random.Generator
    """
    pixel = canvas.pixel_mm
    streaks = smooth_noise(rng, canvas.shape, (4, max(4.0, 18 / pixel), max(1.5, 2.2 / pixel)))
    blotches = smooth_noise(rng, canvas.shape, (6, max(4.0, 15 / pixel), max(4.0, 9 / pixel)))
    fatty = rng.uniform(0.0, 0.22)
    share = np.clip(fatty * (streaks + 0.6 * blotches - 0.4), 0, 0.85).astype(np.float32)
    muscle, fat = (looks[name][:, None, None, None] for name in ("muscle", "fat"))
    return np.asarray(muscle + share * (fat - muscle), dtype=np.float32)


def _wave(rng: np.random.Generator, count: int, sigma: float) -> AnyFloat:
    """A smooth random line of deviation 1."""
    line = _smooth(rng.standard_normal(count + int(8 * sigma)), sigma)
    return np.asarray(line[int(4 * sigma) :][:count] / line.std())


def _smooth(values: AnyFloat, sigma: float) -> AnyFloat:
    return np.asarray(ndimage.gaussian_filter1d(values, sigma, mode="nearest"))


def paint_organs(
    canvas: Canvas, plan: BodyPlan, looks: Looks, rng: np.random.Generator, trunk: Trunk
) -> None:
    """What lies in front of the spine by height.

    Parameters
    ----------
    canvas : Canvas
        With the trunk painted.
    plan : BodyPlan
    looks : Looks
    rng : numpy.random.Generator
    trunk : Trunk
    """
    spine = plan.spine
    depths = spine.curve_at(canvas.z)[1] - trunk.front - trunk.fat_mm
    for vertebra in spine.vertebrae:
        rank = LEVELS.index(vertebra.level)
        if rank < LEVELS.index("T1"):
            continue
        row = int(np.clip(np.searchsorted(canvas.z, vertebra.centre[1]), 0, len(depths) - 1))
        depth = float(max(depths[row], 45))
        if rank <= LEVELS.index("T10"):
            _paint_chest(canvas, vertebra, looks, rng, depth)
        elif rank < LEVELS.index("S1"):
            _paint_belly(canvas, vertebra, looks, rng, depth)
    if plan.region in ("cervical", "whole"):
        _paint_head_and_neck(canvas, plan, looks, rng)
    sacrum = spine.find("S2")
    if sacrum is not None:
        _paint_pelvis(canvas, plan, sacrum, looks, rng)


def _paint_chest(
    canvas: Canvas, vertebra: Vertebra, looks: Looks, rng: np.random.Generator, depth: float
) -> None:
    """Lung beside, heart and great vessels before the thoracic spine."""
    _, z, y = vertebra.centre
    rank = LEVELS.index(vertebra.level)
    for side in (-1, 1):
        canvas.ellipsoid(
            (side * rng.uniform(26, 40), z + rng.uniform(-8, 8), y - rng.uniform(5, 30)),
            (20, 24, rng.uniform(22, 40)),
            looks["lung"],
            2.5,
        )
    if vertebra.level == "T7":
        heart = (float(rng.uniform(-4, 18)), z + rng.uniform(-15, 25), y - vertebra.half[1] - 52)
        wide = float(rng.uniform(30, 46))
        canvas.ellipsoid(heart, (34, 50, wide * min(1.0, depth / 90)), looks["heart"], 3, -0.3)
        blood = looks["blood"] * rng.uniform(0.05, 0.6)
        canvas.ellipsoid(heart, (22, 30, wide * 0.55 * min(1.0, depth / 90)), blood, 4, -0.3)
    canvas.ellipsoid((2, z, y - vertebra.half[1] - 15), (7, 24, 5), looks["bowel"], 1.5)
    if rank <= LEVELS.index("T4"):
        canvas.ellipsoid((0, z, y - vertebra.half[1] - 24), (9, 24, 7), looks["lung"] * 0.3, 1.2)


def _paint_belly(
    canvas: Canvas, vertebra: Vertebra, looks: Looks, rng: np.random.Generator, depth: float
) -> None:
    """Liver above, loops of bowel with gas or fluid, kidneys beside, nodes, veins."""
    _, z, y = vertebra.centre
    rank = LEVELS.index(vertebra.level)
    if rank <= LEVELS.index("L2"):
        canvas.ellipsoid(
            (-rng.uniform(5, 30), z, y - rng.uniform(50, 80)),
            (40, 30, rng.uniform(18, 38)),
            looks["liver"],
            2.5,
        )
        for side in (-1, 1):
            kidney = (side * rng.uniform(34, 48), z + rng.uniform(-10, 10), y + rng.uniform(-6, 12))
            canvas.ellipsoid(kidney, (17, 24, 17), looks["kidney"], 2)
            canvas.ellipsoid(kidney, (6, 9, 6), looks["fluid"], 2)
    for _ in range(rng.integers(3, 8)):
        centre = (
            float(rng.uniform(-26, 26)),
            float(z + rng.uniform(-18, 18)),
            float(y - rng.uniform(34, max(46.0, depth))),
        )
        a, b, c = rng.uniform(6, 18, 3)
        tilt = float(rng.uniform(-1, 1))
        canvas.ellipsoid(centre, (a, b, c), looks.draw("bowel"), 1.5, tilt)
        if rng.random() < 0.7:
            filling = str(rng.choice(["lung", "fluid", "bowel"], p=[0.4, 0.3, 0.3]))
            canvas.ellipsoid(centre, (a * 0.75, b * 0.75, c * 0.75), looks.draw(filling), 2, tilt)
    if rng.random() < 0.2:
        node = (rng.uniform(-12, 12), z, y - vertebra.half[1] - rng.uniform(6, 22))
        canvas.ellipsoid(node, (4, 5, 4), looks.draw("node"), 1)


def _paint_head_and_neck(
    canvas: Canvas, plan: BodyPlan, looks: Looks, rng: np.random.Generator
) -> None:
    """Posterior fossa with cerebellum and brain stem, airway, tongue and jaw."""
    top = plan.spine.vertebrae[0]
    if top.level not in ("C2", "C3"):
        return
    _, z, y = top.point(-top.half[0] - rng.uniform(16, 22), rng.uniform(2, 6))
    canvas.ellipsoid((0, z - 30, y - 5), (78, 68, 92), looks["skin_fat"], 3)
    canvas.ellipsoid((0, z - 30, y - 5), (72, 62, 86), looks["cortex"], 3)
    canvas.ellipsoid((0, z - 34, y + 8), (62, 46, 76), looks["csf"], 2)
    brain = looks["brain"]
    canvas.ellipsoid((0, z - 58, y - 6), (60, 34, 72), brain, 2)
    canvas.ellipsoid((0, z - 22, y + 34), (42, 21, 27), looks.draw("brain"), 2)
    for _ in range(9):
        centre = (
            float(rng.uniform(-10, 10)),
            float(z - 22 + rng.uniform(-15, 15)),
            float(y + 34 + rng.uniform(-18, 18)),
        )
        radii = (14.0, 1.0, float(rng.uniform(6, 12)))
        canvas.ellipsoid(
            centre, radii, looks["csf"] * 0.85, 1.0, tilt=float(rng.uniform(-0.7, 0.7))
        )
    canvas.ellipsoid((0, z - 20, y + 2), (14, 24, 9), brain, 1.5)
    canvas.ellipsoid((0, z + 14, y - 58), (26, 20, 26), looks["muscle"], 2)
    canvas.ellipsoid((0, z + 30, y - 34), (10, 60, 6), looks["lung"] * 0.2, 1.5)
    canvas.ellipsoid((0, z + 34, y - 68), (20, 8, 10), looks.marrow(0.6), 1.5)


def _paint_pelvis(
    canvas: Canvas, plan: BodyPlan, sacrum: Vertebra, looks: Looks, rng: np.random.Generator
) -> None:
    """Rectum before the sacrum, uterus or prostate, bladder, pubic bone, gluteal muscle."""
    _, z, y = sacrum.centre
    for side in (-1, 1):  # muscle and iliac bone beside
        canvas.ellipsoid((side * 42, z + 10, y + 30), (22, 55, 34), looks["muscle"], 3)
        ilium = looks.marrow(looks.fat_share(24))
        canvas.ellipsoid((side * 48, z - 10, y + 6), (10, 42, 22), ilium, 2, 0.5)
    rectum = (rng.uniform(-6, 6), z + rng.uniform(25, 55), y - rng.uniform(18, 30))
    canvas.ellipsoid(rectum, (15, 38, 11), looks.draw("bowel"), 1.5, tilt=-0.4)
    filling = str(rng.choice(["lung", "bowel", "fluid"]))
    canvas.ellipsoid(rectum, (9, 28, 6), looks.draw(filling), 2, tilt=-0.4)
    organ_z, organ_y = z + rng.uniform(20, 50), y - rng.uniform(48, 66)
    if plan.is_female and rng.random() < 0.85:
        tilt = float(rng.uniform(-1.2, 0.4))
        size = rng.uniform(0.7, 1.2)
        canvas.ellipsoid(
            (rng.uniform(-8, 8), organ_z - 12, organ_y),
            (22 * size, 32 * size, 17 * size),
            looks["uterus"],
            1.5,
            tilt,
        )
        canvas.ellipsoid(
            (0, organ_z - 12, organ_y), (8, 17 * size, 3), looks["endometrium"], 1.5, tilt
        )
    radius = rng.uniform(12, 42)
    bladder = (
        float(rng.uniform(-8, 8)),
        float(organ_z + rng.uniform(-6, 20)),
        float(organ_y - rng.uniform(24, 38) - radius / 3),
    )
    canvas.ellipsoid(bladder, (36, radius + 3, radius * 1.1 + 3), looks["muscle"], 1.5)
    canvas.ellipsoid(bladder, (34, radius, radius * rng.uniform(0.8, 1.2)), looks["fluid"], 1.5)
    if not plan.is_female:
        prostate = (0.0, bladder[1] + radius + 14, bladder[2] + 12)
        canvas.ellipsoid(prostate, (22, 16, 15), looks["prostate"], 1.5)
    pubis = (0.0, bladder[1] + radius + 12, bladder[2] - 18)
    canvas.ellipsoid(pubis, (18, 17, 9), looks["cortex"], 1, 0.7)
    canvas.ellipsoid(pubis, (17, 15.5, 7.5), looks.marrow(looks.fat_share(25)), 1, 0.7)


def paint_vessels(canvas: Canvas, plan: BodyPlan, looks: Looks, rng: np.random.Generator) -> None:
    """Aorta and vena cava with flow voids, or slow bright flow, from the chest to L4.

    Parameters
    ----------
    canvas : Canvas
        With organs painted.
    plan : BodyPlan
    looks : Looks
    rng : numpy.random.Generator
    """
    spine = plan.spine
    chest = [v for v in spine.vertebrae if LEVELS.index(v.level) in range(9, 22)]
    if not chest:
        return
    z = canvas.z
    low, high = chest[0].centre[1], chest[-1].centre[1] + 12
    fronts = [v.point(0, -v.half[1]) for v in chest]
    front = np.interp(z, [f[1] for f in fronts], [f[2] for f in fronts]).astype(np.float32)
    axis = np.interp(z, [f[1] for f in fronts], [f[0] for f in fronts]).astype(np.float32)
    inside = np.sqrt(np.clip(np.minimum(z - low, high - z) / 25 + 0.3, 0.01, 1)).astype(np.float32)
    for side, size in ((rng.uniform(0, 14), 9.5), (-rng.uniform(6, 18), 10.5)):
        radius = inside * size * spine.scale * rng.uniform(0.75, 1.2)
        wander = (_wave(rng, len(z), 40 / canvas.pixel_mm) * 2.5).astype(np.float32)
        depth = front - radius - rng.uniform(2, 8)
        middle = axis + side + wander
        full = canvas.full_region
        canvas.paint(full, tube(middle, depth, radius + 1, radius + 1), looks["muscle"], 1)
        # Mostly void; slow flow is bright in parts, and more so towards the wall.
        bright = rng.uniform(0.3, 1.0) if rng.random() < 0.3 else rng.uniform(0.02, 0.25)
        course = np.clip(bright + 0.35 * bright * _wave(rng, len(z), 50 / canvas.pixel_mm), 0, 1)
        flow = looks.draw("blood")[:, None, None, None] * course[None, None, :, None]
        flow = np.broadcast_to(flow, (len(flow), *canvas.shape)).astype(np.float32)
        canvas.paint(full, tube(middle, depth, radius, radius), flow, 2)
