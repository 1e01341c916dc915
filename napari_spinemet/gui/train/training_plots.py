"""How a training goes: loss and validation error by batch, and the validation FROC."""

from __future__ import annotations

import time
from collections import deque

import pyqtgraph as pg
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...jobs import Charted, Evaluated, Event, Progressed
from ..viewer.common_widgets import text
from ..viewer.timing import Throttler

_REDRAW_MS = 200
"""Events of a fast device come by the hundred; the eye needs a few pictures a second."""
_WINDOW = 30
_GREY, _BLUE, _AMBER = "#8fa3b8", "#35c8ff", "#ffb000"


class TrainingPlots(QWidget):
    """Two plots that follow the events of a training, and a line on its pace."""

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.pace = text()
        layout.addWidget(self.pace)
        self.learning = pg.PlotWidget()
        self.learning.setToolTip(
            "Training loss by batch, and error on validation samples by epoch."
        )
        self.learning.setLabel("bottom", "batch")
        self.learning.addLegend(offset=(-10, 10))
        self._loss_line = self.learning.plot(pen=pg.mkPen(_GREY), name="loss")
        self._error_line = self.learning.plot(
            pen=pg.mkPen(_AMBER, width=2), symbol="o", symbolSize=6, name="validation error"
        )
        self.froc = pg.PlotWidget()
        self.froc.setToolTip(
            "FROC on the validation cases as the network stands, and one measurement earlier."
        )
        self.froc.setLabel("bottom", "false positives per scan")
        self.froc.setLabel("left", "TP rate")
        self.froc.setXRange(0, 5, padding=0.02)
        self.froc.setYRange(0, 1.05, padding=0)
        self.froc.showGrid(x=True, y=True, alpha=0.25)
        self.froc.addLegend(offset=(-10, -10))
        self._former_line = self.froc.plot(pen=pg.mkPen(_GREY), name="before")
        self._froc_line = self.froc.plot(pen=pg.mkPen(_BLUE, width=2), name="validation FROC")
        for plot in (self.learning, self.froc):
            plot.setFixedHeight(170)
            plot.setMouseEnabled(x=False, y=False)
            plot.getPlotItem().hideButtons()
            plot.setMenuEnabled(False)
            # The wheel is for the panel that they stand in.
            plot.wheelEvent = lambda event: event.ignore()
            layout.addWidget(plot)
        self._redraw = Throttler(_REDRAW_MS, self)
        self._redraw.triggered.connect(self._draw)
        self.clear()

    def clear(self) -> None:
        """Forget the last training."""
        self.losses: list[float] = []
        self.errors: list[tuple[int, float]] = []
        self.curve: Charted | None = None
        self.former: Charted | None = None
        self._batch = self._batch_count = 0
        self._recent: deque[tuple[float, int, float]] = deque(maxlen=_WINDOW)
        self.pace.setText("")
        self._draw()
        self.hide()

    def rest(self) -> None:
        """The training is over: the curves stay, the pace goes."""
        self._redraw.cancel()
        self._recent.clear()
        self._draw()

    def take(self, event: Event) -> None:
        """Follow an event of the training."""
        if isinstance(event, Progressed) and "loss" in event.values:
            self.losses.append(event.values["loss"])
            self._batch, self._batch_count = event.done, event.total
            self._recent.append((time.monotonic(), event.done, event.values.get("samples", 0.0)))
        elif isinstance(event, Evaluated) and "validation_error" in event.values:
            self.errors.append((len(self.losses), event.values["validation_error"]))
        elif isinstance(event, Charted):
            self.former, self.curve = self.curve, event
        else:
            return
        if not self._redraw.is_pending:
            self.show()
        self._redraw.throttle()

    def _draw(self) -> None:
        self._loss_line.setData(self.losses)
        self._error_line.setData([x for x, _ in self.errors], [y for _, y in self.errors])
        for line, curve in ((self._former_line, self.former), (self._froc_line, self.curve)):
            x, y = (curve.x, curve.y) if curve is not None else ((), ())
            # From the corner, and on level past the right edge, as a FROC curve is read.
            line.setData([0.0, *x, 1e3] if x else [], [0.0, *y, y[-1]] if y else [])
        self.pace.setText(self._pace())

    def _pace(self) -> str:
        if len(self._recent) < 2:
            return ""
        (start_time, first, _), (end_time, last, samples) = self._recent[0], self._recent[-1]
        if end_time <= start_time or last <= first:
            return ""
        step = (end_time - start_time) / (last - first)
        seconds_left = step * (self._batch_count - self._batch)
        return (
            f"Batch {self._batch} of {self._batch_count}, loss {self.losses[-1]:.3f}, "
            f"{samples / step:.0f} samples a second, about {duration(seconds_left)} left."
        )


def duration(seconds: float) -> str:
    """A time for people."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
