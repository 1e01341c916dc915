"""Pictures for reports: slices with outlines, and FROC curves. No display is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ..atomic_files import replace_atomically
from ..counts import count_of
from ..detection import DetectionResult
from ..disclaimer import DISCLAIMER
from ..imaging import Annotation, Detection, Finding, SagittalSeries
from ..imaging.geometry import MOST_TURNED, placement_in, turn_degrees
from .bands import Bands
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

    Parameters
    ----------
    series : SagittalSeries
    result : DetectionResult
        Of that series.
    path : Path
        A PNG, written whole or not at all; its folder is there.
    annotation : Annotation, optional
        Contours to show as well; of two slices with equal detections that with more is shown.
    slices : int
        At most so many.

    Returns
    -------
    Path
        The same.
    """
    area = np.zeros(series.shape[0])
    for detection in result.detections:
        area[detection.slice] += detection.area_cm2
    if annotation is not None:
        area += 1e-3 * annotation.lesions.astype(bool).sum(axis=(1, 2))
    middle = -np.abs(np.arange(len(area)) - len(area) / 2) * 1e-6
    indices = np.sort(np.argsort(area + middle)[::-1][:slices])
    figure = Figure(figsize=(3.2 * len(indices), 7.0), layout="constrained")
    axes = figure.subplots(2, len(indices), squeeze=False)
    for k, index in enumerate(indices):
        image, heat = axes[0, k], axes[1, k]
        for ax in (image, heat):
            _show_slice(ax, series, index)
        _show_likelihood(heat, result, index)
        if annotation is not None:
            _show_lesions(image, series, annotation, index)
        _show_outlines(image, result.detections, index)
        image.set_title(f"slice {index + 1} of {series.shape[0]}", fontsize=9)
        for ax in (image, heat):
            _frame(ax, _extent(series))
    point = result.operating_point
    contours = ", contours red" if annotation is not None else ""
    figure.suptitle(
        f"{series.description or 'series'}: {count_of(result.findings, 'finding')} at threshold "
        f"{point.threshold:.2f}, from {point.min_area_cm2:g} cm² (detections blue{contours}; "
        "likelihood below)",
        fontsize=9,
    )
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return save_figure(figure, path)


def finding_figure(
    series: SagittalSeries,
    result: DetectionResult,
    finding: Finding,
    annotation: Annotation | None = None,
    other: SagittalSeries | None = None,
) -> Figure:
    """A finding in the slice in which it is largest: where it is, enlarged, and its likelihood.

    Its own outline is thick, those of other findings in the slice are thin, contoured lesions are
    dashed; the frame on the left shows what is enlarged.

    Parameters
    ----------
    series : SagittalSeries
    result : DetectionResult
        Of that series.
    finding : Finding
        One of its findings.
    annotation : Annotation, optional
        Contours to show as well.
    other : SagittalSeries, optional
        Another series in the same space, such as the T1, which is shown enlarged as well: its
        nearest slice, in its own pixels. Not one that is turned.
    """
    index, (row, column) = finding.largest.slice, finding.largest.centre_working
    side = max(80.0, 1.6 * float(np.ptp(finding.largest.pixels, axis=0).max()))
    window = column - side / 2, column + side / 2, row + side / 2, row - side / 2
    is_other_shown = other is not None and turn_degrees(series.affine, other.affine) < MOST_TURNED
    figure, (whole, detail, heat, *other_axes) = _axes(index, series, 4 if is_other_shown else 3)
    for ax in (whole, detail, heat):
        _show_slice(ax, series, index)
    if other is not None and other_axes:
        _show_other(other_axes[0], other, series, index)
        _show_outlines(
            other_axes[0], result.detections, index, marked_detections=finding.detections
        )
        _frame(other_axes[0], window)
    _show_likelihood(heat, result, index)
    for ax in (whole, detail):
        if annotation is not None:
            _show_lesions(ax, series, annotation, index)
        _show_outlines(ax, result.detections, index, marked_detections=finding.detections)
    whole.add_patch(
        Rectangle((window[0], window[3]), side, side, fill=False, edgecolor="#ffd75f", linewidth=1)
    )
    _frame(whole, _extent(series))
    for ax, title in ((detail, "enlarged"), (heat, "likelihood")):
        ax.set_title(title, fontsize=9)
        _frame(ax, window)
    return figure


