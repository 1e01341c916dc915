"""Metastases wherever they grow, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..canvas import Canvas, FloatArray, Region, smooth_noise
from ..growth import keep_main_part
from ..lesion import Lesion
from ..shapes import Point, part_of, region_of
from ..spine import LEVELS, PhantomSpine, Vertebra
from .arch import arch_of
from .body_plan import BodyPlan
from .lesion_shapes import SITE_SHAPES, Seat
from .looks import Looks

SITE_SHARES = {
    "body": 0.60,
    "pedicle": 0.11,
    "posterior": 0.14,
    "epidural": 0.07,
    "paravertebral": 0.08,
}
KIND_SHARES = {"lytic": 0.60, "mixed": 0.22, "sclerotic": 0.18}
DIFFUSE = 0.07
"""Share of patients whose whole marrow is diseased."""
USUAL, LOCALISED, HALF, DIFFUSE_BURDEN = "usual", "localised", "half", "diffuse"
BURDENS = (USUAL, LOCALISED, HALF, DIFFUSE_BURDEN)
"""As in life; the same without diffuse marrow; half of the bodies; all marrow."""
COUNTS = ((1, 0.34), (2, 0.22), (3, 0.14), (4, 0.09), (6, 0.12), (9, 0.09))
"""How many lesions, at most so many, and how often."""
LEAST_CM2 = 0.8
"""In the slice where it is largest: what is smaller nobody would contour."""
_CRUMB_CM2 = 0.25
_TRIES = 30


@dataclass(frozen=True, eq=False)
class _Growth:
    """A lesion before it is painted.

    Attributes
    ----------
    region : tuple of slice
    cover : numpy.ndarray
        ``(plane, row, column)`` of the region, in [0, 1].
    mask : numpy.ndarray
        ``(slice, row, column)`` of the whole canvas.
    """

    region: Region
    cover: FloatArray
    mask: npt.NDArray[np.bool_]


def paint_disease(
    canvas: Canvas,
    plan: BodyPlan,
    looks: Looks,
    rng: np.random.Generator,
    max_lesions: int | None = None,
    burden: str = USUAL,
) -> list[Lesion]:
    """Paint the lesions of one patient, at least one.

    Parameters
    ----------
    canvas : Canvas
        With patient and mimics painted: a lesion covers a mimic.
    plan : BodyPlan
    looks : Looks
    rng : numpy.random.Generator
    max_lesions : int, optional
        More are not drawn; as in life without.
    burden : str
        One of :data:`BURDENS`.

    Returns
    -------
    list of Lesion
        With masks on the slices of the canvas.
    """
    # Drawn for localised ones too, so that a patient without diffuse marrow is the same in both.
    is_diffuse = burden in (USUAL, LOCALISED) and max_lesions is None and rng.random() < DIFFUSE
    if burden == DIFFUSE_BURDEN or (burden == USUAL and is_diffuse):
        return _paint_diffuse(canvas, plan, looks, rng)
    occupancy = np.zeros((canvas.slices, *canvas.shape[1:]), dtype=bool)
    lesions: list[Lesion] = []
    while not lesions:
        seats = (
            _seats_in_half(canvas, plan, rng)
            if burden == HALF
            else _draw_seats(canvas, plan, rng, max_lesions)
        )
        for seat in seats:
            growth = _grow(canvas, plan.spine, seat, rng)
            # A margin, so that what is one region to a reader is one lesion here.
            if growth is None or (ndimage.binary_dilation(growth.mask) & occupancy).any():
                continue
            contrast = _fill(canvas, looks, growth, seat.kind, rng)
            occupancy |= growth.mask
            lesions.append(
                Lesion(
                    seat.vertebra.level,
                    growth.mask,
                    contrast,
                    seat.site,
                    seat.kind,
                    seat.is_fractured,
                )
            )
    return lesions


def _whole_vertebrae(canvas: Canvas, plan: BodyPlan) -> list[Vertebra]:
    """Those that lie in the picture, or nearly so."""
    return [
        v
        for v in plan.spine.vertebrae
        if canvas.z[0] + 14 < v.centre[1] < canvas.z[-1] - 14
        and LEVELS.index(v.level) <= LEVELS.index("S3")
    ]


def _seats_in_half(canvas: Canvas, plan: BodyPlan, rng: np.random.Generator) -> list[Seat]:
    """Every second body, on average."""
    vertebrae = _whole_vertebrae(canvas, plan)
    picks = rng.choice(len(vertebrae), (len(vertebrae) + 1) // 2, replace=False)
    return [Seat(vertebrae[int(k)], "body", "lytic") for k in picks]


def _draw_seats(
    canvas: Canvas, plan: BodyPlan, rng: np.random.Generator, max_lesions: int | None
) -> list[Seat]:
    vertebrae = _whole_vertebrae(canvas, plan)
    kind = str(rng.choice(list(KIND_SHARES), p=list(KIND_SHARES.values())))
    seats = [
        Seat(v, "body", _draw_kind(kind, rng), True)
        for v in vertebrae
        if v.level in plan.fractures and plan.fractures[v.level].cause == "metastasis"
    ]
    counts, shares = zip(*COUNTS, strict=True)
    largest = int(rng.choice(counts, p=np.array(shares) / sum(shares)))
    if max_lesions is not None:
        largest = min(max_lesions, 1 + int(max_lesions * rng.random()))
    count = int(rng.integers(max(1, (largest + 1) // 2), largest + 1))
    # Larger bodies are more often the seat, but cervical and sacral ones are too.
    weights = np.array([v.half[0] * v.half[1] for v in vertebrae]) ** 1.2
    sites, site_shares = list(SITE_SHARES), list(SITE_SHARES.values())
    while len(seats) < count:
        vertebra = vertebrae[int(rng.choice(len(vertebrae), p=weights / weights.sum()))]
        site = str(rng.choice(sites, p=site_shares))
        if site in ("epidural", "paravertebral"):
            if rng.random() < 0.6:  # most grow out of a body
                seats.append(Seat(vertebra, "body", _draw_kind(kind, rng)))
            seats.append(Seat(vertebra, site, "soft mass"))
        else:
            seats.append(Seat(vertebra, site, _draw_kind(kind, rng)))
    return seats if max_lesions is None else seats[:max_lesions]


def _draw_kind(usual: str, rng: np.random.Generator) -> str:
    """A patient's lesions are mostly alike."""
    if rng.random() < 0.75:
        return usual
    return str(rng.choice(list(KIND_SHARES), p=list(KIND_SHARES.values())))


