"""Lesions put into a real series whose vertebrae are contoured, for trials on real anatomy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...errors import SpinemetError
from ...imaging import Annotation, SagittalSeries
from ..canvas import FloatArray, smooth_noise
from ..growth import MIN_AREA_CM2, draw_areas, grow, outline_lesion
from .body_frame import BodyFrame, find_body_frame, measure_surroundings
from .faceted import faceted_distances, faceted_texture

MODERATE = (0.35, 1.0)
"""Contrasts of a trial: of the way from the body's marrow to cerebrospinal fluid."""
LOBED, FACETED = "lobed", "faceted"
FAMILIES = (LOBED, FACETED)
_PLANES = 3  # in each slice, as many as the phantom has
_LENGTH_MM = (9.0, 21.0)  # three to seven slices of the phantom
_TRIES = 60


@dataclass(frozen=True, eq=False)
class Implant:
    """One lesion that was put in.

    Attributes
    ----------
    level : str
        Of the vertebra; empty where its contours name none.
    mask : numpy.ndarray
        ``(slice, row, column)`` bool: where lesion fills at least half of the voxel.
    contrast : float
        How far of the way from marrow to cerebrospinal fluid its intensity lies.
    marrow, fluid : float
        Intensities of that body and of the canal behind it and its neighbours, as measured.
    """

    level: str
    mask: npt.NDArray[np.bool_]
    contrast: float
    marrow: float
    fluid: float


def implant_lesion(
    series: SagittalSeries,
    annotation: Annotation,
    label: int,
    rng: np.random.Generator,
    *,
    contrast: float,
    family: str = LOBED,
) -> tuple[SagittalSeries, Annotation, Implant]:
    """Put a lesion into one vertebral body.

    Shape and extent are drawn as the phantom's are. The tissue gives way to an intensity
    between the body's own marrow and the fluid in the canal nearby; the noise of the scan stays
    as it was.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        With vertebrae; lesions it has stay.
    label : int
        Of the vertebra.
    rng : numpy.random.Generator
    contrast : float
        0 for marrow, 1 for cerebrospinal fluid.
    family : {"lobed", "faceted"}
        The phantom's own shapes, or those of :mod:`.faceted`.

    Returns
    -------
    tuple of SagittalSeries, Annotation and Implant
        Copies with the lesion in them, and what was put in.

    Raises
    ------
    SpinemetError
        If there is no such vertebra or family, or no room in it.
    """
    if family not in FAMILIES:
        raise SpinemetError(f"Implants are {' or '.join(FAMILIES)}, not '{family}'.")
    body = find_body_frame(annotation.vertebrae, label, series.spacing_mm)
    name = annotation.levels.get(label) or f"number {label}"
    marrow, fluid = measure_surroundings(series, annotation, label)
    for _ in range(_TRIES):
        shape = _draw_shape(body, series.spacing_mm, rng, family)
        if shape is not None and not (shape[1] & (annotation.lesions > 0)).any():
            break
    else:
        raise SpinemetError(
            f"Vertebra {name} has no room for a lesion of {MIN_AREA_CM2} cm²; check its contours."
        )
    share, mask = shape
    _, row_mm, column_mm = series.spacing_mm
    if family == LOBED:
        blur = rng.uniform(0.4, 2.0)
        soft = ndimage.gaussian_filter(share, (0, blur / row_mm, blur / column_mm))
        uneven = 1 + rng.uniform(0.03, 0.15) * smooth_noise(rng, soft.shape, (1.3, 6, 6))
    else:
        edge = (1, *(max(1, round(rng.uniform(1, 2) / mm)) for mm in (row_mm, column_mm)))
        soft = ndimage.uniform_filter(share, edge)
        uneven = faceted_texture(soft.shape, rng)
    # Fine grain is the scanner's and stays; what is coarser is the tissue that gives way.
    coarse = ndimage.gaussian_filter(series.voxels, (0, 1.5 / row_mm, 1.5 / column_mm))
    target = (marrow + contrast * (fluid - marrow)) * uneven
    voxels = (series.voxels + soft * (target - coarse)).astype(np.float32)
    lesions = annotation.lesions.copy()
    lesions[mask] = int(lesions.max()) + 1
    implant = Implant(annotation.levels.get(label, ""), mask, contrast, marrow, fluid)
    return replace(series, voxels=voxels), replace(annotation, lesions=lesions), implant


def _draw_shape(
    body: BodyFrame,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    family: str,
) -> tuple[FloatArray, npt.NDArray[np.bool_]] | None:
    """Share of lesion in each voxel and the mask, or None if it does not fit."""
    slice_mm, row_mm, column_mm = spacing
    distance = (
        _draw_distances(body, spacing, rng)
        if family == LOBED
        else faceted_distances(body, len(body.mask), rng)
    )
    slices = np.flatnonzero(body.mask.any(axis=(1, 2)))
    length = rng.uniform(*_LENGTH_MM) / slice_mm
    slack = len(slices) - length
    if slack < 0:
        length, slack = float(len(slices)), 0.0
    # Ends fall anywhere within a slice, so that the last ones are partly filled.
    start = slices[0] + rng.uniform(0, slack)
    planes = (np.arange(_PLANES * len(distance)) + 0.5) / _PLANES
    areas = draw_areas((planes - start) / length, rng)
    pixel_cm2 = row_mm * column_mm / 100
    cover = grow(np.repeat(distance, _PLANES, axis=0), areas, pixel_cm2)
    if cover is None:
        return None
    share = cover.reshape(len(distance), _PLANES, *cover.shape[1:]).mean(axis=1, dtype=np.float32)
    # How many slices 21 mm are depends on the scan, so there is no most.
    mask = outline_lesion(share, pixel_cm2, 2, len(distance))
    return None if mask is None else (share.astype(np.float32), mask)


def _draw_distances(
    body: BodyFrame, spacing: tuple[float, float, float], rng: np.random.Generator
) -> FloatArray:
    """From a point in the body, in halves of it; infinite where no lesion may be."""
    slice_mm, row_mm, column_mm = spacing
    room = np.stack([ndimage.binary_erosion(m) if m.any() else m for m in body.mask])
    if rng.random() < 0.4:  # through the front or side wall into soft tissue, never into the discs
        reach = rng.uniform(2, 6)
        beside_body = np.stack(
            [ndimage.distance_transform_edt(~m, sampling=spacing[1:]) < reach for m in body.mask]
        )
        beside_body &= np.expand_dims(body.mask.any(axis=(1, 2)), (1, 2))
        room |= beside_body & (np.abs(body.axial_position) < 0.95) & (body.depth_position < 0.9)
    seat = rng.uniform(-0.45, 0.45, 2)
    stretch = rng.uniform(0.75, 1.35)
    grain = (18 / slice_mm, 9 / row_mm, 9 / column_mm)
    lobes = smooth_noise(rng, room.shape, grain) * rng.uniform(0.05, 0.3)
    du = (body.axial_position - seat[0]) * stretch
    dv = (body.depth_position - seat[1]) / stretch
    return np.where(room, np.hypot(du, dv)[None] + lobes, np.inf).astype(np.float32)
