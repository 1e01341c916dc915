"""Small pieces that every widget is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...disclaimer import DISCLAIMER
from ...jobs import Event, Progressed
from .job_runner import JobRunner


def button(text: str, help_text: str, on_click: Callable[[], object]) -> QPushButton:
    """A push button with its help."""
    made = QPushButton(text)
    made.setToolTip(help_text)
    made.clicked.connect(lambda _=False: on_click())
    return made


def row(*widgets: QWidget) -> QWidget:
    """Widgets side by side."""
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return holder


def group(title: str) -> tuple[QGroupBox, QVBoxLayout]:
    """A titled box and its layout."""
    box = QGroupBox(title)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(8, 8, 8, 8)
    return box, layout


def form() -> tuple[QWidget, QFormLayout]:
    """A form with labels on the left."""
    holder = QWidget()
    layout = QFormLayout(holder)
    layout.setContentsMargins(0, 0, 0, 0)
    return holder, layout


def take_what_is_left(widget: QWidget, least: int) -> None:
    """Let a widget have the height that others leave, whatever height it would wish for."""
    widget.setMinimumHeight(least)
    widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)


def text(value: str = "", muted: bool = False) -> QLabel:
    """A line of text that wraps."""
    label = QLabel(value)
    label.setWordWrap(True)
    if muted:
        label.setEnabled(False)
    return label


def notice() -> QLabel:
    """The quiet line at the foot of every widget."""
    label = text(DISCLAIMER, muted=True)
    label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    label.setObjectName("notice")
    return label


class Table(QTableWidget):
    """A read-only table whose rows are chosen whole.

    Parameters
    ----------
    headings : sequence of str
    help_text : str
    stretch : int
        The column that takes the spare width.
    sortable : bool
        A click on a heading sorts by it, numbers by their size.
    """

    def __init__(
        self, headings: tuple[str, ...], help_text: str, stretch: int, *, sortable: bool = False
    ) -> None:
        super().__init__(0, len(headings))
        self._sortable = sortable
        self.setHorizontalHeaderLabels(headings)
        self.setToolTip(help_text)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        for column in range(len(headings)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
        self.setWordWrap(True)
        if sortable:
            header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # as filled, until a click
            self.setSortingEnabled(True)

    def fill(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Replace the content."""
        self.setSortingEnabled(False)  # or rows would move while they are filled
        self.clearContents()
        self.setRowCount(len(rows))
        for index, values in enumerate(rows):
            for column, value in enumerate(values):
                item = _Cell(value)
                item.setToolTip(value)
                item.setData(Qt.ItemDataRole.UserRole, index)
                self.setItem(index, column, item)
        self.setSortingEnabled(self._sortable)

    @property
    def chosen(self) -> int:
        """Which of the rows that were filled in is chosen, -1 for none."""
        rows = self.selectionModel().selectedRows() if self.selectionModel() else []
        item = self.item(rows[0].row(), 0) if rows else None
        return -1 if item is None else int(item.data(Qt.ItemDataRole.UserRole))

    def choose(self, index: int) -> None:
        """Choose one of the rows that were filled in, wherever it has been sorted to."""
        self.selectRow(self.rows_as_shown().index(index))

    def rows_as_shown(self) -> list[int]:
        """The rows that were filled in, from top to bottom."""
        items = [self.item(row, 0) for row in range(self.rowCount())]
        return [int(item.data(Qt.ItemDataRole.UserRole)) for item in items if item is not None]


class _Cell(QTableWidgetItem):
    """Text that begins with a number is sorted by it, and comes before other text."""

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return _sort_key(self.text()) < _sort_key(other.text())


def _sort_key(said: str) -> tuple[bool, float, str]:
    number = re.match(r"-?\d+(\.\d+)?", said)
    return (False, float(number[0]), said) if number else (True, 0.0, said)


class JobBar(QWidget):
    """Progress of one kind of job, with a button that cancels it.

    Parameters
    ----------
    runner : JobRunner
    task : str
        The job that is shown here; others are left to their own widgets.
    delay_ms : int
        A job that ends sooner is not shown at all.
    """

    def __init__(self, runner: JobRunner, task: str, delay_ms: int = 0) -> None:
        super().__init__()
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(delay_ms)
        self._delay.timeout.connect(self.show)
        self._runner, self._task = runner, task
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.cancel = button("Cancel", "Stop within a batch; nothing is lost.", self._on_cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.cancel)
        runner.queued.connect(self._on_queued)
        runner.started.connect(self._on_started)
        runner.cancelled.connect(self._on_cancelled)
        runner.reported.connect(self._on_reported)
        runner.idle.connect(self._on_idle)
        self._on_idle()

    def _on_queued(self, task: str) -> None:
        if task == self._task and self._runner.task != task:
            self._appear(f"waits for '{self._runner.task}' to end")

    def _on_started(self, task: str) -> None:
        if task == self._task:
            self._appear("starting")

    def _appear(self, said: str) -> None:
        self.bar.setRange(0, 0)
        self.bar.setFormat(said)
        self.cancel.setText("Cancel")
        self.cancel.setEnabled(True)
        self._delay.start()

    def _on_reported(self, task: str, event: Event) -> None:
        if task == self._task and isinstance(event, Progressed):
            self.bar.setRange(0, event.total)
            self.bar.setValue(event.done)
            self.bar.setFormat(event.message or f"{event.done} of {event.total}")

    def _on_cancelled(self, task: str) -> None:
        if task == self._task:
            self._on_idle()  # one that had not begun

    def _on_idle(self) -> None:
        if self._runner.has(self._task):
            return
        self.bar.setRange(0, 1)
        self.bar.reset()
        self.bar.setFormat("")
        self._delay.stop()
        self.hide()

    def _on_cancel(self) -> None:
        self.cancel.setText("Stopping")
        self.cancel.setEnabled(False)
        self._runner.cancel(self._task)
