"""How good detections are: FROC, areas, bootstrap, baselines."""

from .compare import FrocComparison, compare_froc
from .counting import CaseTable
from .curve import FrocCurve
from .froc import froc, froc_from_detections

__all__ = [
    "CaseTable",
    "FrocComparison",
    "FrocCurve",
    "compare_froc",
    "froc",
    "froc_from_detections",
]
