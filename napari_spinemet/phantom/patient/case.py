"""One case of the third generator: a patient from head to pelvis, as a hospital images them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...errors import SpinemetError
from ...imaging import Annotation, SagittalSeries
from ..acquisition.hardware import Hardware, draw_hardware
from ..acquisition.imaging import Window, draw_disturbance, make_image
from ..canvas import Canvas, smooth_noise
from ..case import PhantomCase, PhantomImage, draw_affine, label_bodies
from ..lesion import Lesion
from ..physics.sequences import CONTRASTS, Protocol, draw_field, draw_protocol
from .body_plan import BodyPlan, draw_body_plan
from .column import paint_column
from .disease import BURDENS, LEAST_CM2, USUAL, paint_disease
from .looks import ChanceLooks, Looks, PhysicalLooks
from .marrow import draw_fat_shares
from .mimics import paint_mimics
from .trunk import paint_organs, paint_trunk, paint_vessels

VARIETIES = ("evaluation", "agnostic", "training")
"""By physics as in life; by chance, so that only what differs from its like is a lesion; or one
of the two for each case."""
_SUPPRESSED = {"stir": 0.70, "t2fs": 0.18, "water": 0.12}
"""Fat-suppressed images, and how often each is the one that is detected on."""
_PIXELS_MM = (0.55, 0.63, 0.70, 0.78, 0.88, 0.94, 1.04, 1.13, 1.25)
_FINEST_MM = 0.75
"""Finer pixels are interpolated, as scanners do."""
SLICES = 9, 19
"""Fewest and most of a stack."""
_DESCRIPTIONS = {
    "stir": ("STIR SAG", "STIR"),
    "t1": ("T1 TSE SAG", "T1"),
    "t2": ("T2 TSE SAG", "T2"),
    "t2fs": ("T2 TSE FS SAG", "T2 fat-suppressed"),
    "water": ("T2 DIXON SAG W", "T2 fat-suppressed"),
}


@dataclass(frozen=True)
class _Stack:
    """The slices of an examination."""

    slices: int
    spacing_mm: float
    pixel_mm: float
    interpolation: int


def make_patient_case(
    seed: int | tuple[int, ...],
    *,
    has_lesions: bool = True,
    variety: str = "evaluation",
    pixel_mm: float | None = None,
    max_lesions: int | None = None,
    contrasts: Sequence[str] | None = None,
    burden: str = USUAL,
) -> PhantomCase:
    """Make one case of the third generator.

    Parameters
    ----------
    seed : int or tuple of int
        The same seed gives the same case, bit for bit, and the same patient whatever else is asked.
    has_lesions : bool
        Or a normal case.
    variety : {"evaluation", "agnostic", "training"}
        See :data:`VARIETIES`.
    pixel_mm : float, optional
        In-plane pixel; drawn if not given.
    max_lesions : int, optional
        As in life without, from one to all marrow.
    contrasts : sequence of str, optional
        Of the images; one that is fat-suppressed by default.
    burden : {"usual", "localised", "half", "diffuse"}
        See :data:`.disease.BURDENS`.

    Raises
    ------
    SpinemetError
        If there is no such variety, burden or contrast.
    """
    if burden not in BURDENS:
        raise SpinemetError(f"The burden is one of {', '.join(BURDENS)}, not '{burden}'.")
    if variety not in VARIETIES:
        raise SpinemetError(f"The variety is one of {', '.join(VARIETIES)}, not '{variety}'.")
    streams = np.random.default_rng(seed).spawn(9)
    choices, for_plan, for_looks, *_, for_hardware, for_images = streams
    by_chance = variety == "agnostic" or (variety == "training" and choices.random() < 0.5)
    contrast = str(choices.choice(list(_SUPPRESSED), p=list(_SUPPRESSED.values())))
    contrasts = [contrast] if contrasts is None else list(contrasts)
    check_contrasts(contrasts)
    plan = draw_body_plan(for_plan, has_lesions)
    field_t = draw_field(for_hardware)
    hardware = draw_hardware(for_hardware, field_t, plan.field_mm)
    stack = _draw_stack(for_hardware, plan, pixel_mm)
    protocols = _draw_protocols(contrasts, field_t, for_hardware)
    looks: Looks = (
        ChanceLooks(len(contrasts), for_looks)
        if by_chance
        else PhysicalLooks(protocols, plan.age, for_looks)
    )
    canvas, window = _make_canvas(plan, hardware, stack, len(contrasts))
    skin, lesions = _paint(
        canvas, plan, looks, streams[3:7], (max_lesions, burden) if has_lesions else None
    )
    disturbance = draw_disturbance(canvas, _draw_metal(plan, for_hardware), for_hardware)
    affine = draw_affine(canvas, stack.spacing_mm, for_hardware)
    affine[:3, 3] += affine[:3, 1] * window.first
    rows = slice(window.first, window.last)
    signal_window = hardware.signal_window(rows.stop - rows.start, canvas.shape[2])
    enlargement = _Enlargement(stack.interpolation, rows, signal_window)
    images = []
    for number, protocol in enumerate(protocols):
        pixels = make_image(
            canvas, number, protocol, hardware, disturbance, window, skin, for_images
        )
        pixels = enlargement.image(pixels)
        images.append(_image_of(pixels, enlargement.affine(affine), protocol))
    annotation, lesions = _label(canvas, plan, lesions, enlargement)
    facts = {
        "field_t": field_t,
        "age": round(plan.age),
        "looks": "chance" if by_chance else "physics",
        "contrasts": list(contrasts),
    }
    return PhantomCase(tuple(images), annotation, tuple(lesions), plan.region, facts)


def _image_of(
    pixels: npt.NDArray[np.int16], affine: npt.NDArray[np.float64], protocol: Protocol
) -> PhantomImage:
    description, contrast = _DESCRIPTIONS[protocol.contrast]
    series = SagittalSeries(
        pixels.astype(np.float32), affine, description=description, contrast=contrast
    )
    return PhantomImage(protocol.contrast, series, pixels, _header_of(protocol))


def _label(
    canvas: Canvas, plan: BodyPlan, lesions: Sequence[Lesion], enlargement: _Enlargement
) -> tuple[Annotation, list[Lesion]]:
    """The contours within the picture, and the lesions that reach into it."""
    vertebrae, levels = label_bodies(canvas, plan.spine)
    body_labels = enlargement.labels(vertebrae)
    # Some bodies lie only in the margin, which the picture leaves out, or in a black band.
    levels = {k: level for k, level in levels.items() if (body_labels == k).any()}
    outlines = [(lesion, enlargement.labels(lesion.mask)) for lesion in lesions]
    # No reader contours the last row of one whose rest lies beyond the border.
    least = LEAST_CM2 / 2 * (100 * enlargement.factor**2 / canvas.pixel_mm**2)
    outlines = [(lesion, mask) for lesion, mask in outlines if mask.sum((1, 2)).max() >= least]
    labels = np.zeros(body_labels.shape, dtype=np.uint16)
    for label, (_, mask) in enumerate(outlines, 1):
        labels[mask] = label
    annotation = Annotation(labels, body_labels, levels, reader="phantom")
    return annotation, [lesion for lesion, _ in outlines]


def _paint(
    canvas: Canvas,
    plan: BodyPlan,
    looks: Looks,
    streams: Sequence[np.random.Generator],
    disease: tuple[int | None, str] | None,
) -> tuple[npt.NDArray[np.floating], list[Lesion]]:
    """The whole patient, from the skin inwards; the skin of the back, and the lesions."""
    # Streams of their own, so that another number of lesions changes nothing else.
    for_trunk, for_column, for_mimics, for_disease = streams
    trunk = paint_trunk(canvas, plan, looks, for_trunk)
    paint_organs(canvas, plan, looks, for_trunk, trunk)
    paint_vessels(canvas, plan, looks, for_trunk)
    paint_column(canvas, plan, looks, draw_fat_shares(plan.spine, looks, for_column), for_column)
    paint_mimics(canvas, plan, looks, for_mimics)
    lesions = paint_disease(canvas, plan, looks, for_disease, *disease) if disease else []
    _roughen(canvas, for_trunk)
    return trunk.rear, lesions


@dataclass(frozen=True)
class _Enlargement:
    """From the canvas to the picture: the rows that are seen, and finer pixels between.

    Attributes
    ----------
    factor : int
        Pixels of the picture for one of the canvas, along each side.
    rows : slice
        Of the canvas.
    window : tuple of slice
        Rows and columns of the picture, before its pixels are made finer, that hold signal.
    """

    factor: int
    rows: slice
    window: tuple[slice, slice]

    def image(self, pixels: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Interpolated, if pixels are finer; its rows were chosen before."""
        if self.factor == 1:
            return pixels
        zoom = (1, self.factor, self.factor)
        fine = ndimage.zoom(
            pixels.astype(np.float32), zoom, order=1, mode="nearest", grid_mode=True
        )
        return np.asarray(np.round(fine), dtype=np.int16)

    def labels(self, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The same of a mask, or of numbers; nothing where the picture is black."""
        picture = np.zeros_like(labels[:, self.rows])
        seen = (slice(None), *self.window)
        picture[seen] = labels[:, self.rows][seen]
        return picture.repeat(self.factor, axis=1).repeat(self.factor, axis=2)

    def affine(self, affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Of the picture: its first pixel begins where that of the canvas does."""
        inner = np.diag([1.0, 1 / self.factor, 1 / self.factor, 1.0])
        inner[1:3, 3] = (1 / self.factor - 1) / 2
        return np.asarray(np.round(affine @ inner, 12))


def check_contrasts(contrasts: Sequence[str]) -> None:
    """Refuse contrasts that there are not.

    Parameters
    ----------
    contrasts : sequence of str

    Raises
    ------
    SpinemetError
        If one is unknown or named twice, or there is none.
    """
    for contrast in contrasts:
        if contrast not in CONTRASTS:
            raise SpinemetError(
                f"A contrast is one of {', '.join(CONTRASTS)}, not '{contrast}'; name some of them."
            )
    if not contrasts or len(set(contrasts)) < len(contrasts):
        raise SpinemetError("Name one contrast at least, and each of them once.")


def _draw_stack(rng: np.random.Generator, plan: BodyPlan, pixel_mm: float | None) -> _Stack:
    spacing = round(float(rng.uniform(3.0, 5.0)), 2)
    slices = int(np.clip(round(rng.uniform(44, 80) / spacing), *SLICES))
    usual = float(rng.choice(_PIXELS_MM))
    if plan.field_mm > 380:
        usual = max(usual, 0.78)
    pixel = pixel_mm or usual
    fine = 2 if pixel_mm is None and pixel < _FINEST_MM else 1
    return _Stack(slices, spacing, pixel * fine, fine)


def _draw_protocols(
    contrasts: Sequence[str], field_t: float, rng: np.random.Generator
) -> list[Protocol]:
    """One each, always of all that there are: the patient must not depend on what is asked for."""
    protocols = {contrast: draw_protocol(contrast, field_t, rng) for contrast in CONTRASTS}
    return [protocols[contrast] for contrast in contrasts]


def _roughen(canvas: Canvas, rng: np.random.Generator) -> None:
    """No tissue is quite even."""
    pixel = canvas.pixel_mm
    for strength, planes, mm in ((0.05, 6, 14), (0.035, 2, 3)):
        scale = max(1.5, mm / pixel)
        noise = smooth_noise(rng, canvas.shape, (planes, scale, scale))
        canvas.values *= np.clip(1 + strength * noise, 0.5, 1.5)


def _make_canvas(
    plan: BodyPlan, hardware: Hardware, stack: _Stack, images: int
) -> tuple[Canvas, Window]:
    """Rows above and below the picture too, where they come in at the other end."""
    margin_mm = hardware.wrap_mm if hardware.phase_axis == 1 else 0.0
    margin = int(np.ceil(margin_mm / stack.pixel_mm))
    rows = round(plan.field_mm / stack.pixel_mm)
    canvas = Canvas(
        stack.slices,
        stack.spacing_mm,
        stack.pixel_mm,
        plan.field_mm,
        channels=2 * images,
        height_mm=(rows + 2 * margin) * stack.pixel_mm,
        first_z_mm=-margin * stack.pixel_mm,
    )
    return canvas, Window(margin, margin + rows)


def _draw_metal(plan: BodyPlan, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Screws in some bodies of a few patients."""
    if rng.random() > 0.03:
        return []
    vertebrae = plan.spine.vertebrae
    first = int(rng.integers(max(1, len(vertebrae) - 2)))
    return [
        v.point(0, v.half[1] * 0.6, side * v.half[2] * 0.5)
        for v in vertebrae[first : first + int(rng.integers(2, 4))]
        for side in (-1, 1)
    ]


def _header_of(protocol: Protocol) -> dict[str, Any]:
    """What the scanner writes of its sequence."""
    header: dict[str, Any] = {
        "RepetitionTime": f"{protocol.repetition_ms:.0f}",
        "EchoTime": f"{protocol.echo_ms:.0f}",
        "MagneticFieldStrength": f"{protocol.field_t:g}",
        "ScanningSequence": "SE" if protocol.inversion_ms is None else ["SE", "IR"],
        "PixelBandwidth": f"{protocol.bandwidth_hz:.0f}",
    }
    header["InversionTime"] = (
        None if protocol.inversion_ms is None else f"{protocol.inversion_ms:.0f}"
    )
    if protocol.contrast == "t2fs":
        header["ScanOptions"] = "FS"
    if protocol.contrast == "water":
        header["ImageType"] = ["DERIVED", "PRIMARY", "DIXON", "WATER"]
    return header
