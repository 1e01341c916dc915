"""The types that flow through the system, their geometry, resolutions and patches."""

from .aggregation import Aggregation
from .annotation import Annotation
from .evaluated_region import EvaluatedRegion
from .findings import Detection, Finding, FrocCase
from .likelihood import LikelihoodMap, aggregate
from .operating_point import PAPER_OPERATING_POINT, OperatingPoint
from .scan_warnings import ScanWarning
from .series import Examination, SagittalSeries, SeriesSummary

__all__ = [
    "PAPER_OPERATING_POINT",
    "Aggregation",
    "Annotation",
    "Detection",
    "EvaluatedRegion",
    "Examination",
    "Finding",
    "FrocCase",
    "LikelihoodMap",
    "OperatingPoint",
    "SagittalSeries",
    "ScanWarning",
    "SeriesSummary",
    "aggregate",
]
