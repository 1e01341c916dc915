"""What a reproduction finds: rows of the table, and answers to questions."""

from __future__ import annotations

from dataclasses import dataclass

from ...evaluation import FrocCurve
from ...evaluation.comparison import FpComparison, FrocComparison
from ...imaging import OperatingPoint

PAPER_SETTINGS, VALIDATED_SETTINGS = "paper", "validated"
FIRST_TRAINING, SECOND_TRAINING, BOTH_TRAININGS = "first", "second", "both"
"""Of which training both rows of a question are; the last compares the two of one system."""


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
        What is query.
    training : {"first", "second", "both"}
        Of both rows, or one of each.
    settings : {"paper", "validated"}
        Of both rows.
    a, b : str
        Titles of the rows.
    area : FrocComparison
    fp_at_90 : FpComparison
        False positives where nine tenths of the regions are found.
    """

    text: str
    training: str
    settings: str
    a: str
    b: str
    area: FrocComparison
    fp_at_90: FpComparison
