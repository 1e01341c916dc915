"""What lies behind the bodies: pedicles, facets, laminae, processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..canvas import Canvas
from ..shapes import Point, part_of, region_of
from ..spine import LEVELS, Vertebra
from .looks import Looks
from .marrow import fat_field


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
    lumbar = rank >= LEVELS.index("L1")
    # From the last thoracic vertebra on processes are short and straight.
    thoracic = LEVELS.index("T1") <= rank < LEVELS.index("T12")
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


def paint_bone_part(
    canvas: Canvas,
    vertebra: Vertebra,
    part: BonePart,
    looks: Looks,
    fat_share: float,
    rng: np.random.Generator,
) -> None:
    """Cortex around, marrow within.

    Parameters
    ----------
    canvas : Canvas
    vertebra : Vertebra
    part : BonePart
    looks : Looks
    fat_share : float
        Of the vertebra's marrow.
    rng : numpy.random.Generator
    """
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


def paint_joints(
    canvas: Canvas, vertebra: Vertebra, scale: float, looks: Looks, rng: np.random.Generator
) -> None:
    """Foramina with fat, root and veins; facet clefts with fluid in some.

    Parameters
    ----------
    canvas : Canvas
    vertebra : Vertebra
    scale : float
        Of the person.
    looks : Looks
    rng : numpy.random.Generator
    """
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
