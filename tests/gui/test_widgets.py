"""Each widget does its job, and says in a sentence what is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Layer
from napari.utils.notifications import notification_manager

from napari_spinemet.gui.viewer.jobs import JobRunner
from napari_spinemet.jobs import JobContext
from napari_spinemet.phantom.sample import sample_study
from napari_spinemet.study import Study


def messages() -> list[str]:
    return [n.message for n in notification_manager.records]


def open_case(workspace: object, study: Path, wait_idle: Callable) -> None:
    workspace.load.open_study(study)
    workspace.load.case_table.selectRow(0)
    workspace.load.open_case()
    wait_idle(workspace)


def files_of(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_load_lists_and_opens_a_scan(workspace: object, wait_idle: Callable) -> None:
    """A folder is listed with what can be used; opening shows it in mm with three layers."""
    load = workspace.load
    load.path.setText(str(sample_study() / "case-001" / "scan"))
    load.look()
    wait_idle(workspace)
    assert [load.table.texts()[0][k] for k in range(5)] == [
        "STIR SAG",
        "sagittal",
        "STIR",
        "13",
        "yes",
    ]
    load.open()
    wait_idle(workspace)
    layers = workspace.session.layers
    series = workspace.session.series
    np.testing.assert_allclose(layers.image.scale, series.spacing_mm)
    np.testing.assert_allclose(layers.image.metadata["affine_lps"], series.affine)
    np.testing.assert_allclose(layers.lesions.scale, series.spacing_mm)


@pytest.mark.parametrize("kind", ["missing", "empty", "not DICOM"])
@pytest.mark.one_binding
def test_load_says_what_is_wrong(
    workspace: object, wait_idle: Callable, tmp_path: Path, kind: str
) -> None:
    """A bad place gives one sentence as a notification, and the widget is ready again."""
    path = tmp_path / "place"
    if kind != "missing":
        path.mkdir()
    if kind == "not DICOM":
        (path / "notes.txt").write_text("no scan here")
    former_files, count = files_of(tmp_path), len(messages())
    workspace.load.path.setText(str(path))
    workspace.load.look()
    wait_idle(workspace)
    (sentence,) = messages()[count:]
    assert sentence == workspace.load.status.text()
    assert "Traceback" not in sentence
    assert str(path) in sentence
    assert files_of(tmp_path) == former_files
    assert not workspace.session.jobs.is_busy


def test_scan_is_imported_into_a_study(
    workspace: object, wait_idle: Callable, tmp_path: Path
) -> None:
    """An opened scan becomes a case of the study, and the scan's own files are untouched."""
    scan = sample_study() / "normal-001" / "scan"
    former_files = files_of(scan)
    load = workspace.load
    load.path.setText(str(scan))
    load.look()
    wait_idle(workspace)
    load.open()
    wait_idle(workspace)
    study = tmp_path / "empty study"
    study.mkdir()
    load.open_study(study)
    assert load.import_button.isEnabled()
    load.import_scan()
    wait_idle(workspace)
    (case,) = Study(study).cases()
    np.testing.assert_array_equal(case.series().voxels, workspace.session.series.voxels)
    assert str(case.state) == "new"
    assert files_of(scan) == former_files


