"""The types that flow through the system, their geometry, resolutions and patches."""

from .annotation import Annotation
from .findings import PAPER_OPERATING_POINT, Detection, Finding, FrocCase, OperatingPoint
from .likelihood import LikelihoodMap
from .series import SagittalSeries, SeriesSummary

__all__ = [
    "PAPER_OPERATING_POINT",
    "Annotation",
    "Detection",
    "Finding",
    "FrocCase",
    "LikelihoodMap",
    "OperatingPoint",
    "SagittalSeries",
    "SeriesSummary",
]
