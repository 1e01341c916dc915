"""What the clinician keeps: cases with their scans and contours, models, results."""

from .case.results import Case
from .case.scan import CaseState
from .study import Study

__all__ = ["Case", "CaseState", "Study"]
