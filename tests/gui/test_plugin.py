"""What napari itself sees of the plugin."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import npe2
import numpy as np
import pytest

import napari_spinemet
from napari_spinemet.gui.reader import get_reader
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


def test_reader_declines_what_is_no_scan(tmp_path: Path) -> None:
    """Other files are left to other readers, without an exception."""
    other = tmp_path / "notes.txt"
    other.write_text("nothing")
    assert get_reader(str(other)) is None
    assert get_reader(str(tmp_path / "missing")) is None
    assert get_reader([str(sample_study() / "case-001" / "scan")]) is not None


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
