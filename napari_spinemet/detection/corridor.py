"""Which columns are evaluated: a corridor along the spine.

A coarse look over the whole width says where the spine runs; the network is then evaluated along
it alone. The central half of the paper (section 2.5) cuts off what a curved spine, or a patient
who lies aside, has beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..imaging.evaluated_region import SPINE, EvaluatedRegion

FloatArray = npt.NDArray[np.floating]
IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class CorridorRule:
    """How the corridor is found, in mm.

    Attributes
    ----------
    stride : int
        Working pixels between the points of the coarse look.
    looks : tuple of int
        So many slices are looked at, and then more, until the spine is seen.
    certain : float
        It is seen at a row where the mean likelihood of bone across a body exceeds this, in the
        half of the slices that show most of it.
    seen_share, least_mm : float
        Enough is seen where the share of such rows is as large; at the end, so many mm of them.
    body_mm : float
        Depth of a body, over which likelihoods are averaged.
    bend : float
        Cost of a step aside, of one point to the next, in likelihood; its square counts.
    front_mm, behind_mm : float
        The corridor reaches so far in front of the middle of the bodies, and behind it.
    slack_mm : float
        And so much farther, since the middle is known to some millimetres only.
    spread, sacral_spread : float
        And, away from rows that were seen, so much farther with each mm; below them all and
        behind, where the sacrum runs backwards, as the second says.
    max_spread_mm, max_sacral_spread_mm : float
        But no more than this.
    margins : tuple of int
        Rows and columns by which a rectangle costs more to evaluate than its own pixels; measured.
    """

    stride: int = 8
    looks: tuple[int, ...] = (3, 4, 6)
    certain: float = 0.4
    seen_share: float = 0.45
    least_mm: float = 90.0
    body_mm: float = 32.0
    bend: float = 0.12
    front_mm: float = 35.0
    behind_mm: float = 75.0
    slack_mm: float = 4.0
    spread: float = 0.3
    max_spread_mm: float = 25.0
    sacral_spread: float = 0.8
    max_sacral_spread_mm: float = 60.0
    margins: tuple[int, int] = (50, 37)


CORRIDOR_RULE = CorridorRule()
_LARGEST_STEP = 2
_REFINED = 2
"""Points to either side of the path that its exact place is taken from."""


@dataclass(frozen=True, eq=False)
class SpineCourse:
    """Where the bodies run, by a coarse look.

    Attributes
    ----------
    rows, columns : numpy.ndarray
        ``(n,)`` each: points of it on the working grid, from head to feet.
    is_seen : numpy.ndarray of bool
        ``(n,)``: whether vertebrae were recognised there; elsewhere it goes on as it came.
    """

    rows: IndexArray
    columns: FloatArray
    is_seen: npt.NDArray[np.bool_]

    def at(self, rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Its column at rows; straight down beyond its ends."""
        return np.asarray(np.interp(np.asarray(rows, dtype=float), self.rows, self.columns))

    def distance_to_seen(self, rows: npt.ArrayLike) -> IndexArray:
        """Rows to the nearest one where vertebrae were recognised."""
        seen = self.rows[self.is_seen]
        return np.asarray(np.abs(np.asarray(rows)[:, None] - seen).min(axis=1), dtype=np.intp)

    @property
    def seen_share(self) -> float:
        """Of its points."""
        return float(self.is_seen.mean())

    @property
    def last_seen_row(self) -> int:
        """The lowest row where vertebrae were recognised."""
        return int(self.rows[self.is_seen][-1])


def looks_at(count: int, rule: CorridorRule = CORRIDOR_RULE) -> list[IndexArray]:
    """Which slices each look adds: few, spread over the stack, then those between them.

    Parameters
    ----------
    count : int
        Slices of the series.
    rule : CorridorRule

    Returns
    -------
    list of numpy.ndarray
        Slice indices; no slice twice.
    """
    known: set[int] = set()
    result = []
    for wanted in rule.looks:
        spread = np.floor((np.arange(wanted) + 0.5) * count / wanted).astype(np.intp)
        fresh = sorted(set(map(int, spread)) - known)
        known |= set(fresh)
        if fresh:
            result.append(np.array(fresh, dtype=np.intp))
    return result


