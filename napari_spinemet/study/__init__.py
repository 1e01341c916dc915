"""What the clinician keeps: cases with their scans and contours, models, results."""

from .case import Case, CaseState
from .study import Study

__all__ = ["Case", "CaseState", "Study"]
