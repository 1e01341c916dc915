"""What was taken for a lesion in one body, put into another: there it is none either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...errors import SpinemetError
from ...imaging import Annotation, SagittalSeries
from ...imaging.vertebra_levels import order_vertebrae
from ..canvas import FloatArray
from .body_frame import BodyFrame, find_body_frame, measure_fluid, measure_marrow

LEAST_IN_BODY = 0.5
"""So much of a mimic lies in one body at least; a bladder or a vessel is nowhere else."""
_EDGE_MM = 1.0


@dataclass(frozen=True, eq=False)
class Mimic:
    """A piece of a body, as shares of the way from its marrow to the fluid behind it.

    Attributes
    ----------
    shares : numpy.ndarray
        float32 ``(slice, row, column)`` of the body's slices, 0 for marrow, 1 for fluid.
    cover : numpy.ndarray
        Same shape, 0 to 1: how far each pixel belongs to it.
    body : BodyFrame
        Where it lies, with a mask of these slices.
    slice_mm : float
        From one to the next.
    """

    shares: FloatArray
    cover: FloatArray
    body: BodyFrame
    slice_mm: float


def cut_out_mimics(series: SagittalSeries, annotation: Annotation) -> list[Mimic]:
    """The mimics of a scan that lie in bodies; not those in soft tissue.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        With vertebrae, and mimics if there are any.
    """
    if annotation.mimics is None or len(order_vertebrae(annotation.vertebrae)) < 2:
        return []
    pieces, count = ndimage.label(annotation.mimics, np.ones((3, 3, 3)))
    mimics = []
    for number in range(1, count + 1):
        mask = pieces == number
        labels = np.bincount(annotation.vertebrae[mask])
        labels[0] = 0
        if labels.sum() and labels.max() >= LEAST_IN_BODY * mask.sum():
            mimics.append(_cut_out(series, annotation, mask, int(labels.argmax())))
    return [mimic for mimic in mimics if mimic is not None]


def _cut_out(
    series: SagittalSeries, annotation: Annotation, mask: npt.NDArray[np.bool_], label: int
) -> Mimic | None:
    body = find_body_frame(annotation.vertebrae, label, series.spacing_mm)
    marrow, fluid = _measure(series, annotation, body)
    if fluid <= marrow:  # nothing to compare with in another scan
        return None
    numbers = np.flatnonzero((mask | body.mask).any(axis=(1, 2)))
    slices = slice(numbers[0], numbers[-1] + 1)
    slice_mm, row_mm, column_mm = series.spacing_mm
    cover = ndimage.gaussian_filter(
        mask[slices].astype(np.float32), (0, _EDGE_MM / row_mm, _EDGE_MM / column_mm)
    )
    shares = (series.voxels[slices] - marrow) / (fluid - marrow)
    return Mimic(shares.astype(np.float32), cover, replace(body, mask=body.mask[slices]), slice_mm)


def implant_mimic(
    series: SagittalSeries,
    annotation: Annotation,
    mimic: Mimic,
    label: int,
    rng: np.random.Generator,
) -> tuple[SagittalSeries, Annotation]:
    """Put a mimic into a body, at the place in it that it had in its own.

    It is as large as the body makes it, may be upside down or on the other side, and is as bright
    between the body's marrow and the fluid as it was.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        With vertebrae; its lesions stay.
    mimic : Mimic
    label : int
        Of the vertebra.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of SagittalSeries and Annotation
        Copies, of which the annotation has it among its mimics.

    Raises
    ------
    SpinemetError
        If there is no such vertebra, a lesion is in it, or its canal is not seen.
    """
    body = find_body_frame(annotation.vertebrae, label, series.spacing_mm)
    if annotation.lesions[body.mask].any():
        raise SpinemetError(f"Vertebra {label} has a lesion; a mimic would lie over it.")
    marrow, fluid = _measure(series, annotation, body)
    if fluid <= marrow:
        raise SpinemetError(f"Behind vertebra {label} nothing is brighter than its marrow.")
    slices, places = _positions(body, mimic, series.spacing_mm[0], rng)
    cover, shares = (
        ndimage.map_coordinates(part, places, order=1, mode="constant", cval=0.0)
        for part in (mimic.cover, mimic.shares)
    )
    voxels = series.voxels.copy()
    former = voxels[slices]
    voxels[slices] = former + cover * (marrow + shares * (fluid - marrow) - former)
    is_mimic = np.zeros(series.shape, dtype=bool)
    is_mimic[slices] = cover >= 0.5
    is_mimic &= annotation.lesions == 0
    if annotation.mimics is not None:
        is_mimic |= annotation.mimics
    return (
        replace(series, voxels=voxels.astype(np.float32)),
        replace(annotation, mimics=is_mimic),
    )


def _positions(
    body: BodyFrame, mimic: Mimic, slice_mm: float, rng: np.random.Generator
) -> tuple[slice, FloatArray]:
    """Slices of a body, and where in a mimic's pixels each of theirs lies ``(3, k, r, c)``."""
    numbers = np.flatnonzero(body.mask.any(axis=(1, 2)))
    slices = slice(numbers[0], numbers[-1] + 1)
    axial_sign, side_sign = rng.choice((-1.0, 1.0), 2)
    own_positions = np.stack([axial_sign * body.axial_position, body.depth_position])
    rows, columns = _pixels_at(mimic.body, own_positions)
    offset_mm = (np.arange(slices.start, slices.stop) - numbers.mean()) * slice_mm
    own_middle = np.flatnonzero(mimic.body.mask.any(axis=(1, 2))).mean()
    depth = own_middle + side_sign * offset_mm / mimic.slice_mm
    shape = (len(depth), *rows.shape)
    places = np.stack(
        [
            np.broadcast_to(depth[:, None, None], shape),
            np.broadcast_to(rows, shape),
            np.broadcast_to(columns, shape),
        ]
    )
    return slices, places.astype(np.float32)


def _pixels_at(body: BodyFrame, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rows and columns at which a body has these positions along and across its axis.

    Both are linear in row and column, so that three pixels tell all.
    """
    fields = np.stack([body.axial_position, body.depth_position]).astype(float)
    origin = fields[:, 0, 0]
    per_pixel = np.stack([fields[:, -1, 0] - origin, fields[:, 0, -1] - origin], axis=1)
    per_pixel /= np.array(fields.shape[1:]) - 1.0
    pixels = np.linalg.solve(per_pixel, (positions - origin[:, None, None]).reshape(2, -1))
    rows, columns = pixels.reshape(positions.shape)
    return rows, columns


def _measure(
    series: SagittalSeries, annotation: Annotation, body: BodyFrame
) -> tuple[float, float]:
    """Marrow of a body that is healthy, and the fluid behind it."""
    if annotation.mimics is None:
        return measure_marrow(series, annotation, body), measure_fluid(series, body)
    # What is no marrow is none here either, whether it is a lesion or not.
    others = replace(annotation, lesions=np.where(annotation.mimics, 1, annotation.lesions))
    return measure_marrow(series, others, body), measure_fluid(series, body)


def bodies_with_room(annotation: Annotation) -> Sequence[int]:
    """Numbers of bodies that hold neither a lesion nor a mimic, nor what is uncertain.

    Parameters
    ----------
    annotation : Annotation
    """
    has_something = annotation.lesions > 0
    for mask in (annotation.mimics, annotation.uncertain):
        if mask is not None:
            has_something = has_something | mask
    full_bodies = set(np.unique(annotation.vertebrae[has_something]).tolist())
    return [k for k in order_vertebrae(annotation.vertebrae) if k not in full_bodies]
