"""Pictures for reports: slices with outlines, and FROC curves. No display is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..detection import DetectionResult
from ..imaging import Annotation, SagittalSeries
from ..notice import NOTICE
from ..storage import replace_atomically
from .curve import MEAN, SUM, FrocCurve

DETECTION_COLOUR, CONTOUR_COLOUR = "#3fa7ff", "#ff4040"


def detection_picture(
    series: SagittalSeries,
    result: DetectionResult,
    path: Path,
    annotation: Annotation | None = None,
    slices: int = 4,
) -> Path:
    """Slices with the outlines of detections (blue) and contours (red), and likelihood below.

    The slices with the largest detections are shown, or the middle ones without any.
    """
    area = np.zeros(series.shape[0])
    for detection in result.detections:
        area[detection.slice] += detection.area_cm2
    if annotation is not None:
        area += 1e-3 * annotation.lesions.astype(bool).sum(axis=(1, 2))
    middle = -np.abs(np.arange(len(area)) - len(area) / 2) * 1e-6
    chosen = np.sort(np.argsort(area + middle)[::-1][:slices])
    figure = Figure(figsize=(3.2 * len(chosen), 7.0), layout="constrained")
    axes = figure.subplots(2, len(chosen), squeeze=False)
    row_mm, column_mm = series.spacing_mm[1:]
    height, width = series.shape[1] * row_mm, series.shape[2] * column_mm
    extent = (-column_mm / 2, width - column_mm / 2, height - row_mm / 2, -row_mm / 2)
    top = float(np.percentile(series.voxels, 99.7)) or 1.0
    for k, index in enumerate(chosen):
        image, heat = axes[0, k], axes[1, k]
        for ax in (image, heat):
            ax.imshow(series.voxels[index], cmap="gray", vmin=0, vmax=top, extent=extent)
            ax.set_xticks([])
            ax.set_yticks([])
            _letters(ax)
        values = result.likelihood.values[index]
        rows, columns = values.shape
        heat.imshow(
            np.ma.masked_less(values, 0.05),
            cmap="inferno",
            vmin=0,
            vmax=1,
            alpha=0.6,
            extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
        )
        if annotation is not None and annotation.lesions[index].any():
            axis_y = np.arange(series.shape[1]) * row_mm
            axis_x = np.arange(series.shape[2]) * column_mm
            lesion = (annotation.lesions[index] > 0).astype(float)
            image.contour(axis_x, axis_y, lesion, [0.5], colors=CONTOUR_COLOUR, linewidths=1)
        for detection in result.detections:
            if detection.slice == index:
                for outline in detection.outline:
                    image.plot(outline[:, 1], outline[:, 0], color=DETECTION_COLOUR, linewidth=1.2)
        image.set_title(f"slice {index + 1} of {series.shape[0]}", fontsize=9)
        for ax in (image, heat):
            ax.set_xlim(extent[0], extent[1])
            ax.set_ylim(extent[2], extent[3])
    point = result.operating_point
    contours = ", contours red" if annotation is not None else ""
    figure.suptitle(
        f"{series.description or 'series'}: {len(result.findings)} findings at threshold "
        f"{point.threshold:.2f}, from {point.min_area_cm2:g} cm² (detections blue{contours}; "
        "likelihood below)",
        fontsize=9,
    )
    figure.supxlabel(NOTICE, fontsize=8)
    return save(figure, path)


def _letters(ax: Any) -> None:
    """Anterior is left and head is up in every series, which is in LFP order."""
    style = {"color": "#ffd75f", "fontsize": 8, "transform": ax.transAxes}
    ax.text(0.02, 0.5, "A", va="center", ha="left", **style)
    ax.text(0.98, 0.5, "P", va="center", ha="right", **style)
    ax.text(0.5, 0.98, "H", va="top", ha="center", **style)
    ax.text(0.5, 0.02, "F", va="bottom", ha="center", **style)


def froc_picture(curves: Sequence[tuple[str, FrocCurve]], path: Path) -> Path:
    """FROC curves in both readings of false positives, side by side."""
    figure = Figure(figsize=(9.5, 4.2), layout="constrained")
    for ax, reading, limit, label in (
        (figure.add_subplot(1, 2, 1), MEAN, 0.5, "false positives per case (mean over slices)"),
        (figure.add_subplot(1, 2, 2), SUM, 6.5, "false positives per scan (sum over slices)"),
    ):
        for name, curve in curves:
            fp, tp = curve.envelope(reading)
            ax.plot(np.r_[fp, max(limit, fp[-1])], np.r_[tp, tp[-1]], label=name)
        ax.set_xlim(0, limit)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel(label)
        ax.set_ylabel("true positive rate")
        ax.grid(alpha=0.3)
    ax.legend(loc="lower right", fontsize=8)
    figure.supxlabel(NOTICE, fontsize=8)
    return save(figure, path)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    with replace_atomically(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))
    return path
