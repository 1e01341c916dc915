"""What napari itself sees of the plugin."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

import npe2
import numpy as np
import pytest
from qtpy.QtWidgets import QMessageBox

import napari_spinemet
from napari_spinemet.gui.napari_reader import get_reader
from napari_spinemet.gui.viewer.session import session_of
from napari_spinemet.phantom.sample import sample_study


def test_manifest_is_valid_and_every_command_resolves() -> None:
    """npe2 accepts the manifest, and each python_name leads to something callable."""
    manifest = npe2.PluginManifest.from_file(
        Path(napari_spinemet.__file__).with_name("napari.yaml")
    )
    manifest.validate_imports()
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name))


def test_reader_takes_a_scan(viewer: object) -> None:
    """Opening a folder through napari gives the series with its spacing."""
    (layer,) = viewer.open(str(sample_study() / "case-001" / "scan"), plugin="napari-spinemet")
    assert layer.data.shape == (13, 301, 301)
    np.testing.assert_allclose(layer.scale, (3, 1.13, 1.13), rtol=1e-4)


@pytest.mark.parametrize(
    "name", ["IM0001", "00000012", "slice", "1.2.840.113619.2.5", "x.dcm", "a1b2-c3d4", "S.1.7"]
)
def test_one_slice_opens_its_series_whatever_it_is_called(
    viewer: object, tmp_path: Path, name: str
) -> None:
    """Without a suffix, or with a number for one; by what napari itself finds to read it."""
    folder = tmp_path / "scan"
    shutil.copytree(sample_study() / "case-001" / "scan", folder)
    first = min(folder.iterdir()).rename(folder / name)
    manager = npe2.PluginManager.instance()
    readers = {reader.plugin_name for reader in manager.iter_compatible_readers([str(first)])}
    assert "napari-spinemet" in readers
    (layer,) = viewer.open(str(first), plugin="napari-spinemet")
    assert layer.data.shape == (13, 301, 301)


def test_reader_declines_what_is_no_scan(tmp_path: Path) -> None:
    """Other files are left to other readers, without an exception."""
    other = tmp_path / "notes.txt"
    other.write_text("nothing")
    assert get_reader(str(other)) is None
    assert get_reader(str(tmp_path / "missing")) is None
    scan = sample_study() / "case-001" / "scan"
    assert get_reader([str(scan)]) is not None
    assert get_reader([str(p) for p in sorted(scan.iterdir())]) is not None
    assert get_reader(str(tmp_path)) is None


def test_a_scan_from_file_open_is_taken_over(viewer: object, qtbot: object) -> None:
    """Opened before or after the widgets, it becomes the session's series, once."""
    scan = sample_study() / "case-001" / "scan"
    viewer.open(str(scan), plugin="napari-spinemet")
    session = session_of(viewer)
    assert session.series is not None
    assert session.scan.source == scan
    viewer.open_sample("napari-spinemet", "normal")
    qtbot.waitUntil(lambda: session.scan.source != scan, timeout=5_000)
    assert not session.is_unsaved
    assert session.contours().vertebrae.any()
    assert sorted(layer.name for layer in viewer.layers) == ["STIR SAG", "lesions", "vertebrae"]


def test_a_scan_from_file_open_never_takes_unsaved_contours_away(
    viewer: object, qtbot: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who does not want to lose them keeps the former scan, and the other one goes."""
    cancel = QMessageBox.StandardButton.Cancel
    monkeypatch.setattr(QMessageBox, "question", lambda *_: cancel)
    viewer.open(str(sample_study() / "case-001" / "scan"), plugin="napari-spinemet")
    session = session_of(viewer)
    session.layers.lesions.data_setitem((np.array([3]), np.array([50]), np.array([60])), 1)
    uid = session.series.series_uid
    with qtbot.waitSignal(session.message):
        viewer.open(str(sample_study() / "normal-001" / "scan"), plugin="napari-spinemet")
    assert session.series.series_uid == uid
    assert session.contours().lesions.sum() == 1
    assert sorted(layer.name for layer in viewer.layers) == ["STIR SAG", "lesions", "vertebrae"]


@pytest.mark.parametrize("key", ["diseased", "normal"])
def test_sample_data_opens(viewer: object, key: str) -> None:
    """File > Open Sample shows the scan and its contours on the same grid."""
    image, vertebrae, lesions = viewer.open_sample("napari-spinemet", key)
    assert image.data.shape == vertebrae.data.shape == lesions.data.shape
    assert bool(lesions.data.any()) == (key == "diseased")
    np.testing.assert_allclose(image.scale, lesions.scale)


def test_widgets_open_from_the_plugin_menu(viewer: object) -> None:
    """Each widget docks by its name, and all share one session."""
    sessions = set()
    for name in ("Load", "Annotate", "Train", "Detect", "Review"):
        _, widget = viewer.window.add_plugin_dock_widget("napari-spinemet", name)
        sessions.add(widget.session)
    assert len(sessions) == 1
