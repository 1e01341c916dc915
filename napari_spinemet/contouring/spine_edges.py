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
_STRONG = 1.5  # an edge this many times the usual gradient counts half
_UNSEEN = 0.25  # what noise gives on average: no evidence for or against
_AROUND_MM = 60.0
_AHEAD_MM, _BEFORE_MM = 3.0, 2.0


class SpineEdges:
    """Edges along a straightened spine, as shares from 0 (none) to 1.

    Intensities are set against the median of the spine near by, so that neither the coil
    nor the contrast matters, and compressed, so that fluid does not outshine marrow. Edges
    are set against the usual gradient of the spine near by, which is that of its noise.

    Parameters
    ----------
    series : SagittalSeries
    curve : Centreline
    s_mm, t_mm : numpy.ndarray
        Distances along the curve and behind it, both evenly spaced by ``step_mm``.
    tube_mm : numpy.ndarray
        ``(len(s_mm),)``: half the depth of what certainly is spine.

    Attributes
    ----------
    samples : numpy.ndarray
        ``(slice, s, t)`` float32 intensities, not negative.
    slice_at : numpy.ndarray
        ``(s,)`` int: the slice that the curve runs in.
    """

    def __init__(
        self,
        series: SagittalSeries,
        curve: Centreline,
        s_mm: FloatArray,
        t_mm: FloatArray,
        tube_mm: FloatArray,
    ) -> None:
        self.curve, self.s_mm, self.t_mm = curve, s_mm, t_mm
        self.step_mm = float(t_mm[1] - t_mm[0])
        spacing = series.spacing_mm
        samples, self._seen = curve.straighten(series.voxels, spacing[1:], s_mm, t_mm)
        # Some scanners store values below zero, and some exports are shifted.
        self.samples: EdgeArray = np.clip(samples - np.percentile(series.voxels, 1), 0, None)
        at = np.rint(curve.centre(s_mm)[:, 0] / spacing[0]).astype(int)
        self.slice_at: npt.NDArray[np.intp] = np.clip(at, 0, series.shape[0] - 1)
        self._tube = (np.abs(t_mm) < tube_mm[:, None]) & self._seen
        level = self._usual(self.samples)
        image = self.samples / (self.samples + level)
        across, along = _ACROSS_MM / self.step_mm, _ALONG_MM / self.step_mm
        self._edges = [
            self._shares(ndimage.gaussian_filter(image, (0, *sigma), (0, *order)))
            for sigma, order in (((across, along), (1, 0)), ((along, across), (0, 1)))
        ]

    def outward(self, side: int) -> tuple[EdgeArray, EdgeArray]:
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
        return (brighter, darker) if side % 2 else (darker, brighter)

    def rows(self, s_mm: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Nearest indices of distances along the curve."""
        return _nearest(self.s_mm, s_mm)

    def columns(self, t_mm: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Nearest indices of distances behind the curve."""
        return _nearest(self.t_mm, t_mm)

    def middle(self, values: EdgeArray) -> EdgeArray:
        """``(s, t)`` mean of the slice of the curve, taken twice, and its two neighbours."""
        rows = np.arange(len(self.s_mm))
        near = (np.clip(self.slice_at + step, 0, len(values) - 1) for step in (-1, 0, 0, 1))
        return np.asarray(np.mean([values[at, rows] for at in near], axis=0))

    def _usual(self, values: EdgeArray) -> EdgeArray:
        """``(s, 1)`` median of the spine in the slice of the curve, evened out."""
        rows = np.arange(len(self.s_mm))
        known = self._tube.any(axis=1)
        spine = np.where(self._tube[known], values[self.slice_at, rows][known], np.nan)
        usual = np.interp(rows, rows[known], np.nanmedian(spine, axis=1))
        usual = ndimage.median_filter(usual, int(_AROUND_MM / self.step_mm), mode="nearest")
        usual = ndimage.gaussian_filter1d(usual, _AROUND_MM / 6 / self.step_mm, mode="nearest")
        return np.asarray(usual[:, None] + 1e-6, dtype=np.float32)

    def _shares(self, gradient: EdgeArray) -> tuple[EdgeArray, EdgeArray]:
        usual = _STRONG * self._usual(np.abs(gradient))
        result = []
        for signed in (gradient, -gradient):
            share = np.clip(signed, 0, None)
            share /= share + usual
            share[:, ~self._seen] = _UNSEEN
            result.append(share)
        return result[0], result[1]


def leaving(
    brighter: EdgeArray,
    darker: EdgeArray,
    step_mm: float,
    *,
    rim: float,
    crossing: float = 0.0,
    crossed: EdgeArray | None = None,
) -> EdgeArray:
    """How likely a body ends at each step outwards.

    In every contrast cortical bone, ligaments and the rim of a disc are dark, and what lies
    beyond is often bright: a body ends where it becomes darker, the more so if it becomes
    brighter soon after. Nothing bright lies before that.

    Parameters
    ----------
    brighter, darker : numpy.ndarray
        Edges; their last axis runs outwards in steps of ``step_mm``.
    rim : float
        Weight of becoming brighter up to 3 mm further out.
    crossing : float
        Weight against having become brighter more than 2 mm before.
    crossed : numpy.ndarray, optional
        What has been crossed if it is not ``brighter``.

    Returns
    -------
    numpy.ndarray
        Shape of ``darker``.
    """
    size = round(_AHEAD_MM / step_mm) + 1
    soon = ndimage.maximum_filter1d(brighter, size, axis=-1, origin=-(size // 2), mode="nearest")
    result = darker + rim * soon
    if crossing:
        lag = round(_BEFORE_MM / step_mm)
        most = np.maximum.accumulate(brighter if crossed is None else crossed, axis=-1)
        result[..., lag:] -= crossing * most[..., :-lag]
    return np.asarray(result)


def best_paths(score: npt.NDArray[np.floating], stiffness: float) -> npt.NDArray[np.intp]:
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
    beyond = np.full((paths, 1), -np.inf)
    total = score[:, 0]
    came = np.zeros((rows, paths, columns), np.int8)
    for row in range(1, rows):
        aside = total - stiffness
        ways = np.stack(
            [
                np.concatenate([beyond, aside[:, :-1]], axis=1),
                total,
                np.concatenate([aside[:, 1:], beyond], axis=1),
            ]
        )
        came[row] = ways.argmax(axis=0) - 1
        total = ways.max(axis=0) + score[:, row]
    found = np.empty((paths, rows), np.intp)
    found[:, -1] = total.argmax(axis=1)
    every = np.arange(paths)
    for row in range(rows - 1, 0, -1):
        found[:, row - 1] = found[:, row] + came[row, every, found[:, row]]
    return found


def _nearest(grid: FloatArray, at: npt.ArrayLike) -> npt.NDArray[np.intp]:
    index = np.rint((np.asarray(at) - grid[0]) / (grid[1] - grid[0]))
    return np.asarray(np.clip(index, 0, len(grid) - 1), dtype=np.intp)
