"""The bodies between the first and the last one that were clicked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..errors import SpinemetError
from ..imaging.series import SagittalSeries
from .body_boxes import DEPTH_SHARE, HEIGHT_SHARE
from .centreline import Centreline, Click, FloatArray, points_of
from .spine_edges import EdgeArray, SpineEdges, score_exits

_MARGIN_MM = 25.0
_CHORD_STIFFNESS, _COUNT_STIFFNESS = 1.0, 3e3

# Following the spine: a ribbon of a centre and a half depth per mm. Each round lays the
# centreline through the ribbon of the one before and looks less far to the sides.
_ROUNDS = ((60.0, 3e5), (25.0, 1e5), (15.0, 3e4), (10.0, 3e4))  # mm aside, stiffness in mm³
_HALF_DEPTHS = np.arange(6, 23)
_RIM, _CROSSING, _UNLIKE_WEIGHT, _TRANSVERSE_WEIGHT = 0.4, 0.7, 0.5, 0.15
_HALF_DEPTH_SIGMA, _HALF_DEPTH_PRIOR = 0.25, 0.1
_SIDEWAYS_COST, _WIDENING_COST = 0.35, 1.0
_CLICK_MM, _CLICK_COST, _BEYOND_WEIGHT = 4.0, 10.0, 0.3
_INTENSITY_TOLERANCE = 0.4  # in natural logarithms
_POINT_MM = 8.0

# Counting along the spine: the pitch is a factor of what the depth suggests, which may grow
# or shrink along the way; all pairs of both are tried.
_FACTORS, _GROWTHS = np.arange(0.7, 1.36, 0.05), np.arange(-0.3, 0.31, 0.15)
_FACTOR_SIGMA, _GROWTH_SIGMA = 0.18, 0.15
_RIBBON_SHARE = 0.84  # the ribbon lies within the cortex, as share of the depth
_TANS = np.tan(np.deg2rad(np.arange(-12.0, 13.0, 4.0)))
_TILT_SIGMA, _END_WEIGHT, _END_RIM = 0.12, 12.0, 0.7
_HEIGHT_SIGMA, _DISC_SIGMA, _CLICK_SIGMA = 0.07, 0.05, 0.15
_LONGEST_MM = 60.0
_IMPOSSIBLE = -1e9  # finite, so that differences of impossible states are numbers


def interpolate_bodies(series: SagittalSeries, first: Click, last: Click) -> list[Click]:
    """Centres of all vertebral bodies from the first to the last.

    A ribbon with the look of the two bodies is followed from one click to the other; along
    it, ends of bodies are looked for that have the proportions of a spine.

    Parameters
    ----------
    series : SagittalSeries
    first, last : tuple of float
        (slice, row, column) indices of clicks in the topmost and the lowest body.

    Returns
    -------
    list of tuple of float
        (slice, row, column) from head to feet, the two clicked bodies included: clicks for
        :func:`~.vertebra_proposal.propose_vertebrae`.

    Raises
    ------
    SpinemetError
        If a click lies outside of the picture, if both lie in one body, or if no bodies fit
        between them.
    """
    clicks = points_of(series, [first, last])
    points, half_depth, stiffness = clicks, np.empty(0), _CHORD_STIFFNESS
    for reach_mm, next_stiffness in _ROUNDS:
        centreline = Centreline(points, stiffness=stiffness, margin_mm=_MARGIN_MM)
        points, half_depth = _follow_spine(series, centreline, clicks, reach_mm, half_depth)
        stiffness = next_stiffness
    centreline = Centreline(points, stiffness=_COUNT_STIFFNESS, margin_mm=_MARGIN_MM)
    depth = 2 / _RIBBON_SHARE * ndimage.median_filter(half_depth, 7, mode="nearest")
    middles = _find_middles(series, centreline, clicks, depth)
    centres = centreline.evaluate(middles) / series.spacing_mm
    return [(float(a), float(b), float(c)) for a, b, c in centres]


def _follow_spine(
    series: SagittalSeries,
    centreline: Centreline,
    clicks: FloatArray,
    reach_mm: float,
    half_depth: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Points in mm along the middle of the spine, and its half depth at each of them.

    ``half_depth`` is that of the round before, at the points of the centreline; empty in the
    first.
    """
    grid = np.arange(centreline.start_mm, centreline.end_mm, 0.25)
    click_s, click_t = centreline.project(clicks[:, 1:], grid)
    s = np.arange(click_s[0] - 15, click_s[1] + 15)
    # Beyond the reach of the centre there must be room for the half depth.
    t = np.arange(-reach_mm - 30, reach_mm + 31)
    edges = SpineEdges(series, centreline, s, t, np.full(len(s), min(reach_mm, 25.0)))
    centres = np.flatnonzero(np.abs(t) <= reach_mm)
    score = _score_walls(edges, centres)
    difference = _UNLIKE_WEIGHT * _intensity_difference(edges, click_s, click_t)
    for k, half in enumerate(_HALF_DEPTHS):
        # In the middle and just inside of either wall.
        for step in (0, half - 3, 3 - half):
            score[:, :, k] -= difference[:, centres + step]
    score += _TRANSVERSE_WEIGHT * _transverse_edges(edges)[:, centres, None]
    if len(half_depth):
        expected_half = np.interp(s, centreline.points_s_mm, half_depth)[:, None]
        deviation = (_HALF_DEPTHS - expected_half) / (_HALF_DEPTH_SIGMA * expected_half)
        score -= _HALF_DEPTH_PRIOR * deviation[:, None] ** 2
    for at_s, at_t in zip(click_s, click_t, strict=True):
        misses_click = np.abs(t[centres] - at_t) > _CLICK_MM
        score[np.abs(s - at_s) <= 3] -= _CLICK_COST * misses_click[:, None]
    score[(s < click_s[0] - 3) | (s > click_s[1] + 3)] *= _BEYOND_WEIGHT
    centre_path, half_path = _best_ribbon(score)
    count = max(2, int((click_s[1] - click_s[0]) / _POINT_MM) + 1)
    point_s = np.linspace(click_s[0], click_s[1], count)
    points = centreline.evaluate(point_s)
    points[:, 1:] = centreline.locate(point_s, np.interp(point_s, s, t[centres[centre_path]]))
    points[[0, -1]] = clicks
    smooth_half = ndimage.gaussian_filter1d(_HALF_DEPTHS[half_path].astype(float), 15.0)
    return points, np.interp(point_s, s, smooth_half)