@pytest.mark.one_binding
def test_contours_are_drawn_saved_and_read_back(
    workspace: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> None:
    """Paint a lesion, copy it to the next slice, save: the study holds exactly that."""
    open_case(workspace, study_copy, wait_idle)
    annotate, session = workspace.annotate, workspace.session
    lesions = session.layers.lesions
    annotate.lesion_button.setChecked(True)
    annotate.use("paint")
    assert lesions.mode == "paint"
    annotate.new_label()
    number = lesions.selected_label
    assert number == lesions.data.max() + 1
    session.layers.go_to(4)
    rows, columns = np.mgrid[120:130, 100:112].reshape(2, -1)
    lesions.data_setitem((np.full(len(rows), 4), rows, columns), np.full(len(rows), number))
    annotate.copy_slice(1)
    assert session.layers.current_slice == 5
    np.testing.assert_array_equal(lesions.data[5] == number, lesions.data[4] == number)
    qtbot.wait(120)
    assert "cm²" in annotate.state.area_label.text()
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    assert annotate.state.save_label.text().startswith("All strokes are saved")
    case = Study(study_copy).cases()[0]
    stored_annotation = case.annotation(case.series())
    np.testing.assert_array_equal(stored_annotation.lesions > 0, lesions.data > 0)
    np.testing.assert_array_equal(stored_annotation.vertebrae, session.layers.vertebrae.data)
    assert set(stored_annotation.levels.values()) == set(session.annotation.levels.values())


@pytest.mark.one_binding
def test_another_case_is_opened_once_the_last_stroke_is_saved(
    workspace: object, wait_idle: Callable, study_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked and nothing is lost, also where a stroke was drawn a moment ago."""
    from qtpy.QtWidgets import QMessageBox

    monkeypatch.setattr(QMessageBox, "question", lambda *_: pytest.fail("nothing to ask"))
    open_case(workspace, study_copy, wait_idle)
    session, load = workspace.session, workspace.load
    first = session.case
    new_labels = session.layers.lesions.data.copy()
    new_labels[3, 40:60, 40:60] = 7
    session.layers.lesions.data = new_labels
    load.case_table.selectRow(1)
    load.open_case()
    wait_idle(workspace)
    assert session.case.name == "normal-001"
    np.testing.assert_array_equal(first.annotation(first.series()).lesions, new_labels)
    assert not session.layers.lesions.data.any()


@pytest.mark.parametrize("answer", ["Discard", "Cancel"])
def test_contours_without_a_study_are_asked_about(
    workspace: object,
    wait_idle: Callable,
    study_copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
) -> None:
    """Opening another scan drops or keeps them, as the user says."""
    from qtpy.QtWidgets import QMessageBox

    open_case(workspace, study_copy, wait_idle)
    session, load = workspace.session, workspace.load
    scan = session.series
    session.open_series(scan)
    assert not session.autosave.is_active
    session.layers.lesions.data[3, 40:60, 40:60] = 7
    questions = []

    def question(*arguments: object) -> object:
        questions.append(arguments[2])
        return getattr(QMessageBox.StandardButton, answer)

    monkeypatch.setattr(QMessageBox, "question", question)
    load.case_table.selectRow(1)
    load.open_case()
    wait_idle(workspace)
    assert len(questions) == 1
    assert (session.series is scan) == (answer == "Cancel")
    assert (7 in session.layers.lesions.data) == (answer == "Cancel")


@pytest.mark.one_binding
def test_a_stroke_that_cannot_be_saved_says_so_and_is_saved_later(
    workspace: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> None:
    """With the reason, and with the next stroke once there is room again."""
    open_case(workspace, study_copy, wait_idle)
    session, annotate = workspace.session, workspace.annotate
    connection = session.study.database._writer
    connection.execute("PRAGMA max_page_count = 1")
    lesions = session.layers.lesions
    rng = np.random.default_rng(0)
    noise = rng.integers(1, 60000, lesions.data.shape[1:])
    pixels = np.nonzero(noise)
    lesions.data_setitem((np.full(len(pixels[0]), 3), *pixels), noise[pixels])
    qtbot.waitUntil(lambda: bool(session.autosave.failure))
    assert "is full" in annotate.state.save_label.text()
    assert session.is_unsaved
    connection.execute("PRAGMA max_page_count = 1000000")
    lesions.data_setitem((np.array([5]), np.array([9]), np.array([9])), np.array([1]))
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    assert annotate.state.save_label.text().startswith("All strokes are saved")
    case = Study(study_copy).cases()[0]
    np.testing.assert_array_equal(case.annotation(session.series).lesions, lesions.data)
    assert session.study.database.verify() == []


@pytest.mark.one_binding
def test_slices_between_are_filled_saved_and_undone_in_one_step(
    workspace: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> None:
    """Two discs three slices apart: both slices between are filled, and undo empties both."""
    open_case(workspace, study_copy, wait_idle)
    annotate, session = workspace.annotate, workspace.session
    lesions = session.layers.lesions
    annotate.lesion_button.setChecked(True)
    annotate.new_label()
    number = lesions.selected_label
    rows, columns = np.mgrid[120:132, 100:112].reshape(2, -1)
    for index in (3, 6):
        at = (np.full(len(rows), index), rows, columns)
        lesions.data_setitem(at, np.full(len(rows), number))
    former_labels = lesions.data.copy()
    annotate.interpolate()
    for index in (4, 5):
        np.testing.assert_array_equal(lesions.data[index] == number, former_labels[3] == number)
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    case = Study(study_copy).cases()[0]
    np.testing.assert_array_equal(case.annotation(session.series).lesions, lesions.data)
    annotate.undo()
    np.testing.assert_array_equal(lesions.data, former_labels)
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    np.testing.assert_array_equal(case.annotation(session.series).lesions, former_labels)


@pytest.mark.one_binding
def test_looking_at_a_case_saves_nothing_and_the_first_stroke_saves_all(
    workspace: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> None:
    """Going through the slices leaves the study as it was."""
    open_case(workspace, study_copy, wait_idle)
    session = workspace.session
    former_revision = session.study.database.revision
    for index in range(13):
        session.layers.go_to(index)
        qtbot.wait(40)
    assert session.case.record is None
    assert session.study.database.revision == former_revision
    lesions = session.layers.lesions
    lesions.data_setitem((np.array([5]), np.array([9]), np.array([9])), np.array([1]))
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    stored_annotation = session.case.annotation(session.series)
    np.testing.assert_array_equal(stored_annotation.lesions, lesions.data)
    np.testing.assert_array_equal(stored_annotation.vertebrae, session.layers.vertebrae.data)
    assert stored_annotation.vertebrae.any()


def test_contours_are_approved_until_the_next_stroke(
    workspace: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> None:
    """The table of cases says so, also after the stroke that takes it back."""
    open_case(workspace, study_copy, wait_idle)
    session, annotate, load = workspace.session, workspace.annotate, workspace.load
    assert annotate.state.approve_button.isEnabled()
    annotate.state.approve_button.click()
    wait_idle(workspace)
    assert load.case_table.texts()[0][1] == "approved"
    lesions = session.layers.lesions
    lesions.data_setitem((np.array([5]), np.array([9]), np.array([9])), np.array([1]))
    qtbot.waitUntil(lambda: str(session.case.state) == "contoured")
    qtbot.waitUntil(lambda: load.case_table.texts()[0][1] == "contoured")


def test_a_click_grows_a_lesion_where_it_was_made(
    workspace: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> None:
    """A real click on the picture: what grows holds the clicked pixel and stays in its body."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtWidgets import QApplication

    open_case(workspace, study_copy, wait_idle)
    annotate, session = workspace.annotate, workspace.session
    workspace.show_tab("Annotate")
    lesions, bodies = session.layers.lesions, session.layers.vertebrae
    truth = lesions.data.copy()
    index = int(np.flatnonzero(truth.any(axis=(1, 2)))[0])
    row, column = (int(np.median(v)) for v in np.nonzero(truth[index]))
    lesions.data = np.zeros_like(truth)
    annotate.lesion_button.setChecked(True)
    annotate.use("grow")
    session.layers.go_to(index)
    qtbot.wait(200)
    camera = session.viewer.scene.camera
    canvas = session.viewer.window._qt_viewer.canvas.native
    spacing = session.series.spacing_mm
    point = QPoint(
        round(canvas.width() / 2 + (column * spacing[2] - camera.center[2]) * camera.zoom),
        round(canvas.height() / 2 + (row * spacing[1] - camera.center[1]) * camera.zoom),
    )
    qtbot.mouseMove(canvas, point)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=point)
    QApplication.processEvents()
    grown_mask = lesions.data > 0
    assert grown_mask[index, row, column]
    assert grown_mask.any(axis=(1, 2)).sum() == 1
    body = bodies.data[index, row, column]
    assert body
    assert (bodies.data[grown_mask] == body).all()
    overlap = 2 * (grown_mask[index] & (truth[index] > 0)).sum()
    assert overlap / (grown_mask[index].sum() + (truth[index] > 0).sum()) > 0.6
    annotate.undo()
    assert not lesions.data.any()


@pytest.mark.one_binding
def test_undo_takes_a_copied_slice_back(
    workspace: object, wait_idle: Callable, study_copy: Path
) -> None:
    """Copying to a neighbour is one step for undo."""
    open_case(workspace, study_copy, wait_idle)
    lesions = workspace.session.layers.lesions
    former_labels = lesions.data.copy()
    workspace.annotate.copy_slice(1)
    workspace.annotate.undo()
    np.testing.assert_array_equal(lesions.data, former_labels)


def test_vertebra_level_chooses_its_label(
    workspace: object, wait_idle: Callable, study_copy: Path
) -> None:
    """A known level keeps its label, and a new one gets a free label that is saved by name."""
    open_case(workspace, study_copy, wait_idle)
    annotate, session = workspace.annotate, workspace.session
    number_of = {name: number for number, name in session.annotation.levels.items()}
    annotate.vertebra_button.setChecked(True)
    annotate.vertebrae.level.setCurrentText("L2")
    assert session.layers.vertebrae.selected_label == number_of["L2"]
    annotate.vertebrae.level.setCurrentText("C7")
    fresh = session.layers.vertebrae.selected_label
    assert fresh not in number_of.values()
    session.layers.vertebrae.data[6, 2:9, 2:9] = fresh
    assert session.contours().levels[fresh] == "C7"


def test_renamed_and_deleted_layers_break_nothing(
    workspace: object, viewer: object, wait_idle: Callable, study_copy: Path
) -> None:
    """Layers are held as objects: a renamed one is still drawn on, a deleted one is as saved."""
    open_case(workspace, study_copy, wait_idle)
    session = workspace.session
    session.layers.lesions.name = "anything"
    assert workspace.annotate.target is session.layers.lesions
    viewer.layers.remove(session.layers.vertebrae)
    assert session.layers.vertebrae is None
    np.testing.assert_array_equal(session.contours().vertebrae, session.annotation.vertebrae)
    workspace.annotate.vertebra_button.setChecked(True)
    workspace.annotate.use("paint")


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA out of memory"), ValueError("odd"), MemoryError()]
)
@pytest.mark.one_binding
def test_a_failing_job_says_so_and_is_over(
    workspace: object, qtbot: object, error: Exception
) -> None:
    """Any exception in a job ends it with one sentence; none is swallowed."""
    runner = workspace.session.jobs.computing
    count = len(messages())

    def work(job: JobContext) -> None:
        raise error

    with qtbot.waitSignal(runner.job_failed, timeout=5_000):
        runner.start("test", work)
    assert not runner.is_busy
    assert len(messages()) == count + 1
    assert "Traceback" not in messages()[-1]


