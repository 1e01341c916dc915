"""Small pieces that every widget is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ...disclaimer import DISCLAIMER
from ...imaging import ScanWarning
from ...jobs import Event, Progressed
from .jobs import JobRunner
from .timing import Debouncer


def button(text: str, help_text: str, on_click: Callable[[], object]) -> QPushButton:
    """A push button with its help.

    Parameters
    ----------
    text, help_text : str
        On it, and where the mouse rests on it.
    on_click : callable
        Takes nothing.
    """
    push_button = QPushButton(text)
    push_button.setToolTip(help_text)
    push_button.clicked.connect(lambda _=False: on_click())
    return push_button


def confirm_loss(parent: QWidget, question: str) -> bool:
    """Ask whether contours may be lost; not, unless that is said.

    Parameters
    ----------
    parent : QWidget
    question : str
    """
    answers = QMessageBox.StandardButton
    answer = QMessageBox.question(
        parent,
        "Unsaved contours",
        question,
        answers.Discard | answers.Cancel,
        answers.Cancel,
    )
    return bool(answer == answers.Discard)


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


def fill_spare_height(widget: QWidget, min_height: int) -> None:
    """Let a widget have the height that others leave, whatever height it would wish for.

    Parameters
    ----------
    widget : QWidget
    min_height : int
        In pixels.
    """
    widget.setMinimumHeight(min_height)
    widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)


class WrappedLabel(QLabel):
    """Text over several lines that keeps its room: layouts in layouts take some of it away."""

    def __init__(self, value: str = "") -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setText(value)

    def setText(self, text: str) -> None:
        """Say something else, in as many lines as it takes."""
        super().setText(text)
        self._keep_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width takes more lines, or fewer."""
        super().resizeEvent(event)
        self._keep_room()

    def _keep_room(self) -> None:
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))


class WarningsLabel(WrappedLabel):
    """What one must know about the scan or the result, for as long as it is shown.

    Grave warnings in full; of the others how many there are. All are in the tooltip.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.show_warnings(())

    def show_warnings(self, warnings: Sequence[ScanWarning]) -> None:
        """Show these in place of the former ones.

        Parameters
        ----------
        warnings : sequence of ScanWarning
            Of the open scan, or of its result; hidden without any.
        """
        grave_warnings = [warning for warning in warnings if warning.is_grave]
        # What several of them ask for is said once: there is little room beside the findings.
        remedies = dict.fromkeys(warning.remedy for warning in grave_warnings)
        words = " ".join([*grave_warnings, *remedies])
        lines = [f"Doubtful: {words}"] if words else []
        count = len(warnings) - len(grave_warnings)
        if count:
            notes = "1 note" if count == 1 else f"{count} notes"
            lines.append(f"{notes} on this scan (rest the mouse here).")
        self.setText("\n".join(lines))
        self.setToolTip("\n".join(warning.text for warning in warnings))
        self.setStyleSheet("color: #ff8a80; font-weight: bold;" if grave_warnings else "")
        self.setVisible(bool(lines))


def text(value: str = "", is_quiet: bool = False) -> QLabel:
    """A line of text that wraps.

    Parameters
    ----------
    value : str
        What it says at first.
    is_quiet : bool
        In a paler colour.
    """
    label = WrappedLabel(value)
    if is_quiet:
        label.setEnabled(False)
    return label


def provenance_label() -> QLabel:
    """What a model has learned from, in the words of its card: no markup, whoever wrote it."""
    label = text()
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def disclaimer_label() -> QLabel:
    """The quiet line at the foot of every widget."""
    label = text(DISCLAIMER, is_quiet=True)
    label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
    label.setObjectName("notice")
    return label


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
        self._delay = Debouncer(delay_ms, self)
        self._delay.triggered.connect(self.show)
        self._runner, self._task = runner, task
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.cancel = button("Cancel", "Stop within a batch; nothing is lost.", self._on_cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar, 1)
        layout.addWidget(self.cancel)
        runner.job_queued.connect(self._on_queued)
        runner.job_started.connect(self._on_started)
        runner.job_cancelled.connect(self._on_cancelled)
        runner.event_reported.connect(self._on_reported)
        runner.idle.connect(self._on_idle)
        self._on_idle()

    def _on_queued(self, task: str) -> None:
        if task == self._task and self._runner.task != task:
            self._appear(f"waits for '{self._runner.task}' to end")

    def _on_started(self, task: str) -> None:
        if task == self._task:
            self._appear("starting")

    def _appear(self, reason: str) -> None:
        self.bar.setRange(0, 0)
        self.bar.setFormat(reason)
        self.cancel.setText("Cancel")
        self.cancel.setEnabled(True)
        self._delay.throttle()

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
        self._delay.cancel()
        self.hide()

    def _on_cancel(self) -> None:
        self.cancel.setText("Stopping")
        self.cancel.setEnabled(False)
        self._runner.cancel(self._task)
