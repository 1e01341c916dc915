"""Boxes with four straight sides, fitted to the vertebral bodies of a straightened spine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..imaging.series import SagittalSeries
from .centreline import Centreline, FloatArray
from .spine_edges import CORTEX_MM, SpineEdges, best_paths, leaving

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
_ALONE_MM = 26.0  # what serves a single click best, neck to sacrum

_TANS = np.tan(np.deg2rad(np.arange(-15.0, 16.0, 3.0)))
_TILT_SIGMA, _WEDGE_SIGMA = 0.12, 0.10
_ENDPLATE_WEIGHT, _ENDPLATE_RIM, _ENDPLATE_CROSSING = 12.0, 0.7, 1.0
_SKIPPED = 8.0  # most that an unlikely gap may cost

_WALL_WEIGHT, _WALL_RIM, _WALL_CROSSING = 0.35, 0.4, 1.0
_WALL_PRIOR, _WALL_STIFFNESS, _WALL_LONG_MM = 0.02, 0.12, 5.0
_DISC_WEIGHT = 0.25  # at a disc, what bulges is not the wall
_NOISY_SLOPE, _SLOPE_SHARE, _LEAN_SHARE = 0.1, 0.8, 0.7


@dataclass(frozen=True, eq=False)
class Boxes:
    """Four sides of each body in the coordinates of the curve: 0 top, 1 bottom, 2 front, 3 back.

    Attributes
    ----------
    offset_mm : numpy.ndarray
        ``(body, 4)``: endplates as distance along the curve where they meet it, walls as
        distance behind the curve at half height.
    slope : numpy.ndarray
        ``(body, 4)``: of endplates along per behind, of walls behind per along.
    """

    offset_mm: FloatArray
    slope: FloatArray

    @property
    def middle_mm(self) -> FloatArray:
        """``(body, 2)``: half height along the curve, half depth behind it."""
        return np.stack([self.offset_mm[:, :2].mean(axis=1), self.offset_mm[:, 2:].mean(axis=1)], 1)

    @property
    def height_mm(self) -> FloatArray:
        """``(body,)``."""
        return np.asarray(self.offset_mm[:, 1] - self.offset_mm[:, 0])

    @property
    def depth_mm(self) -> FloatArray:
        """``(body,)``."""
        return np.asarray(self.offset_mm[:, 3] - self.offset_mm[:, 2])

    def side(self, body: int, side: int, count: int) -> FloatArray:
        """``(count, 2)`` points of one side, along the curve and behind it."""
        endplate = side < 2
        first, last = self.offset_mm[body, 2:] if endplate else self.offset_mm[body, :2]
        run = np.linspace(first, last, count)
        origin = 0.0 if endplate else self.middle_mm[body, 0]
        other = self.offset_mm[body, side] + self.slope[body, side] * (run - origin)
        return np.stack([other, run] if endplate else [run, other], axis=1)


def fit_boxes(series: SagittalSeries, points_mm: FloatArray) -> tuple[SpineEdges, Boxes]:
    """Fit one box to each body.

    Endplates of all bodies are found at once, then walls along the whole spine; then the
    curve is laid through the boxes and both are found again, closer to what was expected.

    Parameters
    ----------
    series : SagittalSeries
    points_mm : numpy.ndarray
        ``(body, 3)`` float64, index times spacing of a point near the centre of each body,
        head to feet.

    Returns
    -------
    edges : SpineEdges
        Along the curve through the boxes.
    boxes : Boxes
    """
    pitch = pitch_of(points_mm)
    height, depth = HEIGHT_SHARE * pitch, DEPTH_SHARE * pitch
    knots, stiffness, tight = points_mm, _CLICK_STIFFNESS, (1.0, 1.0)
    for number in range(_ROUNDS):
        curve = Centreline(knots, stiffness=stiffness, margin_mm=1.2 * max(pitch[0], pitch[-1]))
        at = curve.at_mm.reshape(len(pitch), -1).mean(axis=1)
        s = np.arange(curve.start_mm, curve.end_mm, _STEP_MM)
        t = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
        edges = SpineEdges(series, curve, s, t, 0.3 * np.interp(s, at, pitch))
        boxes = _endplates(edges, at, pitch, height, depth, tight[0])
        boxes = _walls(edges, boxes, depth, tight[1])
        if number < _ROUNDS - 1:
            along, behind = boxes.middle_mm.T
            centres = curve.centre(along)
            centres[:, 1:] = curve.points(along, behind)
            pitch = pitch_of(centres)
            # Shares of the pitch are alike from body to body, so the odd one is put right.
            height = pitch * ndimage.median_filter(boxes.height_mm / pitch, 9, mode="reflect")
            depth = pitch * ndimage.median_filter(boxes.depth_mm / pitch, 9, mode="reflect")
            knots, stiffness, tight = _axes(curve, boxes), _BODY_STIFFNESS, (0.7, 0.6)
    return edges, boxes


def pitch_of(points_mm: FloatArray) -> FloatArray:
    """``(body,)`` usual distance in mm from each body to its neighbours.

    It changes evenly along a spine, so each gap is read off the Theil-Sen line through up
    to eleven (Sen, J Am Stat Assoc 63, 1968), which a few misplaced clicks do not move.
    """
    if len(points_mm) == 1:
        return np.array([_ALONE_MM])
    gaps = np.linalg.norm(np.diff(points_mm[:, 1:], axis=0), axis=1)
    gaps /= np.ceil(gaps / _FARTHEST_MM)
    even = gaps.copy()
    for k in range(len(gaps) if len(gaps) > 2 else 0):
        near = np.arange(max(0, k - 5), min(len(gaps), k + 6))
        one, other = np.triu_indices(len(near), 1)
        slope = np.median((gaps[near[other]] - gaps[near[one]]) / (other - one))
        even[k] = np.median(gaps[near] - slope * (near - k))
    return np.concatenate([even[:1], (even[1:] + even[:-1]) / 2, even[-1:]])


def _axes(curve: Centreline, boxes: Boxes) -> FloatArray:
    """``(2 * body, 3)`` middles of the endplates, for a curve that leans as the walls do."""
    along = boxes.offset_mm[:, :2]
    lean = _LEAN_SHARE * boxes.slope[:, 2:].mean(axis=1) * boxes.height_mm / 2
    behind = boxes.middle_mm[:, 1:] + lean[:, None] * (-1, 1)
    knots = curve.centre(along.ravel())
    knots[:, 1:] = curve.points(along.ravel(), behind.ravel())
    return knots


def _endplates(
    edges: SpineEdges,
    at_mm: FloatArray,
    pitch: FloatArray,
    height: FloatArray,
    depth: FloatArray,
    tight: float,
) -> Boxes:
    """Place and tilt of all endplates at once, by dynamic programming down the spine."""
    places, scores = [], []
    for k, at in enumerate(at_mm):
        near = np.clip(edges.slice_at[edges.rows(at)] + np.array([-1, 0, 0, 1]), 0, None)
        near = np.minimum(near, len(edges.samples) - 1)
        t = np.linspace(-0.36, 0.36, 21) * depth[k]
        away = np.arange(0.08 * pitch[k], 0.75 * pitch[k], _STEP_MM)
        for side, sign in enumerate((-1, 1)):
            s = at + sign * away
            rows, columns = edges.rows(s + _TANS[:, None, None] * t[:, None]), edges.columns(t)
            brighter, darker = (
                edge[near][:, rows, columns[:, None]].mean(axis=(0, 2))
                for edge in edges.outward(side)
            )
            evidence = leaving(
                brighter, darker, _STEP_MM, rim=_ENDPLATE_RIM, crossing=_ENDPLATE_CROSSING
            )
            places.append(s + sign * CORTEX_MM)
            scores.append(_ENDPLATE_WEIGHT * evidence.T - (_TANS / _TILT_SIGMA) ** 2 / 2)
    wedge = (np.subtract.outer(_TANS, _TANS) / _WEDGE_SIGMA) ** 2 / 2
    total, came = scores[0], []
    for end in range(1, len(places)):
        gap = places[end] - places[end - 1][:, None]
        k = end // 2
        if end % 2:
            cost = ((gap - height[k]) / (_HEIGHT_SIGMA * tight * pitch[k])) ** 2 / 2
        else:
            between = (pitch[k] + pitch[k - 1]) / 2
            disc = between - (height[k] + height[k - 1]) / 2
            cost = np.minimum(((gap - disc) / (_DISC_SIGMA * between)) ** 2 / 2, _SKIPPED)
            cost[gap < 1.0] = 1e6
        ways = total[:, :, None, None] - cost[:, None, :, None] - wedge[None, :, None, :]
        ways = ways.reshape(total.size, -1)
        came.append(ways.argmax(axis=0))
        total = ways.max(axis=0).reshape(-1, len(_TANS)) + scores[end]
    offset, slope = np.zeros((2, len(at_mm), 4))
    state = int(total.argmax())
    for end in range(len(places) - 1, -1, -1):
        place, tilt = divmod(state, len(_TANS))
        offset[end // 2, end % 2], slope[end // 2, end % 2] = places[end][place], _TANS[tilt]
        if end:
            state = int(came[end - 1][state])
    return Boxes(offset, slope)


def _walls(edges: SpineEdges, boxes: Boxes, depth: FloatArray, tight: float) -> Boxes:
    """The two walls, followed along the whole spine, then straightened body by body."""
    offset, slope = boxes.offset_mm.copy(), boxes.slope.copy()
    within = [(edges.s_mm > top) & (edges.s_mm < bottom) for top, bottom in offset[:, :2]]
    weight = np.where(np.any(within, axis=0), 1.0, _DISC_WEIGHT)[:, None] * _WALL_WEIGHT
    middle = boxes.middle_mm[:, 0]
    deep = np.interp(edges.s_mm, middle, depth)[:, None]
    half = len(edges.t_mm) // 2
    for side, sign in ((2, -1), (3, 1)):
        out = np.arange(half, len(edges.t_mm) if sign > 0 else -1, sign)
        brighter, darker = (edges.middle(edge)[:, out] for edge in edges.outward(side))
        # Only a long bright line counts as crossed: a lesion is short, the canal is long.
        long = ndimage.gaussian_filter1d(brighter, _WALL_LONG_MM / _STEP_MM, axis=0)
        evidence = leaving(
            brighter, darker, _STEP_MM, rim=_WALL_RIM, crossing=_WALL_CROSSING, crossed=long
        )
        away = sign * edges.t_mm[out]
        unlikely = ((away - deep / 2) / (_DEPTH_SIGMA * tight * deep)) ** 2 / 2
        score = weight * evidence - _WALL_PRIOR * unlikely
        path = sign * away[best_paths(score[None], _WALL_STIFFNESS)[0]]
        for k, rows in enumerate(within):
            line = float(np.polyfit(edges.s_mm[rows] - middle[k], path[rows], 1)[0])
            steep = np.sign(line) * max(abs(line) - _NOISY_SLOPE, 0.0)
            slope[k, side] = _SLOPE_SHARE * np.clip(steep, -0.6, 0.6)
            offset[k, side] = np.median(path[rows]) + sign * CORTEX_MM
    return Boxes(offset, slope)
