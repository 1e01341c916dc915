"""What is drawn onto the pictures of a figure: outlines, names and directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from ..imaging import Detection
from .pictures import DETECTION_COLOUR

MaskArray = npt.NDArray[np.bool_]

_EDGE = [withStroke(linewidth=1.5, foreground="black")]
"""Around letters, since what they lie on may be bright."""


def draw_contour(ax: Any, mask: MaskArray, spacing_mm: tuple[float, float], colour: str) -> None:
    """The outline of a mask; open where it leaves the picture, since nothing ends there.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        In mm from the centre of the first pixel.
    mask : numpy.ndarray
        bool ``(row, column)``; nothing is drawn of an empty one, or of one that is all set.
    spacing_mm : tuple of float
        (row, column) of its grid.
    colour : str
    """
    if mask.all() or not mask.any():
        return
    rows, columns = (np.arange(n) * step for n, step in zip(mask.shape, spacing_mm, strict=True))
    ax.contour(columns, rows, mask.astype(float), [0.5], colors=colour, linewidths=1)


def label_false_positive(ax: Any, detection: Detection, borders: tuple[float, float]) -> None:
    """Say which outline is a false positive, behind it or, near the border, in front.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        In mm.
    detection : Detection
    borders : tuple of float
        Left and right border of the picture.
    """
    rows, columns = detection.pixels.T
    has_room = columns.max() + 20 < borders[1]
    at = columns.max() + 4 if has_room else columns.min() - 4
    side = "left" if has_room else "right"
    style = {"color": DETECTION_COLOUR, "fontsize": 8, "path_effects": _EDGE}
    ax.text(at, rows.mean(), "FP", ha=side, va="center", clip_on=True, **style)


def draw_patch_directions(ax: Any, flip: tuple[int, ...]) -> None:
    """Where front, back, head and feet are in a patch that may be mirrored.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    flip : tuple of int
        Axes of (row, column) along which the patch is mirrored, -2 and -1.
    """
    sideways, upright = ("PA" if -1 in flip else "AP"), ("FH" if -2 in flip else "HF")
    style = {"color": "#ffd75f", "fontsize": 7, "path_effects": _EDGE, "transform": ax.transAxes}
    ax.text(0.03, 0.5, sideways[0], va="center", ha="left", **style)
    ax.text(0.97, 0.5, sideways[1], va="center", ha="right", **style)
    ax.text(0.5, 0.98, upright[0], va="top", ha="center", **style)
    ax.text(0.5, 0.02, upright[1], va="bottom", ha="center", **style)


def remove_ticks(ax: Any) -> None:
    """No ticks: what has a scale says it in words."""
    ax.set_xticks([])
    ax.set_yticks([])


def legend_line(name: str, colour: str) -> Line2D:
    """An entry of a legend.

    Parameters
    ----------
    name, colour : str
    """
    return Line2D([], [], color=colour, label=name)
