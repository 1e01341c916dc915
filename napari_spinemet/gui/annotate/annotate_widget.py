"""Annotate: contours of lesions and vertebrae as label layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QPushButton, QWidget

from ...errors import SpinemetError
from ..viewer.common_widgets import button, disclaimer_label, group, row
from ..viewer.controls.number_entry import WholeNumberBox
from ..viewer.controls.scrolling_tab import ScrollingTab
from ..viewer.controls.wheel_guard import guard_from_wheel
from ..viewer.drawing import Drawing, next_label, why_no_drawing
from ..viewer.session import session_of
from ..viewer.shortcuts import Key, bind, show_help
from ..viewer.timing import Debouncer
from .contour_files import ContourFiles
from .contour_status import ContourStatusPanel
from .vertebra_panel import MARK, NAME, VertebraPanel

if TYPE_CHECKING:
    import napari

GROW = "grow"
"""A tool that napari does not have: a click that is no drag. So are MARK and NAME."""
TOOLS = (
    ("Look", "pan_zoom", "A", "Move and zoom the picture."),
    ("Polygon", "polygon", "P", "Click the corners of an outline; double click closes it."),
    ("Brush", "paint", "D", "Paint; what begins inside an outline belongs to that one."),
    ("Eraser", "erase", "E", "Take paint away."),
    ("Fill", "fill", "F", "Fill a closed outline."),
    ("Grow", GROW, "G", "Click into a lesion or a body: what is alike and near is added."),
)


class AnnotateWidget(ScrollingTab):
    """Draw lesions (red) and vertebral bodies (blue, one label each), slice by slice."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.drawing = Drawing(self.session)
        self._tool = "pan_zoom"
        self.keys: list[Key] = []
        layout = self.column
        layout.addWidget(self._create_target_box())
        layout.addWidget(self._create_tool_box())
        self.vertebrae = VertebraPanel(self.session, self.drawing, self.tools)
        self.vertebrae.level.currentTextChanged.connect(lambda _: self._choose_level())
        layout.addWidget(self.vertebrae)
        layout.addWidget(self._create_slice_box())
        self.state = ContourStatusPanel(self.session)
        layout.addWidget(self.state)
        self.files = ContourFiles(self.session)
        keys = button("Shortcuts…", "The keys of all tools (F1).", self.show_keys)
        layout.addWidget(row(self.files, keys))
        layout.addStretch(1)
        layout.addWidget(disclaimer_label())
        guard_from_wheel(self)
        self._bind_keys()
        for push_button in self.findChildren(QPushButton):
            # A click on a tool must not take the keys away from the picture.
            push_button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # A stroke changes several layer properties; one look at the end is enough.
        self._stroke_end = Debouncer(60, self)
        self._stroke_end.triggered.connect(self.refresh)
        session = self.session
        session.contours_changed.connect(self._stroke_end.throttle)
        session.series_changed.connect(self._on_series)
        session.study_changed.connect(self.refresh)
        session.drawing_requested.connect(self._on_wanted)
        session.open_outlines.put_aside.connect(self._on_put_aside)
        session.layers.contours_shown.connect(self._stroke_end.throttle)  # after undo, too
        for event in (
            session.viewer.dims.events.current_step,
            session.viewer.dims.events.ndisplay,
            session.viewer.dims.events.order,
        ):
            event.connect(self._on_step)
        session.viewer.layers.selection.events.active.connect(self._on_step)
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
        self.lesion_button.setToolTip("Draw on the layer of lesions (L).")
        self.vertebra_button.setToolTip("Draw on the layer of vertebral bodies (B).")
        self.lesion_button.toggled.connect(lambda _: self._on_target())
        self.new_button = button(
            "New lesion", "The next stroke starts another lesion (N).", self.new_label
        )
        layout.addWidget(row(self.lesion_button, self.vertebra_button, self.new_button))
        return box

    def _create_tool_box(self) -> QWidget:
        box, layout = group("Tool")
        grid = QGridLayout()
        self.tools = QButtonGroup(self)
        for number, (name, mode, key, help_text) in enumerate(TOOLS):
            tool = QPushButton(name)
            tool.setCheckable(True)
            tool.setToolTip(f"{help_text} ({key})")
            tool.setProperty("mode", mode)
            self.tools.addButton(tool)
            grid.addWidget(tool, number // 3, number % 3)
        self.tools.buttons()[0].setChecked(True)
        self.tools.buttonClicked.connect(lambda tool: self.use(tool.property("mode")))
        layout.addLayout(grid)
        self.tolerance = WholeNumberBox()
        self.tolerance.setRange(1, 100)
        self.tolerance.setValue(25)
        self.tolerance.setPrefix("alike to ")
        self.tolerance.setSuffix(" %")
        self.tolerance.setToolTip("Grow takes what differs by no more than this from the click.")
        self.radius = WholeNumberBox()
        self.radius.setRange(1, 100)
        self.radius.setValue(20)
        self.radius.setPrefix("within ")
        self.radius.setSuffix(" mm")
        self.radius.setToolTip("Grow goes no farther than this from the click.")
        layout.addWidget(row(self.tolerance, self.radius))
        self.fit_button = button(
            "Fit to edge",
            "Move the lesion outlines of this slice to the nearest edge of the picture (T).",
            self.fit,
        )
        undo = button("Undo", "Take the last step back, whatever it was (Ctrl+Z).", self.undo)
        redo = button("Redo", "Make the step again (Ctrl+Shift+Z).", self.redo)
        layout.addWidget(row(self.fit_button, undo, redo))
        return box

    def _create_slice_box(self) -> QWidget:
        box, layout = group("Neighbouring slices")
        layout.addWidget(
            row(
                button(
                    "Copy to previous",
                    "Copy this slice's outlines of the chosen kind to the slice before (Shift+C).",
                    lambda: self.copy_slice(-1),
                ),
                button(
                    "Copy to next",
                    "Copy this slice's outlines of the chosen kind to the slice after (C).",
                    lambda: self.copy_slice(1),
                ),
                button(
                    "Fill between",
                    "Interpolate the outlines of the chosen kind where slices between contoured "
                    "ones are empty (I). One step for Undo.",
                    self.interpolate,
                ),
            )
        )
        return box

    def _bind_keys(self) -> None:
        tools = [Key(key, help_text, partial(self.use, mode)) for _, mode, key, help_text in TOOLS]
        self.keys = [
            Key("L", "Draw lesions.", self.lesion_button.click),
            Key("B", "Draw vertebral bodies.", self.vertebra_button.click),
            Key("N", "Start another lesion.", self.new_label),
            *tools,
            Key("T", "Fit the lesion outlines of this slice to the edge.", self.fit),
            Key("W", "Mark vertebral bodies by clicks.", partial(self.use, MARK)),
            Key("R", "Propose outlines for the marked bodies.", self.vertebrae.propose),
            Key("X", "Name a vertebra by a click, and number the others.", partial(self.use, NAME)),
            Key("Shift+C", "Copy its outlines to the slice before.", partial(self.copy_slice, -1)),
            Key("C", "Copy the slice's outlines to the slice after.", partial(self.copy_slice, 1)),
            Key("I", "Fill the slices between contoured ones.", self.interpolate),
            Key(",", "Show the slice before.", self._step(-1)),
            Key(".", "Show the slice after.", self._step(1)),
            Key("Ctrl+Z", "Undo the last corner or step, on either layer.", self.undo),
            Key("Backspace", "Take the last corner of an open outline back.", self.drop_corner),
            Key("Escape", "Drop an open outline.", self.session.open_outlines.drop),
            Key("Ctrl+Shift+Z", "Redo it.", self.redo),
            Key("Ctrl+Return", "Approve the contours.", self.state.approve),
            Key("F1", "This list.", self.show_keys),
        ]
        bind(self, self.keys)

    def _step(self, step: int) -> Callable[[], None]:
        return lambda: self.session.layers.go_to(self.session.layers.current_slice + step)

    def show_keys(self) -> None:
        """Show the list of shortcuts."""
        self.help = show_help(self.keys, self)

    @property
    def target(self) -> Labels | None:
        """The layer that is drawn on."""
        layers = self.session.layers
        return layers.lesions if self.lesion_button.isChecked() else layers.vertebrae

    def _on_series(self) -> None:
        self._on_target()
        self._follow_view()
        self.refresh()

    def _on_target(self) -> None:
        lesion = self.lesion_button.isChecked()
        self.new_button.setEnabled(lesion)
        self.fit_button.setEnabled(lesion)
        layer = self.target
        if layer is None:
            return
        if lesion:
            layer.selected_label = max(1, layer.selected_label)
        else:
            self._choose_level()
        only_vertebrae = self._tool in (MARK, NAME)
        self.use("pan_zoom" if lesion and only_vertebrae else self._tool)

    def use(self, mode: str) -> None:
        """Take a tool, on the layer that is drawn on."""
        session = self.session
        if mode in (MARK, NAME) and self.lesion_button.isChecked():
            self._tool = mode
            self.vertebra_button.setChecked(True)  # its signal takes the tool, on that layer
            return
        layer = self.target
        if layer is None:
            session.warn(
                "The layer to draw on was removed; press 'Restore the removed layer'."
                if session.series is not None
                else "Open a scan first."
            )
            return
        session.viewer.layers.selection.active = layer
        # A layer keeps its mode: chosen again in napari's own list, it would paint.
        for other in (session.layers.lesions, session.layers.vertebrae):
            if other is not None and other is not layer:
                other.mode = "pan_zoom"
        self._tool = mode
        layer.mode = "pan_zoom" if mode in (GROW, MARK, NAME) else mode
        if self._on_press not in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.insert(0, self._on_press)  # before napari paints
        for tool in self.tools.buttons():
            tool.setChecked(tool.property("mode") == mode)

    def _on_wanted(self, label: int) -> None:
        """Take up a lesion that somebody wants to change, or a new one."""
        self.lesion_button.setChecked(True)
        layer = self.session.layers.lesions
        if label and layer is not None:
            layer.selected_label = label
        else:
            self.new_label()
        self.use("paint" if label else "polygon")

    def new_label(self) -> None:
        """Start another lesion."""
        layer = self.session.layers.lesions
        if layer is None:
            return
        try:
            layer.selected_label = next_label(layer)
        except SpinemetError as error:
            self.session.warn(str(error))

    def _choose_level(self) -> None:
        """Draw with the label that stands for the chosen level."""
        layer = self.session.layers.vertebrae
        if layer is not None and not self.lesion_button.isChecked():
            layer.selected_label = self.drawing.number_for(self.vertebrae.level.currentText())

    def _on_press(self, layer: Labels, event: Any) -> Iterator[None]:
        """A click with one of our own tools; a drag moves the picture as ever."""
        target, is_own_tool = self.target, self._tool in (GROW, MARK, NAME)
        if self._tool == "paint" and layer is target and event.button == 1:
            self._continue_outline(layer, event.position)
        if target is None or layer is not target or not is_own_tool or event.button != 1:
            return
        # napari runs on from each yield at the next move, and from the last at the release.
        is_drag, position = False, event.position
        yield
        while event.type == "mouse_move":
            is_drag = True
            yield
        if not is_drag:
            self.click_at(*(round(v) for v in layer.world_to_data(position)))

    def _continue_outline(self, layer: Labels, position: Any) -> None:
        """A stroke that begins inside an outline belongs to that one."""
        voxel = tuple(round(v) for v in layer.world_to_data(position))
        inside = all(0 <= v < n for v, n in zip(voxel, layer.data.shape, strict=True))
        label = int(layer.data[voxel]) if inside else 0
        if not label:
            return
        layer.selected_label = label
        level = self.drawing.levels().get(label, "")
        if layer is self.session.layers.vertebrae and level:
            self.vertebrae.level.setCurrentText(level)

    def click_at(self, index: int, at_row: int, at_column: int) -> None:
        """Use the tool in hand on a pixel, which may lie outside the picture.

        Parameters
        ----------
        index, at_row, at_column : int
        """
        voxel = (index, at_row, at_column)
        if self._tool == GROW:
            radius, tolerance = self.radius.value(), self.tolerance.value() / 100
            self._run_step(lambda: self.drawing.grow(self.target, voxel, tolerance, radius))
        elif self._tool == MARK:
            self._run_step(lambda: self.vertebrae.mark(voxel))
        elif self._tool == NAME:
            self._run_step(lambda: self.vertebrae.name_at(voxel))

    def _run_step(self, step: Callable[[], Any]) -> Any:
        """Run a step on the contours; where it cannot be made, say why."""
        reason = why_no_drawing(self.session)
        if reason:
            self.session.warn(reason)
            return None
        try:
            return step()
        except SpinemetError as error:
            self.session.warn(str(error))
            return None
        finally:
            self._stroke_end.throttle()

    def undo(self) -> None:
        """Take the last step back, on whichever layer."""
        if not self.session.history.undo():
            self.session.warn("There is nothing to take back.")
        self._stroke_end.throttle()

    def drop_corner(self) -> None:
        """Take the last corner of the open outline back."""
        if not self.session.open_outlines.drop_corner():
            self.session.say("No outline is open.")

    def _on_put_aside(self, index: int) -> None:
        self.session.say(
            f"The open outline stays on slice {index + 1}: it goes on there, with the polygon."
        )

    def redo(self) -> None:
        """Make the step again that was taken back."""
        if not self.session.history.redo():
            self.session.warn("There is nothing to make again.")
        self._stroke_end.throttle()

    def copy_slice(self, step: int) -> None:
        """Copy the outlines of this slice to a neighbour."""
        self._run_step(lambda: self.drawing.copy_slice(self.target, step))

    def fit(self) -> None:
        """Move the lesion outlines of this slice to the edge."""
        self._run_step(lambda: self.drawing.fit(self.session.layers.lesions))

    def interpolate(self) -> None:
        """Fill empty slices between contoured ones."""
        slices = self._run_step(lambda: self.drawing.interpolate(self.target))
        if slices:
            numbers = ", ".join(str(index + 1) for index in slices)
            self.session.say(f"Filled slice {numbers}; look at each, and mend what does not fit.")

    def _on_step(self, event: Any = None) -> None:
        self._follow_view()
        self._stroke_end.throttle()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw again with the tool in hand."""
        super().showEvent(event)
        self._follow_view()

    def hideEvent(self, event: QHideEvent) -> None:
        """Draw nothing while another tab is in front, where no tool is seen."""
        super().hideEvent(event)
        self._follow_view()

    def _follow_view(self) -> None:
        """Keep napari's tools from where nobody looks; they are back when the view is."""
        layer = self.target
        if layer is None or self._tool in ("pan_zoom", GROW, MARK, NAME):
            return
        is_resting = not self.isVisible() or bool(why_no_drawing(self.session))
        mode = "pan_zoom" if is_resting else self._tool
        if layer.mode != mode:
            layer.mode = mode

    def refresh(self) -> None:
        """Tell how far the case is."""
        self.state.refresh()
        self.vertebrae.refresh(self.state.bodies)
