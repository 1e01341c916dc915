"""A live FROC plot with the operating point on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget
from superqt import QElidingLabel

from ...evaluation.bands import Bands
from ...evaluation.curve import MEAN, SUM
from ...evaluation.published_curves import Points
from ..viewer.common_widgets import fill_spare_height

if TYPE_CHECKING:
    from ...evaluation import FrocCurve

READINGS = (("per scan (sum over slices)", SUM, 5.0), ("mean over slices", MEAN, 0.5))
AXES = {SUM: "FP per scan", MEAN: "FP, mean over slices"}
HINT_PIXELS = 40.0
"""How close to the curve a hint about it appears."""
_MAX_DOTS = 1500
"""Of the raw points: more would hide each other, and take time to paint."""
_COLOURS = ("#e377c2", "#8fd175", "#c49cff", "#d8b26e")


@dataclass(frozen=True, eq=False)
class Reference:
    """Another curve to look at beside the study's.

    Attributes
    ----------
    name : str
    points : Points
        False positives and TP rates for each reading that is known.
    """

    name: str
    points: Points


class _View(pg.ViewBox):
    """A click and a drag choose a point; the wheel zooms along false positives."""

    point_picked = Signal(object)
    whole_asked = Signal()

    def __init__(self) -> None:
        super().__init__(enableMenu=False)

    def mouseClickEvent(self, event: Any) -> None:
        """Choose; a double click brings all of it back."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        event.accept()
        if event.double():
            self.whole_asked.emit()
        else:
            self.point_picked.emit(event.scenePos())

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Choose on the way."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.point_picked.emit(event.scenePos())


