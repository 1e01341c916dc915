"""The T1 beside the STIR, and in its place: the same point of the patient in both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.uid import generate_uid

from napari_spinemet.imaging.geometry import index_to_mm

from ..conftest import take_picture
from ..mouse import canvas_of, canvas_point
from ..test_annotate import press

SHIFT_MM = np.array([0.7, 3.1, -4.3])


def write_t1(scan: Path, folder: Path, turn_degrees: float = 0.0) -> Path:
    """A T1 of the same patient: coarser pixels, other places, perhaps turned about the z axis."""
    folder.mkdir(parents=True)
    uid = generate_uid()
    angle = np.radians(turn_degrees)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    for path in sorted(scan.iterdir()):
        image = pydicom.dcmread(path)
        image.SeriesInstanceUID, image.SOPInstanceUID = uid, generate_uid()
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.SeriesDescription, image.RepetitionTime, image.EchoTime = "T1 SAG", "500", "10"
        image.ScanningSequence = "SE"
        del image.InversionTime
        stored = image.pixel_array
        pixels = np.ascontiguousarray(stored.max() - stored[::2, ::2])
        image.PixelSpacing = [2 * float(v) for v in image.PixelSpacing]
        image.Rows, image.Columns = pixels.shape
        image.PixelData = pixels.astype(stored.dtype).tobytes()
        position = turn @ (np.array(image.ImagePositionPatient, dtype=float) + SHIFT_MM)
        direction = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3) @ turn.T
        image.ImagePositionPatient = [f"{v:.6f}" for v in position]
        image.ImageOrientationPatient = [f"{v:.9f}" for v in direction.ravel()]
        image.save_as(folder / path.name)
    return folder


@pytest.fixture
def two_series(workspace: Any, study_copy: Path, wait_idle: Callable) -> Any:
    """A case that has a T1 as well, open in the window."""
    case = study_copy / "case-001"
    write_t1(case / "scan", case / "t1")
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    assert workspace.session.beside_series.series is not None
    return workspace


def read_by_sitk(folder: Path) -> sitk.Image:
    """As another library reads it."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def test_a_point_of_the_stir_lies_at_the_same_place_of_the_patient_in_the_t1(
    viewer: Any,
    two_series: Any,
    study_copy: Path,
    qtbot: Any,
    picture_folder: Path,
) -> None:
    """Against SimpleITK, to a hundredth of a millimetre; slice, zoom and mouse follow."""
    workspace, session = two_series, two_series.session
    assert workspace.beside_bar.isVisibleTo(workspace)
    press(qtbot, canvas_of(session), "K")
    view = workspace.beside_bar.view
    assert view is not None
    assert view.isVisible()
    stir, t1 = session.series, session.beside_series.series
    images = [read_by_sitk(study_copy / "case-001" / name) for name in ("scan", "t1")]
    rng = np.random.default_rng(3)
    for index in rng.integers(0, stir.shape, (30, 3)):
        by_sitk = images[0].TransformPhysicalPointToIndex(index_to_mm(stir.affine, index).tolist())
        point = np.array(images[0].TransformIndexToPhysicalPoint(by_sitk))
        place = view.place_in_other(index * np.array(stir.spacing_mm))
        in_t1 = place / np.array(t1.spacing_mm)
        assert np.linalg.norm(index_to_mm(t1.affine, in_t1) - point) < 0.01
        back = view.place_in_first(place) / np.array(stir.spacing_mm)
        np.testing.assert_allclose(back, index, atol=1e-6)
        whole = np.round(in_t1).astype(int)
        if ((whole >= 0) & (whole < t1.shape)).all() and np.abs(in_t1 - whole).max() < 0.4:
            i, j, k = images[1].TransformPhysicalPointToIndex(point.tolist())
            assert t1.voxels[tuple(whole)] == images[1][i, j, k]
    session.layers.go_to(4)
    first, second = session.viewer.scene.camera, view.model.scene.camera
    first.zoom *= 1.5
    assert second.zoom == pytest.approx(first.zoom)
    middle = view.place_in_other(np.array([4 * stir.spacing_mm[0], *first.center[-2:]]))
    np.testing.assert_allclose(second.center[-2:], middle[1:], atol=1e-6)
    assert abs(view.model.dims.point[0] - middle[0]) <= t1.spacing_mm[0] / 2 + 1e-6
    qtbot.mouseMove(canvas_of(session), canvas_point(session, 60, 40))
    qtbot.waitUntil(lambda: len(view.model.layers) == 2)
    assert view.model.dims.nsteps[0] == t1.shape[0], "the cross leaves the slider as it was"
    take_picture(viewer, picture_folder / "t1-beside.png")
    assert "T1, slice" in view.line.text()
    assert "mm beside that of the STIR" in view.line.text()
    view.model.dims.set_point(0, 2 * t1.spacing_mm[0])
    assert session.layers.current_slice in (1, 2, 3)
    press(qtbot, canvas_of(session), "K")
    assert not view.isVisible()


