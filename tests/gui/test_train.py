"""The Train widget: a real training in a real window, and whatever may go wrong in one."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from qtpy.QtCore import Qt
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_spinemet.jobs import JobContext
from napari_spinemet.network import load_card
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.training import loop
from napari_spinemet.workflows import worker_entry
from napari_spinemet.workflows.study_training import StudyTraining
from napari_spinemet.workflows.uncertainty import CaseUncertainty

STARTS = int(os.environ.get("SPINEMET_STARTS", "12"))


@pytest.fixture
def study(workspace: Any, study_copy: Path) -> Path:
    """Two cases with lesions and a normal one, open in the workspace."""
    shutil.copytree(study_copy / "case-001", study_copy / "case-002")
    workspace.load.open_study(study_copy)
    return study_copy


def _model(study: Path, name: str = "my-model") -> Path:
    return study / "models" / f"{name}.safetensors"


def _untick(train: Any, row: int) -> None:
    """As a click on the box of a case does."""
    rows, role = train.cases.table.model(), Qt.ItemDataRole.CheckStateRole
    assert rows.setData(rows.index(row, 0), Qt.CheckState.Unchecked, role)


@pytest.mark.slow
def test_training_runs_in_the_background_and_keeps_a_model(
    workspace: Any, wait_idle: Callable, study: Path
) -> None:
    """A run of two batches draws its course and leaves a model in files and tables."""
    train = workspace.train
    assert "3 of 3 contoured cases" in train.cases.summary.text()
    train.start_button.click()
    assert not train.start_button.isEnabled()
    wait_idle(workspace)
    assert train.start_button.isEnabled()
    assert len(train.plots.losses) == 2
    assert len(train.plots.errors) == 1
    card = load_card(_model(study))
    assert card.training["cases"] == 2
    assert card.identity in workspace.session.study.database.results.models()
    assert not workspace.session.study.verify()
    assert workspace.detect.model.findText("my-model (study)") >= 0
    # The new model can be made the default, which outlives the window.
    models = train.models
    models.table.selectRow([card.name for _, card in models.models].index("my-model"))
    models.default_button.click()
    wait_idle(workspace)
    assert workspace.detect.model.currentText() == "my-model (study)"
    assert Study(study).default_model == card.identity


@pytest.mark.one_binding
def test_training_is_cancelled_within_a_batch_and_goes_on(
    workspace: Any, qtbot: Any, wait_idle: Callable, study: Path
) -> None:
    """Cancel leaves no model behind and the widget ready; Resume goes on where it was."""
    train = workspace.train
    train.form.set(batches=10_000)
    train.start()
    qtbot.waitUntil(lambda: len(train.plots.losses) >= 1, timeout=240_000)
    train.progress.cancel.click()
    wait_idle(workspace)
    assert "cancelled" in train.status.text()
    assert not _model(study).exists()
    assert train.resume_button.isEnabled()
    train.form.set(name="another")
    assert not train.resume_button.isEnabled()
    train.form.set(name="my-model")
    batch_numbers = []
    workspace.session.jobs.training.event_reported.connect(
        lambda task, event: (
            batch_numbers.append(event.done) if "loss" in getattr(event, "values", {}) else 0
        )
    )
    former_count = len(train.plots.losses)
    train.resume_button.click()
    qtbot.waitUntil(lambda: bool(batch_numbers), timeout=240_000)
    train.progress.cancel.click()
    wait_idle(workspace)
    assert batch_numbers[0] == former_count + 1


def test_what_is_chosen_is_what_is_trained_on(
    workspace: Any, wait_idle: Callable, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ticks, time, lambda and the rest of the form reach the training as they stand."""
    request: dict[str, Any] = {}

    def stand_in(task: StudyTraining, config: Any, **_: Any) -> Any:
        request.update(task=task, config=config)
        raise MemoryError

    monkeypatch.setattr(worker_entry, "train_study", stand_in)
    train = workspace.train
    _untick(train, 1)
    assert "2 of 3" in train.cases.summary.text()
    train.refresh()  # a tick outlives a change of the study
    assert tuple(train.form.fields["start"].choices) == ("", "default")
    train.form.set(
        start="default",
        stop="minutes",
        minutes=7,
        penalty="0.001, 0.01",
        resolutions="1, 2",
        outputs=2,
        rate="0.02",
    )
    train.start_button.click()
    wait_idle(workspace)
    task = request["task"]
    assert task.only_cases == ("case-001", "normal-001")
    assert task.minutes == 7
    assert task.start == "default"
    assert task.weight_decays == (0.002, 0.02)
    config = request["config"]
    assert (config.resolutions, config.outputs, config.learning_rate) == ((1.0, 2.0), 2, 0.02)
    assert "memory of this computer" in train.status.text()
    # Too little memory: what would help is offered.
    assert train.retry_row.isVisibleTo(train)
    train.smaller_button.click()
    wait_idle(workspace)
    assert request["config"].batch_size == 64
    train.form.set(resolutions="fine")
    train.start_button.click()
    assert not workspace.session.jobs.training.is_busy
    _untick(train, 0)
    _untick(train, 2)
    assert not train.start_button.isEnabled()


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (RuntimeError("something broke"), "something broke"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "smaller batch"),
        (float("nan"), "lower the learning rate"),
    ],
)
@pytest.mark.one_binding
def test_a_failure_amid_an_epoch_loses_nothing(
    workspace: Any,
    qtbot: Any,
    wait_idle: Callable,
    study: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: Any,
    words: str,
) -> None:
    """One sentence, ready at once, the former model intact, and the network's memory is back."""
    _model(study).parent.mkdir()
    _model(study).write_bytes(b"the former model")
    networks: list[Any] = []
    step = loop.training_step

    def breaks(model: Any, *rest: Any) -> float:
        networks.append(weakref.ref(model))
        if len(networks) < 3:
            return step(model, *rest)
        if isinstance(failure, float):
            return failure
        raise failure

    monkeypatch.setattr(loop, "training_step", breaks)
    train = workspace.train
    train.form.set(batches=100)
    train.start_button.click()
    wait_idle(workspace)
    assert words in train.status.text()
    assert train.start_button.isEnabled()
    assert _model(study).read_bytes() == b"the former model"
    assert train.retry_row.isVisibleTo(train) == isinstance(failure, torch.OutOfMemoryError)
    if isinstance(failure, BaseException):
        failure.__traceback__ = None
    gc.collect()
    assert networks[0]() is None