def case_figure(
    series: SagittalSeries, result: DetectionResult, annotation: Annotation | None, index: int
) -> Figure:
    """One slice of a case: as scanned, with outlines and contours, and its likelihood.

    Parameters
    ----------
    series : SagittalSeries
    result : DetectionResult
        Of that series.
    annotation : Annotation or None
        Contours to show as well.
    index : int
        Of the slice.
    """
    figure, (scan, outlines, heat) = _axes(index, series, 3)
    for ax in (scan, outlines, heat):
        _show_slice(ax, series, index)
        _frame(ax, _extent(series))
    if annotation is not None:
        _show_lesions(outlines, series, annotation, index)
    _show_outlines(outlines, result.detections, index)
    _show_likelihood(heat, result, index)
    outlines.set_title("detections blue, contours red", fontsize=9)
    heat.set_title("likelihood", fontsize=9)
    return figure


def _axes(index: int, series: SagittalSeries, count: int) -> tuple[Figure, Sequence[Any]]:
    """A figure with pictures side by side, titled with the number of the slice."""
    layout = ConstrainedLayoutEngine(h_pad=0.08)
    figure = Figure(figsize=(3.2 * count, 3.6), dpi=110, layout=layout)
    axes = figure.subplots(1, count)
    for ax in axes:
        ax.set_facecolor("black")  # beyond the border of the scan
    axes[0].set_title(f"slice {index + 1} of {series.shape[0]}", fontsize=9)
    figure.supxlabel(DISCLAIMER, fontsize=7)
    return figure, axes