def _grow(
    canvas: Canvas, spine: PhantomSpine, seat: Seat, rng: np.random.Generator
) -> _Growth | None:
    """A lesion of its site that a reader would contour; None if there is no room for one."""
    for _ in range(_TRIES):
        region, distance = SITE_SHAPES[seat.site](canvas, spine, seat, rng)
        if min(s.stop - s.start for s in region) <= 0:
            return None
        edge = rng.uniform(0.8, 3.5)
        cover = np.clip(0.5 - distance / edge, 0, 1).astype(np.float32)
        mask = _outline(canvas, region, cover)
        if mask is not None:
            return _Growth(region, cover, mask)
    return None


def _outline(canvas: Canvas, region: Region, cover: FloatArray) -> npt.NDArray[np.bool_] | None:
    """What a reader contours: voxels filled by half, crumbs left out; None if it is too small."""
    whole = np.zeros(canvas.shape, dtype=np.float32)
    whole[region] = cover
    share = whole.reshape(canvas.slices, canvas.sub_slices, *whole.shape[1:]).mean(axis=1)
    mask = np.stack([keep_main_part(plane) for plane in share >= 0.5])
    areas = mask.sum(axis=(1, 2)) * (canvas.pixel_mm / 10) ** 2
    mask[areas < _CRUMB_CM2] = False
    return mask if areas.max() >= LEAST_CM2 else None


