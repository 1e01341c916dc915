"""Lesions put into a real series whose vertebrae are contoured, for trials on real anatomy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..errors import SpinemetError
from ..imaging import Annotation, SagittalSeries
from ..imaging.vertebra_levels import from_head_to_feet
from .canvas import FloatArray, smooth_noise
from .growth import MAX_AREA_CM2, MIN_AREA_CM2, grow, main_part, wanted_areas

MODERATE = (0.35, 1.0)
"""Contrasts of a trial: of the way from the body's marrow to cerebrospinal fluid."""
_PLANES = 3
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


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """A vertebral body and its axes in the plane of the slices.

    Attributes
    ----------
    mask : numpy.ndarray
        ``(slice, row, column)`` bool.
    along : numpy.ndarray
        ``(row, column)``, from -1 at its upper to 1 at its lower endplate, and on.
    behind : numpy.ndarray
        ``(row, column)``, from -1 at its front to 1 at its back wall, and on.
    half_depth_mm : float
    """

    mask: npt.NDArray[np.bool_]
    along: FloatArray
    behind: FloatArray
    half_depth_mm: float


def implant_lesion(
    series: SagittalSeries,
    annotation: Annotation,
    label: int,
    rng: np.random.Generator,
    *,
    contrast: float,
) -> tuple[SagittalSeries, Annotation, Implant]:
    """Put a lesion into one vertebral body.

    Shape and extent are drawn as the phantom's are. The tissue's place is taken by an
    intensity between the body's own marrow and the fluid in the canal nearby; the noise of the
    scan stays where it was.

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

    Raises
    ------
    SpinemetError
        If there is no such vertebra, or no room in it.
    """
    body = body_frame(annotation.vertebrae, label, series.spacing_mm)
    order = from_head_to_feet(annotation.vertebrae)
    at = order.index(label)
    # At the sacrum the canal narrows, and its fluid is better seen one body higher.
    near = [
        body_frame(annotation.vertebrae, k, series.spacing_mm)
        for k in order[max(at - 1, 0) : at + 2]
    ]
    marrow = healthy_marrow(series, annotation, body)
    fluid = max(canal_fluid(series, each) for each in near)
    name = annotation.levels.get(label) or f"number {label}"
    if fluid <= marrow:
        raise SpinemetError(
            f"Behind vertebra {name} nothing is brighter than its marrow, so that the canal is not "
            "seen; choose a fat-suppressed T2 series whose middle slices show it."
        )
    for _ in range(_TRIES):
        drawn = _draw(body, series.spacing_mm, rng)
        if drawn is not None and not (drawn[1] & (annotation.lesions > 0)).any():
            break
    else:
        raise SpinemetError(
            f"Vertebra {name} has no room for a lesion of {MIN_AREA_CM2} cm²; check its contours."
        )
    share, mask = drawn
    _, row_mm, column_mm = series.spacing_mm
    blur = rng.uniform(0.4, 2.0)
    soft = ndimage.gaussian_filter(share, (0, blur / row_mm, blur / column_mm))
    uneven = 1 + rng.uniform(0.03, 0.15) * smooth_noise(rng, soft.shape, (1.3, 6, 6))
    # Fine grain is the scanner's and stays; what is coarser is the tissue whose place is taken.
    coarse = ndimage.gaussian_filter(series.voxels, (0, 1.5 / row_mm, 1.5 / column_mm))
    target = (marrow + contrast * (fluid - marrow)) * uneven
    voxels = (series.voxels + soft * (target - coarse)).astype(np.float32)
    lesions = annotation.lesions.copy()
    lesions[mask] = int(lesions.max()) + 1
    implant = Implant(annotation.levels.get(label, ""), mask, contrast, marrow, fluid)
    return replace(series, voxels=voxels), replace(annotation, lesions=lesions), implant


