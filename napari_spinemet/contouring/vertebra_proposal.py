"""Outlines of the vertebral bodies, proposed from one click in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..imaging.series import SagittalSeries
from .body_boxes import Boxes, fit_boxes
from .centreline import Click, FloatArray, points_of
from .spine_edges import CORTEX_MM, SpineEdges, find_best_paths, score_exits

_SIDE_POINTS = 25  # on each side of a body
_SHIFTS_MM = np.arange(-5.0, 3.01, 0.5)  # how far an outline may leave its box, outwards
_SHIFT_SIGMA_MM, _SHIFT_PRIOR, _SHIFT_RIM, _SHIFT_STIFFNESS = 1.5, 0.1, 0.4, 0.15
_CORNER_MM = 2.0

# Half widths as shares of the depth, a body being about 1.35 times as wide as deep, and the
# share of the edges in its middle that a slice must still show.
_HALF_WIDTHS = np.arange(0.3, 1.05, 0.025)
_WIDTH, _WIDTH_SIGMA, _OFFSET_SIGMA = 1.35, 0.10, 0.08
_LEAST_EDGES, _EDGES_WEIGHT = 0.5, 20.0


def propose_vertebrae(series: SagittalSeries, clicks: Sequence[Click]) -> npt.NDArray[np.uint16]:
    """Propose the contours of vertebral bodies in all slices from one click in each.

    Without any learned model, whatever the contrast: a smooth centreline through the clicks
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
    shifts, clarity = _follow_edges(edges, boxes)
    spans = _estimate_spans(edges, boxes, clarity, series.spacing_mm[0])
    return _fill_outlines(series, edges, boxes, shifts, spans)