@pytest.mark.one_binding
def test_jobs_wait_their_turn_and_one_that_waits_can_be_cancelled(
    workspace: object, qtbot: object
) -> None:
    """One at a time, in the order they came; cancelling by name leaves the running one alone."""
    runner, started_names, cancelled_names = workspace.session.jobs.computing, [], []

    def work(name: str) -> Callable:
        def until_cancelled(job: JobContext) -> None:
            started_names.append(name)
            while True:
                job.raise_if_cancelled()
                time.sleep(0.005)

        return until_cancelled

    runner.job_cancelled.connect(cancelled_names.append)
    for name in ("first", "second", "third"):
        runner.start(name, work(name))
    assert all(runner.has(name) for name in ("first", "second", "third"))
    runner.cancel("second")
    assert cancelled_names == ["second"]
    assert runner.task == "first"
    assert not runner.has("second")
    with qtbot.waitSignal(runner.job_cancelled, timeout=5_000):
        runner.cancel()
    qtbot.waitUntil(lambda: started_names == ["first", "third"], timeout=5_000)
    runner.cancel("third")
    qtbot.waitUntil(lambda: not runner.is_busy, timeout=5_000)
    assert cancelled_names == ["second", "first", "third"]


def test_detection_says_what_is_missing(workspace: object, tmp_path: Path) -> None:
    """Without a scan the button is off; a file that is no model is named."""
    assert not workspace.detect.detect_button.isEnabled()
    workspace.detect.detect()
    assert "Open a series" in messages()[-1]
    fake = tmp_path / "fake.safetensors"
    fake.write_text("no model")
    workspace.detect._select(str(fake))
    assert "card" in workspace.detect.card.text()