def _score_walls(edges: SpineEdges, centres: npt.NDArray[np.intp]) -> EdgeArray:
    """``(s, centre, half depth)``: evidence of a wall in front and one behind."""
    score = np.zeros((len(edges.s_mm), len(centres), len(_HALF_DEPTHS)), np.float32)
    for side, sign in ((2, -1), (3, 1)):
        # Columns are turned round for the front wall, so that they run outwards.
        brighter, darker = (
            edges.average_slices(edge)[:, ::sign] for edge in edges.outward_edges(side)
        )
        wall = score_exits(brighter, darker, edges.step_mm, rim=_RIM)[:, ::sign]
        long_lines = ndimage.gaussian_filter1d(brighter, 5.0, axis=0)[:, ::sign]
        # The strongest long line from the centre to each step outwards.
        barrier = np.zeros(score.shape[:2], np.float32)
        for step in range(int(_HALF_DEPTHS[-1]) - 1):
            barrier = np.maximum(barrier, long_lines[:, centres + sign * step])
            if step + 2 in _HALF_DEPTHS:
                # Against the mean, or else a narrow ribbon would cross less and win.
                gain = wall[:, centres + sign * (step + 2)] - wall.mean()
                gain -= _CROSSING * (barrier - barrier.mean())
                score[:, :, step + 2 - _HALF_DEPTHS[0]] += gain
    return score


