"""Detection of spinal metastases on MRI with a multi-resolution Siamese network.

Research software; not for clinical diagnosis. After Wang, Fang, Lang, Yuan, Su and Baldi,
*A multi-resolution approach for spinal metastasis detection using deep Siamese neural
networks*, Comput Biol Med 84:137-146, 2017.

The names below are loaded when first used: importing the package imports neither torch nor
napari nor Qt.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from .detection import ComponentForest, aggregate, detect, likelihood_map
    from .dicom import list_series, read_series
    from .errors import SpinemetError
    from .evaluation import compare_froc, froc, froc_from_detections
    from .exchange import read_annotation, write_annotation
    from .imaging import (
        Annotation,
        Detection,
        Finding,
        FrocCase,
        LikelihoodMap,
        OperatingPoint,
        SagittalSeries,
        SeriesSummary,
    )
    from .network import SiameseNet, load_model, save_model
    from .phantom import make_cohort
    from .training import TrainingConfig, train
    from .workflows import adapt, cross_validate

_HOME = {
    "Annotation": "imaging",
    "ComponentForest": "detection",
    "Detection": "imaging",
    "Finding": "imaging",
    "FrocCase": "imaging",
    "LikelihoodMap": "imaging",
    "OperatingPoint": "imaging",
    "SagittalSeries": "imaging",
    "SeriesSummary": "imaging",
    "SiameseNet": "network",
    "SpinemetError": "errors",
    "TrainingConfig": "training",
    "adapt": "workflows",
    "aggregate": "detection",
    "compare_froc": "evaluation",
    "cross_validate": "workflows",
    "detect": "detection",
    "froc": "evaluation",
    "froc_from_detections": "evaluation",
    "likelihood_map": "detection",
    "list_series": "dicom",
    "load_model": "network",
    "make_cohort": "phantom",
    "read_annotation": "exchange",
    "read_series": "dicom",
    "save_model": "network",
    "train": "training",
    "write_annotation": "exchange",
}

__all__ = [
    "Annotation",
    "ComponentForest",
    "Detection",
    "Finding",
    "FrocCase",
    "LikelihoodMap",
    "OperatingPoint",
    "SagittalSeries",
    "SeriesSummary",
    "SiameseNet",
    "SpinemetError",
    "TrainingConfig",
    "adapt",
    "aggregate",
    "compare_froc",
    "cross_validate",
    "detect",
    "froc",
    "froc_from_detections",
    "likelihood_map",
    "list_series",
    "load_model",
    "make_cohort",
    "read_annotation",
    "read_series",
    "save_model",
    "train",
    "write_annotation",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