@pytest.mark.one_binding
def test_a_model_that_is_none_is_refused(
    workspace: object, wait_idle: Callable, study_copy: Path, tmp_path: Path
) -> None:
    """Detecting with a damaged model gives a sentence and no layer."""
    open_case(workspace, study_copy, wait_idle)
    fake = tmp_path / "fake.safetensors"
    fake.write_text("no model")
    workspace.detect._select(str(fake))
    workspace.detect.detect()
    wait_idle(workspace)
    assert "not a model" in workspace.detect.status.text()
    assert workspace.session.layers.likelihood is None


def test_every_control_has_a_help_text(workspace: object) -> None:
    """Buttons, boxes, sliders and tables say what they are for."""
    from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QTableView

    for widget in (
        workspace.load,
        workspace.annotate,
        workspace.train,
        workspace.detect,
        workspace.review,
    ):
        for kind in (QAbstractButton, QComboBox, QTableView, QAbstractSpinBox):
            for control in widget.findChildren(kind):
                inside = control.parent()
                own = not isinstance(inside, (QAbstractSpinBox, QTableView)) and (
                    type(inside).__module__.startswith(("qtpy", "PyQt", "napari_spinemet"))
                )
                if own and control.text() if isinstance(control, QAbstractButton) else own:
                    assert control.toolTip(), f"{type(widget).__name__}: {control}"


