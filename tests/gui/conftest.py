"""Real windows for the widget tests; run under a display such as Xvfb."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

# A thread that sets a property of napari's is an error here, though napari would let it pass.
os.environ.setdefault("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "1")


class InMemoryPreferences:
    """Preferences of one test, which neither sees nor changes the user's."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], object] = {
            ("places", "scan"): "",
            ("places", "study"): "",
            ("mouse", "radiology"): True,
            ("privacy", "hide_names"): False,
            ("reader", "name"): "Dr. Reader",
            ("training", "name"): "my-model",
            ("training", "start"): "",
            ("training", "minutes"): 15,
            ("training", "stop"): "epochs",
            ("training", "batch_size"): 128,
            ("training", "rate"): "auto",
            ("training", "penalty"): "0.0005",
            ("training", "resolutions"): "0.5, 1, 2",
            ("training", "outputs"): 3,
            ("training", "process"): False,
            ("training", "folds"): 2,
            ("training", "scheduler"): "",
            ("training", "epochs"): 1,
            ("training", "batches"): 2,
            ("training", "form"): "dense",
            ("training", "device"): "cpu",
            ("adaptation", "name"): "my-scanner",
            ("adaptation", "minutes"): 20,
            ("detection", "model"): "default",
            ("detection", "region"): "spine",
        }

    def get(self, group: str, key: str) -> object:
        """A value."""
        return self.values[(group, key)]

    def store(self, group: str, **values: object) -> None:
        """Keep values for as long as the test runs."""
        for key, value in values.items():
            assert (group, key) in self.values
            self.values[(group, key)] = value


@pytest.fixture(scope="session", autouse=True)
def _freeze_modules() -> None:
    """Keep what the modules hold out of garbage collection: napari collects at each turn."""
    import napari_spinemet.gui.workspace

    assert napari_spinemet.gui.workspace  # torch, vispy and napari's windows are loaded by it
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _settings_of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep preferences and cache apart, so that tests neither see nor change the user's."""
    from napari_spinemet.gui.viewer.preferences import NapariPreferences
    from napari_spinemet.gui.viewer.session import use_preferences

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    use_preferences(InMemoryPreferences)
    yield
    use_preferences(NapariPreferences)


@pytest.fixture
def viewer(make_napari_viewer: Callable) -> Iterator[object]:
    """A real viewer in a real window; at the end of a test it closes without a question."""
    from napari_spinemet.gui.viewer import session

    new_viewer = make_napari_viewer(show=True)
    new_viewer.window._qt_window.resize(1440, 900)
    yield new_viewer
    if new_viewer in session._sessions:
        session._sessions[new_viewer].jobs.close_guard.why_loss = str


@pytest.fixture
def workspace(viewer: object, qtbot: object) -> Iterator[object]:
    """The workspace docked in the viewer."""
    from napari_spinemet.gui.application import open_workspace

    docked_workspace = open_workspace(viewer)
    yield docked_workspace
    docked_workspace.session.stop()
    qtbot.waitUntil(lambda: not docked_workspace.session.jobs.is_busy, timeout=30_000)


@pytest.fixture
def wait_idle(qtbot: object) -> Callable[[object], None]:
    """Wait until a workspace's job is over and its result shown."""

    def wait(workspace: object, timeout: int = 240_000) -> None:
        qtbot.waitUntil(lambda: not workspace.session.jobs.is_busy, timeout=timeout)
        qtbot.wait(50)

    return wait


@pytest.fixture
def study_copy(tmp_path: Path, cropped_sample: Path) -> Path:
    """A small study of a diseased and a normal case, where it may be written to."""
    return Path(shutil.copytree(cropped_sample, tmp_path / "study"))


@pytest.fixture
def detection_workspace(
    workspace: object, wait_idle: Callable, study_copy: Path, quick_model: Path
) -> object:
    """The workspace with the first case of a study open, detected on by a quick model."""
    workspace.load.open_study(study_copy)
    workspace.load.open_case()
    wait_idle(workspace)
    workspace.detect._select(str(quick_model))
    workspace.detect.detect()
    wait_idle(workspace)
    return workspace


@pytest.fixture
def picture_folder() -> Path:
    """Where screenshots go, to be looked at."""
    folder = Path(os.environ.get("SPINEMET_PICTURES", "demo-output")) / os.environ.get(
        "QT_API", "qt"
    )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take_picture(viewer: object, path: Path) -> np.ndarray:
    """Take a picture of the whole window, as a person sees it."""
    return viewer.window.screenshot(str(path), canvas_only=False, flash=False)
