"""Where bodies may end: edges of a straightened spine, whatever its contrast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..imaging.series import SagittalSeries
from .centreline import Centreline, FloatArray

EdgeArray = npt.NDArray[np.float32]

CORTEX_MM = 0.8
"""From the edge of the marrow to the outline: cortical bone belongs to the body."""

_ACROSS_MM, _ALONG_MM = 0.6, 2.0  # smoothing across an edge and along it
_STRONG_RATIO = 1.5  # an edge this many times the usual gradient counts half
_NO_EVIDENCE = 0.25  # what noise gives on average: no evidence for or against
_AROUND_MM = 60.0  # stretch of spine, some two bodies, whose median an edge is set against
_RIM_MM = 3.0  # from the end of the marrow to what is bright beyond it
_LAG_MM = 2.0  # an edge is smeared by so much, so that it would count as crossed by itself


class SpineEdges:
    """Edges along a straightened spine, as shares from 0 (none) to 1.

    Intensities are set against the median of the spine near by, so that neither the coil
    nor the contrast matters, and compressed, so that fluid does not outshine marrow. Edges
    are set against the usual gradient of the spine near by, which is that of its noise.

    Parameters
    ----------
    series : SagittalSeries
    centreline : Centreline
        Must be defined over all of ``s_mm``.
    s_mm, t_mm : numpy.ndarray
        Distances along the centreline and behind it, both evenly spaced by ``step_mm``.
    tube_mm : numpy.ndarray
        ``(len(s_mm),)``: half the depth of what certainly is spine.

    Attributes
    ----------
    samples : numpy.ndarray
        ``(slice, s, t)`` float32 intensities, not negative.
    slice_index : numpy.ndarray
        ``(s,)`` int: the slice that the centreline runs in.
    """

    def __init__(
        self,
        series: SagittalSeries,
        centreline: Centreline,
        s_mm: FloatArray,
        t_mm: FloatArray,
        tube_mm: FloatArray,
    ) -> None:
        self.centreline, self.s_mm, self.t_mm = centreline, s_mm, t_mm
        self.step_mm = float(t_mm[1] - t_mm[0])
        spacing = series.spacing_mm
        samples, self._in_picture = centreline.straighten(series.voxels, spacing[1:], s_mm, t_mm)
        # Some scanners store values below zero, and some exports are shifted.
        self.samples: EdgeArray = np.clip(samples - np.percentile(series.voxels, 1), 0, None)
        index = np.rint(centreline.evaluate(s_mm)[:, 0] / spacing[0]).astype(int)
        self.slice_index: npt.NDArray[np.intp] = np.clip(index, 0, series.shape[0] - 1)
        self._tube = (np.abs(t_mm) < tube_mm[:, None]) & self._in_picture
        level = self._tube_median(self.samples)
        image = self.samples / (self.samples + level)
        # Smoothed more along an edge than across it: an edge is long, grain is round.
        sigma_across, sigma_along = _ACROSS_MM / self.step_mm, _ALONG_MM / self.step_mm
        self._edges = [
            self._edge_shares(ndimage.gaussian_filter(image, (0, *sigma), (0, *order)))
            for sigma, order in (
                ((sigma_across, sigma_along), (1, 0)),
                ((sigma_along, sigma_across), (0, 1)),
            )
        ]

    def outward_edges(self, side: int) -> tuple[EdgeArray, EdgeArray]:
        """Edges as they are met on the way out of a body.

        Parameters
        ----------
        side : int
            0 to the head, 1 to the feet, 2 to the front, 3 to the back.

        Returns
        -------
        brighter, darker : numpy.ndarray
            ``(slice, s, t)``: how strongly it becomes brighter, or darker, outwards.
        """
        brighter, darker = self._edges[side // 2]
        # Derivatives grow to the feet and to the back, which is outwards on odd sides only.
        return (brighter, darker) if side % 2 else (darker, brighter)

    def rows(self, s_mm: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Nearest indices of distances along the centreline."""
        return _nearest_index(self.s_mm, s_mm)

    def columns(self, t_mm: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Nearest indices of distances behind the centreline."""
        return _nearest_index(self.t_mm, t_mm)

    def average_slices(self, values: EdgeArray) -> EdgeArray:
        """``(s, t)`` mean of the slice of the centreline, taken twice, and its two neighbours."""
        rows = np.arange(len(self.s_mm))
        slices = (np.clip(self.slice_index + step, 0, len(values) - 1) for step in (-1, 0, 0, 1))
        return np.asarray(np.mean([values[index, rows] for index in slices], axis=0))

    def _tube_median(self, values: EdgeArray) -> EdgeArray:
        """``(s, 1)`` median of the spine in the slice of the centreline, evened out."""
        rows = np.arange(len(self.s_mm))
        has_tube = self._tube.any(axis=1)
        spine = np.where(self._tube[has_tube], values[self.slice_index, rows][has_tube], np.nan)
        median = np.interp(rows, rows[has_tube], np.nanmedian(spine, axis=1))
        # The median drops short lesions and discs, the Gaussian takes away its steps.
        median = ndimage.median_filter(median, int(_AROUND_MM / self.step_mm), mode="nearest")
        median = ndimage.gaussian_filter1d(median, _AROUND_MM / 6 / self.step_mm, mode="nearest")
        return np.asarray(median[:, None] + 1e-6, dtype=np.float32)

    def _edge_shares(self, gradient: EdgeArray) -> tuple[EdgeArray, EdgeArray]:
        """Edges towards brighter and towards darker, from 0 to 1."""
        usual_gradient = _STRONG_RATIO * self._tube_median(np.abs(gradient))
        result = []
        for slope in (gradient, -gradient):
            share = np.clip(slope, 0, None)
            share /= share + usual_gradient
            share[:, ~self._in_picture] = _NO_EVIDENCE
            result.append(share)
        return result[0], result[1]


def score_exits(
    brighter: EdgeArray,
    darker: EdgeArray,
    step_mm: float,
    *,
    rim: float,
    crossing: float = 0.0,
    barrier: EdgeArray | None = None,
) -> EdgeArray:
    """How likely a body ends at each step outwards.

    In every contrast cortical bone, ligaments and the rim of a disc are dark, and what lies
    beyond is often bright: a body ends where it becomes darker, the more so if it becomes
    brighter soon after. Nothing bright lies before that.

    Parameters
    ----------
    brighter, darker : numpy.ndarray
        Edges; their last axis runs outwards in steps of ``step_mm``.
    step_mm : float
        Length of a step.
    rim : float
        Weight of becoming brighter up to 3 mm further out.
    crossing : float
        Weight against having become brighter more than 2 mm before.
    barrier : numpy.ndarray, optional
        Edges that must not have been crossed, if they are not ``brighter``.

    Returns
    -------
    numpy.ndarray
        Shape of ``darker``.
    """
    size = round(_RIM_MM / step_mm) + 1
    # The origin shifts the window so that it begins at each step and only looks outwards.
    rim_edge = ndimage.maximum_filter1d(
        brighter, size, axis=-1, origin=-(size // 2), mode="nearest"
    )
    result = darker + rim * rim_edge
    if crossing:
        lag = round(_LAG_MM / step_mm)
        strongest = np.maximum.accumulate(brighter if barrier is None else barrier, axis=-1)
        result[..., lag:] -= crossing * strongest[..., :-lag]
    return np.asarray(result)


def find_best_paths(score: npt.NDArray[np.floating], stiffness: float) -> npt.NDArray[np.intp]:
    """Paths of greatest total score that step aside by at most one per row.

    Dynamic programming (Forney, The Viterbi algorithm, Proc IEEE 61, 1973).

    Parameters
    ----------
    score : numpy.ndarray
        ``(path, row, column)``.
    stiffness : float
        Cost of a step aside.

    Returns
    -------
    numpy.ndarray of int
        ``(path, row)`` columns.
    """
    paths, rows, columns = score.shape
    border = np.full((paths, 1), -np.inf)
    total = score[:, 0]
    # Where the best path to each pixel came from: -1, 0 or 1 columns to the side.
    origin = np.zeros((rows, paths, columns), np.int8)
    for row in range(1, rows):
        sideways = total - stiffness
        options = np.stack(
            [
                np.concatenate([border, sideways[:, :-1]], axis=1),
                total,
                np.concatenate([sideways[:, 1:], border], axis=1),
            ]
        )
        origin[row] = options.argmax(axis=0) - 1
        total = options.max(axis=0) + score[:, row]
    best = np.empty((paths, rows), np.intp)
    best[:, -1] = total.argmax(axis=1)
    path_index = np.arange(paths)
    for row in range(rows - 1, 0, -1):
        best[:, row - 1] = best[:, row] + origin[row, path_index, best[:, row]]
    return best


def _nearest_index(grid: FloatArray, values: npt.ArrayLike) -> npt.NDArray[np.intp]:
    index = np.rint((np.asarray(values) - grid[0]) / (grid[1] - grid[0]))
    return np.asarray(np.clip(index, 0, len(grid) - 1), dtype=np.intp)
