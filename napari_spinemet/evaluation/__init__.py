"""How good detections are: FROC, areas, bootstrap, baselines."""

from .case_tables import CaseTable
from .comparison import FrocComparison, compare_froc
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
