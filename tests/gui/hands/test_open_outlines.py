"""An outline that is begun and not closed, with a real mouse on the real canvas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt

from ..mouse import canvas_of, canvas_point, click
from ..test_annotate import press

CORNERS = ((60, 40), (60, 60), (80, 60), (80, 40))


@pytest.fixture
def drawing(workspace: Any, study_copy: Path, wait_idle: Callable) -> Any:
    """The polygon in hand, on a middle slice without lesions."""
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    workspace.show_tab("Annotate")
    session = workspace.session
    session.layers.lesions.data = np.zeros_like(session.layers.lesions.data)
    session.layers.go_to(2)
    workspace.annotate.lesion_button.setChecked(True)
    workspace.annotate.use("polygon")
    return workspace


def corners(workspace: Any) -> int:
    """So many are set; the last point follows the mouse."""
    return max(0, len(workspace.session.layers.lesions._overlays["polygon"].points) - 1)


def put(qtbot: Any, workspace: Any, *places: tuple[float, float]) -> None:
    """Corners."""
    for place in places:
        click(qtbot, workspace.session, *place)


def close(qtbot: Any, workspace: Any, place: tuple[float, float]) -> None:
    """A double click."""
    session = workspace.session
    point = canvas_point(session, *place)
    qtbot.mouseClick(canvas_of(session), Qt.MouseButton.LeftButton, pos=point)
    qtbot.mouseDClick(canvas_of(session), Qt.MouseButton.LeftButton, pos=point)


def test_undo_takes_corners_before_outlines(drawing: Any, qtbot: Any) -> None:
    """A finished outline stays while another one is open."""
    lesions = drawing.session.layers.lesions
    put(qtbot, drawing, *CORNERS[:3])
    close(qtbot, drawing, CORNERS[3])
    finished = lesions.data.copy()
    assert finished.any()
    put(qtbot, drawing, (100, 40), (100, 60), (120, 60))
    assert corners(drawing) == 3
    drawing.annotate.undo()
    assert corners(drawing) == 2
    press(qtbot, canvas_of(drawing.session), "Backspace")
    assert corners(drawing) == 1
    press(qtbot, canvas_of(drawing.session), "Backspace")
    assert corners(drawing) == 0
    assert np.array_equal(lesions.data, finished)
    drawing.annotate.undo()
    assert not lesions.data.any()


def test_escape_drops_the_open_outline(drawing: Any, qtbot: Any) -> None:
    """And nothing else; the list of keys says so."""
    put(qtbot, drawing, *CORNERS[:3])
    press(qtbot, canvas_of(drawing.session), "Escape")
    assert corners(drawing) == 0
    assert not drawing.session.layers.lesions.data.any()
    assert {"Escape", "Backspace"} <= {key.keys for key in drawing.annotate.keys}


def test_an_outline_stays_on_its_slice(drawing: Any, qtbot: Any) -> None:
    """Nothing lands unseen on the slice where it was begun; there it goes on."""
    session = drawing.session
    lesions, texts = session.layers.lesions, []
    session.message.connect(texts.append)
    put(qtbot, drawing, *CORNERS[:2])
    session.layers.go_to(3)
    assert corners(drawing) == 0
    assert any("slice 3" in text for text in texts)
    put(qtbot, drawing, (100, 40), (100, 60), (120, 60))
    close(qtbot, drawing, (120, 40))
    assert set(np.flatnonzero(lesions.data.any(axis=(1, 2)))) == {3}
    session.layers.go_to(2)
    assert corners(drawing) == 2
    put(qtbot, drawing, CORNERS[2])
    close(qtbot, drawing, CORNERS[3])
    assert set(np.flatnonzero(lesions.data.any(axis=(1, 2)))) == {2, 3}


@pytest.mark.parametrize("change", ["tool", "kind"])
def test_corners_do_not_survive_another_tool_or_kind(change: str, drawing: Any, qtbot: Any) -> None:
    """They are out of sight and out of reach there, and go on with the polygon."""
    put(qtbot, drawing, *CORNERS[:3])
    annotate = drawing.annotate
    annotate.use("paint") if change == "tool" else annotate.vertebra_button.click()
    assert corners(drawing) == 0
    assert not drawing.session.layers.vertebrae._overlays["polygon"].points
    annotate.use("polygon") if change == "tool" else annotate.lesion_button.click()
    assert corners(drawing) == 3