@pytest.mark.one_binding
def test_opening_and_saving_go_on_beside_training(workspace: object, qtbot: object) -> None:
    """The desk works while the runner is busy, and in the order of what it was given."""
    session = workspace.session
    results: list[object] = []

    def wait_for_cancel(job: JobContext) -> None:
        while not job.cancel.is_cancelled:
            time.sleep(0.01)

    session.jobs.computing.start("train", wait_for_cancel)
    for name in ("first", "second"):
        session.jobs.storage.start(name, lambda job, name=name: name, results.append)
    qtbot.waitUntil(lambda: len(results) == 2, timeout=5_000)
    assert results == ["first", "second"]
    assert session.jobs.computing.task == "train"
    session.jobs.computing.cancel()


@pytest.mark.one_binding
def test_what_waits_to_be_saved_is_saved_at_the_end(qtbot: object) -> None:
    """The program closes while a scan is being read and a save waits behind it."""
    desk, reading, saved_names = JobRunner(), threading.Event(), []
    desk.start("load", lambda job: reading.wait(5))
    desk.start("save", lambda job: saved_names.append("contours"))
    threading.Timer(0.1, reading.set).start()
    desk.finish()
    assert saved_names == ["contours"]
    qtbot.waitUntil(lambda: not desk.is_busy, timeout=5_000)
    assert saved_names == ["contours"]


@pytest.mark.one_binding
def test_strokes_verdicts_and_signatures_wait_for_no_slow_read(
    detection_workspace: object, wait_idle: Callable, qtbot: object
) -> None:
    """While a scan is being read and one imported, which takes as long as it takes."""
    session, annotate, review = (
        detection_workspace.session,
        detection_workspace.annotate,
        detection_workspace.review,
    )
    slow_disk = threading.Event()
    for task in ("load", "import"):
        session.jobs.storage.start(task, lambda job: slow_disk.wait(60))
    try:
        lesions, case = session.layers.lesions, session.case
        lesions.data_setitem((np.array([3]), np.array([50]), np.array([60])), 7)
        qtbot.waitUntil(
            lambda: annotate.state.save_label.text().startswith("All strokes are saved"),
            timeout=5_000,
        )
        assert case.annotation(session.series).lesions[3, 50, 60] == 7
        values = session.result.likelihood.values
        review.controls.threshold.setValue(float(np.quantile(values[values > 0], 0.995)))
        qtbot.waitUntil(lambda: not review._slider_pause.is_pending, timeout=5_000)
        assert review.findings
        for number in range(len(review.findings)):
            review.findings_panel.table.select_row(number)
            review.findings_panel.judge("accepted")
        review.sign_off.sign_button.click()
        qtbot.waitUntil(lambda: case.state.findings == "signed", timeout=30_000)
        annotate.state.approve()
        qtbot.waitUntil(lambda: case.state.contours == "approved", timeout=30_000)
        assert session.jobs.storage.task == "load"
    finally:
        slow_disk.set()
    wait_idle(detection_workspace)


@pytest.mark.one_binding
def test_strokes_drawn_while_a_case_is_read_stay(
    workspace: object, wait_idle: Callable, study_copy: Path
) -> None:
    """The other case is not opened over them, and a sentence says so."""
    open_case(workspace, study_copy, wait_idle)
    session, read_event = workspace.session, threading.Event()
    case = session.case
    session.jobs.storage.start("load", lambda job: read_event.wait(10))
    workspace.load.case_table.selectRow(1)
    workspace.load.open_case()
    session.layers.lesions.data_setitem((np.array([3]), np.array([50]), np.array([60])), 7)
    count = len(messages())
    read_event.set()
    wait_idle(workspace)
    assert session.case == case
    assert (session.contours().lesions == 7).sum() == 1
    assert "meanwhile" in messages()[count:][-1]


@pytest.mark.one_binding
def test_a_copy_of_the_image_layer_is_a_picture(
    workspace: object, viewer: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> None:
    """Napari's Duplicate copies the metadata too; the open case stays open."""
    open_case(workspace, study_copy, wait_idle)
    session = workspace.session
    layer, case = session.layers.image, session.case
    data, settings, kind = layer.as_layer_data_tuple()
    viewer.add_layer(Layer.create(data, {**settings, "name": "copy"}, kind))
    qtbot.wait(50)
    assert (session.layers.image, session.case) == (layer, case)
    assert "copy" in [x.name for x in viewer.layers]
