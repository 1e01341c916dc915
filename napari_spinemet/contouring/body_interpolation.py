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
from .spine_edges import EdgeArray, SpineEdges, leaving

_MARGIN_MM = 25.0
_CHORD_STIFFNESS, _COUNT_STIFFNESS = 1.0, 3e3

# Following the spine: a ribbon of a centre and a half depth per mm. Each round lays the
# curve through the ribbon of the one before and looks less far to the sides.
_ROUNDS = ((60.0, 3e5), (25.0, 1e5), (15.0, 3e4), (10.0, 3e4))  # mm aside, stiffness in mm³
_HALVES = np.arange(6, 23)
_RIM, _CROSSING, _UNLIKE_WEIGHT, _TRANSVERSE_WEIGHT = 0.4, 0.7, 0.5, 0.15
_HALF_SIGMA, _HALF_PRIOR = 0.25, 0.1
_ASIDE_COST, _DEEPER_COST = 0.35, 1.0
_CLICK_MM, _CLICK_COST, _BEYOND_WEIGHT = 4.0, 10.0, 0.3
_ALIKE = 0.4  # in natural logarithms of intensity
_POINT_MM = 8.0

# Counting along the spine: the pitch is a factor of what the depth suggests, which may grow
# or shrink along the way; all pairs of both are tried.
_FACTORS, _GROWTHS = np.arange(0.7, 1.36, 0.05), np.arange(-0.3, 0.31, 0.15)
_FACTOR_SIGMA, _GROWTH_SIGMA = 0.18, 0.15
_NARROW = 0.84  # the ribbon lies within the cortex, as share of the depth
_TANS = np.tan(np.deg2rad(np.arange(-12.0, 13.0, 4.0)))
_TILT_SIGMA, _END_WEIGHT, _END_RIM = 0.12, 12.0, 0.7
_HEIGHT_SIGMA, _DISC_SIGMA, _CLICK_SIGMA = 0.07, 0.05, 0.15
_LONGEST_MM = 60.0


def bodies_between(series: SagittalSeries, first: Click, last: Click) -> list[Click]:
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
        :func:`~.proposal.propose_vertebrae`.

    Raises
    ------
    SpinemetError
        If a click lies outside of the picture, if both lie in one body, or if no bodies fit
        between them.
    """
    clicks = points_of(series, [first, last])
    points, half, stiffness = clicks, np.empty(0), _CHORD_STIFFNESS
    for aside, following in _ROUNDS:
        curve = Centreline(points, stiffness=stiffness, margin_mm=_MARGIN_MM)
        points, half = _follow(series, curve, clicks, aside, half)
        stiffness = following
    curve = Centreline(points, stiffness=_COUNT_STIFFNESS, margin_mm=_MARGIN_MM)
    depth = 2 / _NARROW * ndimage.median_filter(half, 7, mode="nearest")
    centres = curve.centre(_count(series, curve, clicks, depth)) / series.spacing_mm
    return [(float(a), float(b), float(c)) for a, b, c in centres]


def _follow(
    series: SagittalSeries,
    curve: Centreline,
    clicks: FloatArray,
    aside_mm: float,
    half: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Points in mm along the middle of the spine, and its half depth at each of them."""
    ends, off = curve.project(clicks[:, 1:], np.arange(curve.start_mm, curve.end_mm, 0.25))
    s = np.arange(ends[0] - 15, ends[1] + 15)
    t = np.arange(-aside_mm - 30, aside_mm + 31)
    edges = SpineEdges(series, curve, s, t, np.full(len(s), min(aside_mm, 25.0)))
    centres = np.flatnonzero(np.abs(t) <= aside_mm)
    score = _walls(edges, centres)
    unlike = _UNLIKE_WEIGHT * _unlike(edges, ends, off)
    for k, deep in enumerate(_HALVES):
        for step in (0, deep - 3, 3 - deep):
            score[:, :, k] -= unlike[:, centres + step]
    score += _TRANSVERSE_WEIGHT * _transverse(edges)[:, centres, None]
    if len(half):
        usual = np.interp(s, curve.at_mm, half)[:, None]
        score -= _HALF_PRIOR * ((_HALVES - usual) / (_HALF_SIGMA * usual))[:, None] ** 2
    for end, behind in zip(ends, off, strict=True):
        far = np.abs(t[centres] - behind) > _CLICK_MM
        score[np.abs(s - end) <= 3] -= _CLICK_COST * far[:, None]
    score[(s < ends[0] - 3) | (s > ends[1] + 3)] *= _BEYOND_WEIGHT
    path, deepness = _best_ribbon(score)
    at = np.linspace(ends[0], ends[1], max(2, int((ends[1] - ends[0]) / _POINT_MM) + 1))
    points = curve.centre(at)
    points[:, 1:] = curve.points(at, np.interp(at, s, t[centres[path]]))
    points[[0, -1]] = clicks
    return points, np.interp(
        at, s, ndimage.gaussian_filter1d(_HALVES[deepness].astype(float), 15.0)
    )


