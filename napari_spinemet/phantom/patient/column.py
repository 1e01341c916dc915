"""The spine itself: muscles and arches behind, canal, discs, bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..canvas import Canvas, FloatArray, smooth_noise
from ..spine import LEVELS, PhantomSpine, Vertebra
from .body_plan import BodyPlan
from .looks import DISC_GRADES, Looks
from .shapes import Point, part_of, region_of, tube
from .trunk import muscle_field


@dataclass(frozen=True)
class BonePart:
    """A rounded box of bone behind a body, in the vertebra's own frame.

    Attributes
    ----------
    name : {"pedicle", "facet", "lamina", "process", "transverse"}
    centre, half : tuple of float
        Along the axis, to the back, to the left, in mm.
    slope : float
        See :func:`.shapes.part_of`.
    """

    name: str
    centre: Point
    half: Point
    slope: float = 0.0


def arch_of(vertebra: Vertebra, scale: float) -> list[BonePart]:
    """Pedicles, facets, laminae and processes of a vertebra.

    Parameters
    ----------
    vertebra : Vertebra
    scale : float
        Of the person.
    """
    height, depth, width = vertebra.half
    rank = LEVELS.index(vertebra.level)
    canal = depth + 17 * scale
    if vertebra.level[0] == "S":
        # The sacral arches are fused; a low crest behind a narrow canal.
        crest = BonePart("process", (0, depth + 17 * scale, 0), (height * 0.95, 5, 5))
        sides = [
            BonePart("pedicle", (0, depth * 0.4, s * (width * 0.9 + 8)), (height * 1.0, depth, 14))
            for s in (-1, 1)
        ]
        return [crest, *sides]
    lumbar, thoracic = rank >= LEVELS.index("L1"), 7 <= rank - 5 + 6 <= 17
    parts = []
    for side in (-1, 1):
        parts.append(
            BonePart(
                "pedicle",
                (-height * 0.4, depth + 6 * scale, side * width * 0.55),
                (0.38 * height + 1.5, 9 * scale, (5.0 if lumbar else 3.6) * scale),
            )
        )
        parts.append(
            BonePart(
                "facet",
                (height * 0.35, depth + 15 * scale, side * width * (0.62 if lumbar else 0.5)),
                (height * 1.15, 6.5 * scale, 6.0 * scale),
                0.15,
            )
        )
        parts.append(
            BonePart(
                "lamina",
                (height * 0.15, canal + 3 * scale, side * 8 * scale),
                (height * 0.7, 3.6 * scale, 8 * scale),
                0.35,
            )
        )
        if rank >= LEVELS.index("T1"):
            parts.append(
                BonePart(
                    "transverse",
                    (-height * 0.2, depth + 10 * scale, side * (width * 0.8 + 14)),
                    (5 * scale, 5 * scale, 13 * scale),
                )
            )
    length = (15 if lumbar else 17 if thoracic else 11) * scale
    droop = 0.25 if lumbar else 0.85 if thoracic else 0.4
    tall = height * (0.62 if lumbar else 0.42)
    parts.append(
        BonePart(
            "process",
            (height * 0.3 + np.sin(droop) * length * 0.8, canal + length + 1, 0),
            (tall, length, (4.2 if lumbar else 3.4) * scale),
            droop,
        )
    )
    return parts


def fat_field(
    rng: np.random.Generator, shape: tuple[int, ...], share: float, pixel_mm: float
) -> np.ndarray:
    """How fat is spread in one bone: patches of some millimetres, of red marrow and yellow.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : tuple of int
        (planes, rows, columns).
    share : float
        Mean.
    pixel_mm : float
    """
    coarse = smooth_noise(rng, shape, (5, max(2, 9 / pixel_mm), max(2, 9 / pixel_mm)))
    fine = smooth_noise(rng, shape, (2, max(1.5, 3 / pixel_mm), max(1.5, 3 / pixel_mm)))
    deviation = rng.uniform(0.02, 0.09)
    return np.clip(share + deviation * coarse + 0.5 * deviation * fine, 0.01, 0.97)


def draw_fat_shares(
    spine: PhantomSpine, looks: Looks, rng: np.random.Generator
) -> dict[str, float]:
    """Mean fat share of each vertebra: neighbours are alike to two or three per cent.

    Parameters
    ----------
    spine : PhantomSpine
    looks : Looks
        Knows the patient's usual share by level.
    rng : numpy.random.Generator
    """
    shares = {
        v.level: looks.fat_share(LEVELS.index(v.level)) + float(rng.normal(0, 0.025))
        for v in spine.vertebrae
    }
    if rng.random() < 0.05:  # after irradiation several levels in a row are all fat
        first = int(rng.integers(len(spine.vertebrae)))
        for vertebra in spine.vertebrae[first : first + int(rng.integers(2, 6))]:
            shares[vertebra.level] = float(rng.uniform(0.75, 0.92))
    return {level: float(np.clip(share, 0.02, 0.95)) for level, share in shares.items()}


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
            _paint_bone_part(canvas, vertebra, part, looks, fat_shares[vertebra.level], rng)
        _paint_joints(canvas, vertebra, spine.scale, looks, rng)
    _paint_canal(canvas, spine, looks, rng)
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


def _paint_bone_part(
    canvas: Canvas,
    vertebra: Vertebra,
    part: BonePart,
    looks: Looks,
    fat_share: float,
    rng: np.random.Generator,
) -> None:
    """Cortex around, marrow within."""
    region = region_of(canvas, vertebra, part.centre, part.half)
    size = tuple(s.stop - s.start for s in region)
    if min(size) <= 0:
        return
    canvas.paint(
        region, part_of(vertebra, part.centre, part.half, part.slope), looks["cortex"], 1.0
    )
    inner = tuple(max(0.8, h - 0.9) for h in part.half)
    fat = fat_field(rng, size, fat_share + 0.03, canvas.pixel_mm)
    canvas.paint(
        region,
        part_of(vertebra, part.centre, (inner[0], inner[1], inner[2]), part.slope),
        looks.marrow(fat),
        1.0,
    )


def _paint_joints(
    canvas: Canvas, vertebra: Vertebra, scale: float, looks: Looks, rng: np.random.Generator
) -> None:
    """Foramina with fat, root and veins; facet clefts with fluid in some."""
    if vertebra.level[0] == "S":
        return
    height, depth, width = vertebra.half
    low = height + vertebra.disc_mm / 2
    for side in (-1, 1):
        foramen = vertebra.point(low - 3, depth + 5, side * width * 0.62)
        canvas.ellipsoid(foramen, (7, 8 * scale, 5 * scale), looks["fat"], 2)
        canvas.ellipsoid(foramen, (8, 2.8, 2.4), looks.draw("nerve"), 1)
        joint = vertebra.point(low, depth + 16 * scale, side * width * 0.56)
        fluid = looks["csf"] * rng.uniform(0.2, 1.0)
        canvas.ellipsoid(joint, (5, 6.5 * scale, 0.8), fluid, 0.8, 0.3, float(rng.random()))


def _trace_canal(canvas: Canvas, spine: PhantomSpine) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Per row: x, y and half depth of the dural sac."""
    backs = [v.point(0, v.half[1] + 8.5 * spine.scale) for v in spine.vertebrae]
    halves = {"C": 6.6, "T": 6.4, "L": 7.4, "S": 5.2}
    radii = [halves[v.level[0]] * spine.scale for v in spine.vertebrae]
    heights = [b[1] for b in backs]
    x, y, radius = (
        np.interp(canvas.z, heights, values).astype(np.float32)
        for values in ([b[0] for b in backs], [b[2] for b in backs], radii)
    )
    return x, y, radius


