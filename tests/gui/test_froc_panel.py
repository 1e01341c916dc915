"""The curve in review: what it shows beside itself, and what is set and opened from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtWidgets import QApplication

from napari_spinemet.evaluation import FrocCurve, froc_from_detections
from napari_spinemet.evaluation.bands import froc_bands
from napari_spinemet.evaluation.curve import MEAN, SUM
from napari_spinemet.gui.viewer.displayed_froc import DisplayedFroc
from napari_spinemet.study.map_identity import MapIdentity

REGION = [(50.0, 50.0)]


def cohort() -> FrocCurve:
    """Two diseased and one normal case, of which every figure is known by hand."""
    return froc_from_detections(
        [
            [(REGION, [(50, 52, 0.9), (150, 20, 0.4)]), ([], [])],
            [(REGION, [(50, 45, 0.5)]), ([], [(9, 9, 0.3)])],
            [([], [(10, 10, 0.6)]), ([], [])],
        ]
    )


@pytest.fixture
def show_curve(workspace: object, qtbot: object) -> Callable[[FrocCurve], object]:
    """Review with a curve in it."""

    def show(curve: FrocCurve) -> object:
        workspace.show_tab("Review")
        # Of other settings than those on the screen it would not stay.
        point = workspace.review.controls.point()
        workspace.session.show_froc(DisplayedFroc(curve, "a study", point, MapIdentity("")))
        qtbot.waitUntil(lambda: not workspace.session.jobs.display.is_busy, timeout=10_000)
        return workspace.review

    return show


def test_suggestions_are_the_best_points(show_curve: Callable) -> None:
    """By false positives and by TP rate; what cannot be had is said."""
    review = show_curve(cohort())
    box, slider = review.froc_panel, review.controls.threshold

    def ask(wish: int, value: float) -> float:
        box.wish.setCurrentIndex(wish)
        box.wish_value.setValue(value)
        box.suggest_button.click()
        return slider.value()

    assert ask(0, 0.4) == pytest.approx(0.45)  # both found for one in three; next at 0.4
    assert review.froc_panel.plot.point == (1.0, pytest.approx(1 / 6), pytest.approx(1 / 3))
    assert ask(0, 0.2) == pytest.approx(0.75)
    assert ask(1, 0.1) == pytest.approx(0.75)
    assert ask(2, 0.9) == pytest.approx(0.45)
    assert not box.suggestion.isVisible()
    nothing = froc_from_detections([[(REGION, [(150, 150, 0.9)])]])
    box = show_curve(nothing).froc_panel
    assert ask(2, 0.5) == pytest.approx(0.45)
    assert "0% at most" in box.suggestion.text()
    ask(0, 0.0)
    assert "so few false positives" in box.suggestion.text()


def test_cases_follow_the_threshold_and_open(show_curve: Callable, workspace: object) -> None:
    """Rates of each case, sorted by a click on the heading; the chosen one is asked for."""
    review = show_curve(cohort())
    box = review.froc_panel
    box.tabs.setCurrentIndex(1)

    def rows() -> list[tuple[str, ...]]:
        table = box.cases
        return [
            tuple(table.texts()[row][column] for column in range(4))
            for row in range(table.row_count)
        ]

    review.controls.threshold.setValue(0.55)
    box.settle()
    assert rows() == [
        ("case-001", "1.00", "0.0", "diseased"),
        ("case-002", "0.00", "0.0", "normal, wrong"),
        ("case-003", "no lesion", "1.0", "diseased, wrong"),
    ]
    box.cases.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert [row[0] for row in rows()] == ["case-002", "case-001", "case-003"]
    requested_cases = []
    workspace.session.case_requested.connect(requested_cases.append)
    assert not box.open_button.isEnabled()
    box.cases.selectRow(0)
    box.open_button.click()
    assert requested_cases == ["case-002"]
    review.controls.threshold.setValue(0.2)
    box.settle()
    assert box.cases.selected_row == 1  # still that case
    assert {row[0]: row[2] for row in rows()}["case-001"] == "1.0"
    review.controls.use_paper()  # 0.6, by a button and not by the slider
    assert "1.0" in next(row[2] for row in rows() if row[0] == "case-003")
    assert "wrong" in next(row[3] for row in rows() if row[0] == "case-002")
    review.controls.threshold.setValue(0.2)
    box.settle()
    box.tabs.setCurrentIndex(2)
    assert "2 of 2" in box.answers.text()
    assert "0 of 1" in box.answers.text()
    assert "no such case" in box.answers.text()  # none is called normal


def test_band_and_ticks(show_curve: Callable, qtbot: object) -> None:
    """The band is that of the bootstrap, in both readings; ticks are the cases' own values."""
    curve = cohort()
    review = show_curve(curve)
    plot = review.froc_panel.plot
    for index, reading in enumerate((SUM, MEAN)):
        plot.reading.setCurrentIndex(index)
        fp, low, high = froc_bands(curve)[reading]
        for edge, expected_rates in zip(plot._edges, (low, high), strict=True):
            x, y = edge.getData()
            np.testing.assert_array_equal(x, fp)
            np.testing.assert_array_equal(y, expected_rates)
    assert not plot._band.path().isEmpty()
    plot.reading.setCurrentIndex(0)
    review.controls.threshold.setValue(0.35)
    review.froc_panel.settle()
    assert plot._ticks[0].getData()[0].tolist() == [1, 0, 1]
    assert plot._ticks[1].getData()[1].tolist() == [1, 1]
    assert "2 cases" in plot.plot.getPlotItem().getAxis("left").labelText
    assert "3 cases" in plot.plot.getPlotItem().getAxis("bottom").labelText
    one = froc_from_detections([[(REGION, [(50, 50, 0.5)])]])
    show_curve(one)
    assert not plot._band.isVisible()
    assert not len(plot._ticks[0].getData()[0])