def body_frame(
    vertebrae: npt.NDArray[np.unsignedinteger], label: int, spacing: tuple[float, float, float]
) -> BodyFrame:
    """One of several contoured bodies; which way the spine runs is told by its neighbours.

    Raises
    ------
    SpinemetError
        If there is none of that number, or no other.
    """
    order = from_head_to_feet(vertebrae)
    if label not in order:
        raise SpinemetError(
            f"There is no vertebra with number {label}; there are {', '.join(map(str, order))}."
        )
    if len(order) < 2:
        raise SpinemetError("One vertebra alone does not show where the spine runs; contour two.")
    centres = {
        k: np.argwhere(vertebrae == k).mean(axis=0)[1:] * np.array(spacing[1:]) for k in order
    }
    at = order.index(label)
    upper, lower = order[max(at - 1, 0)], order[min(at + 1, len(order) - 1)]
    axis = centres[lower] - centres[upper]
    axis /= np.linalg.norm(axis)
    mask = vertebrae == label
    rows, columns = (
        (np.arange(n) * mm - c).astype(np.float32)
        for n, mm, c in zip(mask.shape[1:], spacing[1:], centres[label], strict=True)
    )
    along = axis[0] * rows[:, None] + axis[1] * columns[None, :]
    behind = axis[0] * columns[None, :] - axis[1] * rows[:, None]
    shown = mask.any(axis=0)
    frame = []
    for coordinate in (along, behind):
        first, last = np.percentile(coordinate[shown], (3, 97))
        frame.append(((coordinate - (first + last) / 2) / ((last - first) / 2), (last - first) / 2))
    (along, _), (behind, depth) = frame
    return BodyFrame(mask, along.astype(np.float32), behind.astype(np.float32), float(depth))


def healthy_marrow(series: SagittalSeries, annotation: Annotation, body: BodyFrame) -> float:
    """Median of the body away from its edges, where it is healthy."""
    inner = body.mask & (np.abs(body.along) < 0.7) & (np.abs(body.behind) < 0.7)
    inner &= annotation.lesions == 0
    if not inner.any():
        inner = body.mask
    return float(np.median(series.voxels[inner]))


def canal_fluid(series: SagittalSeries, body: BodyFrame) -> float:
    """The canal behind the body, in the slice where it is brightest."""
    away = (body.behind - 1) * body.half_depth_mm
    canal = (np.abs(body.along) < 1) & (away > 2) & (away < 22)
    slices = np.flatnonzero(body.mask.any(axis=(1, 2)))
    behind = series.voxels[slices][:, canal]
    return float(np.percentile(behind, 90, axis=1).max()) if behind.size else 0.0


def _draw(
    body: BodyFrame, spacing: tuple[float, float, float], rng: np.random.Generator
) -> tuple[FloatArray, npt.NDArray[np.bool_]] | None:
    """Share of lesion in each voxel and the mask, or None if it does not fit."""
    slice_mm, row_mm, column_mm = spacing
    allowed = np.stack([ndimage.binary_erosion(m) if m.any() else m for m in body.mask])
    if rng.random() < 0.4:  # through the front or side wall into soft tissue, never into the discs
        reach = rng.uniform(2, 6)
        beyond = np.stack(
            [ndimage.distance_transform_edt(~m, sampling=spacing[1:]) < reach for m in body.mask]
        )
        beyond &= np.expand_dims(body.mask.any(axis=(1, 2)), (1, 2))
        allowed |= beyond & (np.abs(body.along) < 0.95) & (body.behind < 0.9)
    seat = rng.uniform(-0.45, 0.45, 2)
    stretch = rng.uniform(0.75, 1.35)
    grain = (18 / slice_mm, 9 / row_mm, 9 / column_mm)
    lobes = smooth_noise(rng, allowed.shape, grain) * rng.uniform(0.05, 0.3)
    du = (body.along - seat[0]) * stretch
    dv = (body.behind - seat[1]) / stretch
    distance = np.where(allowed, np.hypot(du, dv)[None] + lobes, np.inf).astype(np.float32)

    slices = np.flatnonzero(body.mask.any(axis=(1, 2)))
    length = rng.uniform(*_LENGTH_MM) / slice_mm
    room = len(slices) - length
    if room < 0:
        length, room = float(len(slices)), 0.0
    # Ends fall anywhere within a slice, so that the last ones are partly filled.
    start = slices[0] + rng.uniform(0, room)
    planes = (np.arange(_PLANES * len(distance)) + 0.5) / _PLANES
    areas = wanted_areas((planes - start) / length, rng)
    pixel_cm2 = row_mm * column_mm / 100
    cover = grow(np.repeat(distance, _PLANES, axis=0), areas, pixel_cm2)
    if cover is None:
        return None
    share = cover.reshape(len(distance), _PLANES, *cover.shape[1:]).mean(axis=1, dtype=np.float32)
    mask = np.stack([main_part(plane) for plane in share >= 0.5])
    present = mask.sum(axis=(1, 2)) * pixel_cm2
    present = present[present > 0]
    if len(present) < 2 or present.min() < MIN_AREA_CM2 or present.max() > MAX_AREA_CM2:
        return None
    return share.astype(np.float32), mask
