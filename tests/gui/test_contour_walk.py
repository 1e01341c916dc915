"""The whole of a case by hand, in a real window, with what it costs in clicks and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget
from scipy import ndimage

from napari_spinemet.phantom import make_cohort
from napari_spinemet.study import Study

from .conftest import take_picture
from .mouse import canvas_of, click, stroke
from .test_annotate import press

SLICES = range(5, 10)


class Hands:
    """A mouse and a keyboard that count."""

    def __init__(self, qtbot: object, workspace: object) -> None:
        self._qtbot, self._workspace = qtbot, workspace
        self.clicks = self.keys = self.strokes = 0

    def click(self, widget: QWidget) -> None:
        """A button, which is in sight without scrolling."""
        assert widget.visibleRegion().contains(widget.rect().center()), "out of sight"
        self.clicks += 1
        self._qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)
        QApplication.processEvents()

    def tab(self, name: str) -> None:
        """A tab of the workspace."""
        bar = self._workspace.tabs.tabBar()
        (index,) = [k for k in range(bar.count()) if bar.tabText(k) == name]
        self.clicks += 1
        self._qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(index).center())
        QApplication.processEvents()

    def point(self, row: float, column: float) -> None:
        """A pixel of the picture."""
        self.clicks += 1
        click(self._qtbot, self._workspace.session, row, column)

    def draw(self, path: list[tuple[float, float]]) -> None:
        """A stroke over the picture."""
        self.strokes += 1
        stroke(self._qtbot, self._workspace.session, path)

    def press(self, *keys: str) -> None:
        """Keys, one after the other, on the picture."""
        for key in keys:
            self.keys += 1
            press(self._qtbot, canvas_of(self._workspace.session), key)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def middle(mask: np.ndarray) -> tuple[int, int]:
    """The pixel deepest inside, where a person would click."""
    depth = ndimage.distance_transform_edt(mask)
    row, column = np.unravel_index(int(depth.argmax()), mask.shape)
    return int(row), int(column)


@pytest.mark.slow
def test_a_case_is_contoured_from_opening_to_approval(
    workspace: object,
    viewer: object,
    qtbot: object,
    wait_idle: Callable,
    tmp_path: Path,
    picture_folder: Path,
) -> None:
    """Vertebrae from two marks and corrected, two lesions on five slices each, approved.

    Compared with the truth of the phantom; the count of clicks and keys is printed and held.
    """
    make_cohort(tmp_path / "study", cases=1, seed=17, pixel_mm=0.94, generator=2)
    case = Study(tmp_path / "study").cases()[0]
    truth = case.annotation(case.series())
    for file in (case.path / "contours").iterdir():
        file.unlink()
    load, annotate, session = workspace.load, workspace.annotate, workspace.session
    hands = Hands(qtbot, workspace)
    session.viewer.window._qt_window.resize(1366, 768)
    load.open_study(tmp_path / "study")

    # Open.
    table = load.case_table
    at = table.visualRect(table.model().index(0, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    hands.clicks += 2
    wait_idle(workspace)
    assert session.case == case
    hands.tab("Annotate")
    qtbot.wait(100)

    # Vertebrae: the first and the last of the row, and the level of the first.
    bodies = truth.vertebrae
    index = session.layers.current_slice
    whole = {
        level: bodies[index] == number
        for number, level in truth.levels.items()
        if (bodies[index] == number).any()
    }
    inside = {
        level: mask
        for level, mask in whole.items()
        if not (mask[:3].any() or mask[-3:].any()) and not level.startswith("S")
    }
    first, last = (
        min(inside, key=lambda v: middle(inside[v])),
        max(inside, key=lambda v: middle(inside[v])),
    )
    hands.press("W")
    hands.point(*middle(inside[first]))
    hands.point(*middle(inside[last]))
    annotate.vertebrae.level.setCurrentText(first)
    hands.clicks += 2  # to open the list, and to choose
    hands.press("R")
    wait_idle(workspace)
    levels = annotate.drawing.levels()
    body_labels = session.layers.vertebrae.data
    number_of = {level: number for number, level in levels.items()}
    overlaps = {
        level: dice(body_labels[index] == number_of.get(level, -1), mask)
        for level, mask in inside.items()
    }
    print({level: round(value, 2) for level, value in overlaps.items()})
    assert np.mean(list(overlaps.values())) > 0.75
    take_picture(viewer, picture_folder / "contour-walk-vertebrae.png")

    # One of them is corrected with the brush.
    worst = min(overlaps, key=lambda v: overlaps[v])
    hands.press("D")
    session.layers.vertebrae.brush_size = 6
    row, column = middle(inside[worst] & (body_labels[index] == number_of[worst]))
    former_bodies = body_labels.copy()
    edge = np.flatnonzero(inside[worst][row])[-2]
    hands.draw([(row, column), (row - 3, edge), (row, edge), (row + 3, edge)])
    stroke_mask = body_labels != former_bodies
    assert set(np.unique(body_labels[stroke_mask]).tolist()) <= {number_of[worst]}

    # Two lesions, each by three clicks and what lies between.
    lesions = session.layers.lesions
    for number in (1, 2):
        hands.press("L", "N") if number == 2 else hands.press("L")
        hands.press("G")
        while session.layers.current_slice != SLICES[0]:
            hands.press("," if session.layers.current_slice > SLICES[0] else ".")
        for k in SLICES[::2]:
            hands.point(*middle(truth.lesions[k] == number))
            if k != SLICES[-1]:
                hands.press(".", ".")
        hands.press("I")
    for number in (1, 2):
        mine, theirs = (lesions.data == number)[SLICES], (truth.lesions == number)[SLICES]
        assert mine.any(axis=(1, 2)).all()
        overlap = dice(mine, theirs)
        print(f"lesion {number}: Dice {overlap:.2f}")
        assert overlap > 0.7
    take_picture(viewer, picture_folder / "contour-walk-lesions.png")

    # Approved, and on the disk.
    hands.press("Ctrl+Return")
    wait_idle(workspace)
    assert str(case.state if case.database else session.case.state) == "approved"
    assert "Ready for training" in annotate.state.missing_label.text()
    stored_annotation = session.case.annotation(session.series)
    np.testing.assert_array_equal(stored_annotation.lesions, lesions.data)
    np.testing.assert_array_equal(stored_annotation.vertebrae, body_labels)
    assert session.study.verify() == []
    take_picture(viewer, picture_folder / "contour-walk-approved.png")
    print(f"{hands.clicks} clicks, {hands.keys} keys, {hands.strokes} stroke")
    assert hands.clicks <= 20
    assert hands.keys <= 40
