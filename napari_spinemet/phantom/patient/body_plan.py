"""Who is painted: posture, size, age, what broke; and the field the scanner looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..spine import LEVELS, SIZES_MM, TILTS_DEG, PhantomSpine, Vertebra, interpolate_levels

REGIONS = {"lumbar": 0.50, "thoracic": 0.28, "cervical": 0.14, "whole": 0.08}
"""What the field is centred on, and how often."""
_FIELDS_MM = {
    "lumbar": (260, 360),
    "thoracic": (300, 400),
    "cervical": (240, 340),
    "whole": (400, 480),
}
_ANCHORS = {"lumbar": ("L3", 0.5), "thoracic": ("T8", 0.5), "cervical": ("C7", 0.5)}


@dataclass(frozen=True)
class Fracture:
    """A broken body.

    Attributes
    ----------
    wedge, dent : float
        See :class:`~..spine.Vertebra`.
    cause : str
        ``"old"``, ``"fresh"`` or ``"metastasis"``.
    """

    wedge: float
    dent: float
    cause: str


@dataclass(frozen=True, eq=False)
class BodyPlan:
    """A patient before painting.

    Attributes
    ----------
    region : str
        What the field is centred on.
    field_mm : float
        Its side.
    age : float
    is_female : bool
    spine : PhantomSpine
    fractures : mapping of str to Fracture
        By level.
    """

    region: str
    field_mm: float
    age: float
    is_female: bool
    spine: PhantomSpine
    fractures: Mapping[str, Fracture]


def draw_body_plan(rng: np.random.Generator, has_lesions: bool) -> BodyPlan:
    """A person and a field.

    Parameters
    ----------
    rng : numpy.random.Generator
    has_lesions : bool
        Whether bodies may have broken by metastases.
    """
    region = str(rng.choice(list(REGIONS), p=list(REGIONS.values())))
    field_mm = float(rng.uniform(*_FIELDS_MM[region]))
    age = float(np.clip(rng.normal(60, 14), 22, 92))
    is_female = bool(rng.random() < 0.5)
    fractures = _draw_fractures(rng, age, has_lesions)
    spine = _draw_spine(rng, region, field_mm, is_female, fractures)
    levels = {v.level for v in spine.vertebrae}
    return BodyPlan(
        region,
        field_mm,
        age,
        is_female,
        spine,
        {level: f for level, f in fractures.items() if level in levels},
    )


def _draw_fractures(rng: np.random.Generator, age: float, has_lesions: bool) -> dict[str, Fracture]:
    candidates = LEVELS[LEVELS.index("T4") : LEVELS.index("L5") + 1]
    # The thoracolumbar junction breaks first.
    weights = np.exp(-0.5 * ((np.arange(len(candidates)) - 9) / 3.5) ** 2) + 0.1
    count = int(rng.poisson(0.25 + max(0.0, age - 60) / 60))
    levels = rng.choice(candidates, min(count, 4), replace=False, p=weights / weights.sum())
    causes = ["old", "fresh"] + (["metastasis"] * 2 if has_lesions else [])
    result = {}
    for level in levels:
        is_wedge = rng.random() < 0.6
        loss = float(rng.uniform(0.15, 0.5))
        result[str(level)] = Fracture(
            loss if is_wedge else 0.0,
            0.0 if is_wedge else loss * 0.8,
            str(rng.choice(causes)),
        )
    return result


def _draw_spine(
    rng: np.random.Generator,
    region: str,
    field_mm: float,
    is_female: bool,
    fractures: Mapping[str, Fracture],
) -> PhantomSpine:
    scale = float(rng.normal(0.96 if is_female else 1.04, 0.05))
    sizes = interpolate_levels(SIZES_MM) * scale * (1 + rng.normal(0, 0.02, (len(LEVELS), 4)))
    sizes[:, 3] *= rng.uniform(0.6, 1.15)  # discs flatten with the years, more in some people
    tilts = _draw_tilts(rng, fractures)
    z, y = np.zeros(len(LEVELS)), np.zeros(len(LEVELS))
    for k in range(1, len(LEVELS)):
        step = sizes[k - 1, 0] / 2 + sizes[k - 1, 3] + sizes[k, 0] / 2
        middle = (tilts[k - 1] + tilts[k]) / 2
        z[k] = z[k - 1] + step * np.cos(middle)
        y[k] = y[k - 1] + step * np.sin(middle)
    if region == "whole":
        z += rng.uniform(0.02, 0.12) * field_mm - z[0]
    else:
        anchor, height = _ANCHORS[region]
        z += (height + rng.uniform(-0.12, 0.12)) * field_mm - z[LEVELS.index(anchor)]
    inside = (z > -40) & (z < field_mm + 40)
    y += rng.uniform(0.42, 0.62) * field_mm - float(y[(z > 0) & (z < field_mm)].mean())
    # Scoliosis: mild in most, marked in some.
    bend = rng.normal(0, 12 if rng.random() < 0.15 else 2.5)
    wave = bend * np.sin(2 * np.pi * z / rng.uniform(220, 420) + rng.uniform(0, 6.3))
    x = wave + rng.normal(0, 2.0)
    vertebrae = []
    for k in map(int, np.flatnonzero(inside)):
        broken = fractures.get(LEVELS[k])
        vertebrae.append(
            Vertebra(
                LEVELS[k],
                (float(x[k]), float(z[k]), float(y[k])),
                (float(sizes[k, 0] / 2), float(sizes[k, 1] / 2), float(sizes[k, 2] / 2)),
                float(tilts[k]),
                float(sizes[k, 3]),
                broken.wedge if broken else 0.0,
                broken.dent if broken else 0.0,
            )
        )
    ends = np.linspace(z[inside].min(), z[inside].max(), 400)
    return PhantomSpine(tuple(vertebrae), ends, np.interp(ends, z, x), np.interp(ends, z, y), scale)


def _draw_tilts(rng: np.random.Generator, fractures: Mapping[str, Fracture]) -> np.ndarray:
    """Posture: kyphosis and lordosis by themselves, a round back in some, a whole that leans."""
    base = interpolate_levels(TILTS_DEG)[:, 0]
    ranks = np.arange(len(LEVELS))
    thoracic = np.exp(-0.5 * ((ranks - 11) / 7) ** 2)
    lumbar = np.exp(-0.5 * ((ranks - 20) / 3.5) ** 2)
    kyphosis = rng.uniform(1.5, 2.8) if rng.random() < 0.12 else rng.normal(1.0, 0.25)
    lordosis = rng.normal(1.0, 0.3)
    tilts = base * (1 + (kyphosis - 1) * thoracic + (lordosis - 1) * lumbar)
    tilts += rng.normal(0, 1.5, len(LEVELS)) + rng.normal(0, 3.0)
    # The sacrum lies flatter in some people and steeper in others.
    tilts[LEVELS.index("S1") :] += rng.normal(0, 7)
    for level, fracture in fractures.items():
        # Above a wedge the spine bends forward.
        tilts[: LEVELS.index(level)] += 9 * fracture.wedge
    return np.deg2rad(tilts)
