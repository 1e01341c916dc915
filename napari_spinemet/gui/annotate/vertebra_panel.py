"""Vertebrae without drawing each: marks, proposed outlines, levels."""

from __future__ import annotations

from typing import Any

import numpy as np
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
from ...imaging.vertebra_levels import LEVELS
from ..viewer.common_widgets import JobBar, button, row, text
from ..viewer.drawing import PROPOSE, Drawing
from ..viewer.session import Session
from ..viewer.timing import Debouncer

MARK, NAME = "mark", "name"
_NEAR_MM = 6.0
"""A click this close to a mark takes it away."""
_IN_FRONT = 0.95
"""Of the side of a square as large as the body: from its centre to the text."""


class VertebraPanel(QGroupBox):
    """Mark bodies by clicks, let outlines be proposed, and number them from one known level."""

    def __init__(self, session: Session, drawing: Drawing, tools: QButtonGroup) -> None:
        super().__init__("Vertebrae")
        self._session, self._drawing = session, drawing
        self.places: list[tuple[int, float, float]] = []
        """(slice, row, column) of each mark."""
        self._named: list[Any] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        self.level = QComboBox()
        self.level.addItems(LEVELS)
        self.level.setCurrentText("L1")
        self.level.setToolTip(
            "Level of the vertebra that is drawn next, of the topmost mark, and of the one that "
            "is clicked with Name."
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
        self.rest = QCheckBox("and number the others")
        self.rest.setChecked(True)
        self.rest.setToolTip("Name gives all other vertebrae the levels that follow from it.")
        layout.addWidget(row(QLabel("Level"), self.level, self.name_button, self.rest))
        layout.addWidget(row(self.mark_button, self.propose_button))
        self.told = text(is_quiet=True)
        layout.addWidget(self.told)
        layout.addWidget(JobBar(session.jobs.storage, PROPOSE, delay_ms=300))
        # The text of a whole spine takes napari tens of milliseconds: not between two strokes.
        self._pause = Debouncer(400, self)
        self._pause.triggered.connect(self._write_names)
        session.series_changed.connect(self.clear)
        self.clear()

    def clear(self) -> None:
        """Forget the marks."""
        self.places = []
        self._on_marks()

    def mark(self, place: tuple[int, float, float]) -> None:
        """Set a mark, or take the one away that is there."""
        series = self._session.series
        if series is None:
            self._session.warn("Open a scan first.")
            return
        size = np.array(series.spacing_mm[1:])
        near = [p for p in self.places if np.hypot(*((np.array(p) - place)[1:] * size)) < _NEAR_MM]
        if near:
            self.places.remove(near[0])
        elif all(0 <= v < n for v, n in zip(place, series.shape, strict=True)):
            self.places.append(place)
        self._on_marks()

    def _on_marks(self) -> None:
        count = len(self.places)
        self._session.layers.show_marks(self.places)
        self.propose_button.setEnabled(count > 0)
        self.told.setText(
            {
                0: "Mark one body after the other, or the first and the last; the topmost is the "
                "chosen level.",
                1: f"One mark: {self.level.currentText()}.",
                2: "Two marks: the bodies between them will be found.",
            }.get(count, f"{count} marks, {self.level.currentText()} at the top.")
        )

    def propose(self) -> None:
        """Outline the marked bodies, in the background."""
        session, places = self._session, list(self.places)
        series, level = session.series, self.level.currentText()
        if series is None or not places:
            session.warn("Mark the vertebral bodies first: one click into each.")
            return

        def done(proposed: Any) -> None:
            if session.series is not series:
                return
            try:
                drawn, skipped = self._drawing.add_proposal(proposed, level)
            except SpinemetError as error:
                session.warn(str(error))
                return
            self.clear()
            kept = f" {skipped} that were contoured already stay as they are." if skipped else ""
            session.say(
                f"Outlined {drawn} vertebra{'e' if drawn != 1 else ''} from {level} downwards; "
                f"look at each, and mend what does not fit.{kept}"
            )

        session.jobs.storage.start(PROPOSE, lambda job: self._drawing.propose(series, places), done)

    def name_at(self, place: tuple[int, int, int]) -> None:
        """Give the vertebra at a pixel the chosen level."""
        layer = self._session.layers.vertebrae
        inside = layer is not None and all(
            0 <= v < n for v, n in zip(place, layer.data.shape, strict=True)
        )
        label = int(layer.data[place]) if inside and layer is not None else 0
        self._drawing.name(label, self.level.currentText(), rest=self.rest.isChecked())

    def refresh(self, bodies: LabelCounts) -> None:
        """Write the levels into the picture, where they changed."""
        levels = self._drawing.levels()
        # In front of the body, so that nothing inside is covered.
        named = [
            (index, at_row, at_column - _IN_FRONT * pixels**0.5, levels.get(label, f"({label})"))
            for label, index, at_row, at_column, pixels in bodies.centres
        ]
        if named != self._named:
            self._named = named
            self._pause.throttle()

    def _write_names(self) -> None:
        self._session.layers.show_names(
            [place[:3] for place in self._named], [place[3] for place in self._named]
        )
