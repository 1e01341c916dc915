"""Where the spine runs, by the network's own third output, and what lies away from it.

Of the paper's eight false positives six were in the cerebellum (section 5.1). The
likelihood of normal vertebra alone does not tell them apart, since a bright organ is called
lesion and not vertebra; the course of the spine does. The course is followed where there is no
doubt, from its back, since brain, nape and presacral tissue look like vertebra in some slices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

from ..imaging import Detection, EvaluatedRegion, LikelihoodMap
from .bone import bone_likelihood

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
MaskArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class GateRule:
    """The parameters of the gate, in mm and probabilities.

    Attributes
    ----------
    certain : float
        Rows belong to the spine where the likelihood of bone exceeds this in any slice.
    probability, share : float
        Pixels tell its course where the likelihood exceeds this in that share of the slices.
    gap_mm : int
        Parts above each other are one across so much: discs, or a lesion.
    continued_above_mm, aside_above_mm, continued_below_mm, aside_below_mm : float
        A part that lies farther off still goes on with the spine, up to so far above or below it,
        if the ends that face each other are not farther aside: a body that is lesion altogether
        shows no vertebra. The brain lies 40 mm and more behind the neck, the sacrum up to 30 mm
        behind a lumbar body.
    width_factor : float
        In each row the stretch of so many median widths counts that has most bone in all slices:
        in front of the sacrum and of the neck, and about the uppermost body, more than the bodies
        may look like vertebra.
    degree : int
        Of the polynomial of column on row.
    front_mm, behind_mm : float
        Detections whose centre lies farther in front of the curve, or behind it, are outside,
        measured across the curve. The spinous process ends up to 70 mm behind the middle of its
        body; what grows in arch and process, and out of them, passes.
    above_mm, below_mm : float
        How far beyond the first and last supported row the spine may go on; above, as far behind
        the curve as in front of it, since processes slope downwards.
    sacral_slope : float
        How much farther behind it may lie there with each mm below the last supported row: where
        the sacrum is not called vertebra for certain, it goes on backwards all the same.
    min_rows : int
        Fewer supported rows give no curve.
    border_mm : float
        A curve closer to the border of what is evaluated is worth a warning.
    """

    certain: float = 0.7
    probability: float = 0.5
    share: float = 0.25
    gap_mm: int = 12
    continued_above_mm: float = 45.0
    aside_above_mm: float = 20.0
    continued_below_mm: float = 60.0
    aside_below_mm: float = 35.0
    width_factor: float = 1.15
    degree: int = 4
    front_mm: float = 22.0
    behind_mm: float = 65.0
    above_mm: float = 8.0
    below_mm: float = 45.0
    sacral_slope: float = 1.5
    min_rows: int = 30
    border_mm: float = 30.0


@dataclass(frozen=True, eq=False)
class Spine:
    """The course of the spine on the working grid.

    Attributes
    ----------
    first_row, last_row : int
        Supported rows.
    polynomial : numpy.polynomial.Polynomial
        Column in dependence of row.
    rule : GateRule
    """

    first_row: int
    last_row: int
    polynomial: np.polynomial.Polynomial
    rule: GateRule

    def column(self, rows: npt.ArrayLike) -> FloatArray:
        """Column of the curve; straight down beyond the supported rows."""
        inside = np.clip(rows, self.first_row, self.last_row)
        return np.asarray(self.polynomial(inside), dtype=np.float64)

    def _slope(self, rows: npt.ArrayLike) -> FloatArray:
        """Columns to the back with each row; none beyond the supported rows."""
        inside = np.clip(rows, self.first_row, self.last_row)
        return np.asarray(np.where(inside == rows, self.polynomial.deriv()(inside), 0.0))

    def holds(self, row: npt.ArrayLike, column: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether working-grid points lie within the gate.

        Parameters
        ----------
        row, column : array-like
            Of one shape, in working pixels, which are mm.
        """
        row, column = np.asarray(row), np.asarray(column)
        # Across the curve, or bodies that lean stand out in front; to the back, below 0 in front.
        distance_mm = (column - self.column(row)) / np.hypot(1, self._slope(row))
        sacral_mm = self.rule.sacral_slope * np.maximum(row - self.last_row, 0)
        behind_mm = np.where(
            row < self.first_row, self.rule.front_mm, self.rule.behind_mm + sacral_mm
        )
        is_beside = (distance_mm >= -self.rule.front_mm) & (distance_mm <= behind_mm)
        is_level = (row >= self.first_row - self.rule.above_mm) & (
            row <= self.last_row + self.rule.below_mm
        )
        return np.asarray(is_beside & is_level)

    def keeps(self, detection: Detection) -> bool:
        """Whether the centre of a detection lies within the gate."""
        return bool(self.holds(*detection.centre_working))

    def near_border(self, region: EvaluatedRegion) -> bool:
        """Whether the curve comes close to a border beyond which the picture goes on."""
        rows = np.arange(self.first_row, self.last_row + 1)
        course, (front, back) = self.column(rows), region.borders_at(rows)
        margin = self.rule.border_mm
        return bool((course < front + margin).any() or (course > back - margin).any())


