"""Sample data for File > Open Sample."""

from __future__ import annotations

from typing import Any

from ..phantom.sample import sample_study
from ..study import Case, Study
from .viewer.layer_style import AXES, KIND, LESION, SERIES, VERTEBRA, one_colour, series_layer


def diseased_case() -> list[tuple[Any, dict[str, Any], str]]:
    """The case with lesions, and its contours."""
    return _layers("case-001")


def normal_case() -> list[tuple[Any, dict[str, Any], str]]:
    """The normal case, and the contours of its vertebrae."""
    return _layers("normal-001")


def _layers(name: str) -> list[tuple[Any, dict[str, Any], str]]:
    case: Case = next(c for c in Study(sample_study()).cases() if c.name == name)
    series = case.series()
    annotation = case.annotation(series)
    layer_settings = {"scale": series.spacing_mm, "units": ("mm",) * 3, "axis_labels": AXES}
    return [
        series_layer(series, case.path, annotation),
        (
            annotation.vertebrae.copy(),
            {
                "name": "vertebrae",
                "colormap": one_colour(VERTEBRA),
                "metadata": {SERIES: series, KIND: "vertebrae"},
                **layer_settings,
            },
            "labels",
        ),
        (
            annotation.lesions.copy(),
            {
                "name": "lesions",
                "colormap": one_colour(LESION),
                "metadata": {SERIES: series, KIND: "lesions"},
                **layer_settings,
            },
            "labels",
        ),
    ]