def test_in_place_of_the_scan_it_lies_below_the_same_outlines(
    viewer: Any,
    two_series: Any,
    wait_idle: Callable,
    qtbot: Any,
    picture_folder: Path,
) -> None:
    """Nothing is resampled: its pixels are moved and sized; one key shows the scan again."""
    session = two_series.session
    layers, t1 = session.layers, session.beside_series.series
    press(qtbot, canvas_of(session), "J")
    assert layers.other is not None
    assert not layers.image.visible
    overlay = viewer.canvas.overlays.text
    qtbot.waitUntil(lambda: "T1 SAG IN PLACE OF THE STIR" in overlay.text)
    np.testing.assert_array_equal(layers.other.data, t1.voxels)
    index = np.array([3.0, 10.0, 12.0])
    world = layers.other.data_to_world(index)
    in_scan = np.array(world) / np.array(session.series.spacing_mm)
    np.testing.assert_allclose(
        index_to_mm(session.series.affine, in_scan), index_to_mm(t1.affine, index), atol=1e-3
    )
    take_picture(viewer, picture_folder / "t1-in-place.png")
    two_series.load.open_case()
    wait_idle(two_series)
    assert layers.other is None, "a scan that is opened is seen as it is"
    assert not two_series.beside_bar.in_place_box.isChecked()
    press(qtbot, canvas_of(session), "J")
    assert layers.other is not None
    press(qtbot, canvas_of(session), "J")
    assert layers.other is None
    assert layers.image.visible
    qtbot.waitUntil(lambda: "IN PLACE" not in overlay.text)
    assert not session.is_unsaved


def test_a_series_that_is_turned_is_shown_beside_only(
    workspace: Any, study_copy: Path, wait_idle: Callable, qtbot: Any
) -> None:
    """And how far it is turned is told."""
    case, told = study_copy / "case-001", []
    write_t1(case / "scan", case / "t1", turn_degrees=3)
    workspace.session.message.connect(told.append)
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    press(qtbot, canvas_of(workspace.session), "J")
    assert workspace.session.layers.other is None
    assert "turned by 3.0 degrees" in told[-1]
    assert not workspace.beside_bar.in_place_box.isChecked()
    press(qtbot, canvas_of(workspace.session), "K")
    assert "turned by 3.0 degrees" in workspace.beside_bar.view.line.text()


def test_findings_tell_their_brightness_in_the_t1(two_series: Any, wait_idle: Callable) -> None:
    """A column of its own, in the window; another scan has none."""
    workspace = two_series
    workspace.detect._select("default")
    workspace.detect.detect()
    wait_idle(workspace)
    wait_idle(workspace)
    panel = workspace.review.findings_panel
    contrasts = [workspace.session.beside_series.contrast_of(finding) for finding in panel.findings]
    # The lesion is bright in the STIR, and this T1 is its negative.
    assert all(contrast is not None and contrast < 0.9 for contrast in contrasts)
    assert panel.findings
    assert [row[7] for row in panel.table.texts()] == [f"{c:.2g} x" for c in contrasts]
    assert not panel.table.isColumnHidden(7)
    workspace.load.case_table.select_row(1)
    workspace.load.open_case()
    wait_idle(workspace)
    assert not workspace.beside_bar.isVisibleTo(workspace)
    assert panel.table.isColumnHidden(7)


def test_the_t1_comes_along_into_a_study(
    workspace: Any, study_copy: Path, tmp_path: Path, wait_idle: Callable
) -> None:
    """From a disc with both series; opened from the study it is there."""
    disc = tmp_path / "disc"
    (study_copy / "case-001" / "scan").rename(disc)
    write_t1(disc, tmp_path / "more")
    for path in (tmp_path / "more").iterdir():
        path.rename(disc / f"t1-{path.name}")
    load = workspace.load
    load.path.setText(str(disc))
    load.look()
    wait_idle(workspace)
    load.open()
    wait_idle(workspace)
    assert [each.summary.contrast for each in workspace.session.beside_series.companions] == ["T1"]
    (tmp_path / "new").mkdir()
    load.open_study(tmp_path / "new")
    load.import_scan()
    wait_idle(workspace)
    case = workspace.session.case
    assert case.scan_fault() == ""
    load.open_case()
    wait_idle(workspace)
    assert workspace.session.beside_series.series.contrast == "T1"


def test_nothing_follows_once_the_workspace_is_gone(two_series: Any, qtbot: Any) -> None:
    """The viewer lives on without the second picture."""
    session = two_series.session
    press(qtbot, canvas_of(session), "K")
    view = two_series.beside_bar.view
    for leave in two_series.surroundings._on_leave:  # what its end does first
        leave()
    assert view.qt_viewer is None
    session.layers.go_to(1)
    session.viewer.scene.camera.zoom *= 1.2
    qtbot.mouseMove(canvas_of(session), canvas_point(session, 50, 30))
    qtbot.wait(50)
