"""The canal: epidural fat, the dural sac, cord and roots."""

from __future__ import annotations

import numpy as np

from ..canvas import Canvas, FloatArray, smooth_noise
from ..shapes import tube
from ..spine import LEVELS, PhantomSpine
from .looks import Looks


def paint_canal(
    canvas: Canvas, spine: PhantomSpine, looks: Looks, rng: np.random.Generator
) -> None:
    """Epidural fat, the sac with its fluid, the cord above L1, roots below, cysts in some.

    Parameters
    ----------
    canvas : Canvas
    spine : PhantomSpine
    looks : Looks
    rng : numpy.random.Generator
    """
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


def _height_of(spine: PhantomSpine, level: str, below: float, lowest: int) -> float:
    """Where a level lies, else far below the picture or far above it."""
    vertebra = spine.find(level)
    if vertebra is not None:
        return vertebra.centre[1]
    return float(below) if lowest < LEVELS.index(level) else -200.0
