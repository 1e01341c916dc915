"""What the clinician keeps: cases with their scans and contours, models, likelihood maps."""

from .study import Case, Study

__all__ = ["Case", "Study"]
