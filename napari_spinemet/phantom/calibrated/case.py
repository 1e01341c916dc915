"""One case of the second generator."""

from __future__ import annotations

import numpy as np

from ...errors import SpinemetError
from ...imaging import Annotation, SagittalSeries
from ..canvas import Canvas
from ..case import PhantomCase, PhantomImage, draw_affine, label_bodies
from .anatomy import paint_patient
from .difficulty import STANDARD, difficulty_of
from .lesions import AS_IN_THE_PAPER, paint_lesions, paint_mimics
from .scanner import scan
from .spine_drawing import make_spine
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


def make_calibrated_case(
    seed: int | tuple[int, ...],
    *,
    has_lesions: bool = True,
    variety: str = "evaluation",
    difficulty: str = STANDARD.name,
    pixel_mm: float | None = None,
    lesions: int = AS_IN_THE_PAPER,
) -> PhantomCase:
    """Make one case of the second generator.

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
        If there is no such variety or difficulty.
    """
    if variety not in VARIETIES:
        raise SpinemetError(f"The variety is one of {', '.join(VARIETIES)}, not '{variety}'.")
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
    affine = draw_affine(canvas, thickness, rng)
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
    vertebrae, levels = label_bodies(canvas, spine)
    labels = np.zeros(pixels.shape, dtype=np.uint16)
    for number, lesion in enumerate(painted_lesions, 1):
        labels[lesion.mask] = number
    annotation = Annotation(labels, vertebrae, levels, reader="phantom")
    image = PhantomImage("stir", series, pixels)
    return PhantomCase((image,), annotation, tuple(painted_lesions), region)