def predict_spine(likelihood: LikelihoodMap, rule: GateRule | None = None) -> Spine | None:
    """Fit the course of the spine to the likelihood of bone.

    Parameters
    ----------
    likelihood : LikelihoodMap
        From a network with three outputs; else there is no curve.
    rule : GateRule, optional

    Returns
    -------
    Spine or None
        None where too few rows show a vertebra.
    """
    rule = rule or GateRule()
    if likelihood.vertebra is None:
        return None
    bone = bone_likelihood(likelihood.values, likelihood.vertebra)
    # The brain and the nape look like vertebra in some slices, the spine does for certain.
    certain = _spine_of(bone.max(axis=0) > rule.certain, rule)
    certain_rows = np.flatnonzero(certain.any(axis=1))
    if len(certain_rows) < rule.min_rows:
        return None
    first, last = int(certain_rows[0]), int(certain_rows[-1])
    in_slices = (bone > rule.probability).sum(axis=0)
    support = in_slices >= max(1, math.ceil(rule.share * len(bone)))
    support[:first] = False
    support[last + 1 :] = False
    support = _spine_of(support, rule)
    rows = np.flatnonzero(support.any(axis=1))
    if len(rows) < rule.min_rows:
        return None
    columns = _middle_columns(np.where(support, in_slices, 0), rule)
    # One slice that is certain of the first body may be so of what lies above it.
    return Spine(int(rows[0]), int(rows[-1]), _fit_course(rows, columns, rule.degree), rule)


def _middle_columns(in_slices: IndexArray, rule: GateRule) -> FloatArray:
    """Mean column of the bodies in each row, by the slices in which each pixel is bone.

    What looks like bone in front of the bodies, or behind the uppermost one, does so in fewer
    slices than they do. Of stretches with equally many the hindmost counts: in front of the
    bodies there is more that looks like them than behind.

    Parameters
    ----------
    in_slices : numpy.ndarray
        ``(row, column)`` whole numbers.
    rule : GateRule

    Returns
    -------
    numpy.ndarray
        Float64, one for each row that is not 0 throughout.
    """
    in_slices = in_slices[in_slices.any(axis=1)]
    support = in_slices > 0
    half_width = int(rule.width_factor * np.median(support.sum(axis=1)) / 2)
    stretch = np.ones(2 * half_width + 1, dtype=np.intp)
    sums = ndimage.convolve1d(in_slices, stretch, axis=1, mode="constant")
    middle = sums.shape[1] - 1 - sums[:, ::-1].argmax(axis=1)
    positions = np.arange(support.shape[1])
    support &= np.abs(positions - middle[:, None]) <= half_width
    return np.asarray((support * positions).sum(axis=1) / support.sum(axis=1))


def _fit_course(rows: IndexArray, columns: FloatArray, degree: int) -> np.polynomial.Polynomial:
    """Column as a polynomial of row; rows that are far off count little (soft L1)."""
    # A parabola has no bends to follow outliers with, so the search begins there.
    start = np.polynomial.Polynomial.fit(rows, columns, min(degree, 2))
    # On [-1, 1], or the powers of the rows could not be told apart.
    scale = np.polynomial.Polynomial.fit(rows, columns, degree)
    unit_rows = np.polynomial.polyutils.mapdomain(rows, scale.domain, scale.window)
    design = np.polynomial.polynomial.polyvander(unit_rows, degree)
    guess = np.zeros(degree + 1)
    guess[: len(start.coef)] = start.coef

    def residuals(coefficients: FloatArray) -> FloatArray:
        return np.asarray(design @ coefficients - columns)

    solution = optimize.least_squares(residuals, guess, loss="soft_l1", f_scale=4.0)
    return np.polynomial.Polynomial(solution.x, scale.domain, scale.window)


def _spine_of(support: MaskArray, rule: GateRule) -> MaskArray:
    """The largest part of a ``(row, column)`` mask, and the parts that go on with it."""
    gap = rule.gap_mm
    # Padded, or closing would take away what lies next to the border of the picture.
    tall = np.pad(support, ((gap, gap), (0, 0)))
    without_gaps = ndimage.binary_closing(tall, np.ones((gap + 1, 1), dtype=bool))[
        gap : len(tall) - gap
    ]
    labels, count = ndimage.label(without_gaps, np.ones((3, 3)))
    parts = [support & (labels == n) for n in range(1, count + 1)]
    parts = [p for p in parts if p.any()]
    if not parts:
        return np.zeros_like(support)
    spine: MaskArray = max(parts, key=np.count_nonzero).copy()
    # Outwards from the largest, the nearest first.
    ends = [np.flatnonzero(p.any(axis=1))[[0, -1]] for p in parts]
    first, last = np.flatnonzero(spine.any(axis=1))[[0, -1]]
    for k in np.argsort([min(abs(e[1] - first), abs(e[0] - last)) for e in ends]):
        top, bottom = ends[k]
        if bottom < first and first - bottom <= rule.continued_above_mm:
            facing, end, limit_mm = bottom, first, rule.aside_above_mm
        elif top > last and top - last <= rule.continued_below_mm:
            facing, end, limit_mm = top, last, rule.aside_below_mm
        else:
            continue
        offset_mm = abs(_middle(parts[k], facing) - _middle(spine, end))
        if bottom - top + 1 >= rule.gap_mm and offset_mm <= limit_mm:
            spine |= parts[k]
            first, last = min(first, top), max(last, bottom)
    return spine


def _middle(part: MaskArray, row: int) -> float:
    """Mean column of a part about one of its ends."""
    rows = part[max(0, row - 10) : row + 11]
    return float(np.nonzero(rows)[1].mean())