@pytest.mark.one_binding
def test_a_trainer_that_is_killed_is_told_and_resumed(
    workspace: Any, qtbot: Any, wait_idle: Callable, study: Path
) -> None:
    """In a process of its own: its end by force is a sentence; the next run goes on."""
    train = workspace.train
    train.form.set(batches=10_000, process=True)
    train.start_button.click()
    qtbot.waitUntil(lambda: len(train.plots.losses) >= 1, timeout=240_000)
    (child,) = _children()
    os.kill(child.pid, signal.SIGKILL)
    wait_idle(workspace)
    assert "stopped from outside" in train.status.text()
    assert train.start_button.isEnabled()
    assert not _children()
    assert not _model(study).exists()


def _children() -> list[Any]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "napari_spinemet.jobs.process" in " ".join(child.cmdline())
    ]


@pytest.mark.slow
@pytest.mark.one_binding
def test_many_starts_and_cancels_leave_nothing_behind(
    workspace: Any, qtbot: Any, wait_idle: Callable, study: Path
) -> None:
    """Threads, processes, widgets and memory after the last are those after the first few."""
    train, process = workspace.train, psutil.Process()
    train.form.set(batches=10_000)

    def count() -> tuple[int, int, int]:
        gc.collect()
        return (
            threading.active_count(),
            len(process.children(recursive=True)),
            len(QApplication.allWidgets()),
        )

    counts, sizes = [], []
    for number in range(STARTS):
        train.start()
        if number % 4 == 0:  # some before the first batch, some amid the epoch
            qtbot.waitUntil(lambda: len(train.plots.losses) >= 1, timeout=240_000)
        train.progress.cancel.click()
        wait_idle(workspace)
        counts.append(count())
        sizes.append(process.memory_info().rss / 2**20)
    assert counts[-1] == counts[STARTS // 3]
    print(f"{STARTS} starts: {counts[-1]}, {sizes[STARTS // 3]:.0f} -> {sizes[-1]:.0f} MB")
    assert sizes[-1] < sizes[STARTS // 3] + 60


@pytest.mark.parametrize("is_agreed", [False, True])
def test_closing_amid_a_job_asks_once(
    workspace: Any, viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch, is_agreed: bool
) -> None:
    """No keeps the window and the job; yes stops the job and closes."""
    questions: list[str] = []
    answers = QMessageBox.StandardButton

    def question(_: Any, title: str, message: str, *rest: Any) -> Any:
        questions.append(message)
        return answers.Close if is_agreed else answers.Cancel

    monkeypatch.setattr(QMessageBox, "question", question)
    trainer, stop_event = workspace.session.jobs.training, threading.Event()

    def work(job: JobContext) -> None:
        while not job.cancel.is_cancelled:
            time.sleep(0.005)
        stop_event.set()
        job.raise_if_cancelled()

    trainer.start("training", work)
    window = viewer.window._qt_window
    if is_agreed:  # as the window would ask; it is still needed by the fixture that closes it
        assert not workspace.session.jobs.close_guard.eventFilter(window, QCloseEvent())
    else:
        window.close()
    assert len(questions) == 1
    assert "Training is still running" in questions[0]
    assert "resumed" in questions[0]
    if is_agreed:
        assert stop_event.wait(5)
        assert not trainer._thread.is_alive()
    else:
        assert window.isVisible()
        assert trainer.is_busy
    trainer.stop()
    qtbot.waitUntil(lambda: not trainer.is_busy, timeout=5_000)


@pytest.mark.one_binding
def test_the_most_doubtful_scan_is_shown_in_train_and_load(
    workspace: Any, wait_idle: Callable, study_copy: Path, quick_model: Path
) -> None:
    """By the model chosen under Detect: they come after the others, and one is named to be next."""
    for name in ("bare-1", "bare-2"):
        shutil.copytree(study_copy / "normal-001" / "scan", study_copy / name / "scan")
    workspace.load.open_study(study_copy)
    train, session = workspace.train, workspace.session
    assert train.cases.rank_button.isEnabled()
    workspace.detect._select(str(quick_model))
    train.cases.rank_button.click()
    wait_idle(workspace)
    assert set(session.ranking) == {"bare-1", "bare-2"}
    (identity,) = session.study.map_identities()
    assert identity.folder == MapIdentity.of_model(load_card(quick_model).identity).folder
    session.set_ranking(
        {"bare-2": CaseUncertainty("bare-2", 0.25), "bare-1": CaseUncertainty("bare-1", 0.1)}
    )
    rows = [train.cases.table.texts()[k][1] for k in range(train.cases.table.row_count)]
    assert rows == ["case-001", "normal-001", "bare-2", "bare-1"]
    assert train.cases.table.texts()[2][3] == "25.0 %"
    assert "Contour bare-2 next" in train.cases.summary.text()
    load = workspace.load.case_table
    doubts = {load.texts()[k][0]: load.texts()[k][4] for k in range(load.row_count)}
    assert doubts["bare-1"] == "10.0 %"
    assert doubts["case-001"] == ""
    assert train.cases.ticked_cases() == ["case-001", "normal-001"]


@pytest.mark.one_binding
def test_cross_validation_waits_its_turn_and_says_what_is_missing(
    workspace: Any, qtbot: Any, wait_idle: Callable, study_copy: Path
) -> None:
    """Of the sample study's two cases one fold has no lesion to learn from."""
    workspace.load.open_study(study_copy)
    trainer, box = workspace.session.jobs.training, workspace.train.crossval
    gate = threading.Event()
    trainer.start("training", lambda job: gate.wait(10))
    box.start_button.click()
    assert trainer.task == "training"
    assert trainer.has("cross-validation")
    gate.set()
    wait_idle(workspace)
    assert "no lesion among the cases" in box.outcome.text()
    assert box.start_button.isEnabled()
