"""Paint a patient around a spine: outline, organs, canal, bodies, discs, processes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..canvas import Canvas, FloatArray, Shape, smooth_noise
from ..shapes import tube
from ..spine import LEVELS, PhantomSpine, Vertebra
from .tissues import Tissues

AnyFloat = npt.NDArray[np.floating]


def paint_patient(
    canvas: Canvas, spine: PhantomSpine, tissues: Tissues, rng: np.random.Generator, region: str
) -> None:
    """Paint everything but lesions and mimics.

    Parameters
    ----------
    canvas : Canvas
        Empty; what is painted later covers what was painted before.
    spine : PhantomSpine
        Where the bodies are.
    tissues : Tissues
        Intensities of the patient.
    rng : numpy.random.Generator
    region : {"lumbar", "thoracic", "cervical"}
        What the field is centred on.
    """
    # From the skin inwards: the order decides what lies on top.
    depth = _paint_trunk(canvas, spine, tissues, rng, region)
    if region == "cervical":
        _paint_neck_and_head(canvas, spine, tissues, rng)
    _paint_organs(canvas, spine, tissues, rng, depth)
    _paint_muscles_and_processes(canvas, spine, tissues, rng)
    _paint_canal(canvas, spine, tissues, rng)
    _paint_prevertebral(canvas, spine, tissues, rng)
    for upper, lower in zip(spine.vertebrae[:-1], spine.vertebrae[1:], strict=True):
        _paint_disc(canvas, upper, lower, tissues, rng)
    for vertebra in spine.vertebrae:
        _paint_body(canvas, vertebra, tissues, rng)
    coarse = smooth_noise(rng, canvas.values.shape, (6, 14, 14))
    fine = smooth_noise(rng, canvas.values.shape, (1, 2.5, 2.5))
    canvas.values *= np.clip(1 + 0.05 * coarse + 0.045 * fine, 0.3, 2)


def _paint_trunk(
    canvas: Canvas, spine: PhantomSpine, tissues: Tissues, rng: np.random.Generator, region: str
) -> float:
    """Body outline: fat, muscle, and a cavity in front of the spine, whose depth is returned."""
    curve = spine.curve_at(canvas.z)[1].astype(np.float32)
    wave = smooth_noise(rng, canvas.z.shape, (len(canvas.z) / 4,)) * 6
    depth = rng.uniform(95, 150) * spine.scale
    rear = curve + rng.uniform(58, 85) * spine.scale + wave
    front = curve - depth + smooth_noise(rng, canvas.z.shape, (len(canvas.z) / 3,)) * 8
    if region == "cervical":
        # The neck: the chest narrows towards the head.
        chest = spine.find("T2")
        start = chest.centre[1] if chest else canvas.field_mm / 2
        narrow = np.clip((start + 30 - canvas.z) / 70, 0, 1).astype(np.float32)
        front = front + narrow * (depth - 48 * spine.scale)
        rear = rear - narrow * 18
    fat = rng.uniform(4, 28)
    for inset, value in (
        (0.0, tissues["skin_fat"]),
        (fat, tissues["muscle"]),
        (fat + rng.uniform(8, 18), tissues["fat"]),
    ):
        # The wall of muscle is in front only; the back has its muscles painted later.
        inner_front = (front + inset)[None, :, None]
        inner_rear = (rear - min(inset, fat))[None, :, None]
        canvas.paint(canvas.full_region, _slab(inner_front, inner_rear), value, 2.0)
    return depth - fat - 18


def _slab(front: AnyFloat, rear: AnyFloat) -> Shape:
    """Signed distance to the part between two surfaces, one value a row."""
    return lambda x, z, y: np.maximum(front - y, y - rear)


def _paint_neck_and_head(
    canvas: Canvas, spine: PhantomSpine, tissues: Tissues, rng: np.random.Generator
) -> None:
    """Posterior fossa with cerebellum and brain stem, airway and jaw above the spine."""
    top = spine.vertebrae[0]
    _, z, y = top.point(-top.half[0] - rng.uniform(16, 22), rng.uniform(2, 6))
    canvas.ellipsoid((0, z - 22, y - 5), (75, 62, 88), tissues["muscle"], 3)
    canvas.ellipsoid((0, z - 32, y + 8), (62, 44, 76), tissues["csf"], 2)
    brain = tissues["brain"]
    canvas.ellipsoid((0, z - 58, y - 6), (60, 34, 72), brain, 2)
    canvas.ellipsoid((0, z - 22, y + 34), (42, 21, 27), brain * rng.uniform(0.85, 1.15), 2)
    for _ in range(9):  # folia: fine bright lines of fluid between dark leaves
        canvas.ellipsoid(
            (rng.uniform(-10, 10), z - 22 + rng.uniform(-15, 15), y + 34 + rng.uniform(-18, 18)),
            (14, 1.0, rng.uniform(6, 12)),
            tissues["csf"] * 0.85,
            1.0,
            tilt=rng.uniform(-0.7, 0.7),
        )
    canvas.ellipsoid((0, z - 20, y + 2), (14, 24, 9), brain * 0.95, 1.5)
    canvas.ellipsoid((0, z + 30, y - 38), (10, 55, 6), 0.0, 1.5)
    canvas.ellipsoid((0, z + 12, y - 62), (24, 16, 22), tissues["muscle"] * 1.4, 2)


def _paint_organs(
    canvas: Canvas, spine: PhantomSpine, tissues: Tissues, rng: np.random.Generator, depth: float
) -> None:
    """What lies in front of the spine, from lung to bladder, by height."""
    levels = {v.level: v for v in spine.vertebrae}
    for vertebra in spine.vertebrae:
        rank = LEVELS.index(vertebra.level)
        if rank < LEVELS.index("T1"):
            continue
        z, y = vertebra.centre[1], vertebra.centre[2]
        for _ in range(rng.integers(3, 7)):
            forward = rng.uniform(24, max(40.0, depth))
            if rank <= LEVELS.index("T10"):
                name = rng.choice(["lung", "lung", "heart"] if forward > 35 else ["lung", "fat"])
                radii = rng.uniform(12, 34, 3)
            else:
                name = rng.choice(["bowel", "bowel", "liver", "fat", "bowel", "fluid"])
                radii = rng.uniform(5, 20, 3) * (0.7 if name == "fluid" else 1.0)
            value = tissues.draw(str(name))
            centre = (rng.uniform(-22, 22), z + rng.uniform(-18, 18), y - forward)
            canvas.ellipsoid(
                centre,
                (float(radii[0]), float(radii[1]), float(radii[2])),
                value,
                float(rng.uniform(1, 4)),
                float(rng.uniform(-1, 1)),
            )
            if name == "bowel" and rng.random() < 0.5:  # gas or fluid inside a wall
                inner = (float(radii[0]) * 0.7, float(radii[1]) * 0.7, float(radii[2]) * 0.7)
                canvas.ellipsoid(centre, inner, tissues.draw("bowel") * rng.choice([0.1, 1.3]), 2)
    sacrum = levels.get("S2") or levels.get("S1")
    if sacrum is not None:
        _, z, y = sacrum.centre
        radius = rng.uniform(14, 38)
        bladder = (
            rng.uniform(-8, 8),
            z + rng.uniform(10, 45),
            y - rng.uniform(55, 85) - radius / 2,
        )
        canvas.ellipsoid(bladder, (34, radius, radius * rng.uniform(0.8, 1.3)), tissues["fluid"], 2)
        rectum = (rng.uniform(-6, 6), z + rng.uniform(25, 50), y - rng.uniform(22, 34))
        canvas.ellipsoid(rectum, (14, 30, 9), tissues["bowel"], 2, tilt=-0.4)
        canvas.ellipsoid(
            (0, z + rng.uniform(10, 30), y - rng.uniform(45, 60)), (20, 22, 14), tissues["heart"], 2
        )


def _paint_muscles_and_processes(
    canvas: Canvas, spine: PhantomSpine, tissues: Tissues, rng: np.random.Generator
) -> None:
    """Back muscles beside the midline; spinous and articular processes; pedicles."""
    for vertebra in spine.vertebrae:
        height, depth, width = vertebra.half
        pitch = 2 * height + vertebra.disc_mm
        sacral = vertebra.level.startswith("S")
        reach = depth + (10 if sacral else 30) * spine.scale
        for side in (-1, 1):
            centre = vertebra.point(0, reach + 14, side * 22 * spine.scale)
            canvas.ellipsoid(centre, (17, pitch * 0.8, 20), tissues["muscle"], 3)
            if not sacral:
                # Between the pedicles the foramen holds fat, a root and veins.
                foramen = vertebra.point(height + vertebra.disc_mm / 2, depth + 5, side * 17)
                canvas.ellipsoid(foramen, (7, 8, 5), tissues["fat"], 2)
                canvas.ellipsoid(foramen, (8, 2.6, 2.2), tissues.draw("nerve"), 1)
                joint = vertebra.point(height + vertebra.disc_mm / 2, depth + 15, side * 16)
                canvas.ellipsoid(joint, (7, 9, 5.5), tissues["marrow"] * 0.9, 1.5, 0.3)
                canvas.ellipsoid(joint, (7, 7, 0.9), tissues.draw("nucleus") * 0.8, 0.8, 0.3)
            pedicle = vertebra.point(-height * 0.35, depth + 6, side * 0.52 * width)
            canvas.ellipsoid(pedicle, (5.5, 0.42 * height, 9), tissues["marrow"], 1.5)
            if LEVELS.index(vertebra.level) in range(LEVELS.index("T1"), LEVELS.index("T12")):
                rib = vertebra.point(-height * 0.7, depth * 0.4, side * (width + 6))
                canvas.ellipsoid(rib, (6, 6, 7), tissues["marrow"], 1.5)
        if sacral:
            continue
        droop = 0.75 if LEVELS.index(vertebra.level) in range(9, 16) else 0.2
        process = vertebra.point(height * (0.4 + droop), depth + 32 * spine.scale)
        canvas.ellipsoid(process, (7, height * 1.5, 22), tissues["fat"], 3, -droop)
        canvas.ellipsoid(process, (3.6, height * 0.62, 15), tissues["cortex"], 1, -droop)
        canvas.ellipsoid(process, (2.8, height * 0.5, 14), tissues["marrow"] * 0.9, 1, -droop)
        for _ in range(rng.integers(0, 3)):  # veins and interspinous fluid
            spot = vertebra.point(height + rng.uniform(-4, 4), depth + rng.uniform(20, 42))
            canvas.ellipsoid(
                (float(rng.uniform(-14, 14)), spot[1], spot[2]),
                (5, rng.uniform(1, 2.5), rng.uniform(2, 6)),
                tissues.draw("slow_flow"),
                1,
                rng.uniform(-1, 1),
            )


def _trace_canal(
    canvas: Canvas, spine: PhantomSpine
) -> tuple[FloatArray, FloatArray, FloatArray, float, float]:
    """Per row: x, y and half depth of the dural sac; height of its end and of the conus."""
    backs = [v.point(0, v.half[1] + 8.5 * spine.scale) for v in spine.vertebrae]
    radii = [
        (5.5 if v.level[0] == "S" else 6.3 if v.level[0] == "T" else 7.2) * spine.scale
        for v in spine.vertebrae
    ]
    heights = [b[1] for b in backs]
    x = np.interp(canvas.z, heights, [b[0] for b in backs]).astype(np.float32)
    y = np.interp(canvas.z, heights, [b[2] for b in backs]).astype(np.float32)
    radius = np.interp(canvas.z, heights, radii).astype(np.float32)
    sac, conus = spine.find("S2"), spine.find("L1")
    # Where they are not in the field they end far below its foot, or far above its head.
    foot_mm, head_mm = canvas.field_mm + 200, -200.0
    rank = LEVELS.index(spine.vertebrae[-1].level)
    end = sac.centre[1] if sac else (foot_mm if rank < LEVELS.index("S2") else head_mm)
    tip = conus.centre[1] if conus else (foot_mm if rank < LEVELS.index("L1") else head_mm)
    return x, y, radius, float(end), float(tip)


def _paint_canal(
    canvas: Canvas, spine: PhantomSpine, tissues: Tissues, rng: np.random.Generator
) -> None:
    """Epidural fat, the dural sac with its fluid, the cord above L1, the roots below."""
    x, y, radius, end, tip = _trace_canal(canvas, spine)
    z = canvas.z
    taper = np.clip((end - z) / 25, 0.02, 1).astype(np.float32)
    epidural = radius * (1.25 + 0.2 * np.clip((z - end) / 40, 0, 1))
    canvas.paint(canvas.full_region, tube(x, y + 1, epidural * 1.35, epidural), tissues["fat"], 2)
    sac = radius * np.sqrt(taper)
    wobble = 1 + 0.06 * smooth_noise(rng, z.shape, (20,))
    canvas.paint(
        canvas.full_region,
        tube(x, y, sac * 1.3 * wobble, sac * wobble),
        tissues["csf"],
        1.2,
    )
    thinning = np.clip((tip - z) / 22, 0.0, 1)
    cord = (radius * rng.uniform(0.52, 0.66) * np.sqrt(thinning) + 0.01).astype(np.float32)
    canvas.paint(canvas.full_region, tube(x, y + 0.5, cord * 1.25, cord), tissues["cord"], 1.2)
    # A tube runs through all rows; where there is no cauda its radius is too small to show.
    cauda = (1.0 * (z > tip - 15) * (z < end) + 0.01).astype(np.float32)
    for _ in range(rng.integers(4, 9)):  # cauda equina, lying towards the back
        wander = smooth_noise(rng, z.shape, (40,)) * 1.2
        root_x = x + rng.uniform(-0.8, 0.8) * radius
        root_y = y + rng.uniform(-0.1, 0.75) * radius + wander
        root_mm = cauda * float(rng.uniform(0.5, 1.0))
        root = tube(root_x, root_y, root_mm, root_mm)
        canvas.paint(canvas.full_region, root, tissues["nerve"])


def _paint_prevertebral(
    canvas: Canvas, spine: PhantomSpine, tissues: Tissues, rng: np.random.Generator
) -> None:
    """Great vessels, with flow voids or slow bright flow, and the ligaments."""
    chest = [v for v in spine.vertebrae if LEVELS.index(v.level) in range(9, 22)]
    if not chest:
        return
    low, high = chest[0].centre[1], chest[-1].centre[1] + 12
    z = canvas.z
    fronts = [v.point(0, -v.half[1]) for v in chest]
    front = np.interp(z, [f[1] for f in fronts], [f[2] for f in fronts]).astype(np.float32)
    axis = np.interp(z, [f[1] for f in fronts], [f[0] for f in fronts]).astype(np.float32)
    inside = np.clip(np.minimum(z - low, high - z) / 8 + 0.5, 0.01, 1).astype(np.float32)
    for side, size in ((rng.uniform(2, 14), 9.5), (-rng.uniform(6, 18), 10.5)):
        radius = inside * size * spine.scale * rng.uniform(0.75, 1.15)
        wander = smooth_noise(rng, z.shape, (90,)) * 2.5
        depth = front - radius - rng.uniform(3, 9)
        wall = tube(axis + side + wander, depth, radius + 1, radius + 1)
        canvas.paint(canvas.full_region, wall, tissues["muscle"], 1)
        flow = tissues.draw("slow_flow" if rng.random() < 0.45 else "flow")
        lumen = tube(axis + side + wander, depth, radius, radius)
        canvas.paint(canvas.full_region, lumen, flow, 1)


def _paint_disc(
    canvas: Canvas, upper: Vertebra, lower: Vertebra, tissues: Tissues, rng: np.random.Generator
) -> None:
    """A disc between two bodies: dark annulus, nucleus from bright to dark, maybe a bulge."""
    top, bottom = upper.point(upper.half[0], 0), lower.point(-lower.half[0], 0)
    x, z, y = ((a + b) / 2 for a, b in zip(top, bottom, strict=True))
    tilt = (upper.tilt + lower.tilt) / 2
    depth = min(upper.half[1], lower.half[1])
    width = min(upper.half[2], lower.half[2])
    height = upper.disc_mm / 2
    bulge = rng.uniform(0.98, 1.12)
    canvas.ellipsoid((x, z, y), (width, height + 1.6, depth * bulge), tissues["annulus"], 1.2, tilt)
    nucleus = tissues.draw("nucleus")
    backset_mm = rng.uniform(-1, 2)
    centre = (x, z - np.sin(tilt) * backset_mm, y + np.cos(tilt) * backset_mm)
    radii = (
        width * 0.75,
        max(0.6, height * rng.uniform(0.6, 0.95)),
        depth * rng.uniform(0.55, 0.8),
    )
    canvas.ellipsoid(centre, radii, nucleus, 1.2, tilt)
    if nucleus > 0.4 and rng.random() < 0.7:  # the dark cleft across a hydrated nucleus
        canvas.ellipsoid(centre, (radii[0] * 0.8, 0.5, radii[2] * 0.8), nucleus * 0.6, 0.8, tilt)


def _paint_body(
    canvas: Canvas, vertebra: Vertebra, tissues: Tissues, rng: np.random.Generator
) -> None:
    """A vertebral body: thin dark cortex, marrow with its own unevenness."""
    box = canvas.region(*vertebra.box(3))
    block = canvas.values[box]
    if block.size == 0:
        return
    shape = vertebra.body
    canvas.paint(box, shape, tissues["cortex"], 0.9)
    marrow = tissues["marrow"] * rng.normal(1.0, 0.08)
    # Fatty and red marrow lie in patches, in some people more than in others.
    uneven = 1 + rng.uniform(0.03, 0.18) * smooth_noise(rng, block.shape, (3, 8, 8))
    canvas.paint(
        box,
        lambda x, z, y: np.asarray(shape(x, z, y) + 0.9, dtype=np.float32),
        np.maximum(marrow * uneven, 0).astype(np.float32),
        1.2,
    )
