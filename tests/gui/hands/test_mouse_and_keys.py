"""The mouse over the picture and the keys, as radiologists have them elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components._viewer_mouse_bindings import dims_scroll
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from ..mouse import canvas_of, canvas_point, stroke, turn_wheel
from ..test_annotate import press

RIGHT, CONTROL = Qt.MouseButton.RightButton, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def shown(workspace: Any, study_copy: Path, wait_idle: Callable) -> Any:
    """A case on the screen."""
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    return workspace


def test_the_wheel_scrolls_and_with_control_zooms_where_the_mouse_is(
    shown: Any, qtbot: Any
) -> None:
    """To the ends of the scan and not beyond; the pixel below the mouse stays there."""
    session = shown.session
    layers, camera = session.layers, session.viewer.scene.camera
    layers.go_to(3)
    zoom = camera.zoom
    turn_wheel(session, 60, 40, -2)
    assert layers.current_slice == 5
    turn_wheel(session, 60, 40, 3)
    assert layers.current_slice == 2
    turn_wheel(session, 60, 40, 9)
    assert layers.current_slice == 0
    assert camera.zoom == zoom
    place = canvas_point(session, 60, 40)
    turn_wheel(session, 60, 40, 2, CONTROL)
    assert camera.zoom == pytest.approx(zoom * 1.44, rel=1e-6)
    assert layers.current_slice == 0
    now = canvas_point(session, 60, 40)
    assert (now - place).manhattanLength() <= 2


def test_a_right_drag_windows_and_neither_zooms_nor_draws(shown: Any, qtbot: Any) -> None:
    """Wider to the right, brighter upwards."""
    session = shown.session
    image, camera = session.layers.image, session.viewer.scene.camera
    low, high = image.contrast_limits
    zoom, centre = camera.zoom, camera.center
    stroke(qtbot, session, [(60, 40), (60, 50), (60, 60)], RIGHT)
    wide_low, wide_high = image.contrast_limits
    assert wide_high - wide_low > 1.1 * (high - low)
    assert wide_high + wide_low == pytest.approx(high + low, rel=0.02)
    stroke(qtbot, session, [(60, 40), (50, 40), (40, 40)], RIGHT)
    bright_low, bright_high = image.contrast_limits
    assert bright_high + bright_low < wide_high + wide_low
    assert (camera.zoom, tuple(camera.center)) == (zoom, tuple(centre))
    assert not session.is_unsaved


def test_drags_of_a_tool_stay_its_own(shown: Any, qtbot: Any) -> None:
    """While one draws, the right button is napari's: it sizes the brush, or takes a corner."""
    session = shown.session
    shown.show_tab("Annotate")
    shown.annotate.use("paint")
    limits = tuple(session.layers.image.contrast_limits)
    stroke(qtbot, session, [(60, 40), (60, 50), (60, 60)], RIGHT)
    assert tuple(session.layers.image.contrast_limits) == limits


def test_napari_has_its_own_habits_back_once_the_workspace_is_gone(
    viewer: Any, workspace: Any, qtbot: Any
) -> None:
    """And its panels."""
    habits = workspace.surroundings.mouse
    panels = workspace.surroundings._layer_panels
    assert habits.is_installed
    assert dims_scroll not in viewer.mouse_wheel_callbacks
    assert not any(panel.isVisible() for panel in panels)
    workspace.surroundings.take_back()
    assert not habits.is_installed
    assert viewer.mouse_wheel_callbacks.count(dims_scroll) == 1
    assert habits._on_drag not in viewer.mouse_drag_callbacks
    assert all(panel.isVisible() for panel in panels)


def test_one_key_hides_all_that_lies_over_the_scan(shown: Any, qtbot: Any) -> None:
    """What was hidden before stays hidden."""
    session = shown.session
    layers = session.layers
    layers.vertebrae.visible = False
    canvas = canvas_of(session)
    press(qtbot, canvas, "H")
    assert not any(layer.visible for layer in shown.overlays.overlays)
    assert layers.image.visible
    press(qtbot, canvas, "H")
    assert layers.lesions.visible
    assert not layers.vertebrae.visible


def test_the_whole_way_by_keyboard(shown: Any, qtbot: Any) -> None:
    """Tabs are turned from the picture, the focus goes into the tab and back."""
    canvas = canvas_of(shown.session)
    assert shown.tabs.currentIndex() == 0
    press(qtbot, canvas, "Ctrl+PageDown")
    assert shown.tabs.tabText(shown.tabs.currentIndex()) == "Annotate"
    press(qtbot, canvas, "Ctrl+PageUp")
    press(qtbot, canvas, "Ctrl+PageUp")
    assert shown.tabs.tabText(shown.tabs.currentIndex()) == "Review"
    press(qtbot, canvas, "F6")
    focused = QApplication.focusWidget()
    assert focused is shown or shown.isAncestorOf(focused)
    press(qtbot, focused, "F6")
    assert QApplication.focusWidget() is canvas


@pytest.mark.parametrize("tab", ["Load", "Annotate", "Train", "Detect", "Review"])
def test_f1_lists_the_keys_under_every_tab(shown: Any, qtbot: Any, tab: str) -> None:
    """With what the mouse does over the picture."""
    shown.show_tab(tab)
    canvas = canvas_of(shown.session)
    press(qtbot, canvas, "F1")
    dialogs = [w for w in QApplication.topLevelWidgets() if w.windowTitle() == "Shortcuts"]
    shown_dialogs = [dialog for dialog in dialogs if dialog.isVisible()]
    assert len(shown_dialogs) == 1
    keys = [row[0] for row in shown_dialogs[0].table.texts()]
    assert {"F1", "H", "F6", "Wheel", "Ctrl+Wheel", "Right drag", "[ and ]"} <= set(keys)
    assert len(keys) == len(set(keys))
    shown_dialogs[0].close()


def test_the_froc_has_a_dock_that_comes_with_a_curve(detection_workspace: Any, qtbot: Any) -> None:
    """Under Review alone; the point never leaves the picture, and a zoom is taken back."""
    workspace = detection_workspace
    dock, review = workspace.froc_dock, workspace.review
    workspace.show_tab("Review")
    assert dock.isVisible()
    workspace.show_tab("Load")
    assert not dock.isVisible()
    workspace.show_tab("Review")
    plot = review.froc_panel.plot
    for threshold in (0.0, 0.01, 0.5, 0.99):
        review.controls.threshold.setValue(threshold)
        (low, high), _ = plot.plot.getPlotItem().vb.viewRange()
        assert low <= plot.point[2] <= high
    view = plot.plot.getPlotItem().vb
    for _ in range(15):
        view.scaleBy((0.8, 1))
    (low, high), _ = view.viewRange()
    assert high - low > 0.05
    view.whole_asked.emit()
    (low, high), _ = view.viewRange()
    assert high >= 5
    review.curve_box.setChecked(False)
    assert not dock.isVisible()
    assert np.isfinite(plot.point).all()
