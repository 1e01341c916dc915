"""By scanner and over time: a table and a plot in a window of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyqtgraph as pg
from qtpy.QtWidgets import QComboBox, QDialog, QVBoxLayout, QWidget

from ...workflows.scanner_statistics import UNKNOWN
from ..viewer.common_widgets import text
from ..viewer.controls.wheel_guard import guard_from_wheel
from ..viewer.tables import Cell, Table

if TYPE_CHECKING:
    from ...workflows.scanner_statistics import ScannerRow

_COLUMNS = (
    ("Station", "Its name, or make and model."),
    ("Field", "Tesla."),
    ("Protocol", "As the scanner calls it."),
    ("Model", "That detected."),
    ("Month", "Of the scans."),
    ("Scans", "Detected on; of each scan and model the last detection counts."),
    ("Findings", "Of each scan, in the mean."),
    ("Rejected", "Of the findings that were judged."),
    ("Why", "Reasons that were given."),
    ("Familiarity", "Mean score: 0 as what the model has learned from, 1 the limit."),
    ("Unfamiliar", "Scans beyond the limit."),
)
_SHOWN_VALUES = (
    ("Rejected share of judged findings", "rejected_share"),
    ("Findings a scan", "findings_per_scan"),
    ("Familiarity, limit 1", "familiarity"),
)
_COLOURS = ("#35c8ff", "#ffb000", "#7bd88f", "#ff8a80", "#c792ea", "#8fa3b8")


class ScannerWindow(QDialog):
    """What was found, and rejected, by station, protocol, model and month.

    Parameters
    ----------
    rows : sequence of ScannerRow
    parent : QWidget
    """

    def __init__(self, rows: Sequence[ScannerRow], parent: QWidget) -> None:
        super().__init__(parent)
        self._rows = list(rows)
        self.setWindowTitle("By scanner and over time")
        layout = QVBoxLayout(self)
        layout.addWidget(
            text(
                "A share of rejected findings, or a familiarity, that rises from month to month "
                "says that the scanner, the protocol or the patients have changed."
                if rows
                else "Nothing has been detected in this study yet; detect on a case of it first."
            )
        )
        self.table = Table(
            tuple(name for name, _ in _COLUMNS),
            "One line for a station, field, protocol, model and month.",
            stretch=8,
            heading_tips=tuple(meaning for _, meaning in _COLUMNS),
            is_sortable=True,
        )
        self.table.fill([_cells(row) for row in rows])
        layout.addWidget(self.table)
        self.value_list = QComboBox()
        for title, attribute in _SHOWN_VALUES:
            self.value_list.addItem(title, attribute)
        self.value_list.setToolTip("What the plot shows.")
        self.value_list.currentIndexChanged.connect(lambda _: self._draw())
        layout.addWidget(self.value_list)
        self.plot = pg.PlotWidget()
        self.plot.addLegend(offset=(-10, 10))
        self.plot.showGrid(x=True, y=True, alpha=0.25)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.getPlotItem().hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setMinimumHeight(200)
        layout.addWidget(self.plot)
        self.resize(1000, 560)
        guard_from_wheel(self)
        self._draw()

    def _draw(self) -> None:
        """One line for a station, protocol and model; a point for each month."""
        attribute = self.value_list.currentData()
        months = sorted({row.scanner.month for row in self._rows} - {UNKNOWN})
        self.plot.clear()
        self.plot.getAxis("bottom").setTicks([list(enumerate(months))])
        names = sorted({row.scanner.title for row in self._rows})
        for number, name in enumerate(names):
            points = sorted(
                (months.index(row.scanner.month), value)
                for row in self._rows
                if row.scanner.title == name
                and row.scanner.month in months
                and (value := getattr(row, attribute)) is not None
            )
            if points:
                colour = _COLOURS[number % len(_COLOURS)]
                self.plot.plot(
                    [x for x, _ in points],
                    [y for _, y in points],
                    pen=pg.mkPen(colour, width=2),
                    symbol="o",
                    symbolBrush=colour,
                    name=name,
                )
        self.plot.setLabel("left", self.value_list.currentText())
        self.plot.setYRange(0, 1.05, padding=0)
        self.plot.enableAutoRange(x=True, y=attribute != "rejected_share")


def _cells(row: ScannerRow) -> list[Cell]:
    share, familiarity = row.rejected_share, row.familiarity
    judged_text = f"{row.rejected_count} of {row.judged_count}"
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(row.reasons.items()))
    return [
        *(Cell(value) for value in row.scanner),
        Cell(str(row.scans), value=row.scans),
        Cell(f"{row.findings_per_scan:.2f}", value=row.findings_per_scan),
        Cell("–" if share is None else f"{judged_text} ({share:.0%})", value=share),
        Cell(reasons or "–"),
        Cell("–" if familiarity is None else f"{familiarity:.2f}", value=familiarity),
        Cell(str(row.unfamiliar), value=row.unfamiliar),
    ]
