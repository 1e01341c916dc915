"""Where the spine runs, by the network's own third output, and what lies away from it.

Of the paper's eight false positives six were in the cerebellum (section 5.1). The
likelihood of normal vertebra alone does not tell them apart, since a bright organ is called
lesion and not vertebra; the course of the spine does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from ..imaging import Detection, LikelihoodMap

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GateRule:
    """The parameters of the gate, in mm and probabilities.

    Attributes
    ----------
    probability : float
        A pixel supports the curve where the vertebra likelihood exceeds this in any slice.
    degree : int
        Of the polynomial of column on row.
    distance_mm : float
        Detections whose centre lies farther from the curve are outside.
    above_mm, below_mm : float
        How far beyond the first and last supported row the spine may go on.
    min_rows : int
        Fewer supported rows give no curve.
    border_mm : float
        A curve closer to the border of the evaluated columns is worth a warning.
    """

    probability: float = 0.5
    degree: int = 4
    distance_mm: float = 28.0
    above_mm: float = 15.0
    below_mm: float = 25.0
    min_rows: int = 30
    border_mm: float = 30.0


@dataclass(frozen=True, eq=False)
class SpineCurve:
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

    def holds(self, row: npt.ArrayLike, column: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether working-grid points lie within the gate."""
        row, column = np.asarray(row), np.asarray(column)
        near = np.abs(column - self.column(row)) <= self.rule.distance_mm
        height = (row >= self.first_row - self.rule.above_mm) & (
            row <= self.last_row + self.rule.below_mm
        )
        return np.asarray(near & height)

    def keeps(self, detection: Detection) -> bool:
        """Whether the centre of a detection lies within the gate."""
        return bool(self.holds(*detection.centre_working))

    def near_border(self, columns: tuple[int, int]) -> bool:
        """Whether the curve comes close to the border of the evaluated columns."""
        course = self.column(np.arange(self.first_row, self.last_row + 1))
        margin = self.rule.border_mm
        return bool(course.min() < columns[0] + margin or course.max() > columns[1] - 1 - margin)


def spine_curve(likelihood: LikelihoodMap, rule: GateRule | None = None) -> SpineCurve | None:
    """Fit the course of the spine to the vertebra likelihood.

    Parameters
    ----------
    likelihood : LikelihoodMap
        From a network with three outputs; else there is no curve.
    rule : GateRule, optional

    Returns
    -------
    SpineCurve or None
        None where too few rows show a vertebra.
    """
    rule = rule or GateRule()
    if likelihood.vertebra is None:
        return None
    support = likelihood.vertebra.max(axis=0) > rule.probability
    rows = np.flatnonzero(support.any(axis=1))
    if len(rows) < rule.min_rows:
        return None
    positions = np.arange(support.shape[1])
    middle = (support[rows] * positions).sum(axis=1) / support[rows].sum(axis=1)
    # On [-1, 1], or the powers of the rows could not be told apart.
    start = np.polynomial.Polynomial.fit(rows, middle, min(rule.degree, 2))
    fitted = np.polynomial.Polynomial.fit(rows, middle, rule.degree)
    scaled = np.polynomial.polyutils.mapdomain(rows, fitted.domain, fitted.window)
    design = np.polynomial.polynomial.polyvander(scaled, rule.degree)
    guess = np.zeros(rule.degree + 1)
    guess[: len(start.coef)] = start.coef

    def residuals(coefficients: FloatArray) -> FloatArray:
        return np.asarray(design @ coefficients - middle)

    solution = optimize.least_squares(residuals, guess, loss="soft_l1", f_scale=4.0)
    polynomial = np.polynomial.Polynomial(solution.x, fitted.domain, fitted.window)
    return SpineCurve(int(rows[0]), int(rows[-1]), polynomial, rule)
