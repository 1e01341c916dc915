"""One case of a study, in three parts: its scan, its contours, and the results on it."""

from .results import Case
from .scan import CaseState

__all__ = ["Case", "CaseState"]