def _paint_canal(
    canvas: Canvas, spine: PhantomSpine, looks: Looks, rng: np.random.Generator
) -> None:
    """Epidural fat, the sac with its fluid, the cord above L1, roots below, cysts in some."""
    x, y, radius = _trace_canal(canvas, spine)
    z, full = canvas.z, canvas.full_region
    lowest = LEVELS.index(spine.vertebrae[-1].level)
    end = _height_of(spine, str(rng.choice(["S1", "S2", "S3"])), z[-1] + 200, lowest)
    tip = _height_of(spine, str(rng.choice(["T12", "L1", "L2"])), z[-1] + 200, lowest)
    taper = np.clip((end - z) / 25, 0.02, 1).astype(np.float32)
    fatty = rng.uniform(1.05, 1.35)
    epidural = radius * (fatty + 0.2 * np.clip((z - end) / 40, 0, 1))
    canvas.paint(full, tube(x, y + 1, epidural * 1.35, epidural), looks["fat"], 1.5)
    sac = radius * np.sqrt(taper)
    narrow = 1 + 0.10 * smooth_noise(rng, z.shape, (18 / canvas.pixel_mm,))
    canvas.paint(full, tube(x, y, sac * 1.3 * narrow, sac * narrow), looks["csf"], 1.2)
    if rng.random() < 0.5:  # pulsation takes signal away in places
        for _ in range(rng.integers(2, 8)):
            row = int(rng.integers(len(z)))
            spot = (float(x[row]), float(z[row]), float(y[row] + rng.uniform(-3, 3)))
            void = (4, float(rng.uniform(4, 14)), float(rng.uniform(1, 2.5)))
            canvas.ellipsoid(spot, void, looks["csf"] * 0.4, 2.5, opacity=float(rng.random()))
    thinning = np.clip((tip - z) / 22, 0.0, 1)
    cord = (radius * rng.uniform(0.5, 0.66) * np.sqrt(thinning) + 0.01).astype(np.float32)
    canvas.paint(full, tube(x, y + 0.5, cord * 1.25, cord), looks["cord"], 1.2)
    cauda = (1.0 * (z > tip - 15) * (z < end) + 0.01).astype(np.float32)
    for _ in range(rng.integers(4, 10)):
        wander = smooth_noise(rng, z.shape, (40 / canvas.pixel_mm,)) * 1.2
        root_x = x + rng.uniform(-0.8, 0.8) * radius
        root_y = y + rng.uniform(-0.1, 0.75) * radius + wander
        root_mm = cauda * float(rng.uniform(0.5, 1.0))
        canvas.paint(full, tube(root_x, root_y, root_mm, root_mm), looks["nerve"])
    sacrum = spine.find("S2")
    if sacrum is not None and rng.random() < 0.08:  # Tarlov's cyst
        centre = sacrum.point(rng.uniform(-8, 8), sacrum.half[1] * 0.7, rng.uniform(-14, 14))
        canvas.ellipsoid(centre, (7, rng.uniform(5, 10), rng.uniform(4, 8)), looks["csf"], 1)


def _height_of(spine: PhantomSpine, level: str, below: float, lowest: int) -> float:
    """Where a level lies, else far below the picture or far above it."""
    vertebra = spine.find(level)
    if vertebra is not None:
        return vertebra.centre[1]
    return float(below) if lowest < LEVELS.index(level) else -200.0


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


def soften(values: np.ndarray, mm: float, pixel_mm: float) -> np.ndarray:
    """In-plane Gaussian of ``(plane, row, column)``.

    Parameters
    ----------
    values : numpy.ndarray
    mm : float
        Its sigma.
    pixel_mm : float
    """
    return np.asarray(ndimage.gaussian_filter(values, (0, mm / pixel_mm, mm / pixel_mm)))
