"""Whole cohorts: operating points, cross-validation, the comparisons of the paper."""

from .cross_validation.folds import CrossValidationResult, cross_validate, split_folds
from .operating_point_choice import OperatingPointChoice, choose_operating_point
from .study_froc import SystemCurve, baseline_curves, study_curve

__all__ = [
    "CrossValidationResult",
    "OperatingPointChoice",
    "SystemCurve",
    "baseline_curves",
    "choose_operating_point",
    "cross_validate",
    "split_folds",
    "study_curve",
]