def trace_course(
    bone: npt.NDArray[np.float32],
    rows: IndexArray,
    columns: IndexArray,
    rule: CorridorRule = CORRIDOR_RULE,
) -> SpineCourse | None:
    """The path from the first row to the last that meets most bone and bends least.

    Found by dynamic programming, so that no bright organ or process beside the bodies leads it
    astray for long.

    Parameters
    ----------
    bone : numpy.ndarray
        ``(slice, row, column)``: likelihood at the points looked at.
    rows, columns : numpy.ndarray
        Where these lie on the working grid, at equal distances.
    rule : CorridorRule

    Returns
    -------
    SpineCourse or None
        None if no point of it is seen for certain.
    """
    # Where the stack is wide, or the spine bends sideways, some slices miss the bodies.
    best = np.sort(bone, axis=0)[len(bone) // 2 :].mean(axis=0)
    weights = _body_weights(rule.body_mm / rule.stride)
    support = ndimage.convolve1d(best, weights, axis=1, mode="constant")
    support = ndimage.gaussian_filter1d(support, 0.7, axis=0)
    path = _best_path(support, rule.bend)
    index = np.arange(len(columns))
    near = np.abs(index - path[:, None]) <= _REFINED
    mass = np.where(near, support, 0.0).astype(np.float64) ** 2 + 1e-12 * near
    middles = (mass * columns).sum(axis=1) / mass.sum(axis=1)
    is_seen = support[np.arange(len(rows)), path] > rule.certain
    return SpineCourse(rows, middles, is_seen) if is_seen.any() else None


def _body_weights(points: float) -> FloatArray:
    """Of an average over so many points, with parts of points at its ends."""
    whole = int((points - 1) // 2)
    end = (points - 1) / 2 - whole
    weights = np.array([end, *np.ones(2 * whole + 1), end])
    return np.asarray(weights / weights.sum())


def _best_path(support: FloatArray, bend: float) -> IndexArray:
    """Column index in each row that gathers most support, less what its steps aside cost."""
    height, width = support.shape
    steps = np.arange(-_LARGEST_STEP, _LARGEST_STEP + 1)
    total = support[0].astype(np.float64)
    origins = np.zeros((height, width), dtype=np.intp)
    for row in range(1, height):
        padded = np.pad(total, _LARGEST_STEP, constant_values=-np.inf)
        choices = np.stack([padded[k : k + width] for k in range(len(steps))])
        choices -= bend * steps[:, None] ** 2
        choice = choices.argmax(axis=0)
        origins[row] = np.arange(width) + steps[choice]
        total = choices.max(axis=0) + support[row]
    path = [int(total.argmax())]
    for row in range(height - 1, 0, -1):
        path.append(int(origins[row, path[-1]]))
    return np.array(path[::-1], dtype=np.intp)


def corridor_along(
    course: SpineCourse, shape: tuple[int, int], rule: CorridorRule = CORRIDOR_RULE
) -> EvaluatedRegion:
    """The corridor, widened to few rectangles.

    Parameters
    ----------
    course : SpineCourse
    shape : tuple of int
        (rows, columns) of the working grid.
    rule : CorridorRule
    """
    rows = np.arange(shape[0])
    middle, unseen = course.at(rows), (course.distance_to_seen(rows) - rule.stride).clip(0)
    below = (rows - course.last_seen_row).clip(0)
    slack = rule.slack_mm + np.minimum(rule.spread * unseen, rule.max_spread_mm)
    sacral = rule.slack_mm + np.minimum(rule.sacral_spread * below, rule.max_sacral_spread_mm)
    front = np.floor(middle - rule.front_mm - slack)
    behind = np.ceil(middle + rule.behind_mm + np.maximum(slack, sacral)) + 1
    # A corridor that left the picture would be none: at least a column stays in it.
    first = front.clip(0, shape[1] - 1).astype(np.intp)
    last = behind.clip(first + 1, shape[1]).astype(np.intp)
    return EvaluatedRegion(*cover_with_bands(first, last, rule.margins), shape[1], SPINE)


def cover_with_bands(
    first: npt.ArrayLike,
    last: npt.ArrayLike,
    margins: tuple[int, int],
    step: int = 8,
) -> tuple[IndexArray, IndexArray]:
    """Widen intervals of rows so that few rectangles hold them, at the least cost.

    A rectangle costs its own pixels and a margin around them, since each pixel reads what lies
    about it: many narrow rectangles follow a curve more closely and repeat their margins. The
    cheapest cuts are found by dynamic programming.

    Parameters
    ----------
    first, last : array-like of int
        ``(row,)``: first column and one past the last that each row must hold.
    margins : tuple of int
        Rows and columns that a rectangle costs beyond its own.
    step : int
        Rectangles begin at multiples of so many rows.

    Returns
    -------
    tuple of numpy.ndarray
        ``(row,)`` each: the widened intervals.
    """
    first, last = np.array(first, dtype=np.intp), np.array(last, dtype=np.intp)
    rows = len(first)
    cuts = [*range(0, rows, step), rows]
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost up to each cut, and where its band began
    for end in range(1, len(cuts)):
        low, high = np.inf, -np.inf
        choices = []
        for start in range(end - 1, -1, -1):
            part = slice(cuts[start], cuts[start + 1])
            low, high = min(low, first[part].min()), max(high, last[part].max())
            height = cuts[end] - cuts[start]
            cost = (height + margins[0]) * (high - low + margins[1])
            choices.append((best[start][0] + float(cost), start))
        best.append(min(choices))
    end = len(cuts) - 1
    while end:
        start = best[end][1]
        part = slice(cuts[start], cuts[end])
        first[part], last[part] = first[part].min(), last[part].max()
        end = start
    return first, last
