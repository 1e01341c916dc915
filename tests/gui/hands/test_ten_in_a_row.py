"""One patient after the other: nothing of the last one reaches the next, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_spinemet.detection import pipeline
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.gui.status_line import StatusLine
from napari_spinemet.imaging import OperatingPoint

from ..mouse import stroke


def _toasts(viewer: Any) -> list[Any]:
    from napari._qt.dialogs.qt_notification import NapariQtNotification

    return [
        toast
        for toast in viewer.window._qt_window.findChildren(NapariQtNotification)
        if toast.isVisible()
    ]


def _open(workspace: Any, wait_idle: Callable, row: int) -> None:
    workspace.load.case_table.selectRow(row)
    workspace.load.open_case()
    wait_idle(workspace)


def test_a_brush_rests_while_another_tab_is_in_front(
    detection_workspace: Any, qtbot: Any, wait_idle: Callable
) -> None:
    """A drag under Load moves the picture of this patient and of the next; then it paints again."""
    workspace, session = detection_workspace, detection_workspace.session
    workspace.show_tab("Annotate")
    workspace.annotate.use("paint")
    assert session.layers.lesions.mode == "paint"
    workspace.show_tab("Load")
    for row in (0, 1):
        if row:
            _open(workspace, wait_idle, row)
        before = session.layers.lesions.data.copy()
        assert session.layers.lesions.mode == "pan_zoom"
        stroke(qtbot, session, [(10.0, 10.0), (14.0, 18.0)])
        QApplication.processEvents()
        np.testing.assert_array_equal(session.layers.lesions.data, before)
    workspace.show_tab("Annotate")
    assert session.layers.lesions.mode == "paint"


def test_no_layer_is_moved_beside_the_scan(detection_workspace: Any) -> None:
    """Napari's transform tool, whose key is 2, would lay the scan under another likelihood."""
    layers = detection_workspace.session.layers
    for layer in (layers.image, layers.likelihood, layers.lesions, layers.detections):
        layer.mode = "transform"
        assert layer.mode == "pan_zoom"


def test_what_was_said_of_one_patient_goes_with_it(
    detection_workspace: Any, viewer: Any, wait_idle: Callable
) -> None:
    """From the line below the tabs, and from the picture."""
    workspace, session = detection_workspace, detection_workspace.session
    session.say("The verdicts on case-001 are signed.")
    QApplication.processEvents()
    assert _toasts(viewer)
    (line,) = workspace.findChildren(StatusLine)
    assert "case-001" in line.toolTip()
    _open(workspace, wait_idle, 1)
    assert "case-001" not in line.toolTip()
    assert not any("case-001" in toast.message.text() for toast in _toasts(viewer))


def test_of_two_messages_both_fade(detection_workspace: Any, viewer: Any, qtbot: Any) -> None:
    """Napari stops the clock of the first as the second comes."""
    session = detection_workspace.session
    for sentence in ("The first.", "The second."):
        session.say(sentence)
        QApplication.processEvents()
    assert len(_toasts(viewer)) >= 2
    qtbot.waitUntil(lambda: all(toast.timer.isActive() for toast in _toasts(viewer)), timeout=5_000)


def test_the_only_finding_is_shown_again(detection_workspace: Any, qtbot: Any) -> None:
    """N and a click on its row lead back to it, though it is chosen already."""
    workspace, session = detection_workspace, detection_workspace.session
    workspace.show_tab("Review")
    plain = session.result.plain
    session.set_result(evaluate(plain, OperatingPoint(0.01, 0.1, 1.0)), "default")
    QApplication.processEvents()
    panel = workspace.review.findings_panel
    panel.fill(panel.findings[:1], "1 finding")
    panel.table.select_row(0)
    at = panel.findings[0].largest.slice
    for go_back in (
        lambda: panel.go(1),
        lambda: panel.table.clicked.emit(panel.table.currentIndex()),
    ):
        session.layers.go_to((at + 2) % len(session.series.voxels))
        assert session.layers.current_slice != at
        go_back()
        assert session.layers.current_slice == at


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_signature_is_not_taken_off_unasked(
    detection_workspace: Any,
    wait_idle: Callable,
    monkeypatch: pytest.MonkeyPatch,
    goes_on: bool,
) -> None:
    """A new detection on a signed case asks first."""
    workspace, session = detection_workspace, detection_workspace.session
    panel = workspace.review.findings_panel
    for number in range(len(panel.findings)):
        panel.table.select_row(number)
        panel.judge("rejected")
    workspace.review.sign_off.sign()
    wait_idle(workspace)
    assert session.case.record.findings == "signed"
    questions: list[str] = []
    buttons = QMessageBox.StandardButton

    def answer(_: Any, __: str, question: str, *___: Any) -> Any:
        questions.append(question)
        return buttons.Yes if goes_on else buttons.Cancel

    monkeypatch.setattr(QMessageBox, "question", answer)
    former = session.result
    workspace.detect.detect()
    wait_idle(workspace)
    assert len(questions) == 1
    assert "signed" in questions[0]
    assert (session.result is former) != goes_on
    assert (session.case.record.findings == "signed") != goes_on


def test_what_was_found_after_another_scan_was_opened_is_kept_and_told(
    detection_workspace: Any, wait_idle: Callable, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    """In the study, with the case that it was found in; nothing of it is shown on the other."""
    workspace, session = detection_workspace, detection_workspace.session
    case, is_open = session.case, threading.Event()
    detect_in_series = pipeline.detect_in_series

    def detect_later(*arguments: Any, **options: Any) -> Any:
        is_open.wait(60)
        return detect_in_series(*arguments, **options)

    monkeypatch.setattr(pipeline, "detect_in_series", detect_later)
    said: list[str] = []
    session.message.connect(said.append)
    former_run = case.last_run
    workspace.detect.detect()
    workspace.load.case_table.selectRow(1)
    workspace.load.open_case()
    qtbot.waitUntil(lambda: session.case != case, timeout=60_000)
    is_open.set()
    wait_idle(workspace)
    assert session.result is None
    assert case.last_run.number > former_run.number
    assert "is in the study with its own case" in said[-1]