def _walls(edges: SpineEdges, centres: npt.NDArray[np.intp]) -> EdgeArray:
    """``(s, centre, half depth)``: evidence of a wall in front and one behind."""
    score = np.zeros((len(edges.s_mm), len(centres), len(_HALVES)), np.float32)
    for side, sign in ((2, -1), (3, 1)):
        brighter, darker = (edges.middle(edge)[:, ::sign] for edge in edges.outward(side))
        wall = leaving(brighter, darker, edges.step_mm, rim=_RIM)[:, ::sign]
        long = ndimage.gaussian_filter1d(brighter, 5.0, axis=0)[:, ::sign]
        crossed = np.zeros(score.shape[:2], np.float32)
        for step in range(int(_HALVES[-1]) - 1):
            crossed = np.maximum(crossed, long[:, centres + sign * step])
            if step + 2 in _HALVES:
                # Against the mean, or else a narrow ribbon would cross less and win.
                gain = wall[:, centres + sign * (step + 2)] - wall.mean()
                gain -= _CROSSING * (crossed - crossed.mean())
                score[:, :, step + 2 - _HALVES[0]] += gain
    return score


def _unlike(edges: SpineEdges, ends: FloatArray, off: FloatArray) -> EdgeArray:
    """``(s, t)`` from 0 to 1: how far the surroundings differ from both bodies clicked."""
    image = edges.samples[edges.slice_at, np.arange(len(edges.s_mm))]
    # Every second sample will do for a median of 40 x 9 mm, in a quarter of the time.
    around = ndimage.median_filter(image[::2, ::2], (21, 5), mode="nearest")
    around = around.repeat(2, axis=0).repeat(2, axis=1)[: image.shape[0], : image.shape[1]]
    levels = [
        np.median(image[np.abs(edges.s_mm - end) <= 6][:, np.abs(edges.t_mm - behind) <= 6])
        for end, behind in zip(ends, off, strict=True)
    ]
    floor = 0.2 * min(levels) + 1e-6
    differ = [np.abs(np.log((around + floor) / (level + floor))) for level in levels]
    return np.asarray(np.clip(np.minimum(*differ) - _ALIKE, 0, 1))


def _transverse(edges: SpineEdges) -> EdgeArray:
    """``(s, t)``, in deviations from the mean: edges across, of which only a spine has many."""
    across = sum(edges.middle(edge) for edge in edges.outward(1))
    most = ndimage.maximum_filter1d(across, 7, axis=0)
    even = ndimage.uniform_filter(most, (25, 11))
    return np.asarray((even - even.mean()) / (even.std() + 1e-6))


