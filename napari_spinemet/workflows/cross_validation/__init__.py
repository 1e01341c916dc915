"""Case-based cross-validation (paper, section 3.2), in memory and of a study."""

from .folds import Fold, split_folds
from .run import CrossValidationPlan, CrossValidationResult, cross_validate

__all__ = [
    "CrossValidationPlan",
    "CrossValidationResult",
    "Fold",
    "cross_validate",
    "split_folds",
]