class FrocPlot(QWidget):
    """TP rate against false positives per case, with a marker that follows the threshold.

    Signals
    -------
    threshold_chosen(float)
        The user clicked near a point of the curve, or dragged along it.
    """

    threshold_chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._curve: FrocCurve | None = None
        self._bands: Bands = {}
        self._references: tuple[Reference, ...] = ()
        self._reference_items: list[Any] = []
        self._threshold = 0.5
        self._shown_limit = READINGS[0][2]
        """Of the axis of false positives."""
        self.point: tuple[float, float, float] | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.title = QElidingLabel()
        layout.addWidget(self.title)
        view = _View()
        view.whole_asked.connect(self._show_whole)
        view.point_picked.connect(self._on_picked)
        self.plot = pg.PlotWidget(viewBox=view)
        fill_spare_height(self.plot, 170)
        self.plot.setToolTip(
            "Click on the curve, or drag along it, to set the threshold. The wheel zooms, a "
            "double click shows all of it."
        )
        self.plot.showGrid(x=True, y=True, alpha=0.25)
        self.plot.setYRange(0, 1.06, padding=0)
        self.plot.setMouseEnabled(x=True, y=False)
        self.plot.getPlotItem().hideButtons()
        self.legend = self.plot.addLegend(offset=(-8, -8), labelTextSize="8pt")
        # Curve items: what plot() makes keeps no path without a pen, and there is nothing to fill.
        self._edges = edges = pg.PlotCurveItem(pen=None), pg.PlotCurveItem(pen=None)
        for edge in edges:
            self.plot.addItem(edge)
        self._band = pg.FillBetweenItem(*edges, brush=pg.mkBrush(53, 200, 255, 45))
        self.plot.addItem(self._band)
        self._line = self.plot.plot(pen=pg.mkPen("#35c8ff", width=2))
        self._dots = self.plot.plot(
            pen=None, symbol="o", symbolSize=3, symbolPen=None, symbolBrush="#8fa3b8"
        )
        # Where the single cases stand at this threshold: on each axis its own value.
        self._ticks = [
            pg.ScatterPlotItem(symbol=symbol, size=12, pen=None, brush="#ffb000")
            for symbol in ("|", "_")
        ]
        for ticks in self._ticks:
            self.plot.addItem(ticks)
        # One point that is moved: new data for a plot costs more than all else in a tick.
        self._marker = pg.ScatterPlotItem([0], [0], size=13, pen=pg.mkPen("#000"), brush="#ffb000")
        self.plot.addItem(self._marker)
        self._hint_ring = pg.ScatterPlotItem([0], [0], size=11, pen=pg.mkPen("#fff"), brush=None)
        self.hint = pg.TextItem(color="#fff", fill=pg.mkBrush(20, 24, 30, 220), anchor=(0, 1))
        for item in (self._hint_ring, self.hint):
            item.setZValue(20)
            item.hide()
            self.plot.addItem(item, ignoreBounds=True)
        self.plot.scene().sigMouseMoved.connect(self._on_moved)
        layout.addWidget(self.plot, 1)
        self.reading = QComboBox()
        for label, reading, _ in READINGS:
            self.reading.addItem(f"FP {label}", reading)
        self.reading.setToolTip("The two readings of false positives per case.")
        self.reading.currentIndexChanged.connect(lambda _: self._draw())
        self.label = QLabel()
        self.label.setWordWrap(True)
        # Two lines, or the plot would jump, and hide its axis, while the slider moves.
        self.label.setMinimumHeight(2 * self.label.fontMetrics().lineSpacing())
        layout.addWidget(self.label)
        self._draw()

    def set_curve(self, curve: FrocCurve | None, name: str) -> None:
        """Show a curve.

        Parameters
        ----------
        curve : FrocCurve or None
            None says that there is no truth to judge by.
        name : str
            Of whom, for the title.
        """
        self._curve, self._bands = curve, {}
        if curve is None:
            self.title.setText("No FROC yet: detect on a scan with contours, or evaluate a study.")
            self.title.setToolTip(self.title.text())
        else:
            lesions = sum(c.has_regions for c in curve.cases)
            self.title.setText(
                f"FROC of {name}: {len(curve.cases)} case{'s' if len(curve.cases) > 1 else ''}, "
                f"{lesions} with lesions."
            )
        self.title.setToolTip(self.title.text())
        self._draw()

    def set_bands(self, bands: Bands) -> None:
        """Shade between which rates the curve lies when the cases are drawn again."""
        self._bands = bands
        self._draw_band()

    def set_references(self, references: tuple[Reference, ...]) -> None:
        """Show other curves beside it, with their names."""
        self._references = references
        self._draw_references()

    def set_threshold(self, threshold: float) -> None:
        """Move the operating point."""
        self._threshold = threshold
        self._move_marker()

    def show_cases(self) -> None:
        """Move the ticks of the single cases, which may wait until the threshold rests."""
        curve, x = self._curve, self.reading.currentIndex()
        if curve is None or len(curve.cases) < 2:
            for ticks in self._ticks:
                ticks.setData([], [])
            return
        # In the curve's own precision, or a threshold that is one of its points would miss it.
        thresholds = np.array([curve.thresholds.dtype.type(self._threshold)])
        rates = np.array([[float(v[0]) for v in case.at(thresholds)] for case in curve.cases])
        fp = rates[:, 2 if READINGS[x][1] == SUM else 1]
        tp = rates[~np.isnan(rates[:, 0]), 0]
        self._ticks[0].setData(fp, np.full(len(fp), 0.012))  # on the axis, not cut off by it
        self._ticks[1].setData(np.zeros(len(tp)), tp)

    def _reading(self) -> tuple[str, float]:
        _, reading, limit = READINGS[self.reading.currentIndex()]
        return reading, limit

    def _draw(self) -> None:
        reading, limit = self._reading()
        cases = self._curve.cases if self._curve is not None else ()
        diseased_count = sum(case.has_regions for case in cases)
        several = len(cases) > 1
        self.plot.setLabel("left", f"TP rate ({diseased_count} cases)" if several else "TP rate")
        axis_label = AXES[reading]
        self.plot.setLabel(
            "bottom", f"{axis_label} (mean of {len(cases)} cases)" if several else axis_label
        )
        if self._curve is None:
            self._line.setData([], [])
            self._dots.setData([], [])
        else:
            fp, tp = self._curve.envelope(reading)
            self._line.setData(np.r_[fp, max(limit, fp[-1])], np.r_[tp, tp[-1]])
            raw, rates = self._curve.false_positives(reading), self._curve.tp_rate
            # As far as somebody may zoom out.
            indices = np.flatnonzero(raw <= 2 * limit)
            indices = indices[:: max(1, len(indices) // _MAX_DOTS)]
            self._dots.setData(raw[indices], rates[indices])
        self._draw_band()
        self._draw_references()
        self.show_cases()
        self._hide_hint()
        self._move_marker()
        self._show_whole()

    def _show_whole(self) -> None:
        """The part of the axis that is looked at, and as much more as the point is beyond it."""
        reading, limit = self._reading()
        if self.point is not None:
            limit = max(limit, 1.1 * self.point[1 if reading == MEAN else 2])
        self._shown_limit = limit
        self.plot.setLimits(xMin=-0.05 * limit, xMax=4 * limit, minXRange=limit / 50)
        self.plot.setXRange(0, limit, padding=0.02)

    def _draw_band(self) -> None:
        band = self._bands.get(self._reading()[0])
        self._band.setVisible(band is not None)
        if band is not None:
            fp, low, high = band
            self._edges[0].setData(fp, low)
            self._edges[1].setData(fp, high)

    def _draw_references(self) -> None:
        for item in self._reference_items:
            self.plot.removeItem(item)
        self._reference_items.clear()
        reading, limit = self._reading()
        for number, reference in enumerate(self._references):
            if reading not in reference.points:
                continue
            fp, tp = reference.points[reading]
            colour = _COLOURS[number % len(_COLOURS)]
            pen = pg.mkPen(colour, width=1.5, style=Qt.PenStyle.DashLine)
            ends = np.r_[fp, max(limit, fp[-1])], np.r_[tp, tp[-1]]
            self._reference_items.append(self.plot.plot(*ends, pen=pen, name=reference.name))

    def _move_marker(self) -> None:
        if self._curve is None:
            self.point = None
            self._marker.hide()
            self.label.setText("")
            return
        self.point = self._curve.at(self._threshold)
        rate, mean, total = self.point
        x = mean if self._reading()[0] == MEAN else total
        self._marker.setPos(x, rate)
        self._marker.show()
        limit = self._reading()[1]
        if x > self._shown_limit or (self._shown_limit > limit and x < self._shown_limit / 2):
            self._show_whole()  # the point would leave the picture, or is back within reach
        self.label.setText(
            f"At threshold {self._threshold:.3f}: TP rate {rate:.0%}, false positives "
            f"{total:.2f} per scan, {mean:.3f} as mean over slices."
        )

    def _nearest(self, scene_position: Any) -> tuple[int, float] | None:
        """The raw point of the curve that is nearest on the screen, and its distance in pixels."""
        if self._curve is None or not len(self._curve.thresholds):
            return None
        view = self.plot.getPlotItem().vb
        position = view.mapSceneToView(scene_position)
        width, height = view.viewPixelSize()
        distance = np.hypot(
            (self._curve.false_positives(self._reading()[0]) - position.x()) / max(width, 1e-12),
            (self._curve.tp_rate - position.y()) / max(height, 1e-12),
        )
        nearest = int(distance.argmin())
        return nearest, float(distance[nearest])

    def _on_picked(self, scene_position: Any) -> None:
        nearest = self._nearest(scene_position)
        if nearest is not None and self._curve is not None:
            self.threshold_chosen.emit(float(self._curve.thresholds[nearest[0]]))

    def _on_moved(self, scene_position: Any) -> None:
        inside = self.plot.getPlotItem().vb.sceneBoundingRect().contains(scene_position)
        nearest = self._nearest(scene_position) if inside else None
        if nearest is None or nearest[1] > HINT_PIXELS or self._curve is None:
            self._hide_hint()
            return
        curve, k = self._curve, nearest[0]
        x, y = float(curve.false_positives(self._reading()[0])[k]), float(curve.tp_rate[k])
        self.hint.setText(
            f"TP rate {y:.0%}\nFP {curve.fp_sum[k]:.2f} per scan, {curve.fp_mean[k]:.3f} mean\n"
            f"threshold {float(curve.thresholds[k]):.3f}"
        )
        # To the side on which there is room.
        (low_x, high_x), (_, high_y) = self.plot.getPlotItem().vb.viewRange()
        self.hint.setAnchor((float(x > (low_x + high_x) / 2), float(y < high_y / 2)))
        for item in (self.hint, self._hint_ring):
            item.setPos(x, y)
            item.show()

    def _hide_hint(self) -> None:
        self.hint.hide()
        self._hint_ring.hide()
