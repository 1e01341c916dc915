"""One phantom case in memory: a series and its contours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..imaging import Annotation, SagittalSeries
from .anatomy import paint_patient
from .canvas import Canvas
from .lesions import Lesion, paint_lesions, paint_mimics
from .scanner import scan
from .spine import Spine, make_spine
from .tissues import Tissues

FIELD_MM = 340.0
SLICES = 13
THICKNESS_MM = 3.0
PIXELS_MM = (0.88, 0.94, 1.13)
VARIETIES = ("evaluation", "training")


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A synthetic patient.

    Attributes
    ----------
    series : SagittalSeries
    annotation : Annotation
        Lesions and vertebral bodies, on the grid of the series.
    lesions : tuple of Lesion
        As painted, with their contrasts.
    region : str
        What the field is centred on.
    stored : numpy.ndarray
        The int16 pixels as the scanner stores them.
    """

    series: SagittalSeries
    annotation: Annotation
    lesions: tuple[Lesion, ...]
    region: str
    stored: npt.NDArray[np.int16]


def make_case(
    seed: int | tuple[int, ...],
    *,
    diseased: bool = True,
    variety: str = "evaluation",
    pixel_mm: float | None = None,
) -> PhantomCase:
    """Make one case.

    Parameters
    ----------
    seed : int or tuple of int
        The same seed gives the same case, bit for bit.
    diseased : bool
        With lesions, or a normal case.
    variety : {"evaluation", "training"}
        As in life, or with everything drawn far wider (domain randomisation).
    pixel_mm : float, optional
        In-plane pixel; drawn from 0.88, 0.94 and 1.13 mm if not given.
    """
    if variety not in VARIETIES:
        raise ValueError(f"variety is one of {VARIETIES}, not {variety!r}.")
    rng = np.random.default_rng(seed)
    wide = variety == "training"
    drawn = float(rng.choice(PIXELS_MM))
    canvas = Canvas(SLICES, THICKNESS_MM, pixel_mm or drawn, FIELD_MM)
    region = str(rng.choice(("lumbar", "thoracic", "cervical"), p=(0.62, 0.24, 0.14)))
    spine = make_spine(rng, region, FIELD_MM, wide)
    tissues = Tissues(rng, wide)
    paint_patient(canvas, spine, tissues, rng, region)
    paint_mimics(canvas, spine, tissues, rng, wide)
    lesions = paint_lesions(canvas, spine, tissues, rng, wide) if diseased else []
    stored = scan(canvas, rng, wide)
    affine = _affine(canvas, rng)
    series = SagittalSeries(
        stored.astype(np.float32), affine, description="STIR SAG", contrast="STIR"
    )
    vertebrae, levels = _vertebrae(canvas, spine)
    labels = np.zeros(stored.shape, dtype=np.uint16)
    for number, lesion in enumerate(lesions, 1):
        labels[lesion.mask] = number
    annotation = Annotation(labels, vertebrae, levels, reader="phantom")
    return PhantomCase(series, annotation, tuple(lesions), region, stored)


def _vertebrae(canvas: Canvas, spine: Spine) -> tuple[npt.NDArray[np.uint16], dict[int, str]]:
    """One label for each vertebral body that shows at least 0.5 cm² in some slice."""
    labels = np.zeros((canvas.slices, *canvas.values.shape[1:]), dtype=np.uint16)
    levels: dict[int, str] = {}
    for vertebra in spine.vertebrae:
        box = canvas.region(*vertebra.box(2))
        middle = canvas.x.reshape(canvas.slices, -1).mean(axis=1)
        _, z, y = canvas.axes(box)
        inside = vertebra.body(middle[:, None, None].astype(np.float32), z, y) < 0
        if inside.sum(axis=(1, 2)).max(initial=0) * canvas.pixel_mm**2 < 50:
            continue
        number = len(levels) + 1
        labels[:, box[1], box[2]][inside] = number
        levels[number] = vertebra.level
    return labels, levels


def _affine(canvas: Canvas, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A slightly oblique sagittal plane somewhere in the patient."""
    turn, lean = np.deg2rad(rng.normal(0, 2.5, 2))
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    ) @ np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    # Columns: slice to the left, row to the feet, column to the back.
    axes = rotation @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    steps = np.array([THICKNESS_MM, canvas.pixel_mm, canvas.pixel_mm])
    affine = np.eye(4)
    affine[:3, :3] = axes * steps
    centre = (np.array([canvas.slices, *canvas.values.shape[1:]]) - 1) / 2
    affine[:3, 3] = rng.normal(0, 25, 3) - affine[:3, :3] @ centre
    return np.round(affine, 12)
