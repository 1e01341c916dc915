"""What a hand on keyboard and wheel gives the controls, in a real window and in any language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from qtpy.QtCore import QEvent, QLocale, QPoint, QPointF, Qt
from qtpy.QtGui import QKeyEvent, QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QScrollBar,
    QTabBar,
    QWidget,
)

LANGUAGES = ("en_US", "de_DE", "fr_FR", "ar_EG")
NO_KEY = Qt.KeyboardModifier.NoModifier
ARABIC = str.maketrans("0123456789.", "٠١٢٣٤٥٦٧٨٩٫")


@pytest.fixture(params=LANGUAGES)
def language(request: Any) -> Iterator[str]:
    """Of the computer."""
    former = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield request.param
    QLocale.setDefault(former)


def type_into(box: Any, text: str) -> None:
    """Over what stands there, and leave."""
    box.setFocus()
    box.selectAll()
    for character in text:
        code = ord(character) if ord(character) < 128 else 0
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QApplication.sendEvent(box, QKeyEvent(kind, code, NO_KEY, character))
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        QApplication.sendEvent(box, QKeyEvent(kind, Qt.Key.Key_Return, NO_KEY))


def turn_wheel(widget: QWidget, notches: int = -3) -> None:
    """Over the middle of a widget, and on to what lies around it where it does not heed it.

    Qt goes on so with the events of a mouse, and not with those that a program makes.
    """
    place = widget.mapToGlobal(widget.rect().center())
    for _ in range(abs(notches)):
        receiver: QWidget | None = widget
        while receiver is not None:
            event = QWheelEvent(
                QPointF(receiver.mapFromGlobal(place)),
                QPointF(place),
                QPoint(),
                QPoint(0, 120 if notches > 0 else -120),
                Qt.MouseButton.NoButton,
                NO_KEY,
                Qt.ScrollPhase.NoScrollPhase,
                False,
            )
            QApplication.sendEvent(receiver, event)
            receiver = None if event.isAccepted() else receiver.parentWidget()
    QApplication.processEvents()


def test_point_and_comma_mean_the_same(language: str, workspace: Any) -> None:
    """Of a threshold, an area, and in the digits of another script; what is no number stays."""
    workspace.show_tab("Review")
    controls = workspace.review.controls
    for text in ("2.5", "2,5", "2.5".translate(ARABIC)):
        controls.min_area.setValue(1)
        type_into(controls.min_area, text)
        assert controls.min_area.value() == 2.5, (language, text)
    for text in ("0.65", "0,65"):
        controls.threshold.setValue(0.3)
        type_into(controls.threshold.box, text)
        assert controls.threshold.value() == pytest.approx(0.65), (language, text)
    # Two separators, a group, a letter, too many decimals, beyond the range, nothing.
    for text in ("1.234,5", "1,234.5", "1 234", "2a5", "1,234", "60", ""):
        controls.min_area.setValue(1)
        type_into(controls.min_area, text)
        assert controls.min_area.value() == 1, (language, text)
    assert controls.min_area.text() == "1.00 cm²"


def test_a_decimal_is_no_whole_number(language: str, workspace: Any) -> None:
    """Minutes, folds, radius: "2.5" is not 25."""
    workspace.show_tab("Train")
    boxes = [
        workspace.train.form.fields["batches"].native,
        workspace.train.adaptation.minutes,
        workspace.annotate.radius,
    ]
    for box in boxes:
        box.setValue(7)
        for text in ("2.5", "2,5"):
            type_into(box, text)
            assert box.value() == 7, (language, text)
        type_into(box, "25")
        assert box.value() == 25


def test_no_box_of_numbers_is_of_another_kind(workspace: Any) -> None:
    """A new one would bring the trap back."""
    from napari_spinemet.gui.viewer.controls.number_entry import NumberBox, WholeNumberBox

    for box in workspace.findChildren(QAbstractSpinBox):
        assert isinstance(box, NumberBox | WholeNumberBox), box.toolTip()


@pytest.mark.parametrize("tab", ["Load", "Annotate", "Train", "Detect", "Review"])
def test_the_wheel_passes_by(tab: str, workspace: Any, qtbot: Any) -> None:
    """Over each control of each tab, without a click before: nothing changes, the panel scrolls."""
    workspace.show_tab(tab)
    area = workspace.tabs.currentWidget()
    workspace.session.viewer.window._qt_window.resize(1366, 500)
    qtbot.wait(100)
    for combo in area.findChildren(QComboBox):
        combo.addItems(["one", "another"])
    area.setFocus()
    count = 0
    for kind in (QAbstractSpinBox, QAbstractSlider, QComboBox, QTabBar):
        for control in area.findChildren(kind):
            if isinstance(control, QScrollBar) or not control.isVisible():
                continue
            for notches in (3, -3):
                former = _state_of(control)
                turn_wheel(control, notches)
                assert _state_of(control) == former, control.toolTip()
            count += 1
    bar = area.verticalScrollBar()
    if count and bar.maximum():
        bar.setValue(0)
        visible = [c for c in area.findChildren(QAbstractSpinBox) if c.isVisible()]
        for control in visible[:1]:
            turn_wheel(control)
            assert bar.value() > 0


def test_the_wheel_changes_what_has_the_focus(workspace: Any, qtbot: Any) -> None:
    """After a click into it, as ever."""
    workspace.show_tab("Review")
    box = workspace.review.controls.min_area
    QApplication.setActiveWindow(box.window())
    box.setFocus()
    qtbot.waitUntil(box.hasFocus)
    former = box.value()
    turn_wheel(box)
    assert box.value() < former or former == 0


def _state_of(control: Any) -> object:
    if isinstance(control, QAbstractSpinBox):
        return control.value()
    if isinstance(control, QComboBox | QTabBar):
        return control.currentIndex()
    return control.value()
