"""Boxes with four straight sides, fitted to the vertebral bodies of a straightened spine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..imaging.series import SagittalSeries
from .centreline import Centreline, FloatArray
from .spine_edges import CORTEX_MM, SpineEdges, find_best_paths, score_exits

# A body takes this share of the way from one body to the next, the disc takes the rest, and
# its depth comes to this share. Rounded from morphometry (Panjabi et al., Human lumbar
# vertebrae: quantitative three-dimensional anatomy, Spine 17, 1992); they hold from neck to
# sacrum to within the deviations below.
HEIGHT_SHARE, DEPTH_SHARE = 0.79, 0.95
_HEIGHT_SIGMA, _DISC_SIGMA, _DEPTH_SIGMA = 0.10, 0.06, 0.18

_STEP_MM, _REACH_MM = 0.5, 45.0
_ROUNDS = 3
_CLICK_STIFFNESS, _BODY_STIFFNESS = 3e4, 2e4
_FARTHEST_MM = 45.0  # no adult has bodies farther apart; a body was left out between them
_SINGLE_PITCH_MM = 26.0  # what serves a single click best, neck to sacrum

_TANS = np.tan(np.deg2rad(np.arange(-15.0, 16.0, 3.0)))
_TILT_SIGMA, _WEDGE_SIGMA = 0.12, 0.10
_ENDPLATE_WEIGHT, _ENDPLATE_RIM, _ENDPLATE_CROSSING = 12.0, 0.7, 1.0
_MAX_GAP_COST = 8.0  # most that an unlikely gap may cost: a body may have been left out in it
_OVERLAP_COST = 1e6

_WALL_WEIGHT, _WALL_RIM, _WALL_CROSSING = 0.35, 0.4, 1.0
_WALL_PRIOR, _WALL_STIFFNESS, _WALL_LONG_MM = 0.02, 0.12, 5.0
_DISC_WEIGHT = 0.25  # at a disc, what bulges is not the wall
_NOISY_SLOPE, _SLOPE_SHARE, _LEAN_SHARE = 0.1, 0.8, 0.7


@dataclass(frozen=True, eq=False)
class Boxes:
    """Four sides of each body by the centreline: 0 top, 1 bottom, 2 front, 3 back.

    Attributes
    ----------
    offset_mm : numpy.ndarray
        ``(body, 4)``: endplates as distance along the centreline where they meet it, walls as
        distance behind the centreline at half height.
    slope : numpy.ndarray
        ``(body, 4)``: of endplates along per behind, of walls behind per along.
    """

    offset_mm: FloatArray
    slope: FloatArray

    @property
    def middle_mm(self) -> FloatArray:
        """``(body, 2)``: half height along the centreline, half depth behind it."""
        return np.stack([self.offset_mm[:, :2].mean(axis=1), self.offset_mm[:, 2:].mean(axis=1)], 1)

    @property
    def height_mm(self) -> FloatArray:
        """``(body,)``."""
        return np.asarray(self.offset_mm[:, 1] - self.offset_mm[:, 0])

    @property
    def depth_mm(self) -> FloatArray:
        """``(body,)``."""
        return np.asarray(self.offset_mm[:, 3] - self.offset_mm[:, 2])

    def side_points(self, body: int, side: int, count: int) -> FloatArray:
        """Points spread evenly on one side of a body.

        Parameters
        ----------
        body : int
            Index of the body, 0 nearest to the head.
        side : int
            0 top, 1 bottom, 2 front, 3 back.
        count : int
            Number of points, from corner to corner.

        Returns
        -------
        numpy.ndarray
            ``(count, 2)`` distances in mm along the centreline and behind it.
        """
        is_endplate = side < 2
        first, last = self.offset_mm[body, 2:] if is_endplate else self.offset_mm[body, :2]
        position = np.linspace(first, last, count)
        # Endplates are given where they meet the centreline, walls at half height.
        origin = 0.0 if is_endplate else self.middle_mm[body, 0]
        rise = self.offset_mm[body, side] + self.slope[body, side] * (position - origin)
        return np.stack([rise, position] if is_endplate else [position, rise], axis=1)


def fit_boxes(series: SagittalSeries, points_mm: FloatArray) -> tuple[SpineEdges, Boxes]:
    """Fit one box to each body.

    Endplates of all bodies are sought at once, then walls along the whole spine; then the
    centreline is laid through the boxes and both are sought again, closer to what was expected.

    Parameters
    ----------
    series : SagittalSeries
    points_mm : numpy.ndarray
        ``(body, 3)`` float64, index times spacing of a point near the centre of each body,
        head to feet; as :func:`~.centreline.points_of` gives them, which checks them.

    Returns
    -------
    edges : SpineEdges
        Along the centreline through the boxes.
    boxes : Boxes
    """
    pitch = pitch_of(points_mm)
    height, depth = HEIGHT_SHARE * pitch, DEPTH_SHARE * pitch
    knots, stiffness, sigma_scales = points_mm, _CLICK_STIFFNESS, (1.0, 1.0)
    for number in range(_ROUNDS):
        margin = 1.2 * max(pitch[0], pitch[-1])
        centreline = Centreline(knots, stiffness=stiffness, margin_mm=margin)
        # A body has one knot in the first round, its click, and then two, its endplates.
        body_s = centreline.points_s_mm.reshape(len(pitch), -1).mean(axis=1)
        s = np.arange(centreline.start_mm, centreline.end_mm, _STEP_MM)
        t = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
        edges = SpineEdges(series, centreline, s, t, 0.3 * np.interp(s, body_s, pitch))
        boxes = _fit_endplates(edges, body_s, pitch, height, depth, sigma_scales[0])
        boxes = _fit_walls(edges, boxes, depth, sigma_scales[1])
        if number < _ROUNDS - 1:
            middle_s, middle_t = boxes.middle_mm.T
            centres = centreline.evaluate(middle_s)
            centres[:, 1:] = centreline.locate(middle_s, middle_t)
            pitch = pitch_of(centres)
            # Shares of the pitch are alike from body to body, so the odd one is put right.
            height = pitch * ndimage.median_filter(boxes.height_mm / pitch, 9, mode="reflect")
            depth = pitch * ndimage.median_filter(boxes.depth_mm / pitch, 9, mode="reflect")
            knots, stiffness = _endplate_middles(centreline, boxes), _BODY_STIFFNESS
            sigma_scales = (0.7, 0.6)
    return edges, boxes


def pitch_of(points_mm: FloatArray) -> FloatArray:
    """``(body,)`` usual distance in mm from each body to its neighbours.

    It changes evenly along a spine, so each gap is read off the Theil-Sen line through up
    to eleven (Sen, J Am Stat Assoc 63, 1968), which a few misplaced clicks do not move.
    """
    if len(points_mm) == 1:
        return np.array([_SINGLE_PITCH_MM])
    gaps = np.linalg.norm(np.diff(points_mm[:, 1:], axis=0), axis=1)
    # A gap too wide for neighbours is shared among the bodies that were left out in it.
    gaps /= np.ceil(gaps / _FARTHEST_MM)
    smooth_gaps = gaps.copy()
    for k in range(len(gaps) if len(gaps) > 2 else 0):
        window = np.arange(max(0, k - 5), min(len(gaps), k + 6))
        first, second = np.triu_indices(len(window), 1)
        slope = np.median((gaps[window[second]] - gaps[window[first]]) / (second - first))
        smooth_gaps[k] = np.median(gaps[window] - slope * (window - k))
    inner = (smooth_gaps[1:] + smooth_gaps[:-1]) / 2
    return np.concatenate([smooth_gaps[:1], inner, smooth_gaps[-1:]])


def _endplate_middles(centreline: Centreline, boxes: Boxes) -> FloatArray:
    """``(2 * body, 3)`` middles of the endplates, for a centreline that leans as the walls do."""
    s = boxes.offset_mm[:, :2]
    lean = _LEAN_SHARE * boxes.slope[:, 2:].mean(axis=1) * boxes.height_mm / 2
    t = boxes.middle_mm[:, 1:] + lean[:, None] * (-1, 1)
    knots = centreline.evaluate(s.ravel())
    knots[:, 1:] = centreline.locate(s.ravel(), t.ravel())
    return knots


def _fit_endplates(
    edges: SpineEdges,
    body_s: FloatArray,
    pitch: FloatArray,
    height: FloatArray,
    depth: FloatArray,
    sigma_scale: float,
) -> Boxes:
    """Position and tilt of all endplates at once, by dynamic programming down the spine.

    Endplates are numbered from the head: top and bottom of the first body are 0 and 1, those
    of the second 2 and 3. A state is a position with a tilt.
    """
    positions, scores = _endplate_candidates(edges, body_s, pitch, depth)
    # The two ends of a body or of a disc are nearly parallel.
    wedge = (np.subtract.outer(_TANS, _TANS) / _WEDGE_SIGMA) ** 2 / 2
    total, origins = scores[0], []
    for end in range(1, len(positions)):
        gap = positions[end] - positions[end - 1][:, None]
        k = end // 2
        if end % 2:
            cost = ((gap - height[k]) / (_HEIGHT_SIGMA * sigma_scale * pitch[k])) ** 2 / 2
        else:
            mean_pitch = (pitch[k] + pitch[k - 1]) / 2
            disc = mean_pitch - (height[k] + height[k - 1]) / 2
            cost = np.minimum(((gap - disc) / (_DISC_SIGMA * mean_pitch)) ** 2 / 2, _MAX_GAP_COST)
            cost[gap < 1.0] = _OVERLAP_COST
        options = total[:, :, None, None] - cost[:, None, :, None] - wedge[None, :, None, :]
        options = options.reshape(total.size, -1)
        origins.append(options.argmax(axis=0))
        total = options.max(axis=0).reshape(-1, len(_TANS)) + scores[end]
    offset, slope = np.zeros((2, len(body_s), 4))
    state = int(total.argmax())
    for end in range(len(positions) - 1, -1, -1):
        index, tilt = divmod(state, len(_TANS))
        offset[end // 2, end % 2], slope[end // 2, end % 2] = positions[end][index], _TANS[tilt]
        if end:
            state = int(origins[end - 1][state])
    return Boxes(offset, slope)


def _endplate_candidates(
    edges: SpineEdges, body_s: FloatArray, pitch: FloatArray, depth: FloatArray
) -> tuple[list[FloatArray], list[npt.NDArray[np.floating]]]:
    """Where each endplate may lie along the centreline, and ``(position, tilt)`` its scores."""
    positions, scores = [], []
    for k, at in enumerate(body_s):
        # As in SpineEdges.average_slices, with the slice of the body's middle for all rows.
        slices = np.clip(edges.slice_index[edges.rows(at)] + np.array([-1, 0, 0, 1]), 0, None)
        slices = np.minimum(slices, len(edges.samples) - 1)
        t = np.linspace(-0.36, 0.36, 21) * depth[k]
        distance = np.arange(0.08 * pitch[k], 0.75 * pitch[k], _STEP_MM)
        for side, sign in enumerate((-1, 1)):
            s = at + sign * distance
            rows, columns = edges.rows(s + _TANS[:, None, None] * t[:, None]), edges.columns(t)
            brighter, darker = (
                edge[slices][:, rows, columns[:, None]].mean(axis=(0, 2))
                for edge in edges.outward_edges(side)
            )
            evidence = score_exits(
                brighter, darker, _STEP_MM, rim=_ENDPLATE_RIM, crossing=_ENDPLATE_CROSSING
            )
            positions.append(s + sign * CORTEX_MM)
            scores.append(_ENDPLATE_WEIGHT * evidence.T - (_TANS / _TILT_SIGMA) ** 2 / 2)
    return positions, scores


def _fit_walls(
    edges: SpineEdges, boxes: Boxes, expected_depth: FloatArray, sigma_scale: float
) -> Boxes:
    """The two walls, followed along the whole spine, then straightened body by body."""
    offset, slope = boxes.offset_mm.copy(), boxes.slope.copy()
    body_rows = [(edges.s_mm > top) & (edges.s_mm < bottom) for top, bottom in offset[:, :2]]
    weight = np.where(np.any(body_rows, axis=0), 1.0, _DISC_WEIGHT)[:, None] * _WALL_WEIGHT
    middle = boxes.middle_mm[:, 0]
    depth = np.interp(edges.s_mm, middle, expected_depth)[:, None]
    half = len(edges.t_mm) // 2
    for side, sign in ((2, -1), (3, 1)):
        # From the centreline outwards, which is what score_exits expects.
        columns = np.arange(half, len(edges.t_mm) if sign > 0 else -1, sign)
        brighter, darker = (
            edges.average_slices(edge)[:, columns] for edge in edges.outward_edges(side)
        )
        # Only a long bright line counts as crossed: a lesion is short, the canal is long.
        long_lines = ndimage.gaussian_filter1d(brighter, _WALL_LONG_MM / _STEP_MM, axis=0)
        evidence = score_exits(
            brighter,
            darker,
            _STEP_MM,
            rim=_WALL_RIM,
            crossing=_WALL_CROSSING,
            barrier=long_lines,
        )
        distance = sign * edges.t_mm[columns]
        improbability = ((distance - depth / 2) / (_DEPTH_SIGMA * sigma_scale * depth)) ** 2 / 2
        score = weight * evidence - _WALL_PRIOR * improbability
        wall = sign * distance[find_best_paths(score[None], _WALL_STIFFNESS)[0]]
        for k, rows in enumerate(body_rows):
            line = float(np.polyfit(edges.s_mm[rows] - middle[k], wall[rows], 1)[0])
            # A slope within the noise is none, and a greater one is taken with some doubt.
            steepness = np.sign(line) * max(abs(line) - _NOISY_SLOPE, 0.0)
            slope[k, side] = _SLOPE_SHARE * np.clip(steepness, -0.6, 0.6)
            offset[k, side] = np.median(wall[rows]) + sign * CORTEX_MM
    return Boxes(offset, slope)
