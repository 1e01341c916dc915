"""What a reproduction finds: rows of the table, and answers to questions."""

from __future__ import annotations

from dataclasses import dataclass

from ...evaluation import FrocCurve
from ...evaluation.comparison import FpComparison, FrocComparison
from ...imaging import OperatingPoint

PAPER_SETTINGS, VALIDATED_SETTINGS = "paper", "validated"


@dataclass(frozen=True, eq=False)
class Row:
    """One system at one kind of settings.

    Attributes
    ----------
    key, title : str
        ``key`` names a system, with a word behind it where it is not as it was trained.
    settings : {"paper", "validated"}
        The paper's minimum area and weight, or those chosen on the validation cases of all folds.
    point : OperatingPoint
    curve : FrocCurve
    """

    key: str
    title: str
    settings: str
    point: OperatingPoint
    curve: FrocCurve


@dataclass(frozen=True, eq=False)
class Question:
    """A comparison of two rows over the same cases: whether the first is better.

    Attributes
    ----------
    text : str
        What is asked.
    settings : {"paper", "validated"}
        Of both rows.
    a, b : str
        Titles of the rows.
    area : FrocComparison
    fp_at_90 : FpComparison
        False positives where nine tenths of the regions are found.
    """

    text: str
    settings: str
    a: str
    b: str
    area: FrocComparison
    fp_at_90: FpComparison
