"""What layers are made of: their data, colours, and the words in their metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import DirectLabelColormap

from ...detection.components import OUTSIDE
from ...imaging import Annotation, SagittalSeries

AXES = ("slice", "row", "column")
SERIES, SOURCE, CONTOURS = "spinemet_series", "spinemet_source", "spinemet_contours"
"""Metadata of an image layer that may be taken over."""
KIND = "spinemet_kind"
"""Metadata of label layers that came with it, beside its series: what they hold."""
LEVELS_OF = "levels"
"""Metadata of the layer of vertebrae: what its numbers stand for."""
LESION, VERTEBRA, DETECTION, OTHER, MARK = "#ff4040", "#4a7dff", "#35c8ff", "#ffd23f", "#7dff8a"
OUTSIDE_SPINE = "#7f99a6"
"""Of detections outside the spine, which the gate drops."""


def series_layer(
    series: SagittalSeries, source: Path | None = None, annotation: Annotation | None = None
) -> tuple[Any, dict[str, Any], str]:
    """Layer data of a series: axis-aligned in mm, its true position in the metadata.

    Parameters
    ----------
    series : SagittalSeries
    source : Path, optional
        Where it was read from; for widgets that take the layer over.
    annotation : Annotation, optional
        Its contours, for the same.

    Notes
    -----
    An oblique affine would make napari slice across the acquired planes and paint beside
    the cursor, so a layer carries the spacing only.
    """
    low, high = np.percentile(series.voxels, (1, 99.7))
    return (
        series.voxels,
        {
            "name": series.description or "series",
            "scale": series.spacing_mm,
            "units": ("mm",) * 3,
            "axis_labels": AXES,
            "colormap": "gray",
            "contrast_limits": (float(low), float(max(high, low + 1))),
            "metadata": {
                SERIES: series,
                SOURCE: source,
                CONTOURS: annotation,
                "affine_lps": series.affine,
            },
        },
        "image",
    )


def is_series(layer: Any) -> bool:
    """Whether a layer is a picture that this plugin, or its reader, has made."""
    return isinstance(layer, Image) and layer.metadata.get(SERIES) is not None


def text_style(colour: str) -> dict[str, Any]:
    """Of letters beside points."""
    return {"string": "{text}", "size": 9, "color": colour, "anchor": "center"}


def one_colour(colour: str) -> DirectLabelColormap:
    """Every label in the same colour."""
    return DirectLabelColormap(color_dict={None: colour, 0: "transparent", OUTSIDE: OUTSIDE_SPINE})
