"""A live FROC plot with the operating point on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from ..evaluation.curve import MEAN, SUM
from .parts import take_what_is_left, text

if TYPE_CHECKING:
    from ..evaluation import FrocCurve

READINGS = (("per scan (sum over slices)", SUM, 5.0), ("mean over slices", MEAN, 0.5))


class FrocPlot(QWidget):
    """TP rate against false positives per case, with a marker that follows the threshold.

    Signals
    -------
    threshold_chosen(float)
        The user clicked near a point of the curve.
    """

    threshold_chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._curve: FrocCurve | None = None
        self._threshold = 0.5
        self.point: tuple[float, float, float] | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.title = text()
        layout.addWidget(self.title)
        self.plot = pg.PlotWidget()
        take_what_is_left(self.plot, 150)
        self.plot.setToolTip("Click on the curve to set the threshold.")
        self.plot.setLabel("left", "true positive rate")
        self.plot.showGrid(x=True, y=True, alpha=0.25)
        self.plot.setYRange(0, 1.02, padding=0)
        self.plot.setMouseEnabled(x=True, y=False)
        self.plot.getPlotItem().hideButtons()
        self._line = self.plot.plot(pen=pg.mkPen("#35c8ff", width=2))
        self._dots = self.plot.plot(
            pen=None, symbol="o", symbolSize=3, symbolPen=None, symbolBrush="#8fa3b8"
        )
        # One point that is moved: new data for a plot costs more than all else in a tick.
        self._marker = pg.ScatterPlotItem([0], [0], size=13, pen=pg.mkPen("#000"), brush="#ffb000")
        self.plot.addItem(self._marker)
        self.plot.scene().sigMouseClicked.connect(self._on_clicked)
        layout.addWidget(self.plot, 1)
        self.reading = QComboBox()
        for label, reading, _ in READINGS:
            self.reading.addItem(f"False positives {label}", reading)
        self.reading.setToolTip("The two readings of false positives per case.")
        self.reading.currentIndexChanged.connect(lambda _: self._draw())
        layout.addWidget(self.reading)
        self.label = QLabel()
        self.label.setWordWrap(True)
        layout.addWidget(self.label)
        self._draw()

    def set_curve(self, curve: FrocCurve | None, name: str) -> None:
        """Show a curve; None says that there is no truth to judge by."""
        self._curve = curve
        if curve is None:
            self.title.setText("No FROC yet: this scan has no contours and no study was evaluated.")
        else:
            lesions = sum(c.has_regions for c in curve.cases)
            self.title.setText(
                f"FROC of {name}: {len(curve.cases)} case{'s' if len(curve.cases) > 1 else ''}, "
                f"{lesions} with lesions."
            )
        self._draw()

    def set_threshold(self, threshold: float) -> None:
        """Move the operating point."""
        self._threshold = threshold
        self._place()

    def _draw(self) -> None:
        reading = self.reading.currentData()
        limit = next(width for _, r, width in READINGS if r == reading)
        self.plot.setLabel("bottom", self.reading.currentText().lower())
        if self._curve is None:
            self._line.setData([], [])
            self._dots.setData([], [])
        else:
            fp, tp = self._curve.envelope(reading)
            self._line.setData(np.r_[fp, max(limit, fp[-1])], np.r_[tp, tp[-1]])
            self._dots.setData(self._curve.false_positives(reading), self._curve.tp_rate)
        self.plot.setXRange(0, limit, padding=0.02)
        self._place()

    def _place(self) -> None:
        if self._curve is None:
            self.point = None
            self._marker.hide()
            self.label.setText("")
            return
        self.point = self._curve.at(self._threshold)
        rate, mean, total = self.point
        x = mean if self.reading.currentData() == MEAN else total
        self._marker.setPos(x, rate)
        self._marker.show()
        self.label.setText(
            f"At threshold {self._threshold:.2f}: TP rate {rate:.0%}, false positives "
            f"{total:.2f} per scan, {mean:.3f} as mean over slices."
        )

    def _on_clicked(self, event: Any) -> None:
        if self._curve is None or not len(self._curve.thresholds):
            return
        view = self.plot.getPlotItem().vb
        where = view.mapSceneToView(event.scenePos())
        (x0, x1), _ = view.viewRange()
        reading = self.reading.currentData()
        distance = np.hypot(
            (self._curve.false_positives(reading) - where.x()) / max(x1 - x0, 1e-9),
            self._curve.tp_rate - where.y(),
        )
        self.threshold_chosen.emit(float(self._curve.thresholds[int(distance.argmin())]))
