"""One phantom case in memory: images of a patient and the contours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from .canvas import Canvas
from .lesion import Lesion
from .spine import PhantomSpine

CALIBRATED, PHYSICAL = 2, 3
"""Generators: the second, set beside one real scan; the third, from relaxation and sequences."""


@dataclass(frozen=True, eq=False)
class PhantomImage:
    """One series of a patient.

    Attributes
    ----------
    contrast : str
        ``"stir"``, ``"t1"``, ...
    series : SagittalSeries
    pixels : numpy.ndarray
        As the scanner stores them, int16.
    header : mapping of str to object
        DICOM attributes by keyword that differ from those of a usual STIR.
    """

    contrast: str
    series: SagittalSeries
    pixels: npt.NDArray[np.int16]
    header: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A synthetic patient.

    Attributes
    ----------
    images : tuple of PhantomImage
        All on the same grid; the first is the one that is detected on.
    annotation : Annotation
        Lesions and vertebral bodies, on that grid.
    lesions : tuple of Lesion
        As painted, with their contrasts in the first image.
    region : str
        What the field is centred on.
    facts : mapping of str to object
        What else is known of the patient and the scanner, for ``case.json``.
    """

    images: tuple[PhantomImage, ...]
    annotation: Annotation
    lesions: tuple[Lesion, ...]
    region: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def series(self) -> SagittalSeries:
        """Of the first image."""
        return self.images[0].series

    @property
    def pixels(self) -> npt.NDArray[np.int16]:
        """Of the first image."""
        return self.images[0].pixels


def make_case(
    seed: int | tuple[int, ...],
    *,
    generator: int = PHYSICAL,
    has_lesions: bool = True,
    variety: str = "evaluation",
    difficulty: str = "standard",
    pixel_mm: float | None = None,
    lesions: int | None = None,
    contrasts: Sequence[str] | None = None,
    burden: str = "usual",
) -> PhantomCase:
    """Make one case.

    Parameters
    ----------
    seed : int or tuple of int
        The same seed gives the same case, bit for bit.
    generator : {3, 2}
        The third by default; the second stays for the figures that rest on it.
    has_lesions : bool
        Or a normal case.
    variety : str
        ``"evaluation"`` as in life, ``"training"`` drawn wider; more in
        :mod:`.patient.case` and :mod:`.calibrated.case`.
    difficulty : {"easy", "standard", "hard"}
        Of the second generator's evaluation variety.
    pixel_mm : float, optional
        In-plane pixel; drawn if not given.
    lesions : int, optional
        At most; as in life without, and two, as in the paper, with the second generator.
    contrasts : sequence of str, optional
        Images of the third generator, see :data:`.physics.sequences.CONTRASTS`; without, one
        that is fat-suppressed.
    burden : str
        How much of the marrow is diseased, of the third generator, see
        :data:`.patient.disease.BURDENS`.

    Raises
    ------
    SpinemetError
        If there is no such generator, variety, difficulty, contrast or burden.
    """
    if generator == CALIBRATED:
        from .calibrated.case import make_calibrated_case

        if contrasts is not None and list(contrasts) != ["stir"]:
            raise SpinemetError(
                "The second generator makes STIR alone; leave the contrasts out, or take the third."
            )
        if burden != "usual":
            raise SpinemetError(
                "The second generator knows no burdens; leave it out, or take the third."
            )
        return make_calibrated_case(
            seed,
            has_lesions=has_lesions,
            variety=variety,
            difficulty=difficulty,
            pixel_mm=pixel_mm,
            lesions=2 if lesions is None else lesions,
        )
    if generator != PHYSICAL:
        raise SpinemetError(f"There are the generators 2 and 3, not {generator}.")
    from .patient.case import make_patient_case

    if difficulty != "standard":
        raise SpinemetError(
            "Difficulties are of the second generator; leave it out, or add generator 2."
        )
    return make_patient_case(
        seed,
        has_lesions=has_lesions,
        variety=variety,
        pixel_mm=pixel_mm,
        max_lesions=lesions,
        contrasts=contrasts,
        burden=burden,
    )


def label_bodies(
    canvas: Canvas, spine: PhantomSpine
) -> tuple[npt.NDArray[np.uint16], dict[int, str]]:
    """One label for each vertebral body that shows at least 0.5 cm² in some slice.

    Parameters
    ----------
    canvas : Canvas
    spine : PhantomSpine
    """
    labels = np.zeros((canvas.slices, *canvas.shape[1:]), dtype=np.uint16)
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


def draw_affine(
    canvas: Canvas, thickness_mm: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A slightly oblique sagittal plane somewhere in the patient.

    Parameters
    ----------
    canvas : Canvas
    thickness_mm : float
        Slice distance.
    rng : numpy.random.Generator
    """
    turn, lean = np.deg2rad(rng.normal(0, 2.5, 2))
    rotation = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    ) @ np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    # Columns: slice to the left, row to the feet, column to the back.
    axes = rotation @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    steps = np.array([thickness_mm, canvas.pixel_mm, canvas.pixel_mm])
    affine = np.eye(4)
    affine[:3, :3] = axes * steps
    centre = (np.array([canvas.slices, *canvas.shape[1:]]) - 1) / 2
    affine[:3, 3] = rng.normal(0, 25, 3) - affine[:3, :3] @ centre
    return np.round(affine, 12)
