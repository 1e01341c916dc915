"""Outlines of the vertebral bodies, proposed from one click in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..imaging.series import SagittalSeries
from .body_boxes import Boxes, fit_boxes
from .body_interpolation import bodies_between
from .centreline import Click, FloatArray, points_of
from .spine_edges import CORTEX_MM, SpineEdges, best_paths, leaving

__all__ = ["bodies_between", "propose_vertebrae"]

_ALONG = 25  # points on each side of a body
_OUT_MM = np.arange(-5.0, 3.01, 0.5)  # how far an outline may leave its box
_OUT_SIGMA_MM, _OUT_PRIOR, _OUT_RIM, _OUT_STIFFNESS = 1.5, 0.1, 0.4, 0.15
_CORNER_MM = 2.0

# Half widths as shares of the depth, a body being about 1.35 times as wide as deep, and the
# share of the edges in its middle that a slice must still show.
_HALF_WIDTHS = np.arange(0.3, 1.05, 0.025)
_WIDTH, _WIDTH_SIGMA, _SHIFT_SIGMA = 1.35, 0.10, 0.08
_LEAST_EDGES, _EDGES_WEIGHT = 0.5, 20.0


def propose_vertebrae(series: SagittalSeries, clicks: Sequence[Click]) -> npt.NDArray[np.uint16]:
    """Propose the contours of vertebral bodies in all slices from one click in each.

    Without any learned model, whatever the contrast: a smooth curve through the clicks
    straightens the picture; boxes are fitted to all bodies at once, expecting the
    proportions of a spine; in each slice their sides then follow the edges.

    Parameters
    ----------
    series : SagittalSeries
    clicks : sequence of tuple of float
        (slice, row, column) indices, one roughly at the centre of each body, in any order.

    Returns
    -------
    numpy.ndarray
        ``(slice, row, column)`` uint16: 0 is none, k the k-th click from the head. Bodies
        do not overlap.

    Raises
    ------
    SpinemetError
        If there is no click, one outside of the picture, or two in one body.
    """
    points = points_of(series, clicks)
    edges, boxes = fit_boxes(series, points)
    moved, clarity = _follow(edges, boxes)
    spans = _spans(edges, boxes, clarity, series.spacing_mm[0])
    return _draw(series, edges, boxes, moved, spans)


def _follow(edges: SpineEdges, boxes: Boxes) -> tuple[FloatArray, FloatArray]:
    """Let the sides follow the edges of each slice.

    Returns
    -------
    moved_mm : numpy.ndarray
        ``(body, slice, side, point)``, positive outwards.
    clarity : numpy.ndarray
        ``(body, slice)``: how far the edges there surpass those beside them.
    """
    bodies, slices = len(boxes.offset_mm), len(edges.samples)
    evidence = np.empty((bodies, slices, 4, _ALONG, len(_OUT_MM)), np.float32)
    # Some further out, where the rim of a disc or the canal may become bright.
    out = np.arange(_OUT_MM[0], _OUT_MM[-1] + 3.5, edges.step_mm)
    for body in range(bodies):
        for side in range(4):
            points = boxes.side(body, side, _ALONG)[:, None, :].repeat(len(out), axis=1)
            points[..., side // 2] += (-1, 1)[side % 2] * (out - CORTEX_MM)
            rows, columns = edges.rows(points[..., 0]), edges.columns(points[..., 1])
            brighter, darker = (edge[:, rows, columns] for edge in edges.outward(side))
            found = leaving(brighter, darker, edges.step_mm, rim=_OUT_RIM)
            evidence[body, :, side] = found[..., : len(_OUT_MM)]
    evidence = ndimage.convolve1d(evidence, (0.25, 0.5, 0.25), axis=1, mode="nearest")
    flat = evidence.reshape(-1, _ALONG, len(_OUT_MM))
    prior = _OUT_PRIOR * (_OUT_MM / _OUT_SIGMA_MM) ** 2 / 2
    paths = best_paths(flat - prior, _OUT_STIFFNESS)
    there = np.take_along_axis(flat, paths[..., None], axis=-1)[..., 0]
    clarity = (there - flat.mean(axis=-1)).reshape(bodies, slices, -1).mean(axis=-1)
    moved = _OUT_MM[paths].reshape(bodies, slices, 4, _ALONG)
    moved = ndimage.gaussian_filter(moved, (0, 0.5, 0, 1.0), mode="nearest")
    return moved, clarity


def _spans(
    edges: SpineEdges, boxes: Boxes, clarity: FloatArray, slice_mm: float
) -> npt.NDArray[np.float64]:
    """``(body, 2)`` first and last slice index, not rounded: as wide as expected and seen."""
    centre = edges.curve.centre(boxes.middle_mm[:, 0])[:, 0]
    # Places of the slices as shares of the depth.
    place = (np.arange(clarity.shape[1]) * slice_mm - centre[:, None]) / boxes.depth_mm[:, None]
    gains = []
    for share, clear in zip(place, clarity, strict=True):
        near = np.abs(share) <= max(0.3, np.abs(share).min())
        kept = (clear / max(float(np.median(clear[near])), 1e-6) - _LEAST_EDGES) * abs(
            share[1] - share[0] if len(share) > 1 else 1.0
        )
        inside = [(side * share > 0) & (side * share <= _HALF_WIDTHS[:, None]) for side in (-1, 1)]
        right, left = (np.where(mask, kept, 0).sum(axis=1) for mask in inside)
        gains.append(right[:, None] + left)
    # Neighbours are about as wide, so they help each other.
    table = _EDGES_WEIGHT * ndimage.gaussian_filter1d(np.array(gains), 1.0, axis=0, mode="nearest")
    width = np.add.outer(_HALF_WIDTHS, _HALF_WIDTHS)
    shift = np.subtract.outer(_HALF_WIDTHS, _HALF_WIDTHS) / 2
    table -= ((width - _WIDTH) / _WIDTH_SIGMA) ** 2 / 2 + (shift / _SHIFT_SIGMA) ** 2 / 2
    best = table.reshape(len(table), -1).argmax(axis=1)
    halves = _HALF_WIDTHS[np.stack(np.unravel_index(best, width.shape), axis=1)]
    result: FloatArray = centre[:, None] + halves * (-1, 1) * boxes.depth_mm[:, None]
    return result / slice_mm


def _draw(
    series: SagittalSeries, edges: SpineEdges, boxes: Boxes, moved: FloatArray, spans: FloatArray
) -> npt.NDArray[np.uint16]:
    """Fill the outlines; a pixel in two of them goes to the one it lies deeper in."""
    labels = np.zeros(series.shape, np.uint16)
    deepest = np.zeros(series.shape, np.float32)
    spacing, size = np.array(series.spacing_mm[1:]), np.array(series.shape[1:])
    for body, (top, bottom) in enumerate(boxes.offset_mm[:, :2]):
        s = np.arange(top - 15, bottom + 15, 0.25)
        reach = boxes.middle_mm[body, 1] + (boxes.depth_mm[body] / 2 + 10) * np.array([-1, 1])
        ends = edges.curve.points(s[[0, 0, -1, -1]], np.tile(reach, 2)) / spacing
        low = np.clip(np.floor(ends.min(axis=0)), 0, size).astype(int)
        high = np.clip(np.ceil(ends.max(axis=0)) + 1, 0, size).astype(int)
        rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
        along, behind = edges.curve.project(np.stack([rows, columns], axis=-1) * spacing, s)
        sides = [boxes.side(body, side, _ALONG) for side in range(4)]
        first, last = np.ceil(spans[body, 0]), np.floor(spans[body, 1])
        for index in range(max(0, int(first)), min(len(labels) - 1, int(last)) + 1):
            inside = [
                _within(side, sides[side], moved[body, index, side], along, behind)
                for side in range(4)
            ]
            # Rounded corners: within their radius the distances to two sides add up.
            short = [
                np.clip(_CORNER_MM - np.minimum(*pair), 0, None)
                for pair in (inside[:2], inside[2:])
            ]
            deep = _CORNER_MM - np.hypot(*short)
            box = np.s_[index, low[0] : high[0], low[1] : high[1]]
            wins = deep > deepest[box]
            deepest[box][wins] = deep[wins]
            labels[box][wins] = body + 1
    return labels


def _within(
    side: int, points: FloatArray, moved: FloatArray, along: FloatArray, behind: FloatArray
) -> FloatArray:
    """Distance in mm of places from one side of an outline, positive inside."""
    across, run = (along, behind) if side < 2 else (behind, along)
    sign = (-1, 1)[side % 2]
    border = points[:, side // 2] + sign * moved
    return np.asarray(sign * (np.interp(run, points[:, 1 - side // 2], border) - across))