def _best_ribbon(score: EdgeArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Index of centre and half depth per mm; both change by at most one from mm to mm."""
    moves = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    costs = np.array([_ASIDE_COST * abs(a) + _DEEPER_COST * abs(b) for a, b in moves])
    rows, centres, halves = score.shape
    came = np.zeros(score.shape, np.int8)
    total = score[0]
    for row in range(1, rows):
        wide = np.pad(total, 1, constant_values=-np.inf)
        ways = np.stack([wide[1 - a :, 1 - b :][:centres, :halves] for a, b in moves])
        ways -= costs[:, None, None]
        came[row] = ways.argmax(axis=0)
        total = ways.max(axis=0) + score[row]
    path = np.empty((rows, 2), np.intp)
    path[-1] = np.unravel_index(int(total.argmax()), total.shape)
    for row in range(rows - 1, 0, -1):
        path[row - 1] = path[row] - moves[came[row, path[row, 0], path[row, 1]]]
    return path[:, 0], path[:, 1]


def _count(
    series: SagittalSeries, curve: Centreline, clicks: FloatArray, depth: FloatArray
) -> FloatArray:
    """Distances along the curve of the middles of the bodies."""
    ends, _ = curve.project(clicks[:, 1:], np.arange(curve.start_mm, curve.end_mm, 0.25))
    s = np.arange(curve.start_mm, curve.end_mm, 0.5)
    deep = np.interp(s, curve.at_mm, depth)
    edges = SpineEdges(series, curve, s, np.arange(-30, 30.1, 0.5), 0.3 * deep)
    factor, growth = (g.ravel() for g in np.meshgrid(_FACTORS, _GROWTHS))
    share = np.clip((s - ends[0]) / (ends[1] - ends[0]), 0, 1) - 0.5
    pitch = factor[:, None] * (1 + growth[:, None] * share) * deep / DEPTH_SHARE
    unlikely = ((factor - 1) / _FACTOR_SIGMA) ** 2 / 2 + (growth / _GROWTH_SIGMA) ** 2 / 2
    inside = (s > ends[0]) & (s < ends[1])
    evidence = [_ends_of_bodies(edges, side, deep, inside) for side in (0, 1)]
    return _best_chain(s, ends, evidence, pitch, unlikely)


def _ends_of_bodies(
    edges: SpineEdges, side: int, deep: FloatArray, inside: npt.NDArray[np.bool_]
) -> FloatArray:
    """``(s,)`` evidence of an endplate, below 0 where there is no more than usual."""
    t = np.linspace(-0.3, 0.3, 21) * deep[:, None]
    columns = edges.columns(t)
    brighter, darker = (edges.middle(edge) for edge in edges.outward(side))
    best = np.full(len(deep), -np.inf)
    out = (-1, 1)[side]
    for tan in _TANS:
        rows = edges.rows(edges.s_mm[:, None] + tan * t)
        brighter_, darker_ = (edge[rows, columns].mean(axis=1) for edge in (brighter, darker))
        found = leaving(brighter_[::out], darker_[::out], edges.step_mm, rim=_END_RIM)[::out]
        best = np.maximum(best, found - (tan / _TILT_SIGMA) ** 2 / 2 / _END_WEIGHT)
    usual = best[inside].mean() + best[inside].std()
    return np.asarray(_END_WEIGHT * (best - usual))


def _best_chain(
    s: FloatArray,
    ends: FloatArray,
    evidence: Sequence[FloatArray],
    pitch: FloatArray,
    unlikely: FloatArray,
) -> FloatArray:
    """Middles of the chain of bodies of greatest score, over all pitches ``(pitch, s)``.

    Dynamic programming over the distance along the spine: each top follows a bottom, each
    bottom a top, all pitches side by side.
    """
    step = s[1] - s[0]
    back = round(_LONGEST_MM / step)
    gaps = np.arange(back, 0, -1) * step
    every = np.arange(len(pitch))
    # Padded at the start, so that looking back needs no bounds.
    top, bottom = (np.full((len(pitch), back + len(s)), -1e9) for _ in range(2))
    above = np.full((2, len(pitch), len(s)), -1)
    for at in range(len(s)):
        size = pitch[:, at]
        share = gaps / size[:, None]
        ways = bottom[:, at : at + back] - ((share - 1 + HEIGHT_SHARE) / _DISC_SIGMA) ** 2 / 2
        best = ways.argmax(axis=1)
        # The first body has no disc above it, but the click in its middle.
        off = (s[at] - ends[0]) / size + HEIGHT_SHARE / 2
        start = np.where(s[at] < ends[0], -((off / _CLICK_SIGMA) ** 2) / 2, -1e9)
        first = start > ways[every, best]
        above[0, :, at] = np.where(first, -1, at - back + best)
        top[:, back + at] = np.where(first, start, ways[every, best]) + evidence[0][at]
        ways = top[:, at : at + back] - ((share - HEIGHT_SHARE) / _HEIGHT_SIGMA) ** 2 / 2
        best = ways.argmax(axis=1)
        above[1, :, at] = at - back + best
        bottom[:, back + at] = ways[every, best] + evidence[1][at]
    off = (s - ends[1]) / pitch - HEIGHT_SHARE / 2
    final = bottom[:, back:] - (off / _CLICK_SIGMA) ** 2 / 2 - unlikely[:, None]
    final[:, s <= ends[1]] = -1e9
    which, lowest = divmod(int(final.argmax()), len(s))
    if final[which, lowest] < -1e6:
        raise SpinemetError(
            "No vertebral bodies were found between the two clicks; click each of them."
        )
    middles, end = [], lowest
    while end >= 0:
        head = int(above[1, which, end])
        middles.append((s[head] + s[end]) / 2)
        end = int(above[0, which, head])
    return np.array(middles[::-1])