def _intensity_difference(edges: SpineEdges, click_s: FloatArray, click_t: FloatArray) -> EdgeArray:
    """``(s, t)`` from 0 to 1: how far the surroundings differ from both bodies clicked."""
    image = edges.samples[edges.slice_index, np.arange(len(edges.s_mm))]
    # Every second sample will do for a median of 40 x 9 mm, in a quarter of the time.
    median = ndimage.median_filter(image[::2, ::2], (21, 5), mode="nearest")
    median = median.repeat(2, axis=0).repeat(2, axis=1)[: image.shape[0], : image.shape[1]]
    levels = [
        np.median(image[np.abs(edges.s_mm - at_s) <= 6][:, np.abs(edges.t_mm - at_t) <= 6])
        for at_s, at_t in zip(click_s, click_t, strict=True)
    ]
    # Keeps the logarithm away from zero, and dark tissue from differing by its noise.
    floor = 0.2 * min(levels) + 1e-6
    differences = [np.abs(np.log((median + floor) / (level + floor))) for level in levels]
    return np.asarray(np.clip(np.minimum(*differences) - _INTENSITY_TOLERANCE, 0, 1))


def _transverse_edges(edges: SpineEdges) -> EdgeArray:
    """``(s, t)``, in deviations from the mean: edges across, of which only a spine has many."""
    across = sum(edges.average_slices(edge) for edge in edges.outward_edges(1))
    strongest = ndimage.maximum_filter1d(across, 7, axis=0)
    smooth = ndimage.uniform_filter(strongest, (25, 11))
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6))


