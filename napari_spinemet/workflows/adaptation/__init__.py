"""A model made at home on one's own scanner: by scans free of lesions, and by what was judged."""

from .plan import AdaptationPlan
from .result import Adaptation
from .run import adapt, adapt_network
from .study import StudyAdaptation, adapt_study

__all__ = [
    "Adaptation",
    "AdaptationPlan",
    "StudyAdaptation",
    "adapt",
    "adapt_network",
    "adapt_study",
]
