"""Layers as this plugin adds them to a viewer; what becomes of them is no matter here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .layer_style import AXES, one_colour, text_style

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels, Points

Voxel = tuple[int, float, float]
"""(slice, row, column), perhaps between pixels."""


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
    layer.contour = 1
    return layer


def add_likelihood(
    viewer: napari.Viewer,
    values: npt.NDArray[np.float32],
    name: str,
    scale: Sequence[float],
    *,
    is_visible: bool,
) -> Image:
    """A likelihood that shines over the scan.

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
    return viewer.add_image(
        values,
        name=name,
        visible=is_visible,
        colormap="inferno",
        blending="additive",
        contrast_limits=(0.0, 1.0),
        opacity=0.45,
        **grid(scale),
    )


def add_texts(
    viewer: napari.Viewer,
    voxels: Sequence[Voxel],
    texts: Sequence[str],
    name: str,
    scale: Sequence[float],
    *,
    point_colour: str,
    point_size: float,
    text_colour: str,
) -> Points:
    """Points with a text each, which cannot be moved; tools stay on what was drawn on.

    Parameters
    ----------
    viewer : napari.Viewer
    voxels : sequence of (slice, row, column)
    texts : sequence of str
        One for each.
    name : str
    scale : sequence of float
        Of a pixel in mm.
    point_colour, text_colour : str
    point_size : float
        In pixels.
    """
    active = viewer.layers.selection.active
    points = viewer.add_points(
        np.array(voxels, dtype=float),
        name=name,
        features={"text": list(texts)},
        text=text_style(text_colour),
        face_color=point_colour,
        border_width=0,
        size=point_size,
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


def write_orientation(viewer: napari.Viewer, image: Image | None, index: int) -> None:
    """Say in the picture where left and right, head and feet are.

    Parameters
    ----------
    viewer : napari.Viewer
    image : napari.layers.Image or None
        The scan; without one, or in a view that is none of its slices, nothing is said.
    index : int
        The slice on the screen.
    """
    dims, overlay = viewer.dims, viewer.canvas.overlays.text
    if image is None or dims.ndisplay != 2 or tuple(dims.order[-2:]) != (1, 2):
        overlay.visible = False
        return
    count = image.data.shape[0]
    overlay.visible = True
    overlay.position = "top_left"
    overlay.font_size = 9
    overlay.text = (
        f"slice {index + 1} of {count}, from right (1) to left ({count})\n"
        "front of the body on the left, head at the top"
    )
