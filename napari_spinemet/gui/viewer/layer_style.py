"""How this plugin adds layers: their data, colours, texts, and the words in their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.colormaps import Colormap, DirectLabelColormap

from ...detection.components import OUTSIDE
from ...imaging import Annotation, SagittalSeries

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels, Points

AXES = ("slice", "row", "column")
SERIES, SOURCE, CONTOURS = "spinemet_series", "spinemet_source", "spinemet_contours"
"""Metadata of an image layer that may be taken over."""
KIND = "spinemet_kind"
"""Metadata of label layers that came with it, beside its series: what they hold."""
LEVELS_OF = "levels"
"""Metadata of the layer of vertebrae: what its numbers stand for."""
LESION, VERTEBRA, DETECTION, OTHER, MARK = "#ff4040", "#4a7dff", "#35c8ff", "#ffd23f", "#7dff8a"
CHOSEN_FINDING = "#ffffff"
LESION_WIDTH, DETECTION_WIDTH, CHOSEN_WIDTH = 2, 2, 3
"""Of lines, in pixels of their layer; those of vertebrae and of another reader are 1, so that who
does not tell their colours tells them by their width."""
OUTSIDE_SPINE = "#7f99a6"
"""Of detections outside the spine, which the gate drops."""
_LIKELIHOOD_COLOURS = Colormap(
    [(0.3, 0.0, 0.4, 0.0), (0.7, 0.1, 0.4, 0.08), (0.95, 0.35, 0.2, 0.3), (1.0, 0.8, 0.1, 0.5)],
    name="likelihood",
    controls=[0.0, 0.2, 0.6, 1.0],
)
"""The less likely, the less is seen of it; it never hides the picture, nor turns white."""
Voxel = tuple[int, float, float]
"""(slice, row, column), perhaps between pixels."""


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
    return (
        series.voxels,
        {
            "name": series.description or "series",
            "scale": series.spacing_mm,
            "units": ("mm",) * 3,
            "axis_labels": AXES,
            "colormap": "gray",
            "contrast_limits": series.display_window,
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


def grid(scale: Sequence[float]) -> dict[str, Any]:
    """Settings of a layer whose pixels have a size, (slice, row, column) in mm."""
    return {"scale": tuple(scale), "units": ("mm",) * 3, "axis_labels": AXES}


def add_outlines(
    viewer: napari.Viewer,
    labels: npt.NDArray[Any],
    name: str,
    colour: str,
    scale: Sequence[float],
    opacity: float = 0.9,
) -> Labels:
    """A layer of labels that are shown as lines.

    Parameters
    ----------
    viewer : napari.Viewer
    labels : numpy.ndarray
        ``(slice, row, column)``; the layer draws on this very array.
    name : str
    colour : str
        Of all labels.
    scale : sequence of float
        Of a pixel in mm.
    opacity : float
    """
    layer = viewer.add_labels(
        labels, name=name, colormap=one_colour(colour), opacity=opacity, **grid(scale)
    )
    keep_in_place(layer)
    layer.contour = 1
    return layer


def keep_in_place(layer: Image | Labels) -> None:
    """Take napari's transform tool out of a layer's hands: moved, it would lie beside the scan.

    Parameters
    ----------
    layer : napari.layers.Image or napari.layers.Labels
    """

    def refuse(event: Any) -> None:
        if event.source.mode == "transform":
            event.source.mode = "pan_zoom"

    layer.events.mode.connect(refuse)


def add_likelihood(
    viewer: napari.Viewer,
    values: npt.NDArray[np.float32],
    name: str,
    scale: Sequence[float],
    *,
    is_visible: bool,
) -> Image:
    """A likelihood over the scan, which stays in sight below it.

    Parameters
    ----------
    viewer : napari.Viewer
    values : numpy.ndarray
        ``(slice, row, column)`` in [0, 1].
    name : str
    scale : sequence of float
        Of a pixel in mm.
    is_visible : bool
    """
    layer = viewer.add_image(
        values,
        name=name,
        visible=is_visible,
        colormap=_LIKELIHOOD_COLOURS,
        blending="translucent_no_depth",
        contrast_limits=(0.0, 1.0),
        **grid(scale),
    )
    keep_in_place(layer)
    return layer


@dataclass(frozen=True)
class TextStyle:
    """How texts are written into the picture.

    Attributes
    ----------
    name : str
        Of their layer.
    point_colour, text_colour : str
    point_size : float
        In pixels.
    """

    name: str
    point_colour: str
    point_size: float
    text_colour: str


def add_texts(
    viewer: napari.Viewer,
    voxels: Sequence[Voxel],
    texts: Sequence[str],
    scale: Sequence[float],
    style: TextStyle,
) -> Points:
    """Points with a text each, which cannot be moved; tools stay on what was drawn on.

    Parameters
    ----------
    viewer : napari.Viewer
    voxels : sequence of (slice, row, column)
    texts : sequence of str
        One for each.
    scale : sequence of float
        Of a pixel in mm.
    style : TextStyle
    """
    active = viewer.layers.selection.active
    points = viewer.add_points(
        np.array(voxels, dtype=float),
        name=style.name,
        features={"text": list(texts)},
        text=text_style(style.text_colour),
        face_color=style.point_colour,
        border_width=0,
        size=style.point_size,
        **grid(scale),
    )
    points.editable = False
    viewer.layers.selection.active = active
    return points


def move_texts(layer: Points, voxels: Sequence[Voxel], texts: Sequence[str]) -> None:
    """Other points and texts on a layer that is there.

    Parameters
    ----------
    layer : napari.layers.Points
    voxels : sequence of (slice, row, column)
    texts : sequence of str
        One for each.
    """
    layer.data = np.array(voxels, dtype=float)
    layer.features = {"text": list(texts)}
    layer.refresh_text()


def add_crosshair(viewer: Any, voxel: npt.NDArray[np.float64], scale: Sequence[float]) -> Points:
    """A cross at one place; tools stay on what was drawn on.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    voxel : numpy.ndarray
        ``(slice, row, column)``, perhaps between pixels.
    scale : sequence of float
        Of a pixel in mm: with another one the slider would have other steps.
    """
    active = viewer.layers.selection.active
    cross = viewer.add_points(
        voxel[np.newaxis],
        name="crosshair",
        symbol="cross",
        size=8 / scale[1],
        face_color=MARK,
        border_width=0,
        **grid(scale),
    )
    cross.editable = False
    viewer.layers.selection.active = active
    return cross
