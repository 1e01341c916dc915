"""Figures 3, 4 and 6 to 8 of the paper (Wang et al. 2017), drawn from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ..disclaimer import DISCLAIMER
from ..imaging import Detection
from .figure_marks import MaskArray, bare, contour, line, name_false, patch_letters
from .pictures import CONTOUR_COLOUR, DETECTION_COLOUR, _letters

FloatArray = npt.NDArray[np.float32]

FLIPS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("as it is", ()),
    ("left-right", (-1,)),
    ("top-bottom", (-2,)),
    ("both ways", (-2, -1)),
)
"""Name and axes of (row, column) arrays; training mirrors along each with probability 1/2."""

_DPI = 200
_WHITE_PERCENTILE = 99.0


@dataclass(frozen=True, eq=False)
class PatchGroup:
    """The patches of one location at every resolution.

    Attributes
    ----------
    title : str
    resolutions : tuple of float
        mm per pixel.
    patches : numpy.ndarray
        ``(resolution, row, column)`` float32, normalised as the network gets them.
    lesions : numpy.ndarray
        Same shape, bool: the contoured lesions on the grid of each patch.
    """

    title: str
    resolutions: tuple[float, ...]
    patches: FloatArray
    lesions: MaskArray

    def flipped(self, axes: tuple[int, ...]) -> tuple[FloatArray, MaskArray]:
        """Patches and lesions, mirrored alike along axes of :data:`FLIPS`."""
        return np.flip(self.patches, axes), np.flip(self.lesions, axes)


@dataclass(frozen=True, eq=False)
class ShownSlice:
    """One slice with what is drawn on it.

    Attributes
    ----------
    index, slices : int
        Which of how many.
    image : numpy.ndarray
        ``(row, column)`` float32 on the grid of the series.
    spacing_mm : tuple of float
        (row, column) spacing of that grid.
    lesions, vertebrae : numpy.ndarray
        Same shape, labels; 0 is none.
    likelihood : numpy.ndarray or None
        ``(row, column)`` float32 on the working grid of 1 mm.
    found, false : tuple of Detection
        Detections that find a contoured region, and false positives.
    """

    index: int
    slices: int
    image: FloatArray
    spacing_mm: tuple[float, float]
    lesions: npt.NDArray[np.uint16]
    vertebrae: npt.NDArray[np.uint16]
    likelihood: FloatArray | None = None
    found: tuple[Detection, ...] = ()
    false: tuple[Detection, ...] = ()

    @property
    def title(self) -> str:
        """For people, who count from 1."""
        return f"slice {self.index + 1} of {self.slices}"


def patches_figure(groups: Sequence[PatchGroup], mirrored: bool = True) -> Figure:
    """Figure 3: for each group a row a resolution, and a column a flip.

    Parameters
    ----------
    groups : sequence of PatchGroup
        Side by side.
    mirrored : bool
        Show what training makes of a patch, or the patch alone.
    """
    flips = FLIPS if mirrored else FLIPS[:1]
    rows = len(groups[0].resolutions)
    width = 1.25 * len(flips) * len(groups) + 0.5
    figure = Figure(figsize=(max(width, 3.6), 1.72 * rows + 0.9), dpi=_DPI, layout="constrained")
    parts = figure.subfigures(1, len(groups), squeeze=False, wspace=0.03)
    for part, group in zip(parts[0], groups, strict=True):
        part.suptitle(group.title, fontsize=9)
        axes = part.subplots(rows, len(flips), squeeze=False)
        for column, (name, flip) in enumerate(flips):
            axes[0, column].set_title(name, fontsize=8)
            patches, lesions = group.flipped(flip)
            for ax, patch, lesion in zip(axes[:, column], patches, lesions, strict=True):
                low, high = np.percentile(patch, (0.5, 99.5))
                ax.imshow(patch, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
                contour(ax, lesion, (1.0, 1.0), CONTOUR_COLOUR)
                bare(ax)
                patch_letters(ax, flip)
        for ax, resolution in zip(axes[:, 0], group.resolutions, strict=True):
            ax.set_ylabel(f"{resolution:g} mm/pixel", fontsize=8)
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return figure


def contours_figure(shown: ShownSlice) -> Figure:
    """Figure 4: one slice with lesions (red) and vertebrae (blue)."""
    height, width = _size_mm(shown)
    figure = Figure(figsize=(5.2, 5.2 * height / width + 0.5), dpi=_DPI, layout="constrained")
    ax = figure.add_subplot()
    _image(ax, shown, _white([shown]))
    for labels, colour in ((shown.vertebrae, DETECTION_COLOUR), (shown.lesions, CONTOUR_COLOUR)):
        for label in np.unique(labels[labels > 0]):
            contour(ax, labels == label, shown.spacing_mm, colour)
    ax.set_title(shown.title, fontsize=9, loc="left")
    bare(ax)
    _letters(ax)
    lines = [line("lesion", CONTOUR_COLOUR)]
    if shown.vertebrae.any():
        lines.append(line("vertebra", DETECTION_COLOUR))
    above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.1}
    ax.legend(handles=lines, ncols=2, fontsize=8, frameon=False, **above)
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return figure


def likelihood_figure(
    shown: Sequence[ShownSlice], columns: tuple[int, int], title: str = ""
) -> Figure:
    """Figures 6 to 8: slices above, their likelihood maps below, outlines on both.

    Parameters
    ----------
    shown : sequence of ShownSlice
        Neighbours of one series, each with its likelihood.
    columns : tuple of int
        First evaluated column of the maps and one past the last: the rest is cut off, but
        for contoured lesions.
    title : str
    """
    height, _ = _size_mm(shown[0])
    left, right = _cut(shown, columns)
    wide = 2.35
    tall = wide * height / (right - left)
    size = wide * len(shown) + 1.0, 2 * tall + 1.05
    figure = Figure(figsize=size, dpi=_DPI, layout="compressed")
    axes = figure.subplots(2, len(shown), squeeze=False)
    white = _white(shown)
    for (image, heat), each in zip(axes.T, shown, strict=True):
        assert each.likelihood is not None
        _image(image, each, white)
        rows, width = each.likelihood.shape
        extent = (-0.5, width - 0.5, rows - 0.5, -0.5)
        drawn = heat.imshow(each.likelihood, cmap="gray", vmin=0, vmax=1, extent=extent)
        image.set_title(each.title, fontsize=9)
        for ax in (image, heat):
            contour(ax, each.lesions > 0, each.spacing_mm, CONTOUR_COLOUR)
            for detection in (*each.found, *each.false):
                for outline in detection.outline:
                    ax.plot(outline[:, 1], outline[:, 0], color=DETECTION_COLOUR, linewidth=1.2)
            for detection in each.false:
                name_false(ax, detection, (left, right))
            ax.set_xlim(left, right)
            ax.set_ylim(height - each.spacing_mm[0] / 2, -each.spacing_mm[0] / 2)
            bare(ax)
            _letters(ax)
    bar = figure.colorbar(drawn, ax=axes[1], shrink=0.8, pad=0.02)
    bar.set_label("likelihood", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if title:
        figure.suptitle(title, fontsize=9)
    lines = []
    if any(each.lesions.any() for each in shown):
        lines.append(line("lesion", CONTOUR_COLOUR))
    if any(each.found or each.false for each in shown):
        lines.append(line("detection", DETECTION_COLOUR))
    below = {"loc": "upper left", "bbox_to_anchor": (0, 0), "borderaxespad": 0.1}
    axes[1, 0].legend(handles=lines, ncols=2, fontsize=8, frameon=False, **below)
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return figure


def _image(ax: Any, shown: ShownSlice, white: float) -> None:
    """The slice, in mm from the centre of its first pixel."""
    height, width = _size_mm(shown)
    row, column = shown.spacing_mm
    extent = (-column / 2, width - column / 2, height - row / 2, -row / 2)
    ax.imshow(shown.image, cmap="gray", vmin=0, vmax=white, extent=extent)


def _white(shown: Sequence[ShownSlice]) -> float:
    """The value that is drawn white in all of them."""
    return float(np.percentile([each.image for each in shown], _WHITE_PERCENTILE)) or 1.0


def _size_mm(shown: ShownSlice) -> tuple[float, float]:
    """Height and width of a slice."""
    rows, columns = shown.image.shape
    return rows * shown.spacing_mm[0], columns * shown.spacing_mm[1]


def _cut(shown: Sequence[ShownSlice], columns: tuple[int, int]) -> tuple[float, float]:
    """Left and right border in mm: what was evaluated, and every lesion."""
    step = shown[0].spacing_mm[1]
    drawn = np.flatnonzero(np.any([each.lesions.any(axis=0) for each in shown], axis=0)) * step
    return min([columns[0] - 0.5, *(drawn - 3)]), max([columns[1] - 0.5, *(drawn + 3)])
