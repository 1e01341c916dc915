"""A second patient, dropped while the first is open and drawn on; and closing the window."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

from napari_spinemet.gui.viewer.layer_style import series_layer
from napari_spinemet.study import Study

from ..mouse import stroke


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions; the answer to each is to stay."""
    questions: list[str] = []

    def question(parent: Any, title: str, text: str, *_: Any) -> Any:
        questions.append(text)
        return QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(QMessageBox, "question", question)
    return questions


def drop(workspace: Any, series: Any) -> None:
    """As napari does with what a reader gives."""
    data, settings, kind = series_layer(series)
    assert kind == "image"
    workspace.session.viewer.add_image(data, **settings)


def series_names(workspace: Any) -> list[str]:
    """Pictures in the viewer."""
    return [x.name for x in workspace.session.viewer.layers if x._type_string == "image"]


def test_a_second_patient_never_lies_over_the_first(
    workspace: Any, study_copy: Path, wait_idle: Callable, qtbot: Any, asked: list[str]
) -> None:
    """A stroke a moment ago is saved, then the other scan is taken over, without a question."""
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    session = workspace.session
    first = session.case.name
    other = session.study.cases()[1].series()
    session.layers.go_to(2)
    workspace.annotate.lesion_button.setChecked(True)
    workspace.annotate.use("paint")
    before = session.layers.lesions.data.copy()
    stroke(qtbot, session, [(60, 60), (70, 60)])
    drawn = session.layers.lesions.data.copy()
    assert not np.array_equal(before, drawn)
    drop(workspace, other)
    qtbot.waitUntil(lambda: session.series is other, timeout=30_000)
    wait_idle(workspace)
    assert asked == []
    assert len(series_names(workspace)) == 1
    assert session.case is None
    assert session.layers.image.data.shape == other.shape
    stored = Study(study_copy).case(first)
    assert np.array_equal(stored.annotation(stored.series()).lesions, drawn)


def test_contours_in_no_study_are_asked_about(
    workspace: Any, study_copy: Path, wait_idle: Callable, qtbot: Any, asked: list[str]
) -> None:
    """Before another scan is opened, and before the window is closed; nothing is lost."""
    study = Study(study_copy)
    first, second = (case.series() for case in study.cases())
    session = workspace.session
    session.open_series(first)
    session.layers.lesions.data[2, 60:70, 60:70] = 1
    session.contours_changed.emit()
    drop(workspace, second)
    qtbot.waitUntil(lambda: bool(asked), timeout=30_000)
    assert "in no study" in asked[0]
    assert session.series is first
    assert len(series_names(workspace)) == 1
    assert session.layers.lesions.data[2, 65, 65] == 1
    window = session.viewer.window._qt_window
    window.close()
    assert len(asked) == 2
    assert "in no study" in asked[1]
    assert window.isVisible()
    session.layers.lesions.data = np.zeros_like(session.layers.lesions.data)  # or it stays open


def test_a_detection_on_a_loose_scan_outlives_a_look_at_another_series(
    workspace: Any, study_copy: Path, tmp_path: Path, quick_model: Path, wait_idle: Callable
) -> None:
    """It is kept by series, as in a study; another scan of the same name has none."""
    session = workspace.session
    for name in ("case-001", "normal-001"):
        shutil.copytree(study_copy / name / "scan", tmp_path / "disc" / name)

    def open_loose(name: str) -> None:
        workspace.load.path.setText(str(tmp_path / "disc" / name))
        workspace.load.look()
        wait_idle(workspace)
        workspace.load.open()
        wait_idle(workspace)

    open_loose("case-001")
    workspace.detect._select(str(quick_model))
    workspace.detect.detect()
    wait_idle(workspace)
    result = session.result
    assert result is not None
    open_loose("normal-001")
    assert session.result is None
    open_loose("case-001")
    assert session.result is result
    assert session.layers.likelihood is not None