def _follow_edges(edges: SpineEdges, boxes: Boxes) -> tuple[FloatArray, FloatArray]:
    """Let the sides follow the edges of each slice.

    Returns
    -------
    shifts_mm : numpy.ndarray
        ``(body, slice, side, point)``, positive outwards.
    clarity : numpy.ndarray
        ``(body, slice)``: how far the edges on the outline surpass those beside it.
    """
    bodies, slices = len(boxes.offset_mm), len(edges.samples)
    evidence = np.empty((bodies, slices, 4, _SIDE_POINTS, len(_SHIFTS_MM)), np.float32)
    # Some further out, where the rim of a disc or the canal may become bright.
    distance = np.arange(_SHIFTS_MM[0], _SHIFTS_MM[-1] + 3.5, edges.step_mm)
    for body in range(bodies):
        for side in range(4):
            points = boxes.side_points(body, side, _SIDE_POINTS)
            points = points[:, None, :].repeat(len(distance), axis=1)
            points[..., side // 2] += (-1, 1)[side % 2] * (distance - CORTEX_MM)
            rows, columns = edges.rows(points[..., 0]), edges.columns(points[..., 1])
            brighter, darker = (edge[:, rows, columns] for edge in edges.outward_edges(side))
            exits = score_exits(brighter, darker, edges.step_mm, rim=_SHIFT_RIM)
            evidence[body, :, side] = exits[..., : len(_SHIFTS_MM)]
    # Neighbouring slices help each other: a body's side hardly moves from one to the next.
    evidence = ndimage.convolve1d(evidence, (0.25, 0.5, 0.25), axis=1, mode="nearest")
    flat = evidence.reshape(-1, _SIDE_POINTS, len(_SHIFTS_MM))
    prior = _SHIFT_PRIOR * (_SHIFTS_MM / _SHIFT_SIGMA_MM) ** 2 / 2
    paths = find_best_paths(flat - prior, _SHIFT_STIFFNESS)
    path_evidence = np.take_along_axis(flat, paths[..., None], axis=-1)[..., 0]
    surplus = path_evidence - flat.mean(axis=-1)
    clarity = surplus.reshape(bodies, slices, -1).mean(axis=-1)
    shifts = _SHIFTS_MM[paths].reshape(bodies, slices, 4, _SIDE_POINTS)
    shifts = ndimage.gaussian_filter(shifts, (0, 0.5, 0, 1.0), mode="nearest")
    return shifts, clarity


def _estimate_spans(
    edges: SpineEdges, boxes: Boxes, clarity: FloatArray, slice_mm: float
) -> npt.NDArray[np.float64]:
    """``(body, 2)`` first and last slice index, not rounded.

    As wide as a body of that depth is expected to be, and as its edges can be seen.
    """
    centre = edges.centreline.evaluate(boxes.middle_mm[:, 0])[:, 0]
    # Distances of the slices from the middle of each body, as shares of its depth.
    slices_mm = np.arange(clarity.shape[1]) * slice_mm
    shares = (slices_mm - centre[:, None]) / boxes.depth_mm[:, None]
    gains = []
    for share, clear in zip(shares, clarity, strict=True):
        # The edges of the middle slices are what those of the others are measured by.
        is_middle = np.abs(share) <= max(0.3, np.abs(share).min())
        gain = (clear / max(float(np.median(clear[is_middle])), 1e-6) - _LEAST_EDGES) * abs(
            share[1] - share[0] if len(share) > 1 else 1.0
        )
        inside = [(side * share > 0) & (side * share <= _HALF_WIDTHS[:, None]) for side in (-1, 1)]
        right_gain, left_gain = (np.where(mask, gain, 0).sum(axis=1) for mask in inside)
        gains.append(right_gain[:, None] + left_gain)
    # Neighbours are about as wide, so they help each other.
    table = _EDGES_WEIGHT * ndimage.gaussian_filter1d(np.array(gains), 1.0, axis=0, mode="nearest")
    width = np.add.outer(_HALF_WIDTHS, _HALF_WIDTHS)
    offset = np.subtract.outer(_HALF_WIDTHS, _HALF_WIDTHS) / 2
    table -= ((width - _WIDTH) / _WIDTH_SIGMA) ** 2 / 2 + (offset / _OFFSET_SIGMA) ** 2 / 2
    best = table.reshape(len(table), -1).argmax(axis=1)
    halves = _HALF_WIDTHS[np.stack(np.unravel_index(best, width.shape), axis=1)]
    result: FloatArray = centre[:, None] + halves * (-1, 1) * boxes.depth_mm[:, None]
    return result / slice_mm


def _fill_outlines(
    series: SagittalSeries, edges: SpineEdges, boxes: Boxes, shifts: FloatArray, spans: FloatArray
) -> npt.NDArray[np.uint16]:
    """Fill the outlines; a pixel in two of them goes to the one it lies deeper in."""
    labels = np.zeros(series.shape, np.uint16)
    greatest_depth = np.zeros(series.shape, np.float32)
    spacing, size = np.array(series.spacing_mm[1:]), np.array(series.shape[1:])
    for body, (top, bottom) in enumerate(boxes.offset_mm[:, :2]):
        s = np.arange(top - 15, bottom + 15, 0.25)
        # The rectangle of pixels around the body, so that others need not be looked at.
        reach = boxes.middle_mm[body, 1] + (boxes.depth_mm[body] / 2 + 10) * np.array([-1, 1])
        corners = edges.centreline.locate(s[[0, 0, -1, -1]], np.tile(reach, 2)) / spacing
        low = np.clip(np.floor(corners.min(axis=0)), 0, size).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 1, 0, size).astype(int)
        rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
        pixels_mm = np.stack([rows, columns], axis=-1) * spacing
        pixel_s, pixel_t = edges.centreline.project(pixels_mm, s)
        sides = [boxes.side_points(body, side, _SIDE_POINTS) for side in range(4)]
        first, last = np.ceil(spans[body, 0]), np.floor(spans[body, 1])
        for index in range(max(0, int(first)), min(len(labels) - 1, int(last)) + 1):
            distances = [
                _distance_inside(side, sides[side], shifts[body, index, side], pixel_s, pixel_t)
                for side in range(4)
            ]
            depth = _depth_in_outline(distances)
            box = np.s_[index, low[0] : high[0], low[1] : high[1]]
            wins = depth > greatest_depth[box]
            greatest_depth[box][wins] = depth[wins]
            labels[box][wins] = body + 1
    return labels


def _depth_in_outline(distances: Sequence[FloatArray]) -> FloatArray:
    """Depth in mm of pixels, up to that of the corners, by their distances from the four sides.

    Corners are rounded: within their radius the distances to two sides add up.
    """
    shortfalls = [
        np.clip(_CORNER_MM - np.minimum(*pair), 0, None) for pair in (distances[:2], distances[2:])
    ]
    return np.asarray(_CORNER_MM - np.hypot(*shortfalls))


def _distance_inside(
    side: int, points: FloatArray, shift: FloatArray, pixel_s: FloatArray, pixel_t: FloatArray
) -> FloatArray:
    """Distance in mm of pixels from one side of an outline, positive inside."""
    across, position = (pixel_s, pixel_t) if side < 2 else (pixel_t, pixel_s)
    sign = (-1, 1)[side % 2]
    border = points[:, side // 2] + sign * shift
    return np.asarray(sign * (np.interp(position, points[:, 1 - side // 2], border) - across))