def test_mouse_on_the_curve(show_curve: Callable, qtbot: object) -> None:
    """Pointing at it tells the figures, dragging along it moves the threshold."""
    curve = cohort()
    review = show_curve(curve)
    plot, view = review.froc_panel.plot, review.froc_panel.plot.plot.getPlotItem().vb
    canvas = plot.plot.viewport()
    qtbot.waitUntil(lambda: view.width() > 50, timeout=5_000)
    qtbot.wait(300)  # the docks find their widths

    def curve_point(fp: float, tp: float) -> QPoint:
        return plot.plot.mapFromScene(view.mapViewToScene(QPointF(fp, tp)))

    first, last = curve_point(0.0, 0.5), curve_point(1.0, 1.0)
    qtbot.mouseMove(canvas, first)
    plot._on_moved(plot.plot.mapToScene(first))
    assert plot.hint.isVisible()
    assert "TP rate 50%" in plot.hint.toPlainText()
    assert "threshold 0.900" in plot.hint.toPlainText()
    plot._on_moved(QPointF(-50, -50))
    assert not plot.hint.isVisible()
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=first)
    thresholds = []
    review.controls.threshold.valueChanged.connect(thresholds.append)
    for share in np.linspace(0.1, 1, 8):
        step = first + (last - first) * float(share)
        event = _move(step, canvas)
        plot.plot.mouseMoveEvent(event)
        qtbot.wait(30)  # moves that follow each other faster are dropped
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=last)
    assert review.controls.threshold.value() == pytest.approx(0.3)
    assert len(thresholds) > 1
    assert plot.point == curve.at(0.3)


def _move(point: QPoint, widget: object) -> object:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QMouseEvent

    button = Qt.MouseButton.LeftButton
    return QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(point),
        QPointF(widget.mapToGlobal(point)),
        button,
        button,
        Qt.KeyboardModifier.NoModifier,
    )


def test_other_curves_beside_it(
    show_curve: Callable, workspace: object, tmp_path: Path, qtbot: object
) -> None:
    """The paper's and one from a file; a file that is none is refused in a sentence."""
    review = show_curve(cohort())
    compare, plot = review.froc_panel.compare, review.froc_panel.plot
    compare.toggle("paper", "")
    assert [r.name for r in plot._references] == ["Wang et al. 2017"]
    assert not plot._reference_items  # it is known as mean over slices only
    plot.reading.setCurrentIndex(1)
    assert len(plot._reference_items) == 1
    path = tmp_path / "others.csv"
    path.write_text("fp_per_scan,tp_rate\n1,0.5\n2,0.75\n", encoding="utf-8")
    compare.load(path)
    assert [r.name for r in plot._references] == ["Wang et al. 2017", "others"]
    plot.reading.setCurrentIndex(0)
    assert len(plot._reference_items) == 1
    path.write_text("nothing", encoding="utf-8")
    messages = []
    workspace.session.message.connect(messages.append)
    compare.load(path)
    assert "others.csv holds no FROC curve" in messages[-1]
    compare.toggle("paper", "")
    assert [r.name for r in plot._references] == ["others"]


@pytest.mark.parametrize(("width", "is_shown"), [(1366, True), (1093, False)])
def test_a_curve_comes_by_itself_where_there_is_room(
    request: pytest.FixtureRequest, viewer: Any, width: int, is_shown: bool
) -> None:
    """On a screen of 1366 at 125 % the picture keeps its place; the box shows the curve."""
    viewer.window._qt_window.resize(width, 700)
    QApplication.processEvents()
    workspace = request.getfixturevalue("detection_workspace")
    workspace.show_tab("Review")
    assert workspace.session.froc is not None
    assert workspace.froc_dock.isVisible() == is_shown
    workspace.review.curve_box.setChecked(True)
    assert workspace.froc_dock.isVisible()