def _extent(series: SagittalSeries) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a slice, in mm from the centre of its first pixel."""
    row_mm, column_mm = series.spacing_mm[1:]
    height, width = series.shape[1] * row_mm, series.shape[2] * column_mm
    return -column_mm / 2, width - column_mm / 2, height - row_mm / 2, -row_mm / 2


def _show_slice(ax: Any, series: SagittalSeries, index: int) -> None:
    black, white = series.display_window
    picture = series.voxels[index]
    ax.imshow(picture, cmap="gray", vmin=black, vmax=white, extent=_extent(series))
    ax.set_xticks([])
    ax.set_yticks([])
    draw_directions(ax)


def _show_other(ax: Any, other: SagittalSeries, series: SagittalSeries, index: int) -> None:
    """The slice of another series that is nearest to one of a series, where it lies in that."""
    scale, (slice_mm, row_mm, column_mm) = placement_in(other.affine, series.affine)
    nearest = round((index * series.spacing_mm[0] - slice_mm) / scale[0])
    if not 0 <= nearest < other.shape[0]:
        ax.set_title(f"{other.contrast}: no slice here", fontsize=9)
        return
    left_mm, right_mm, bottom_mm, top_mm = _extent(other)
    extent = (left_mm + column_mm, right_mm + column_mm, bottom_mm + row_mm, top_mm + row_mm)
    black, white = other.display_window
    ax.imshow(other.voxels[nearest], cmap="gray", vmin=black, vmax=white, extent=extent)
    ax.set_xticks([])
    ax.set_yticks([])
    apart_mm = abs(slice_mm + nearest * scale[0] - index * series.spacing_mm[0])
    ax.set_title(f"{other.contrast}, {apart_mm:.1f} mm beside", fontsize=9)


def _show_likelihood(ax: Any, result: DetectionResult, index: int) -> None:
    values = result.likelihood.values[index]
    rows, columns = values.shape
    ax.imshow(
        np.ma.masked_less(values, 0.05),
        cmap="inferno",
        vmin=0,
        vmax=1,
        alpha=0.6,
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
    )


def _show_lesions(ax: Any, series: SagittalSeries, annotation: Annotation, index: int) -> None:
    if not annotation.lesions[index].any():
        return
    row_mm, column_mm = series.spacing_mm[1:]
    axis_y, axis_x = np.arange(series.shape[1]) * row_mm, np.arange(series.shape[2]) * column_mm
    lesion = (annotation.lesions[index] > 0).astype(float)
    # Dashed, so that who does not tell red from blue tells a contour from a detection.
    ax.contour(
        axis_x, axis_y, lesion, [0.5], colors=CONTOUR_COLOUR, linewidths=1, linestyles="dashed"
    )


def _show_outlines(
    ax: Any,
    detections: Iterable[Detection],
    index: int,
    marked_detections: Sequence[Detection] = (),
) -> None:
    """Those of a slice; where some are marked, they are thick, and the others thin."""
    marked_keys = {detection.centre_index for detection in marked_detections}
    for detection in detections:
        if detection.slice == index:
            width = (
                2.2 if detection.centre_index in marked_keys else 0.8 if marked_detections else 1.2
            )
            for outline in detection.outline:
                ax.plot(outline[:, 1], outline[:, 0], color=DETECTION_COLOUR, linewidth=width)


def _frame(ax: Any, window: tuple[float, float, float, float]) -> None:
    ax.set_xlim(window[0], window[1])
    ax.set_ylim(window[2], window[3])


def draw_directions(ax: Any) -> None:
    """Letters at the borders: anterior is left and head is up in a series, whose order is LFP."""
    style = {"color": "#ffd75f", "fontsize": 8, "transform": ax.transAxes}
    ax.text(0.02, 0.5, "A", va="center", ha="left", **style)
    ax.text(0.98, 0.5, "P", va="center", ha="right", **style)
    ax.text(0.5, 0.98, "H", va="top", ha="center", **style)
    ax.text(0.5, 0.02, "F", va="bottom", ha="center", **style)


def froc_picture(curves: Sequence[tuple[str, FrocCurve]], path: Path) -> Path:
    """FROC curves in both readings of false positives, side by side, as a file.

    Parameters
    ----------
    curves : sequence of (name, FrocCurve)
    path : Path
        A PNG, written whole or not at all; its folder is there.
    """
    return save_figure(froc_figure(curves), path)


def froc_figure(
    curves: Sequence[tuple[str, FrocCurve]],
    threshold: float | None = None,
    *,
    bands: Bands | None = None,
    slices: float = 13.0,
) -> Figure:
    """FROC curves in both readings of false positives, side by side.

    Parameters
    ----------
    curves : sequence of (name, FrocCurve)
    threshold : float, optional
        Where each of them has a dot.
    bands : mapping, optional
        Of the first of them, from :func:`.froc_bands`.
    slices : float
        Of a case in the mean: so many times wider is the axis of the sums.
    """
    figure = Figure(figsize=(9.5, 4.4), layout="constrained")
    axes = figure.subplots(1, 2)
    for ax, reading, limit, label in (
        (axes[0], MEAN, 0.5, "false positives per case (mean over slices)"),
        (axes[1], SUM, 0.5 * slices, "false positives per case (sum over slices)"),
    ):
        for number, (name, curve) in enumerate(curves):
            fp, tp = curve.envelope(reading)
            colour = f"C{number % 10}"
            ends = np.r_[fp, max(limit, fp[-1])], np.r_[tp, tp[-1]]
            ax.plot(*ends, color=colour, linestyle=("-", "--", "-.")[number % 3], label=name)
            if threshold is not None:
                rate, *at = curve.at(threshold)
                ax.plot(at[reading == SUM], rate, "o", color=colour, markersize=5)
        if bands:
            positions, low, high = bands[reading]
            shade = "95 % of resampled cohorts"
            ax.fill_between(positions, low, high, color="C0", alpha=0.18, linewidth=0, label=shade)
        ax.set_xlim(-0.01 * limit, limit)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel(label)
        ax.set_ylabel("true positive rate")
        ax.grid(alpha=0.3)
    handles, _ = axes[1].get_legend_handles_labels()
    if threshold is not None:
        name = f"threshold {threshold:.2f}"
        dot = Line2D([], [], marker="o", linestyle="", color="0.4", markersize=5, label=name)
        handles.append(dot)
    axes[1].legend(handles=handles, loc="lower right", fontsize=8)
    figure.supxlabel(DISCLAIMER, fontsize=8)
    return figure


def render_figure(figure: Figure) -> dict[str, bytes]:
    """A figure as ``png`` and ``svg``; the same figure gives the same bytes."""
    result = {}
    # Identifiers inside an SVG are random without a salt, and it would hold the time.
    with mpl.rc_context({"svg.hashsalt": "napari-spinemet"}):
        for kind, facts in (("png", {}), ("svg", {"Date": None})):
            buffer = BytesIO()
            figure.savefig(buffer, format=kind, metadata=facts)
            result[kind] = buffer.getvalue()
    return result


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : Path
        Its folder is there.
    """
    with replace_atomically(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))
    return path
