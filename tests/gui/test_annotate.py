"""Drawing: the right pixels, undone exactly, by mouse and key, whatever becomes of layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_builder import Truth, make_series, make_truth, write
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.study import Case, Study
from napari_spinemet.study.import_contours import take_contours

from .mouse import canvas_of, click, click_point, picture, stroke
from .test_widgets import messages, open_case


@pytest.fixture
def case_workspace(
    workspace: object, wait_idle: Callable, study_copy: Path, qtbot: object
) -> object:
    """The first case of the sample, open in the window, Annotate in front."""
    open_case(workspace, study_copy, wait_idle)
    workspace.show_tab("Annotate")
    qtbot.wait(100)
    return workspace


def labels_of(session: object) -> tuple[np.ndarray, np.ndarray]:
    """Copies of both layers."""
    return session.layers.lesions.data.copy(), session.layers.vertebrae.data.copy()


def press(qtbot: object, widget: object, key: str) -> None:
    """Press a key as Qt writes it."""
    window = widget.window()
    QApplication.setActiveWindow(window)
    modifiers = Qt.KeyboardModifier.NoModifier
    *modifier_names, last = key.split("+")
    for name in modifier_names:
        part = {"Ctrl": "ControlModifier", "Shift": "ShiftModifier"}[name]
        modifiers |= getattr(Qt.KeyboardModifier, part)
    names = {",": "Comma", ".": "Period"}
    qtbot.keyClick(widget, getattr(Qt.Key, f"Key_{names.get(last, last)}"), modifiers)
    QApplication.processEvents()


# The right pixels ------------------------------------------------------------------------


@pytest.mark.parametrize("zoom", [6.0, 13.7])
def test_a_click_on_what_is_seen_paints_what_lies_there_in_the_patient(
    workspace: object, wait_idle: Callable, qtbot: object, tmp_path: Path, zoom: float
) -> None:
    """Three different spacings, an oblique plane, files stored upside down.

    One voxel of each of three slices is bright. Where the picture shows it the mouse clicks with
    the smallest brush; what is painted lies where the headers put the bright voxel, to half a
    pixel, and so do the contours that the study writes.
    """
    bright = {2: (5, 4), 4: (20, 17), 7: (28, 9)}
    truth = make_truth(shape=(9, 32, 24), spacing_mm=(4.4, 0.9, 0.7), angles=(5, 12, 7))
    voxels = np.zeros(truth.voxels.shape)
    for index, (row, column) in bright.items():
        voxels[index, row, column] = 4000
    truth = Truth(voxels, truth.affine)
    write(tmp_path / "scan", make_series(truth, flip_rows=True, transpose=True))
    load, session = workspace.load, workspace.session
    load.path.setText(str(tmp_path / "scan"))
    load.look()
    wait_idle(workspace)
    load.open()
    wait_idle(workspace)
    (tmp_path / "study").mkdir()
    load.open_study(tmp_path / "study")
    load.import_scan()
    wait_idle(workspace)
    workspace.show_tab("Annotate")
    workspace.annotate.use("paint")
    session.layers.lesions.brush_size = 1
    # A stroke that is saved writes the text again, whose letters are bright as well.
    session.study_changed.disconnect(session._picture_text.write)
    for index, (row, column) in bright.items():
        session.layers.go_to(index)
        session._picture_text.write()
        session.viewer.canvas.overlays.text.visible = False
        session.viewer.scene.camera.center = (0, row * 0.9 + 0.3, column * 0.7 - 0.2)
        session.viewer.scene.camera.zoom = zoom
        qtbot.wait(80)
        brightness = picture(session)[..., :3].sum(axis=2).astype(float)
        rows, columns = np.nonzero(brightness > 0.9 * brightness.max())
        ratio = canvas_of(session).width() / brightness.shape[1]
        point = canvas_of(session).rect().topLeft()
        point.setX(round(columns.mean() * ratio))
        point.setY(round(rows.mean() * ratio))
        click_point(qtbot, session, point)
        (pixel,) = np.argwhere(session.layers.lesions.data[index])
        position_mm = session.series.affine[:3, :3] @ (index, *pixel) + session.series.affine[:3, 3]
        offset = np.linalg.solve(truth.affine[:3, :3], position_mm - truth.at(index, row, column))
        assert np.abs(offset).max() < 0.5
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    import SimpleITK as sitk

    from napari_spinemet.exchange.nifti import NiftiFormat

    case = Study(tmp_path / "study").cases()[0]
    stored_annotation = case.annotation(case.series())
    lesions, *_ = NiftiFormat().write_files(stored_annotation, case.series(), tmp_path / "out", "a")
    image = sitk.ReadImage(str(lesions))
    labels = sitk.GetArrayFromImage(image)
    written_mm = {
        tuple(np.round(image.TransformIndexToPhysicalPoint([int(v) for v in at[::-1]]), 1))
        for at in np.argwhere(labels)
    }
    true_mm = {tuple(np.round(truth.at(k, *at), 1)) for k, at in bright.items()}
    np.testing.assert_allclose(sorted(written_mm), sorted(true_mm), atol=0.11)


# Undo ------------------------------------------------------------------------------------


TOOLS = (
    *("paint", "erase", "fill", "polygon", "copy", "grow", "fit", "interpolate"),
    *("name", "propose", "number", "swap"),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(TOOLS),
        st.sampled_from((0, 1, 2, 3, 5, 6)),
        st.integers(20, 160),
        st.integers(20, 135),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def take_step(annotate: object, step: tuple, proposal: np.ndarray) -> None:
    """One use of a tool."""
    what, index, row, column, lesion = step
    session = annotate.session
    (annotate.lesion_button if lesion else annotate.vertebra_button).setChecked(True)
    session.layers.go_to(index)
    layer = annotate.target
    labelled_pixels = np.argwhere(layer.data[index])
    if what in ("erase", "fill", "name") and len(labelled_pixels):
        row, column = map(int, labelled_pixels[row * column % len(labelled_pixels)])
    if what in ("paint", "erase"):
        layer.brush_size = 15
        number = layer.selected_label if what == "paint" else 0
        with layer.block_history():  # as a stroke of the mouse is
            for k in range(3):
                layer.paint(np.array([index, row + 2 * k, column]), number)
    elif what == "fill":
        layer.fill((index, row, column), layer.selected_label)
    elif what == "polygon":
        corners = [(row, column), (row + 12, column + 2), (row + 6, column + 15)]
        layer.paint_polygon([[index, *at] for at in corners], layer.selected_label)
    elif what == "copy":
        annotate.copy_slice(1 if lesion else -1)
    elif what == "grow":
        annotate.use("grow")
        voxels = session.series.voxels[index]
        annotate.click_at(index, *np.argwhere(voxels >= np.quantile(voxels, 0.99))[row].tolist())
    elif what == "fit":
        annotate.fit()
    elif what == "interpolate":
        annotate.interpolate()
    elif what == "name":
        annotate.use("name")
        annotate.click_at(index, row, column)
    elif what == "propose":
        annotate.drawing.add_proposal(proposal, "T11")
    elif what == "number":
        annotate.vertebrae.level.setCurrentIndex(5 + index)
    elif what == "swap":
        annotate.new_label()


@pytest.mark.one_binding
def test_undo_gives_exactly_the_former_labels_after_any_tools(case_workspace: object) -> None:
    """Random sequences on both layers: each undo is one step back, each redo one forward.

    What the numbers of vertebrae stand for never changes, so names come back with them.
    """
    annotate, session = case_workspace.annotate, case_workspace.session
    first_labels = labels_of(session)
    proposal = np.zeros_like(first_labels[0])
    proposal[4:9, 40:60, 20:45] = 1
    proposal[4:9, 70:90, 20:45] = 2
    used: set[str] = set()

    @settings(
        max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(STEPS)
    @example([(tool, 4, 60 + 7 * k, 120, k != 8) for k, tool in enumerate(TOOLS)])
    def check(steps: list[tuple]) -> None:
        while session.history.undo():  # what the example before has made again
            pass
        states = [labels_of(session)]
        for labels, expected_labels in zip(states[0], first_labels):
            np.testing.assert_array_equal(labels, expected_labels)
        names = []
        for step in steps:
            take_step(annotate, step, proposal)
            current_labels = labels_of(session)
            if any((a != b).any() for a, b in zip(current_labels, states[-1])):
                states.append(current_labels)
                used.add(step[0])
            names.append(annotate.drawing.levels())
        for state in reversed(states[:-1]):
            assert session.history.undo()
            for labels, expected_labels in zip(labels_of(session), state):
                np.testing.assert_array_equal(labels, expected_labels)
        assert not session.history.undo()
        for state in states[1:]:
            assert session.history.redo()
            for labels, expected_labels in zip(labels_of(session), state):
                np.testing.assert_array_equal(labels, expected_labels)
        if len(states) > 1:  # else the redo is that of the example before
            assert not session.history.redo()
        for earlier_names, later_names in itertools.pairwise(names):
            assert earlier_names.items() <= later_names.items()

    check()
    assert used >= set(TOOLS) - {"number", "swap", "interpolate"}


def test_undo_takes_back_the_last_step_of_both_layers_and_shows_it(
    case_workspace: object, qtbot: object
) -> None:
    """A lesion, then a vertebra, then Ctrl+Z twice: the vertebra first, each in its slice."""
    session, annotate = case_workspace.session, case_workspace.annotate
    former_labels = labels_of(session)
    for button, index in ((annotate.lesion_button, 2), (annotate.vertebra_button, 5)):
        button.click()
        session.layers.go_to(index)
        annotate.target.paint(np.array([index, 30, 30]), annotate.target.selected_label)
    session.layers.go_to(6)
    press(qtbot, canvas_of(session), "Ctrl+Z")
    np.testing.assert_array_equal(session.layers.vertebrae.data, former_labels[1])
    assert session.layers.current_slice == 5
    assert (session.layers.lesions.data != former_labels[0]).any()
    press(qtbot, canvas_of(session), "Ctrl+Z")
    np.testing.assert_array_equal(session.layers.lesions.data, former_labels[0])
    assert session.layers.current_slice == 2
    press(qtbot, canvas_of(session), "Ctrl+Shift+Z")
    assert (session.layers.lesions.data != former_labels[0]).any()
    press(qtbot, canvas_of(session), "Ctrl+Z")
    count = len(messages())
    press(qtbot, canvas_of(session), "Ctrl+Z")
    assert messages()[count:] == ["There is nothing to take back."]


# Keys ------------------------------------------------------------------------------------


def test_every_key_does_what_the_help_says_and_none_twice(
    case_workspace: object, qtbot: object
) -> None:
    """Pressed on the picture and after a click on a button; only while Annotate is shown."""
    annotate, session = case_workspace.annotate, case_workspace.session
    keys = [key.keys for key in annotate.keys]
    assert len(keys) == len(set(keys))
    canvas = canvas_of(session)
    canvas.setFocus()
    for key, mode in (("D", "paint"), ("E", "erase"), ("P", "polygon"), ("F", "fill")):
        press(qtbot, canvas, key)
        assert session.layers.lesions.mode == mode
    annotate.vertebra_button.click()
    press(qtbot, case_workspace.window().focusWidget() or canvas, "G")
    assert annotate._tool == "grow"
    press(qtbot, canvas, "L")
    assert annotate.target is session.layers.lesions
    press(qtbot, canvas, "W")  # marks are for vertebrae
    assert annotate.target is session.layers.vertebrae
    assert annotate.vertebrae.mark_button.isChecked()
    index = session.layers.current_slice
    press(qtbot, canvas, ".")
    assert session.layers.current_slice == index + 1
    press(qtbot, canvas, ",")
    assert session.layers.current_slice == index
    press(qtbot, canvas, "F1")
    listed_keys = [annotate.help.table.texts()[k][0] for k in range(annotate.help.table.row_count)]
    assert listed_keys[: len(keys)] == keys
    annotate.help.close()
    press(qtbot, canvas, "A")
    case_workspace.show_tab("Load")
    press(qtbot, canvas, "D")
    assert session.layers.vertebrae.mode == "pan_zoom"


def test_a_field_that_is_typed_into_keeps_its_letters(
    case_workspace: object, qtbot: object
) -> None:
    """A tool's key is no shortcut there."""
    from qtpy.QtWidgets import QLineEdit

    field = QLineEdit(case_workspace.annotate)
    field.show()
    field.setFocus()
    mode = case_workspace.session.layers.lesions.mode
    press(qtbot, field, "D")
    assert field.text() == "d"
    assert case_workspace.session.layers.lesions.mode == mode


