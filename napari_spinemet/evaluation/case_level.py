"""Is there a metastasis in this scan: the answer for the case (paper, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from .curve import FrocCurve


@dataclass(frozen=True)
class Proportion:
    """So many of so many.

    Attributes
    ----------
    hits, of : int
    """

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share; not a number of none."""
        return self.hits / self.of if self.of else float("nan")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Wilson's interval (J. Am. Stat. Assoc. 22, 1927); from 0 to 1 of none."""
        if not self.of:
            return 0.0, 1.0
        ends = stats.binomtest(self.hits, self.of).proportion_ci(level, method="wilson")
        return float(ends.low), float(ends.high)


@dataclass(frozen=True)
class CaseLevel:
    """How often the answer for a case is right.

    A case is called diseased where at least one detection is left at the threshold. The
    predictive values are those of this cohort, with its share of diseased cases.

    Attributes
    ----------
    sensitivity, specificity : Proportion
        Of the cases with and without a lesion.
    ppv, npv : Proportion
        Of the cases that were called diseased and normal.
    """

    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    npv: Proportion


def called_diseased(curve: FrocCurve, threshold: float) -> list[bool]:
    """Whether any detection is left in each case of a curve.

    Parameters
    ----------
    curve : FrocCurve
    threshold : float
    """
    # A detection either finds a region or is a false positive.
    thresholds = np.array([curve.thresholds.dtype.type(threshold)])
    rates = [case.at(thresholds) for case in curve.cases]
    return [bool(np.nan_to_num(tp[0]) > 0 or fp[0] > 0) for tp, _, fp in rates]


def case_level(curve: FrocCurve, threshold: float) -> CaseLevel:
    """Judge the answers for the cases of a curve at a threshold.

    Parameters
    ----------
    curve : FrocCurve
        Of the minimum area, weight and gate that are judged.
    threshold : float
    """
    answers = np.array(called_diseased(curve, threshold))
    has_lesion = np.array([case.has_regions for case in curve.cases])

    def share(right: np.ndarray, among: np.ndarray) -> Proportion:
        return Proportion(int((right & among).sum()), int(among.sum()))

    return CaseLevel(
        sensitivity=share(answers, has_lesion),
        specificity=share(~answers, ~has_lesion),
        ppv=share(has_lesion, answers),
        npv=share(~has_lesion, ~answers),
    )
