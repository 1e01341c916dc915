"""Annotate: contours of lesions and vertebrae as label layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from ..errors import SpinemetError
from ..imaging.growing import grow_region
from ..imaging.interpolation import interpolate_slices
from ..imaging.tally import SliceTally
from ..phantom.spine import LEVELS
from .parts import button, group, notice, row, text
from .session import session_of

if TYPE_CHECKING:
    import napari

TOOLS = (
    ("Look", "pan_zoom", "Move and zoom the picture."),
    ("Polygon", "polygon", "Click the corners of an outline; double click closes it."),
    ("Brush", "paint", "Paint with a round brush."),
    ("Eraser", "erase", "Take paint away."),
    ("Fill", "fill", "Fill a closed outline."),
    ("Grow", "grow", "Click into a lesion or a body: what is alike and near is added."),
)
GROW = "grow"
"""A tool that napari does not have: a click that is no drag."""


class AnnotateWidget(QWidget):
    """Draw lesions (red) and vertebral bodies (blue, one label each), slice by slice."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._growing = False
        self._lesions, self._vertebrae = SliceTally(), SliceTally()
        layout = QVBoxLayout(self)
        layout.addWidget(self._create_target_box())
        layout.addWidget(self._create_tool_box())
        layout.addWidget(self._create_slice_box())
        box, inner = group("State")
        self.area = text()
        self.missing = text()
        inner.addWidget(self.area)
        inner.addWidget(self.missing)
        self.saved = text()
        inner.addWidget(self.saved)
        self.approve_button = button(
            "Approve contours",
            "Say that the contours of this case are right; another stroke takes that back.",
            self.approve,
        )
        inner.addWidget(self.approve_button)
        layout.addWidget(box)
        layout.addStretch(1)
        layout.addWidget(notice())
        # A stroke changes several layer properties; one look at the end is enough.
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(60)
        self._later.timeout.connect(self.refresh)
        session = self.session
        session.contours_changed.connect(self._later.start)
        session.series_changed.connect(self._on_series)
        session.study_changed.connect(self.refresh)
        session.autosave.changed.connect(self._tell_saved)
        session.layers.contours_shown.connect(self._later.start)  # after Ctrl+Z, too
        session.viewer.dims.events.current_step.connect(self._on_step)
        self._on_series()

    def _create_target_box(self) -> QWidget:
        box, layout = group("What to draw")
        self.lesion_button = QPushButton("Lesion (red)")
        self.vertebra_button = QPushButton("Vertebra (blue)")
        targets = QButtonGroup(self)
        for target in (self.lesion_button, self.vertebra_button):
            target.setCheckable(True)
            targets.addButton(target)
        self.lesion_button.setChecked(True)
        self.lesion_button.setToolTip("Draw on the layer of lesions.")
        self.vertebra_button.setToolTip("Draw on the layer of vertebral bodies.")
        self.lesion_button.toggled.connect(lambda _: self._on_target())
        layout.addWidget(row(self.lesion_button, self.vertebra_button))
        self.new_button = button(
            "New lesion", "The next stroke starts another lesion.", self.new_label
        )
        self.level = QComboBox()
        self.level.addItems(LEVELS)
        self.level.setCurrentText("L1")
        self.level.setToolTip("Level of the vertebra that is drawn next.")
        self.level.currentTextChanged.connect(lambda _: self._choose_level())
        layout.addWidget(row(self.new_button, self.level))
        return box

    def _create_tool_box(self) -> QWidget:
        box, layout = group("Tool")
        grid = QGridLayout()
        self.tools = QButtonGroup(self)
        for number, (name, mode, help_text) in enumerate(TOOLS):
            tool = QPushButton(name)
            tool.setCheckable(True)
            tool.setToolTip(help_text)
            tool.setProperty("mode", mode)
            self.tools.addButton(tool)
            grid.addWidget(tool, number // 3, number % 3)
        self.tools.buttons()[0].setChecked(True)
        self.tools.buttonClicked.connect(lambda tool: self.use(tool.property("mode")))
        layout.addLayout(grid)
        self.alike = QSpinBox()
        self.alike.setRange(1, 100)
        self.alike.setValue(25)
        self.alike.setPrefix("alike to ")
        self.alike.setSuffix(" %")
        self.alike.setToolTip("Grow takes what differs by no more than this from the click.")
        self.near = QSpinBox()
        self.near.setRange(1, 100)
        self.near.setValue(20)
        self.near.setPrefix("within ")
        self.near.setSuffix(" mm")
        self.near.setToolTip("Grow goes no farther than this from the click.")
        layout.addWidget(row(self.alike, self.near))
        layout.addWidget(
            button("Undo", "Take the last step back, whatever it was (Ctrl+Z).", self.undo)
        )
        return box

    def _create_slice_box(self) -> QWidget:
        box, layout = group("Neighbouring slices")
        layout.addWidget(
            row(
                button(
                    "Copy to previous",
                    "Copy this slice's outlines of the chosen kind to the slice before.",
                    lambda: self.copy_slice(-1),
                ),
                button(
                    "Copy to next",
                    "Copy this slice's outlines of the chosen kind to the slice after.",
                    lambda: self.copy_slice(1),
                ),
            )
        )
        layout.addWidget(
            button(
                "Fill the slices between",
                "Interpolate the outlines of the chosen kind where slices between contoured "
                "ones are empty. One step for Undo.",
                self.interpolate,
            )
        )
        return box

    @property
    def target(self) -> Labels | None:
        """The layer that is drawn on."""
        layers = self.session.layers
        return layers.lesions if self.lesion_button.isChecked() else layers.vertebrae

    def _on_series(self) -> None:
        self._on_target()
        self.refresh()

    def _on_target(self) -> None:
        lesion = self.lesion_button.isChecked()
        self.new_button.setEnabled(lesion)
        self.level.setEnabled(not lesion)
        layer = self.target
        if layer is None:
            return
        if lesion:
            layer.selected_label = max(1, layer.selected_label)
        else:
            self._choose_level()
        checked = self.tools.checkedButton()
        self.use(checked.property("mode") if checked else "pan_zoom")

    def use(self, mode: str) -> None:
        """Take a tool, on the layer that is drawn on."""
        layer = self.target
        if layer is None:
            self.session.warn("Open a scan first.")
            return
        self.session.viewer.layers.selection.active = layer
        other = (
            self.session.layers.vertebrae
            if self.lesion_button.isChecked()
            else self.session.layers.lesions
        )
        if other is not None:
            other.mode = "pan_zoom"
        self._growing = mode == GROW
        layer.mode = "pan_zoom" if self._growing else mode
        if self._on_press not in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.append(self._on_press)
        for tool in self.tools.buttons():
            tool.setChecked(tool.property("mode") == mode)

    def new_label(self) -> None:
        """Start another lesion."""
        layer = self.target
        if layer is not None:
            layer.selected_label = int(layer.data.max()) + 1

    def _choose_level(self) -> None:
        """Draw with the label that stands for the chosen level."""
        layer = self.session.layers.vertebrae
        if layer is None or self.lesion_button.isChecked():
            return
        levels = layer.metadata.setdefault("levels", {})
        if self.session.annotation is not None:
            for number, name in self.session.annotation.levels.items():
                levels.setdefault(number, name)
        wanted = self.level.currentText()
        known = [number for number, name in levels.items() if name == wanted]
        number = known[0] if known else max([int(layer.data.max()), *levels], default=0) + 1
        levels[number] = wanted
        layer.selected_label = number

    def undo(self) -> None:
        """Take the last stroke back."""
        if self.target is not None:
            self.target.undo()
            self._later.start()

    def copy_slice(self, step: int) -> None:
        """Copy the outlines of this slice to a neighbour, as one undoable stroke."""
        layer = self.target
        if layer is None:
            self.session.warn("Open a scan first.")
            return
        index = self.session.layers.current_slice
        other = index + step
        if not 0 <= other < layer.data.shape[0]:
            self.session.warn("There is no slice on that side.")
            return
        rows, columns = np.nonzero(layer.data[index])
        if not len(rows):
            self.session.warn("This slice has nothing to copy.")
            return
        values = layer.data[index][rows, columns]
        layer.data_setitem((np.full(len(rows), other), rows, columns), values)
        self.session.layers.go_to(other)
        self._later.start()

    def _on_press(self, layer: Labels, event: Any) -> Iterator[None]:
        """Grow from a click; a drag moves the picture as ever."""
        target = self.target
        if target is None or layer is not target or not self._growing or event.button != 1:
            return
        dragged = False
        yield
        while event.type == "mouse_move":
            dragged = True
            yield
        if not dragged:
            index, at_row, at_column = (round(v) for v in target.world_to_data(event.position))
            self.grow_at(index, at_row, at_column)

    def grow_at(self, index: int, at_row: int, at_column: int) -> None:
        """Add what looks like a pixel and lies near it, as one undoable stroke.

        A lesion stays within the vertebra that was clicked, where that is contoured.
        """
        layer, series = self.target, self.session.series
        if layer is None or series is None:
            self.session.warn("Open a scan first.")
            return
        within, bodies = None, self.session.layers.vertebrae
        seed = (at_row, at_column)
        inside = all(0 <= v < n for v, n in zip(seed, series.shape[1:], strict=True))
        if self.lesion_button.isChecked() and bodies is not None and inside:
            body = bodies.data[index][seed]
            within = bodies.data[index] == body if body else None
        try:
            grown = grow_region(
                series.voxels[index],
                seed,
                series.spacing_mm[1:],
                tolerance=self.alike.value() / 100,
                radius_mm=self.near.value(),
                within=within,
            )
        except SpinemetError as error:
            self.session.warn(str(error))
            return
        rows, columns = np.nonzero(grown & (layer.data[index] == 0))
        if len(rows):
            at = (np.full(len(rows), index), rows, columns)
            layer.data_setitem(at, np.full(len(rows), layer.selected_label))
        self._later.start()

    def interpolate(self) -> None:
        """Fill empty slices between contoured ones, as one undoable stroke."""
        layer, series = self.target, self.session.series
        if layer is None or series is None:
            self.session.warn("Open a scan first.")
            return
        filled = interpolate_slices(np.asarray(layer.data), series.spacing_mm[1:])
        at, values = [], []
        for index, image in filled.items():
            rows, columns = np.nonzero(image != layer.data[index])
            at.append((np.full(len(rows), index), rows, columns))
            values.append(image[rows, columns])
        if not sum(map(len, values)):
            self.session.warn("There is no empty slice between two contoured ones.")
            return
        where = tuple(np.concatenate(axis) for axis in zip(*at, strict=True))
        layer.data_setitem(where, np.concatenate(values))
        numbers = ", ".join(str(index + 1) for index in sorted(filled))
        self.session.say(f"Filled slice {numbers}; look at each, and mend what does not fit.")
        self._later.start()

    def _on_step(self, event: Any = None) -> None:
        self._later.start()

    def refresh(self) -> None:
        """Tell areas, and what is missing before a model can learn from the case."""
        session = self.session
        self._tell_saved()
        if session.series is None:
            self.area.setText("No scan is open.")
            self.missing.setText("")
            return
        _, row_mm, column_mm = session.series.spacing_mm
        index = session.layers.current_slice
        for kind, tally in (("lesions", self._lesions), ("vertebrae", self._vertebrae)):
            layer, former = getattr(session.layers, kind), session.annotation
            if layer is not None:
                tally.look(layer.data)
            elif former is not None:  # a layer that was deleted is as it was stored
                tally.look(getattr(former, kind))
        here, slices = self._lesions.pixels(index), self._lesions.slices
        count, bodies = len(self._lesions.labels), self._vertebrae.slices
        self.area.setText(
            f"Lesion in this slice: {here * row_mm * column_mm / 100:.2f} cm². "
            f"{count} lesion{'s' if count != 1 else ''} on {len(slices)} slices, "
            f"{len(self._vertebrae.labels)} vertebrae."
        )
        wanted = []
        if not bodies:
            wanted.append("vertebrae")
        bare = [k + 1 for k in slices if k not in bodies]
        if bodies and bare:
            wanted.append(f"vertebrae on slice {', '.join(map(str, bare))}")
        if session.case is None:
            wanted.append("a place in a study (Load: Add open scan to study)")
        note = "" if slices else " Without a lesion the case counts as normal."
        self.missing.setText(
            (f"Missing before training: {'; '.join(wanted)}." if wanted else "Ready for training.")
            + note
        )

    def approve(self) -> None:
        """Approve the contours of the open case, once all of them are on the disk."""
        session = self.session
        case, series = session.case, session.series
        if case is None or series is None or not session.autosave.active:
            session.warn("Open a case of a study first, then approve its contours.")
            return
        session.autosave.save()

        def done(_: object) -> None:
            session.study_changed.emit()
            session.say(f"The contours of {case.name} are approved.")

        session.desk.start("approve", lambda *_: case.approve(series), done)

    def _tell_saved(self) -> None:
        """Say what of the drawing is on the disk."""
        session, autosave = self.session, self.session.autosave
        self.approve_button.setEnabled(autosave.active and not autosave.failure)
        if session.series is None:
            self.saved.setText("")
        elif not autosave.active:
            self.saved.setText(
                session.study.notice
                if session.study is not None and session.study.notice and session.case is not None
                else "Not saved: this scan is in no study yet (Load: Add open scan to study)."
            )
        elif autosave.failure:
            self.saved.setText(f"Not saved: {autosave.failure}")
        elif autosave.pending:
            self.saved.setText("Saving.")
        elif autosave.saved_at:
            self.saved.setText(f"All strokes are saved, the last at {autosave.saved_at}.")
        else:
            self.saved.setText("Every stroke is saved as it is drawn.")