# Vertebrae -------------------------------------------------------------------------------


def test_bodies_are_marked_by_clicks_outlined_and_named(
    case_workspace: object, wait_idle: Callable, qtbot: object
) -> None:
    """A click sets a mark, another takes it away; what is contoured already stays as it is."""
    annotate, session = case_workspace.annotate, case_workspace.session
    box, bodies = annotate.vertebrae, session.layers.vertebrae
    truth = bodies.data.copy()
    levels = dict(session.annotation.levels)
    number_of = {level: number for number, level in levels.items()}
    index = 6
    session.layers.go_to(index)
    contoured_body = truth == number_of["L2"]
    bodies.data_setitem(np.nonzero((truth > 0) & ~contoured_body), 0)
    box.mark_button.click()
    qtbot.wait(100)
    centres = {
        level: np.argwhere(truth[index] == number_of[level]).mean(axis=0)
        for level in ("L1", "L2", "L3", "L4")
    }
    for at in centres.values():
        click(qtbot, session, *at)
    assert len(box.marks) == 4
    click(qtbot, session, *centres["L1"])
    assert len(box.marks) == 3
    click(qtbot, session, *centres["L1"])
    assert session.layers.marks is not None
    assert session.viewer.layers.selection.active is bodies
    box.level.setCurrentText("L1")
    former_bodies = bodies.data.copy()
    box.propose_button.click()
    wait_idle(case_workspace)
    assert session.layers.marks is None
    body_labels = session.layers.vertebrae.data
    np.testing.assert_array_equal(body_labels == number_of["L2"], contoured_body)
    assert "1 that were contoured already stay" in messages()[-1]
    for level in ("L1", "L3", "L4"):
        mine, theirs = body_labels == number_of[level], truth == number_of[level]
        assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.6, level
    proposed_bodies = body_labels.copy()
    # The reader counted wrongly: the top one is T12.
    box.level.setCurrentText("T12")
    box.name_button.click()
    click(qtbot, session, *centres["L1"])
    new_levels = annotate.drawing.levels()
    clicked_levels = {
        new_levels[int(body_labels[(index, *map(round, at))])] for at in centres.values()
    }
    assert clicked_levels == {"T12", "L1", "L2", "L3"}
    qtbot.waitUntil(lambda: session.layers.names is not None)
    annotate.undo()
    np.testing.assert_array_equal(body_labels, proposed_bodies)
    annotate.undo()
    np.testing.assert_array_equal(body_labels, former_bodies)
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    assert session.study.database.verify() == []


