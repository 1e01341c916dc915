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
from .body_frame import BodyFrame, find_body_frame, measure_surroundings

LEAST_IN_BODY = 0.5
"""So much of a mimic lies in its body at least; a bladder or a vessel does not."""
BESIDE_BODY_MM = 3.0
"""So far from a body a mimic still belongs to it."""
SHARES = (-0.5, 2.0)
"""Of the way from marrow to fluid: what lies beyond is taken for these."""
_EDGE_MM = 1.0


@dataclass(frozen=True, eq=False)
class Mimic:
    """A piece of a scan in and at a body, as shares of the way from marrow to fluid.

    Attributes
    ----------
    shares : numpy.ndarray
        float32 ``(slice, row, column)`` of the piece alone; 0 is marrow, 1 fluid.
    cover : numpy.ndarray
        Same shape, 0 to 1: how far each pixel belongs to it.
    first_slice : float
        Of the first one, from the middle of the body.
    slice_mm : float
        From one to the next.
    origin : numpy.ndarray
        ``(2,)``: position of the first pixel along and across the body, as
        :class:`.BodyFrame` has them.
    per_pixel : numpy.ndarray
        ``(2, 2)``: how much these change by a row, and by a column.
    """

    shares: FloatArray
    cover: FloatArray
    first_slice: float
    slice_mm: float
    origin: npt.NDArray[np.float64]
    per_pixel: npt.NDArray[np.float64]


def cut_out_mimics(series: SagittalSeries, annotation: Annotation) -> list[Mimic]:
    """The mimics of a scan that lie in bodies; not those in soft tissue.

    Two that face each other across a disc belong to their own bodies.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        With vertebrae, and mimics if there are any.
    """
    vertebrae = annotation.vertebrae
    if annotation.mimics is None or len(order_vertebrae(vertebrae)) < 2:
        return []
    sampling = (1e3, *series.spacing_mm[1:])  # within the slices
    distance_mm, nearest = ndimage.distance_transform_edt(
        vertebrae == 0, sampling=sampling, return_indices=True
    )
    owners = np.where(distance_mm <= BESIDE_BODY_MM, vertebrae[tuple(nearest)], 0)
    whole_pieces, _ = ndimage.label(annotation.mimics, np.ones((3, 3, 3)))
    in_bodies = np.bincount(whole_pieces[vertebrae > 0], minlength=whole_pieces.max() + 1)
    sizes = np.bincount(whole_pieces.ravel())
    is_of_bodies = (in_bodies >= LEAST_IN_BODY * sizes)[whole_pieces] & annotation.mimics
    mimics = []
    for label in np.unique(owners[is_of_bodies]):
        pieces, count = ndimage.label(is_of_bodies & (owners == label), np.ones((3, 3, 3)))
        for number in range(1, count + 1):
            mask = pieces == number
            if (mask & (vertebrae == label)).any():
                mimics.append(_cut_out(series, annotation, mask, int(label)))
    return [mimic for mimic in mimics if mimic is not None]


def _cut_out(
    series: SagittalSeries, annotation: Annotation, mask: npt.NDArray[np.bool_], label: int
) -> Mimic | None:
    try:
        body = find_body_frame(annotation.vertebrae, label, series.spacing_mm)
        marrow, fluid = _measure(series, annotation, label)
    except SpinemetError:  # its canal is not seen, so there is nothing to compare with
        return None
    slice_mm, row_mm, column_mm = series.spacing_mm
    cover = ndimage.gaussian_filter(
        mask.astype(np.float32), (0, _EDGE_MM / row_mm, _EDGE_MM / column_mm)
    )
    (box,) = ndimage.find_objects((cover > 0.01).astype(np.uint8))
    shares = np.clip((series.voxels[box] - marrow) / (fluid - marrow), *SHARES)
    origin, per_pixel = _linear_map(body)
    corner = np.array([box[1].start, box[2].start], dtype=float)
    return Mimic(
        shares.astype(np.float32),
        cover[box],
        box[0].start - _middle(body),
        slice_mm,
        origin + per_pixel @ corner,
        per_pixel,
    )


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
        If there is no such vertebra, its canal is not seen, none of the mimic would be seen in
        it, or it would lie over a lesion or over what is uncertain.
    """
    body = find_body_frame(annotation.vertebrae, label, series.spacing_mm)
    marrow, fluid = _measure(series, annotation, label)
    slices, places = _positions(body, mimic, series.spacing_mm[0], rng)
    cover, shares = (
        ndimage.map_coordinates(part, places, order=1, mode="constant", cval=0.0)
        for part in (mimic.cover, mimic.shares)
    )
    has_something = annotation.lesions[slices] > 0
    if annotation.uncertain is not None:
        has_something = has_something | annotation.uncertain[slices]
    if has_something[cover > 0].any():
        raise SpinemetError(f"At vertebra {label} a mimic would lie over something else.")
    is_mimic = np.zeros(series.shape, dtype=bool)
    is_mimic[slices] = cover >= 0.5
    if not is_mimic.any():
        raise SpinemetError(f"Vertebra {label} has no slice where the mimic would be seen.")
    if annotation.mimics is not None:
        is_mimic |= annotation.mimics
    voxels = series.voxels.copy()
    former = voxels[slices]
    voxels[slices] = former + cover * (marrow + shares * (fluid - marrow) - former)
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
    positions = np.stack([axial_sign * body.axial_position, body.depth_position])
    from_origin = positions.reshape(2, -1) - mimic.origin[:, None]
    rows, columns = np.linalg.solve(mimic.per_pixel, from_origin).reshape(positions.shape)
    offset_mm = (np.arange(slices.start, slices.stop) - _middle(body)) * slice_mm
    # The nearest slice: between two of them everything would be half as bright.
    depth = np.rint(side_sign * offset_mm / mimic.slice_mm - mimic.first_slice)
    shape = (len(depth), *rows.shape)
    places = np.stack(
        [
            np.broadcast_to(depth[:, None, None], shape),
            np.broadcast_to(rows, shape),
            np.broadcast_to(columns, shape),
        ]
    )
    return slices, places.astype(np.float32)


def _middle(body: BodyFrame) -> float:
    """Number of its middle slice."""
    return float(np.flatnonzero(body.mask.any(axis=(1, 2))).mean())


def _linear_map(body: BodyFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Positions along and across a body at the first pixel, and how they change by a pixel.

    Both are linear in row and column, so that three pixels tell all.
    """
    fields = np.stack([body.axial_position, body.depth_position]).astype(float)
    origin = fields[:, 0, 0]
    per_pixel = np.stack([fields[:, -1, 0] - origin, fields[:, 0, -1] - origin], axis=1)
    return origin, per_pixel / (np.array(fields.shape[1:]) - 1.0)


def _measure(series: SagittalSeries, annotation: Annotation, label: int) -> tuple[float, float]:
    """Marrow of a body where it is healthy, and the fluid behind it and its neighbours."""
    if annotation.mimics is not None:
        # What is no marrow is none here either, whether it is a lesion or not.
        lesions = np.where(annotation.mimics, 1, annotation.lesions)
        annotation = replace(annotation, lesions=lesions)
    return measure_surroundings(series, annotation, label)


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
