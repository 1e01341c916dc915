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
from .figure_marks import (
    MaskArray,
    draw_contour,
    draw_patch_directions,
    label_false_positive,
    legend_line,
    remove_ticks,
)
from .pictures import CONTOUR_COLOUR, DETECTION_COLOUR, draw_directions

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

    def mirror(self, axes: tuple[int, ...]) -> tuple[FloatArray, MaskArray]:
        """Patches and lesions, mirrored alike along axes of :data:`FLIPS`."""
        return np.flip(self.patches, axes), np.flip(self.lesions, axes)


@dataclass(frozen=True, eq=False)
class FigureSlice:
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
    true_positives, false_positives : tuple of Detection
        Detections that find a contoured region, and those that find none.
    """

    index: int
    slices: int
    image: FloatArray
    spacing_mm: tuple[float, float]
    lesions: npt.NDArray[np.uint16]
    vertebrae: npt.NDArray[np.uint16]
    likelihood: FloatArray | None = None
    true_positives: tuple[Detection, ...] = ()
    false_positives: tuple[Detection, ...] = ()

    @property
    def title(self) -> str:
        """For people, who count from 1."""
        return f"slice {self.index + 1} of {self.slices}"


def patches_figure(groups: Sequence[PatchGroup], with_flips: bool = True) -> Figure:
    """Figure 3: for each group a row a resolution, and a column a flip.

    Parameters
    ----------
    groups : sequence of PatchGroup
        Side by side.
    with_flips : bool
        Show what training makes of a patch, or the patch alone.
    """
    flips = FLIPS if with_flips else FLIPS[:1]
    rows = len(groups[0].resolutions)
    width = 1.25 * len(flips) * len(groups) + 0.5
    figure = Figure(figsize=(max(width, 3.6), 1.72 * rows + 0.9), dpi=_DPI, layout="constrained")
    parts = figure.subfigures(1, len(groups), squeeze=False, wspace=0.03)
    for part, group in zip(parts[0], groups, strict=True):
        part.suptitle(group.title, fontsize=9)
        axes = part.subplots(rows, len(flips), squeeze=False)
        for column, (name, flip) in enumerate(flips):
            axes[0, column].set_title(name, fontsize=8)
            patches, lesions = group.mirror(flip)
            for ax, patch, lesion in zip(axes[:, column], patches, lesions, strict=True):
                low, high = np.percentile(patch, (0.5, 99.5))
                ax.imshow(patch, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
                draw_contour(ax, lesion, (1.0, 1.0), CONTOUR_COLOUR)
                remove_ticks(ax)
                draw_patch_directions(ax, flip)
        for ax, resolution in zip(axes[:, 0], group.resolutions, strict=True):
            ax.set_ylabel(f"{resolution:g} mm/pixel", fontsize=8)
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return figure


def contours_figure(picture: FigureSlice) -> Figure:
    """Figure 4: one slice with lesions (red) and vertebrae (blue)."""
    height, width = _size_mm(picture)
    figure = Figure(figsize=(5.2, 5.2 * height / width + 0.5), dpi=_DPI, layout="constrained")
    ax = figure.add_subplot()
    _image(ax, picture, _white([picture]))
    for labels, colour in (
        (picture.vertebrae, DETECTION_COLOUR),
        (picture.lesions, CONTOUR_COLOUR),
    ):
        for label in np.unique(labels[labels > 0]):
            draw_contour(ax, labels == label, picture.spacing_mm, colour)
    ax.set_title(picture.title, fontsize=9, loc="left")
    remove_ticks(ax)
    draw_directions(ax)
    lines = [legend_line("lesion", CONTOUR_COLOUR)]
    if picture.vertebrae.any():
        lines.append(legend_line("vertebra", DETECTION_COLOUR))
    over_picture = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.1}
    ax.legend(handles=lines, ncols=2, fontsize=8, frameon=False, **over_picture)
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return figure


def likelihood_figure(
    pictures: Sequence[FigureSlice], columns: tuple[int, int], title: str = ""
) -> Figure:
    """Figures 6 to 8: slices above, their likelihood maps below, outlines on both.

    Parameters
    ----------
    pictures : sequence of FigureSlice
        Neighbours of one series, each with its likelihood.
    columns : tuple of int
        First evaluated column of the maps and one past the last: the rest is cut off, but
        for contoured lesions.
    title : str
    """
    height, _ = _size_mm(pictures[0])
    first_mm, last_mm = _borders(pictures, columns)
    width_inches = 2.35
    height_inches = width_inches * height / (last_mm - first_mm)
    size = width_inches * len(pictures) + 1.0, 2 * height_inches + 1.05
    figure = Figure(figsize=size, dpi=_DPI, layout="compressed")
    axes = figure.subplots(2, len(pictures), squeeze=False)
    white = _white(pictures)
    for (image, heat), picture in zip(axes.T, pictures, strict=True):
        assert picture.likelihood is not None
        _image(image, picture, white)
        rows, width = picture.likelihood.shape
        extent = (-0.5, width - 0.5, rows - 0.5, -0.5)
        heat_image = heat.imshow(picture.likelihood, cmap="gray", vmin=0, vmax=1, extent=extent)
        image.set_title(picture.title, fontsize=9)
        for ax in (image, heat):
            draw_contour(ax, picture.lesions > 0, picture.spacing_mm, CONTOUR_COLOUR)
            for detection in (*picture.true_positives, *picture.false_positives):
                for outline in detection.outline:
                    ax.plot(outline[:, 1], outline[:, 0], color=DETECTION_COLOUR, linewidth=1.2)
            for detection in picture.false_positives:
                label_false_positive(ax, detection, (first_mm, last_mm))
            ax.set_xlim(first_mm, last_mm)
            ax.set_ylim(height - picture.spacing_mm[0] / 2, -picture.spacing_mm[0] / 2)
            remove_ticks(ax)
            draw_directions(ax)
    bar = figure.colorbar(heat_image, ax=axes[1], shrink=0.8, pad=0.02)
    bar.set_label("likelihood", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if title:
        figure.suptitle(title, fontsize=9)
    lines = []
    if any(picture.lesions.any() for picture in pictures):
        lines.append(legend_line("lesion", CONTOUR_COLOUR))
    if any(picture.true_positives or picture.false_positives for picture in pictures):
        lines.append(legend_line("detection", DETECTION_COLOUR))
    under_picture = {"loc": "upper left", "bbox_to_anchor": (0, 0), "borderaxespad": 0.1}
    axes[1, 0].legend(handles=lines, ncols=2, fontsize=8, frameon=False, **under_picture)
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return figure


def _image(ax: Any, picture: FigureSlice, white: float) -> None:
    """The slice, in mm from the centre of its first pixel."""
    height, width = _size_mm(picture)
    row, column = picture.spacing_mm
    extent = (-column / 2, width - column / 2, height - row / 2, -row / 2)
    ax.imshow(picture.image, cmap="gray", vmin=0, vmax=white, extent=extent)


def _white(pictures: Sequence[FigureSlice]) -> float:
    """The value that is drawn white in all of them."""
    return float(np.percentile([picture.image for picture in pictures], _WHITE_PERCENTILE)) or 1.0


def _size_mm(picture: FigureSlice) -> tuple[float, float]:
    """Height and width of a slice."""
    rows, columns = picture.image.shape
    return rows * picture.spacing_mm[0], columns * picture.spacing_mm[1]


def _borders(pictures: Sequence[FigureSlice], columns: tuple[int, int]) -> tuple[float, float]:
    """Left and right border in mm: what was evaluated, and every lesion."""
    step = pictures[0].spacing_mm[1]
    lesion_mm = (
        np.flatnonzero(np.any([picture.lesions.any(axis=0) for picture in pictures], axis=0)) * step
    )
    return min([columns[0] - 0.5, *(lesion_mm - 3)]), max([columns[1] - 0.5, *(lesion_mm + 3)])
