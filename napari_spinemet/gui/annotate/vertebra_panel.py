"""Vertebrae without drawing each: marks, proposed outlines, levels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGroupBox,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from ...contouring.label_counts import LabelCounts
from ...errors import SpinemetError
from ...imaging.vertebra_levels import NAMES
from ..viewer.common_widgets import JobBar, button, row, text
from ..viewer.drawing import PROPOSE, Drawing
from ..viewer.layer_style import MARK as MARK_COLOUR
from ..viewer.layer_style import VERTEBRA, TextStyle
from ..viewer.session import Session
from ..viewer.timing import Debouncer

MARK, NAME = "mark", "name"
_MARK_STYLE = TextStyle("vertebra marks", MARK_COLOUR, 9, "black")
_NAME_STYLE = TextStyle("vertebra levels", "transparent", 1, VERTEBRA)
_SAME_MARK_MM = 6.0
"""A click this close to a mark takes it away."""
_TEXT_OFFSET = 0.95
"""Of the side of a square as large as the body: from its centre to the text."""


class VertebraPanel(QGroupBox):
    """Mark bodies by clicks, let outlines be proposed, and number them from one known level."""

    def __init__(self, session: Session, drawing: Drawing, tools: QButtonGroup) -> None:
        super().__init__("Vertebrae")
        self._session, self._drawing = session, drawing
        self.marks: list[tuple[int, float, float]] = []
        """(slice, row, column) of each mark."""
        self._level_texts: list[tuple[int, float, float, str]] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        self.level = QComboBox()
        self.level.addItems(NAMES)
        self.level.setCurrentText("L1")
        self.level.setToolTip(
            "Level of the vertebra that is drawn next, of the topmost mark, and of the one that "
            "is clicked with Name. T13 and L6 are for whoever has one more; a transitional "
            "vertebra may be L6, or named by itself without numbering the others."
        )
        self.mark_button = QPushButton("Mark bodies")
        self.mark_button.setToolTip(
            "Click once into each body, or only into the first and the last of a row; a click on "
            "a mark takes it away (W)."
        )
        self.name_button = QPushButton("Name")
        self.name_button.setToolTip(
            "Click into an outline: it becomes the chosen level, and the others are numbered "
            "from it (X)."
        )
        for tool, mode in ((self.mark_button, MARK), (self.name_button, NAME)):
            tool.setCheckable(True)
            tool.setProperty("mode", mode)
            tools.addButton(tool)
        self.propose_button = button(
            "Propose outlines", "Outline the marked bodies in all slices (R).", self.propose
        )
        self.numbers_others = QCheckBox("and number the others")
        self.numbers_others.setChecked(True)
        self.numbers_others.setToolTip(
            "Name gives all other vertebrae the levels that follow from it."
        )
        layout.addWidget(row(QLabel("Level"), self.level, self.name_button, self.numbers_others))
        layout.addWidget(row(self.mark_button, self.propose_button))
        self.help_label = text(is_quiet=True)
        layout.addWidget(self.help_label)
        layout.addWidget(JobBar(session.jobs.storage, PROPOSE, delay_ms=300))
        # The text of a whole spine takes napari tens of milliseconds: not between two strokes.
        self._pause = Debouncer(400, self)
        self._pause.triggered.connect(self._write_names)
        session.series_changed.connect(self._on_series)
        self.clear()

    def _on_series(self) -> None:
        """The picture is new, and nothing is written into it yet."""
        self._level_texts = []
        self.clear()

    def clear(self) -> None:
        """Forget the marks."""
        self.marks = []
        self._on_marks()

    def mark(self, voxel: tuple[int, float, float]) -> None:
        """Set a mark, or take the one away that is there."""
        series = self._session.series
        if series is None:
            self._session.warn("Open a scan first.")
            return
        size = np.array(series.spacing_mm[1:])
        hit_marks = [
            mark
            for mark in self.marks
            if np.hypot(*((np.array(mark) - voxel)[1:] * size)) < _SAME_MARK_MM
        ]
        if hit_marks:
            self.marks.remove(hit_marks[0])
        elif all(0 <= v < n for v, n in zip(voxel, series.shape, strict=True)):
            self.marks.append(voxel)
        self._on_marks()

    def _on_marks(self) -> None:
        count = len(self.marks)
        order = sorted(self.marks, key=lambda voxel: voxel[1])
        numbers = [str(k + 1) for k in range(len(order))]  # from the head
        self._session.layers.write_texts("marks", order, numbers, _MARK_STYLE)
        self.propose_button.setEnabled(count > 0)
        self.help_label.setText(
            {
                0: "Mark one body after the other, or the first and the last; the topmost is the "
                "chosen level.",
                1: f"One mark: {self.level.currentText()}.",
                2: "Two marks: the bodies between them will be found.",
            }.get(count, f"{count} marks, {self.level.currentText()} at the top.")
        )

    def propose(self) -> None:
        """Outline the marked bodies, in the background."""
        session, marks = self._session, list(self.marks)
        series, level = session.series, self.level.currentText()
        if series is None or not marks:
            session.warn("Mark the vertebral bodies first: one click into each.")
            return

        def on_proposed(proposal: npt.NDArray[np.uint16]) -> None:
            if session.series is not series:
                return
            try:
                count, occupied_count = self._drawing.add_proposal(proposal, level)
            except SpinemetError as error:
                session.warn(str(error))
                return
            self.clear()
            note = (
                f" {occupied_count} that were contoured already stay as they are."
                if occupied_count
                else ""
            )
            session.say(
                f"Outlined {count} vertebra{'e' if count != 1 else ''} from {level} downwards; "
                f"look at each, and mend what does not fit.{note}"
            )

        session.jobs.storage.start(
            PROPOSE, lambda job: self._drawing.propose(series, marks), on_proposed
        )

    def name_at(self, voxel: tuple[int, int, int]) -> None:
        """Give the vertebra at a pixel the chosen level."""
        layer = self._session.layers.vertebrae
        inside = layer is not None and all(
            0 <= v < n for v, n in zip(voxel, layer.data.shape, strict=True)
        )
        label = int(layer.data[voxel]) if inside and layer is not None else 0
        self._drawing.name(label, self.level.currentText(), rest=self.numbers_others.isChecked())

    def refresh(self, bodies: LabelCounts) -> None:
        """Write the levels into the picture, where they changed."""
        levels = self._drawing.levels()
        # In front of the body, so that nothing inside is covered.
        level_texts = [
            (index, at_row, at_column - _TEXT_OFFSET * pixels**0.5, levels.get(label, f"({label})"))
            for label, index, at_row, at_column, pixels in bodies.centres
        ]
        if level_texts != self._level_texts:
            self._level_texts = level_texts
            self._pause.throttle()

    def _write_names(self) -> None:
        self._session.layers.write_texts(
            "names",
            [(index, at_row, at_column) for index, at_row, at_column, _ in self._level_texts],
            [level for *_, level in self._level_texts],
            _NAME_STYLE,
        )