def _fill(
    canvas: Canvas, looks: Looks, growth: _Growth, kind: str, rng: np.random.Generator
) -> float:
    """Let the lesion take the place of what was there; how it stands out, without noise."""
    region = growth.region
    target = canvas.values[(..., *region)]
    former_values = looks.magnitude(target)[0]
    look = _texture(canvas, looks, kind, growth.cover.shape, rng)
    # Cells replace marrow, wholly or in part.
    dense = float(np.clip(rng.normal(0.85, 0.2), 0.35, 1.0)) if kind != "soft mass" else 1.0
    soft = _soften(growth.cover, rng.uniform(0.2, 1.2), canvas.pixel_mm)
    if kind != "soft mass" and rng.random() < 0.25:  # a rim that differs from the middle
        core = np.clip(_soften(growth.cover, 3.0, canvas.pixel_mm) * 1.6 - 0.6, 0, 1)
        soft = soft * (1 - rng.uniform(0, 0.6) * core)
    target += dense * soft * (look - target)
    new_values = looks.magnitude(target)[0]
    inner = growth.cover > 0.75
    if not inner.any():
        inner = growth.cover > 0.25
    fluid = float(looks.magnitude(looks["csf"])[0])
    old, new = float(np.median(former_values[inner])), float(np.median(new_values[inner]))
    scale = fluid - old if abs(fluid - old) > 0.1 else 0.1
    return float((new - old) / scale)


def _texture(
    canvas: Canvas, looks: Looks, kind: str, shape: Sequence[int], rng: np.random.Generator
) -> FloatArray:
    """``(channel, plane, row, column)`` of the tissue that a lesion is made of."""
    grain = (3.0, max(2.0, 6 / canvas.pixel_mm), max(2.0, 6 / canvas.pixel_mm))
    uneven = 1 + rng.uniform(0.02, 0.15) * smooth_noise(rng, tuple(shape), grain)
    names = {"soft mass": "soft_mass", "diffuse": "lytic", "mixed": "lytic"}
    look = looks.draw(names.get(kind, kind))[:, None, None, None] * uneven
    if kind == "mixed":
        blotches = smooth_noise(rng, tuple(shape), grain)
        bony = np.clip((blotches - rng.uniform(-0.3, 0.9)) * 2 + 0.5, 0, 1)
        look = look + bony * (looks.draw("sclerotic")[:, None, None, None] - look)
    return np.asarray(look, dtype=np.float32)


def _paint_diffuse(
    canvas: Canvas, plan: BodyPlan, looks: Looks, rng: np.random.Generator
) -> list[Lesion]:
    """The marrow of all vertebrae gives way to cells, evenly or in patches."""
    share, patchy = rng.uniform(0.5, 0.95), rng.uniform(0, 0.35)
    kind = "lytic" if rng.random() < 0.8 else "sclerotic"
    lesions = []
    for vertebra in plan.spine.vertebrae:
        region = canvas.region(*vertebra.box(2))
        if min(s.stop - s.start for s in region) <= 0:
            continue
        inside = vertebra.body(*canvas.axes(region)) + 0.7
        cover = np.clip(0.5 - inside / 1.5, 0, 1).astype(np.float32)
        mask = _outline(canvas, region, cover)
        if mask is None:
            continue
        scale = max(2.0, 8 / canvas.pixel_mm)
        noise = smooth_noise(rng, cover.shape, (4, scale, scale))
        cell_share = cover * np.clip(share + patchy * noise, 0, 1).astype(np.float32)
        growth = _Growth(region, cell_share, mask)
        contrast = _fill(canvas, looks, growth, kind, rng)
        lesions.append(Lesion(vertebra.level, mask, contrast, "body", "diffuse"))
        for part in arch_of(vertebra, plan.spine.scale):
            _replace_in_part(canvas, looks, vertebra, part.centre, part.half, kind, share, rng)
    return lesions


def _replace_in_part(
    canvas: Canvas,
    looks: Looks,
    vertebra: Vertebra,
    centre: Point,
    half: Point,
    kind: str,
    share: float,
    rng: np.random.Generator,
) -> None:
    """The arch's marrow is diseased too; nobody contours it."""
    region = region_of(canvas, vertebra, centre, half)
    if min(s.stop - s.start for s in region) <= 0:
        return
    inner = tuple(max(0.8, h - 0.9) for h in half)
    shape = part_of(vertebra, centre, (inner[0], inner[1], inner[2]))
    size = tuple(s.stop - s.start for s in region)
    canvas.paint(region, shape, _texture(canvas, looks, kind, size, rng), 1.0, float(share))


def _soften(values: np.ndarray, mm: float, pixel_mm: float) -> np.ndarray:
    """In-plane Gaussian of ``(plane, row, column)``, with its sigma in mm."""
    return np.asarray(ndimage.gaussian_filter(values, (0, mm / pixel_mm, mm / pixel_mm)))