@pytest.mark.one_binding
def test_a_click_beside_every_body_names_nothing(case_workspace: object) -> None:
    """And says so."""
    annotate, session = case_workspace.annotate, case_workspace.session
    former_labels = labels_of(session)
    annotate.use("name")
    annotate.click_at(6, 2, 2)
    assert "click inside an outline" in messages()[-1]
    annotate.click_at(6, -5, 4000)
    assert "click inside an outline" in messages()[-1]
    for labels, expected_labels in zip(labels_of(session), former_labels):
        np.testing.assert_array_equal(labels, expected_labels)


def test_levels_are_written_again_when_the_same_case_is_opened_again(
    case_workspace: object, wait_idle: object, qtbot: object
) -> None:
    """Its picture is a new one, though its levels are the same."""
    workspace, layers = case_workspace, case_workspace.session.layers
    qtbot.waitUntil(lambda: layers.names is not None)
    former = layers.names
    workspace.load.open_case()
    wait_idle(workspace)
    qtbot.waitUntil(lambda: layers.names not in (None, former))


# Layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["lesions", pytest.param("vertebrae", marks=pytest.mark.one_binding)]
)
def test_a_deleted_layer_comes_back_with_every_stroke(
    case_workspace: object, viewer: object, qtbot: object, kind: str
) -> None:
    """Also the one that was drawn the moment before; until then the study keeps it."""
    session, annotate = case_workspace.session, case_workspace.annotate
    layer = getattr(session.layers, kind)
    layer.data_setitem((np.array([3]), np.array([40]), np.array([50])), np.array([1]))
    expected_labels = labels_of(session)
    viewer.layers.remove(layer)
    assert getattr(session.layers, kind) is None
    qtbot.waitUntil(lambda: annotate.state.restore_button.isVisible())
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    stored_annotation = session.case.annotation(session.series)
    np.testing.assert_array_equal(
        getattr(stored_annotation, kind), expected_labels[kind == "vertebrae"]
    )
    annotate.state.restore_button.click()
    for labels, data in zip(labels_of(session), expected_labels):
        np.testing.assert_array_equal(labels, data)
    assert not annotate.state.restore_button.isVisible()
    (annotate.lesion_button if kind == "lesions" else annotate.vertebra_button).click()
    annotate.use("paint")
    restored_layer = annotate.target
    restored_layer.paint(np.array([4, 60, 60]), 2)
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    stored_annotation = session.case.annotation(session.series)
    np.testing.assert_array_equal(getattr(stored_annotation, kind), restored_layer.data)
    annotate.undo()
    np.testing.assert_array_equal(restored_layer.data, expected_labels[kind == "vertebrae"])


