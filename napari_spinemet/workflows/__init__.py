"""What a person does with a study: train, cross-validate, detect on many scans, judge, compare."""

from .adaptation import adapt
from .cross_validation import CrossValidationResult, cross_validate, split_folds
from .map_source import MapSource
from .operating_points.by_regions import OperatingPointChoice, choose_operating_point
from .study_froc import SystemCurve, baseline_curves, study_curve

__all__ = [
    "CrossValidationResult",
    "MapSource",
    "OperatingPointChoice",
    "SystemCurve",
    "adapt",
    "baseline_curves",
    "choose_operating_point",
    "cross_validate",
    "split_folds",
    "study_curve",
]
