"""The centreline of a spine that was clicked, and the picture straightened along it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates

from ..errors import SpinemetError
from ..imaging.series import SagittalSeries

FloatArray = npt.NDArray[np.float64]
Click = tuple[float, float, float]

_NEAREST_MM = 8.0  # bodies of the neck are 17 mm apart, and clicks a little off

_KNOT_MM = 5.0
_LEANING_WEIGHT = 1e-6


def points_of(series: SagittalSeries, clicks: Sequence[Click]) -> FloatArray:
    """Clicks as points in mm, from the head to the feet.

    Parameters
    ----------
    series : SagittalSeries
        The scan that was clicked; gives the size of the picture and the spacing.
    clicks : sequence of tuple of float
        (slice, row, column) indices, one in each vertebral body, in any order; checked here.

    Returns
    -------
    numpy.ndarray
        ``(n, 3)`` float64, index times spacing.

    Raises
    ------
    SpinemetError
        If there is no click, one outside of the picture, or two in one body.
    """
    if not len(clicks):
        raise SpinemetError("No vertebra was clicked; click once into each vertebral body.")
    for click in clicks:
        # A pixel reaches half its size beyond its centre, hence the halves. NaN fails too.
        if not all(-0.5 <= at <= size - 0.5 for at, size in zip(click, series.shape, strict=True)):
            at = ", ".join(f"{value:.0f}" for value in click)
            raise SpinemetError(
                f"The click at slice, row, column {at} was beside the picture; click into it."
            )
    points = np.array(clicks, dtype=np.float64) * series.spacing_mm
    points = points[np.argsort(points[:, 1], kind="stable")]
    gaps = np.linalg.norm(np.diff(points[:, 1:], axis=0), axis=1)
    if (gaps < _NEAREST_MM).any():
        k = int(gaps.argmin())
        raise SpinemetError(
            f"Clicks {k + 1} and {k + 2} from the head are only {gaps[k]:.0f} mm apart; click "
            "each vertebral body once."
        )
    return points


class Centreline:
    """A smooth curve near points along the spine, straight on beyond its ends.

    Its coordinates are ``s``, the distance along it, and ``t``, the distance behind it. Each
    of slice, row and column minimises the squared distances to the points plus ``stiffness``
    times the integral of the squared second derivative: a penalised spline (Eilers and Marx,
    Flexible smoothing with B-splines and penalties, Statistical Science 11, 1996).

    Parameters
    ----------
    points_mm : numpy.ndarray
        ``(n, 3)`` float64, index times spacing along (slice, row, column), head to feet.
    stiffness : float
        In mm³, greater than 0. A small one goes through the points, a great one evens out
        clicks that are off the centre.
    margin_mm : float
        How far the curve goes on beyond the first and the last point.

    Attributes
    ----------
    points_s_mm : numpy.ndarray
        ``(n,)`` distance of each point along the curve, from 0.
    start_mm, end_mm : float
        The first and the last distance.
    """

    def __init__(self, points_mm: FloatArray, *, stiffness: float, margin_mm: float) -> None:
        steps = np.linalg.norm(np.diff(points_mm[:, 1:], axis=0), axis=1)
        self.points_s_mm: FloatArray = np.concatenate([[0.0], np.cumsum(steps)])
        self.start_mm, self.end_mm = -margin_mm, float(self.points_s_mm[-1]) + margin_mm
        count = max(5, int(np.ceil((self.end_mm - self.start_mm) / _KNOT_MM)) + 1)
        knots, step = np.linspace(self.start_mm, self.end_mm, count, retstep=True)
        # Linear interpolation from the knots to the points.
        knot_index = (self.points_s_mm - self.start_mm) / step
        low = np.minimum(knot_index.astype(int), count - 2)
        weights = np.zeros((len(points_mm), count))
        weights[np.arange(len(low)), low] = 1 - (knot_index - low)
        weights[np.arange(len(low)), low + 1] = knot_index - low
        bending = np.diff(np.eye(count), 2, axis=0) * step**-1.5
        # A trace of resistance to leaning, so that the spine of a single click is upright.
        leaning = np.diff(np.eye(count), axis=0)
        upright = np.outer(np.full(count - 1, step), (0.0, 1.0, 0.0))
        system = weights.T @ weights + stiffness * bending.T @ bending
        system += _LEANING_WEIGHT * leaning.T @ leaning
        right_side = weights.T @ points_mm + _LEANING_WEIGHT * leaning.T @ upright
        self._spline = CubicSpline(knots, np.linalg.solve(system, right_side))

    def evaluate(self, s_mm: FloatArray) -> FloatArray:
        """``(..., 3)`` slice, row and column in mm at distances along the curve."""
        return np.asarray(self._spline(s_mm), dtype=np.float64)

    def locate(self, s_mm: FloatArray, t_mm: npt.ArrayLike) -> FloatArray:
        """Points of a slice by their distances along the curve and behind it.

        Parameters
        ----------
        s_mm : numpy.ndarray
            Distances along the curve; may lie beyond its ends.
        t_mm : array-like
            Distances behind it, below 0 in front; of a shape that broadcasts with ``s_mm``.

        Returns
        -------
        numpy.ndarray
            ``(..., 2)`` row and column in mm.
        """
        direction = np.asarray(self._spline(s_mm, 1), dtype=np.float64)[..., 1:]
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        # A quarter turn takes downwards, (1, 0), to backwards, (0, 1).
        backwards = np.stack([-direction[..., 1], direction[..., 0]], axis=-1)
        result: FloatArray = self.evaluate(s_mm)[..., 1:] + np.asarray(t_mm)[..., None] * backwards
        return result

    def project(self, points_mm: FloatArray, s_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distance along the curve, and behind it, of points of a slice.

        Parameters
        ----------
        points_mm : numpy.ndarray
            ``(..., 2)`` row and column in mm.
        s_mm : numpy.ndarray
            ``(m,)`` distances along the curve, of which each point gets the nearest.

        Returns
        -------
        s_mm, t_mm : numpy.ndarray
            Shape of ``points_mm`` without its last axis.
        """
        curve = self.evaluate(s_mm)[:, 1:]
        backwards = self.locate(s_mm, 1.0) - curve
        gaps = points_mm[..., None, :] - curve
        nearest = (gaps**2).sum(axis=-1).argmin(axis=-1)
        gap = np.take_along_axis(gaps, nearest[..., None, None], axis=-2)[..., 0, :]
        return s_mm[nearest], np.asarray((gap * backwards[nearest]).sum(axis=-1))

    def straighten(
        self,
        voxels: npt.NDArray[np.floating],
        spacing_mm: tuple[float, float],
        s_mm: FloatArray,
        t_mm: FloatArray,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Sample slices in the coordinates of the curve.

        Parameters
        ----------
        voxels : numpy.ndarray
            ``(slice, row, column)``.
        spacing_mm : tuple of float
            (row, column) spacing.
        s_mm, t_mm : numpy.ndarray
            Distances along the curve and behind it.

        Returns
        -------
        samples : numpy.ndarray
            ``(slice, len(s_mm), len(t_mm))`` float32, interpolated linearly; the border goes
            on beyond the picture.
        in_picture : numpy.ndarray of bool
            ``(len(s_mm), len(t_mm))``: whether the picture reaches so far.
        """
        pixels = self.locate(s_mm[:, None], t_mm[None, :]) / np.array(spacing_mm)
        in_picture = ((pixels >= 0) & (pixels <= np.array(voxels.shape[1:]) - 1)).all(axis=-1)
        pixels = np.moveaxis(pixels, -1, 0)
        samples = [
            map_coordinates(image, pixels, np.float32, order=1, mode="nearest") for image in voxels
        ]
        return np.stack(samples), in_picture
