"""One phantom case in memory: a series and its contours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..imaging import Annotation, SagittalSeries
from .anatomy import paint_patient
from .canvas import Canvas
from .difficulty import STANDARD, difficulty_of
from .lesions import AS_IN_THE_PAPER, Lesion, paint_lesions, paint_mimics
from .scanner import scan
from .spine import PhantomSpine, make_spine
from .tissues import Tissues

FIELD_MM = 340.0
SLICES = 13
THICKNESS_MM = 3.0
PIXELS_MM = (0.88, 0.94, 1.13)
WIDE_PIXELS_MM = (0.65, 0.75, 0.88, 0.94, 1.13, 1.25)
WIDE_THICKNESS_MM = (2.6, 5.0)
VARIETIES = {
    "evaluation": (),
    "tissues": ("tissues",),
    "tissues-scanner": ("tissues", "scanner"),
    "training": ("tissues", "scanner", "anatomy"),
}
"""What is drawn far wider than in life, by name; those between are for judging what each does."""


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
    pixels : numpy.ndarray
        As the scanner stores them, int16.
    """

    series: SagittalSeries
    annotation: Annotation
    lesions: tuple[Lesion, ...]
    region: str
    pixels: npt.NDArray[np.int16]


def make_case(
    seed: int | tuple[int, ...],
    *,
    has_lesions: bool = True,
    variety: str = "evaluation",
    difficulty: str = STANDARD.name,
    pixel_mm: float | None = None,
    lesions: int = AS_IN_THE_PAPER,
) -> PhantomCase:
    """Make one case.

    Parameters
    ----------
    seed : int or tuple of int
        The same seed gives the same case, bit for bit.
    has_lesions : bool
        Or a normal case.
    variety : {"evaluation", "tissues", "tissues-scanner", "training"}
        As in life, or with intensities, with scanner as well, or with everything drawn far
        wider (domain randomisation).
    difficulty : {"easy", "standard", "hard"}
        Of the evaluation variety, see :mod:`.difficulty`.
    pixel_mm : float, optional
        In-plane pixel; drawn if not given, from 0.88, 0.94 and 1.13 mm, in training from 0.65
        to 1.25 mm.
    lesions : int
        Diseased segments, at most; fewer are as likely. More than the paper's two
        are for training, to which each teaches something else.

    Raises
    ------
    SpinemetError
        If there is no such difficulty.
    """
    if variety not in VARIETIES:
        raise ValueError(f"variety is one of {tuple(VARIETIES)}, not {variety!r}.")
    hardness = difficulty_of(difficulty)
    rng = np.random.default_rng(seed)
    # Streams of their own, so that another difficulty changes what it speaks of and no more.
    for_mimics, for_lesions, for_scanner = rng.spawn(3)
    tissue, scanner, anatomy = (
        part in VARIETIES[variety] for part in ("tissues", "scanner", "anatomy")
    )
    # Drawn all the same where a pixel is given: the patient must not depend on it.
    drawn_pixel_mm = float(rng.choice(WIDE_PIXELS_MM if scanner else PIXELS_MM))
    thickness = round(float(rng.uniform(*WIDE_THICKNESS_MM)), 2) if scanner else THICKNESS_MM
    canvas = Canvas(SLICES, thickness, pixel_mm or drawn_pixel_mm, FIELD_MM)
    region = str(rng.choice(("lumbar", "thoracic", "cervical"), p=(0.62, 0.24, 0.14)))
    spine = make_spine(rng, region, FIELD_MM, anatomy)
    tissues = Tissues(rng, tissue)
    paint_patient(canvas, spine, tissues, rng, region)
    affine = _draw_affine(canvas, thickness, rng)
    paint_mimics(canvas, spine, tissues, for_mimics, anatomy, hardness)
    painted_lesions = (
        paint_lesions(canvas, spine, tissues, for_lesions, anatomy, hardness, lesions)
        if has_lesions
        else []
    )
    pixels = scan(canvas, for_scanner, scanner, hardness)
    series = SagittalSeries(
        pixels.astype(np.float32), affine, description="STIR SAG", contrast="STIR"
    )
    vertebrae, levels = _label_bodies(canvas, spine)
    labels = np.zeros(pixels.shape, dtype=np.uint16)
    for number, lesion in enumerate(painted_lesions, 1):
        labels[lesion.mask] = number
    annotation = Annotation(labels, vertebrae, levels, reader="phantom")
    return PhantomCase(series, annotation, tuple(painted_lesions), region, pixels)


def _label_bodies(
    canvas: Canvas, spine: PhantomSpine
) -> tuple[npt.NDArray[np.uint16], dict[int, str]]:
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


def _draw_affine(
    canvas: Canvas, thickness_mm: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A slightly oblique sagittal plane somewhere in the patient."""
    turn, lean = np.deg2rad(rng.normal(0, 2.5, 2))
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    ) @ np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    # Columns: slice to the left, row to the feet, column to the back.
    axes = rotation @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    steps = np.array([thickness_mm, canvas.pixel_mm, canvas.pixel_mm])
    affine = np.eye(4)
    affine[:3, :3] = axes * steps
    centre = (np.array([canvas.slices, *canvas.values.shape[1:]]) - 1) / 2
    affine[:3, 3] = rng.normal(0, 25, 3) - affine[:3, :3] @ centre
    return np.round(affine, 12)
