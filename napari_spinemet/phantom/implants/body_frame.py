"""A contoured vertebral body, its axes, and what is measured in it and behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import SpinemetError
from ...imaging import Annotation, SagittalSeries
from ...imaging.vertebra_levels import order_vertebrae, vertebra_centres
from ..canvas import FloatArray


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """A vertebral body and its axes in the plane of the slices.

    Attributes
    ----------
    mask : numpy.ndarray
        ``(slice, row, column)`` bool.
    axial_position : numpy.ndarray
        ``(row, column)``, from -1 at its upper to 1 at its lower endplate, and on.
    depth_position : numpy.ndarray
        ``(row, column)``, from -1 at its front to 1 at its back wall, and on.
    half_depth_mm : float
        From its middle to its back wall.
    """

    mask: npt.NDArray[np.bool_]
    axial_position: FloatArray
    depth_position: FloatArray
    half_depth_mm: float

    @property
    def behind_wall_mm(self) -> FloatArray:
        """``(row, column)``: how far behind the back wall; negative before it."""
        return (self.depth_position - 1) * self.half_depth_mm

    @property
    def inner_mask(self) -> npt.NDArray[np.bool_]:
        """``(slice, row, column)``: the body without its edges, where bone and disc mix in."""
        return self.mask & (np.abs(self.axial_position) < 0.7) & (np.abs(self.depth_position) < 0.7)


def find_body_frame(
    vertebrae: npt.NDArray[np.unsignedinteger], label: int, spacing: tuple[float, float, float]
) -> BodyFrame:
    """One of several contoured bodies; its neighbours tell which way the spine runs.

    Parameters
    ----------
    vertebrae : numpy.ndarray
        ``(slice, row, column)`` labels of all that are contoured.
    label : int
        Of the body.
    spacing : tuple of float
        Of the series, in mm.

    Raises
    ------
    SpinemetError
        If there is none of that number, or no other.
    """
    order = order_vertebrae(vertebrae)
    if label not in order:
        raise SpinemetError(
            f"There is no vertebra with number {label}; there are {', '.join(map(str, order))}."
        )
    if len(order) < 2:
        raise SpinemetError("One vertebra alone does not show where the spine runs; contour two.")
    centres = {
        k: centre[1:] * np.array(spacing[1:]) for k, centre in vertebra_centres(vertebrae).items()
    }
    rank = order.index(label)
    upper, lower = order[max(rank - 1, 0)], order[min(rank + 1, len(order) - 1)]
    axis = centres[lower] - centres[upper]
    axis /= np.linalg.norm(axis)
    mask = vertebrae == label
    rows, columns = (
        (np.arange(n) * mm - c).astype(np.float32)
        for n, mm, c in zip(mask.shape[1:], spacing[1:], centres[label], strict=True)
    )
    axial_mm = axis[0] * rows[:, None] + axis[1] * columns[None, :]
    depth_mm = axis[0] * columns[None, :] - axis[1] * rows[:, None]
    projection = mask.any(axis=0)
    axes = []
    for coordinate in (axial_mm, depth_mm):
        # Not the very ends, which hang on a pixel or two of the contour.
        first, last = np.percentile(coordinate[projection], (3, 97))
        half_mm = (last - first) / 2
        axes.append(((coordinate - (first + last) / 2) / half_mm, half_mm))
    (axial, _), (depth, half_depth_mm) = axes
    return BodyFrame(mask, axial.astype(np.float32), depth.astype(np.float32), float(half_depth_mm))


def measure_marrow(series: SagittalSeries, annotation: Annotation, body: BodyFrame) -> float:
    """Median of the body away from its edges, where it is healthy.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        On the grid of the series; its lesions are left out.
    body : BodyFrame
        From the same annotation.
    """
    inner = body.inner_mask & (annotation.lesions == 0)
    if not inner.any():
        inner = body.mask
    return float(np.median(series.voxels[inner]))


def measure_fluid(series: SagittalSeries, body: BodyFrame) -> float:
    """The canal behind the body, in the slice where it is brightest.

    Parameters
    ----------
    series : SagittalSeries
    body : BodyFrame
        From an annotation on the grid of the series.

    Returns
    -------
    float
        Its 90th percentile, since roots and epidural fat lie in it too; 0 if none of it is in
        the picture.
    """
    canal = (np.abs(body.axial_position) < 1) & (body.behind_wall_mm > 2)
    canal &= body.behind_wall_mm < 22
    slices = np.flatnonzero(body.mask.any(axis=(1, 2)))
    values = series.voxels[slices][:, canal]
    return float(np.percentile(values, 90, axis=1).max()) if values.size else 0.0


def measure_surroundings(
    series: SagittalSeries, annotation: Annotation, label: int
) -> tuple[float, float]:
    """Intensity of a body's marrow, and of the fluid behind it and its neighbours.

    Parameters
    ----------
    series : SagittalSeries
    annotation : Annotation
        On the grid of the series.
    label : int
        Of the body.

    Raises
    ------
    SpinemetError
        If nothing behind it is brighter than its marrow.
    """
    order = order_vertebrae(annotation.vertebrae)
    rank = order.index(label)
    # At the sacrum the canal narrows, and its fluid is better seen one body higher.
    frames = {
        k: find_body_frame(annotation.vertebrae, k, series.spacing_mm)
        for k in order[max(rank - 1, 0) : rank + 2]
    }
    marrow = measure_marrow(series, annotation, frames[label])
    fluid = max(measure_fluid(series, frame) for frame in frames.values())
    if fluid <= marrow:
        raise SpinemetError(
            f"Behind vertebra {annotation.levels.get(label) or f'number {label}'} nothing is "
            "brighter than its marrow, so that the canal is not seen; choose a fat-suppressed T2 "
            "series whose middle slices show it."
        )
    return marrow, fluid
