"""What runs and what was said stays in sight, and a model that finds nothing is questioned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QMessageBox

from napari_spinemet.gui.status_line import StatusLine
from napari_spinemet.jobs import JobContext
from napari_spinemet.network import load_card, load_model, save_model


def test_the_line_tells_what_runs_on_which_study(
    workspace: Any, study_copy: Path, tmp_path: Path, wait_idle: Callable, qtbot: Any
) -> None:
    """Also once another study is open; then what was said last."""
    (line,) = workspace.findChildren(StatusLine)
    workspace.load.open_study(study_copy)
    wait_idle(workspace)
    go_on = threading.Event()

    def work(job: JobContext) -> None:
        job.progress("training", 1, 4, "epoch 1")
        go_on.wait(60)

    workspace.session.jobs.training.start("training", work)
    qtbot.waitUntil(lambda: "25 %" in line.text())
    (tmp_path / "another").mkdir()
    workspace.load.open_study(tmp_path / "another")
    assert line.text().startswith(f"Training runs on {study_copy.name}: 25 %.")
    workspace.show_tab("Review")
    assert line.isVisible()
    go_on.set()
    qtbot.waitUntil(lambda: "Training runs" not in line.text())
    workspace.session.say("All is well.")
    assert line.text() == "All is well."


@pytest.mark.parametrize("answer", ["Cancel", "Yes"])
def test_a_model_that_finds_nothing_is_no_default_unless_that_is_meant(
    workspace: Any,
    study_copy: Path,
    wait_idle: Callable,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
) -> None:
    """Its card says that it found no lesion when it was tried."""
    workspace.load.open_study(study_copy)
    wait_idle(workspace)
    study = workspace.session.study
    card = replace(load_card(), name="blind", metrics={"validation": {"tp_rate": 0.0}})
    study.models.mkdir(exist_ok=True)
    save_model(load_model("default"), study.models / "blind.safetensors", card)
    questions = []

    def question(parent: Any, title: str, text: str, *_: Any) -> Any:
        questions.append(text)
        return getattr(QMessageBox.StandardButton, answer)

    monkeypatch.setattr(QMessageBox, "question", question)
    panel = workspace.train.models
    panel.refresh()
    names = [card.name for _, card in panel.models]
    panel.table.select_row(names.index("blind"))
    panel.make_default()
    wait_idle(workspace)
    assert "'blind' found no lesion" in questions[0]
    assert bool(study.default_model) == (answer == "Yes")


def test_a_refused_signature_is_told_where_the_button_is(
    detection_workspace: Any, wait_idle: Callable
) -> None:
    """Findings without a verdict; it does not stay once they are signed."""
    workspace = detection_workspace
    workspace.show_tab("Review")
    sign_off, panel = workspace.review.sign_off, workspace.review.findings_panel
    assert panel.findings
    sign_off.sign()
    wait_idle(workspace)
    assert "have no verdict yet" in sign_off.state.text()
    assert sign_off.state.isVisible()
    assert "verdict" not in workspace.load.status.text()
    for number in range(len(panel.findings)):
        panel.table.select_row(number)
        panel.judge("unsure")
    sign_off.sign()
    wait_idle(workspace)
    assert sign_off.state.text().startswith("Signed by Dr. Reader")


@pytest.mark.parametrize("name", ["Load", "Annotate", "Train", "Detect", "Review"])
def test_a_widget_alone_scrolls(viewer: Any, name: str) -> None:
    """In a window as low as a laptop's, none of it lies out of reach."""
    viewer.window._qt_window.resize(1366, 700)
    _, widget = viewer.window.add_plugin_dock_widget("napari-spinemet", name)
    assert widget.minimumSizeHint().height() < 400
    assert widget.minimumSizeHint().width() >= widget.content.minimumSizeHint().width()
    assert viewer.window._qt_window.height() <= 768
