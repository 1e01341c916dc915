"""How good detections are: FROC, areas, bootstrap, baselines."""

from .compare import FrocComparison, compare_froc
from .froc import CaseTable, FrocCurve, froc, froc_from_detections

__all__ = [
    "CaseTable",
    "FrocComparison",
    "FrocCurve",
    "compare_froc",
    "froc",
    "froc_from_detections",
]