@pytest.mark.one_binding
def test_a_first_save_that_fails_takes_nothing_from_the_next(
    case_workspace: object, qtbot: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contours that the case came with are not stored yet: they go along with what succeeds."""
    session, save = case_workspace.session, Case.save_slices
    calls = []

    def fail_once(*arguments: object, **keywords: object) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise SpinemetError("The disk is full.")
        save(*arguments, **keywords)

    monkeypatch.setattr(Case, "save_slices", fail_once)
    lesions = session.layers.lesions
    for index in (3, 5):  # the second waits while the first is being refused
        lesions.data_setitem((np.array([index]), np.array([40]), np.array([50])), np.array([1]))
        session.autosave.save()
    qtbot.waitUntil(lambda: len(calls) == 2 and not session.autosave._queue)
    stored_annotation = session.case.annotation(session.series)
    for stored_labels, data in zip(
        (stored_annotation.lesions, stored_annotation.vertebrae), labels_of(session)
    ):
        assert data.any()
        np.testing.assert_array_equal(stored_labels, data)


def test_renaming_duplicating_and_reordering_break_nothing(
    case_workspace: object, viewer: object, qtbot: object
) -> None:
    """Strokes go to the layer they went to; one on a copy says that it is not saved."""
    session, annotate = case_workspace.session, case_workspace.annotate
    lesions = session.layers.lesions
    lesions.name, session.layers.vertebrae.name = "vertebrae", "lesions"
    viewer.layers.move(viewer.layers.index(lesions), 0)
    viewer.layers.selection = {lesions}
    from napari.layers._layer_actions import _duplicate_layer

    _duplicate_layer(viewer.layers)
    (copy,) = [x for x in viewer.layers if "copy" in x.name]
    annotate.use("paint")
    lesions.paint(np.array([4, 60, 60]), 7)
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    stored_annotation = session.case.annotation(session.series)
    np.testing.assert_array_equal(stored_annotation.lesions, lesions.data)
    assert stored_annotation.lesions[4, 60, 60] == 7
    assert copy.data[4, 60, 60] != 7
    viewer.layers.selection.active = copy
    copy.mode = "paint"
    qtbot.waitUntil(lambda: "is not one of the two layers" in annotate.state.save_label.text())
    annotate.lesion_button.click()
    annotate.use("paint")
    qtbot.waitUntil(lambda: annotate.state.save_label.text().startswith("All strokes are saved"))


# Readers and state -----------------------------------------------------------------------


def test_two_readers_are_compared(case_workspace: object, viewer: object, qtbot: object) -> None:
    """Their outlines are shown beside each other, with Dice and the distance of the centres."""
    session, state = case_workspace.session, case_workspace.annotate.state
    assert not state.compare_row.isVisible()
    mine = session.case.annotation(session.series)
    shifted_lesions = np.roll(mine.lesions, 4, axis=1)
    take_contours(
        session.case,
        [Annotation(shifted_lesions, mine.vertebrae, mine.levels, reader="Dr Ö")],
        session.series,
    )
    session.study_changed.emit()
    assert state.compare_row.isVisible()
    active = viewer.layers.selection.active
    state.reader.setCurrentText("Dr Ö")
    both = (mine.lesions > 0) & (shifted_lesions > 0)
    dice = 2 * both.sum() / ((mine.lesions > 0).sum() + (shifted_lesions > 0).sum())
    distance_mm = 4 * session.series.spacing_mm[1]
    assert f"Lesions: Dice {dice:.2f}, centres {distance_mm:.1f} mm apart" in state.agreement.text()
    assert "Vertebrae: Dice 1.00" in state.agreement.text()
    assert [x.name for x in session.layers.others] == ["lesions by Dr Ö", "vertebrae by Dr Ö"]
    assert viewer.layers.selection.active is active
    state.reader.setCurrentIndex(0)
    assert session.layers.others == []
    assert not state.agreement.isVisible()


def test_a_brush_stroke_by_mouse_is_one_step_and_is_saved(
    case_workspace: object, qtbot: object
) -> None:
    """Press, three moves, release: one undo takes all of it back."""
    session, annotate = case_workspace.session, case_workspace.annotate
    session.layers.go_to(5)
    press(qtbot, canvas_of(session), "D")
    former_labels = labels_of(session)
    stroke(qtbot, session, [(60, 60), (70, 60), (80, 66), (90, 72)])
    stroke_mask = session.layers.lesions.data != former_labels[0]
    assert stroke_mask.any(axis=(1, 2)).sum() == 1
    assert stroke_mask[5].sum() > 200
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    stored_annotation = session.case.annotation(session.series)
    np.testing.assert_array_equal(stored_annotation.lesions, session.layers.lesions.data)
    annotate.undo()
    np.testing.assert_array_equal(session.layers.lesions.data, former_labels[0])


# Files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file_format",
    ["nifti", *(pytest.param(name, marks=pytest.mark.one_binding) for name in ("seg", "tiff"))],
)
def test_contours_go_to_files_and_come_back(
    case_workspace: object, wait_idle: Callable, tmp_path: Path, file_format: str
) -> None:
    """Onto empty layers as one step each; onto drawn ones never: they are kept as a reader's."""
    annotate, session = case_workspace.annotate, case_workspace.session
    expected_labels, levels = labels_of(session), dict(session.annotation.levels)
    suffix = {"seg": ".dcm", "nifti": ".nii.gz", "tiff": ".tif"}[file_format]
    annotate.files.export_to(tmp_path / "out" / f"mine{suffix}", file_format)
    wait_idle(case_workspace)
    files = sorted((tmp_path / "out").iterdir())
    assert messages()[-1].startswith("Written: ")
    path = tmp_path / "out" if len(files) > 1 else files[0]
    annotate.files.import_from(path)
    wait_idle(case_workspace)
    assert "Kept beside those on the screen" in messages()[-1]
    assert len(session.case.readers()) == 1
    for layer in (session.layers.lesions, session.layers.vertebrae):
        layer.data_setitem(np.nonzero(layer.data), 0)
    annotate.files.import_from(path)
    wait_idle(case_workspace)
    for labels, data in zip(labels_of(session), expected_labels):
        np.testing.assert_array_equal(labels, data)
    assert annotate.drawing.levels().items() >= levels.items()
    annotate.undo()
    annotate.undo()
    assert not any(data.any() for data in labels_of(session))
    count = len(messages())
    annotate.files.import_from(tmp_path / "nowhere.dcm")
    wait_idle(case_workspace)
    (sentence,) = messages()[count:]
    assert "nowhere.dcm" in sentence


@pytest.mark.one_binding
def test_a_scan_is_added_by_its_place(
    workspace: object, wait_idle: Callable, tmp_path: Path, qtbot: object
) -> None:
    """With the box ticked nothing is copied, and strokes are saved all the same."""
    from napari_spinemet.phantom.sample import sample_study

    scan = sample_study() / "normal-001" / "scan"
    load, session = workspace.load, workspace.session
    load.path.setText(str(scan))
    load.look()
    wait_idle(workspace)
    load.open()
    wait_idle(workspace)
    (tmp_path / "study").mkdir()
    load.open_study(tmp_path / "study")
    load.refer.setChecked(True)
    load.import_scan()
    wait_idle(workspace)
    assert not (tmp_path / "study" / "case-001").exists()
    # A level is chosen before anything is drawn.
    workspace.annotate.vertebra_button.click()
    workspace.annotate.vertebrae.level.setCurrentText("T5")
    session.layers.go_to(3)
    qtbot.wait(150)
    wait_idle(workspace)
    assert session.autosave.failure == ""
    session.layers.lesions.data_setitem((np.array([5]), np.array([9]), np.array([9])), 1)
    qtbot.waitUntil(lambda: not session.autosave.is_pending)
    load.open_case()
    wait_idle(workspace)
    assert session.layers.lesions.data[5, 9, 9] == 1
    assert session.study.verify() == []