def _best_ribbon(score: EdgeArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Index of centre and half depth per mm; both change by at most one from mm to mm."""
    moves = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    costs = np.array([_SIDEWAYS_COST * abs(a) + _WIDENING_COST * abs(b) for a, b in moves])
    rows, centres, halves = score.shape
    best_move = np.zeros(score.shape, np.int8)
    total = score[0]
    for row in range(1, rows):
        wide_total = np.pad(total, 1, constant_values=-np.inf)
        options = np.stack([wide_total[1 - a :, 1 - b :][:centres, :halves] for a, b in moves])
        options -= costs[:, None, None]
        best_move[row] = options.argmax(axis=0)
        total = options.max(axis=0) + score[row]
    path = np.empty((rows, 2), np.intp)
    path[-1] = np.unravel_index(int(total.argmax()), total.shape)
    for row in range(rows - 1, 0, -1):
        path[row - 1] = path[row] - moves[best_move[row, path[row, 0], path[row, 1]]]
    return path[:, 0], path[:, 1]


def _find_middles(
    series: SagittalSeries, centreline: Centreline, clicks: FloatArray, depth: FloatArray
) -> FloatArray:
    """Distances along the centreline of the middles of the bodies."""
    grid = np.arange(centreline.start_mm, centreline.end_mm, 0.25)
    click_s, _ = centreline.project(clicks[:, 1:], grid)
    s = np.arange(centreline.start_mm, centreline.end_mm, 0.5)
    depth_at = np.interp(s, centreline.points_s_mm, depth)
    edges = SpineEdges(series, centreline, s, np.arange(-30, 30.1, 0.5), 0.3 * depth_at)
    factor, growth = (g.ravel() for g in np.meshgrid(_FACTORS, _GROWTHS))
    share = np.clip((s - click_s[0]) / (click_s[1] - click_s[0]), 0, 1) - 0.5
    pitch = factor[:, None] * (1 + growth[:, None] * share) * depth_at / DEPTH_SHARE
    penalty = ((factor - 1) / _FACTOR_SIGMA) ** 2 / 2 + (growth / _GROWTH_SIGMA) ** 2 / 2
    inside = (s > click_s[0]) & (s < click_s[1])
    evidence = [_score_endplates(edges, side, depth_at, inside) for side in (0, 1)]
    return _best_chain(s, click_s, evidence, pitch, penalty)


def _score_endplates(
    edges: SpineEdges, side: int, depth: FloatArray, inside: npt.NDArray[np.bool_]
) -> FloatArray:
    """``(s,)`` evidence of an endplate, below 0 where there is no more than usual."""
    t = np.linspace(-0.3, 0.3, 21) * depth[:, None]
    columns = edges.columns(t)
    brighter, darker = (edges.average_slices(edge) for edge in edges.outward_edges(side))
    best = np.full(len(depth), -np.inf)
    sign = (-1, 1)[side]
    for tan in _TANS:
        rows = edges.rows(edges.s_mm[:, None] + tan * t)
        mean_brighter, mean_darker = (
            edge[rows, columns].mean(axis=1) for edge in (brighter, darker)
        )
        exits = score_exits(
            mean_brighter[::sign], mean_darker[::sign], edges.step_mm, rim=_END_RIM
        )[::sign]
        best = np.maximum(best, exits - (tan / _TILT_SIGMA) ** 2 / 2 / _END_WEIGHT)
    usual_score = best[inside].mean() + best[inside].std()
    return np.asarray(_END_WEIGHT * (best - usual_score))


def _best_chain(
    s: FloatArray,
    click_s: FloatArray,
    evidence: Sequence[FloatArray],
    pitch: FloatArray,
    penalty: FloatArray,
) -> FloatArray:
    """Middles of the chain of bodies of greatest score, over all pitches ``(pitch, s)``.

    Dynamic programming over the distance along the spine: each top follows a bottom, each
    bottom a top, all pitches side by side.
    """
    step = s[1] - s[0]
    lookback = round(_LONGEST_MM / step)
    gaps = np.arange(lookback, 0, -1) * step
    pitch_index = np.arange(len(pitch))
    # Padded at the start, so that looking back needs no bounds.
    top, bottom = (np.full((len(pitch), lookback + len(s)), _IMPOSSIBLE) for _ in range(2))
    # For each top (0) the bottom that it follows, for each bottom (1) the top; -1 begins.
    origin = np.full((2, len(pitch), len(s)), -1)
    for at in range(len(s)):
        size = pitch[:, at]
        share = gaps / size[:, None]
        disc_cost = ((share - 1 + HEIGHT_SHARE) / _DISC_SIGMA) ** 2 / 2
        options = bottom[:, at : at + lookback] - disc_cost
        best = options.argmax(axis=1)
        # The first body has no disc above it, but the click in its middle.
        deviation = (s[at] - click_s[0]) / size + HEIGHT_SHARE / 2
        click_score = -((deviation / _CLICK_SIGMA) ** 2) / 2
        start = np.where(s[at] < click_s[0], click_score, _IMPOSSIBLE)
        is_first = start > options[pitch_index, best]
        origin[0, :, at] = np.where(is_first, -1, at - lookback + best)
        top[:, lookback + at] = (
            np.where(is_first, start, options[pitch_index, best]) + evidence[0][at]
        )
        height_cost = ((share - HEIGHT_SHARE) / _HEIGHT_SIGMA) ** 2 / 2
        options = top[:, at : at + lookback] - height_cost
        best = options.argmax(axis=1)
        origin[1, :, at] = at - lookback + best
        bottom[:, lookback + at] = options[pitch_index, best] + evidence[1][at]
    deviation = (s - click_s[1]) / pitch - HEIGHT_SHARE / 2
    final = bottom[:, lookback:] - (deviation / _CLICK_SIGMA) ** 2 / 2 - penalty[:, None]
    final[:, s <= click_s[1]] = _IMPOSSIBLE
    pitch_choice, lowest = divmod(int(final.argmax()), len(s))
    if final[pitch_choice, lowest] < -1e6:
        raise SpinemetError(
            "No vertebral bodies were found between the two clicks; click each of them."
        )
    return _trace_middles(s, origin[:, pitch_choice], lowest)


def _trace_middles(s: FloatArray, origin: npt.NDArray[np.int_], lowest: int) -> FloatArray:
    """The middles of a chain from head to feet, traced back from its lowest end."""
    middles, end = [], lowest
    while end >= 0:
        head = int(origin[1, end])
        middles.append((s[head] + s[end]) / 2)
        end = int(origin[0, head])
    return np.array(middles[::-1])
