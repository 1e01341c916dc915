"""The paper's experiments, run on the project's own cohort."""

from .plan import BUDGETS, SYSTEMS, Budget, Reproduction, System
from .run import ReproductionProgress, reproduce

__all__ = [
    "BUDGETS",
    "SYSTEMS",
    "Budget",
    "Reproduction",
    "ReproductionProgress",
    "System",
    "reproduce",
]
