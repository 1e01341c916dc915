"""Make the pictures of the documentation from the running program.

Run under a display, with the binding that napari does not remark upon:
``QT_API=pyqt6 xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py``.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

# As on a fresh machine: a study comes back as it was left, and so do preferences.
for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
    os.environ[variable] = tempfile.mkdtemp()

import napari
from qtpy.QtWidgets import QApplication

from napari_spinemet.gui.application import open_workspace, start_demo

IMAGES = Path(__file__).parent / "images"


def pump(until=lambda: False, seconds: float = 1.0) -> None:
    """Let the window live until something holds or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.01)


def main() -> None:
    """Walk the sample study and photograph each tab."""
    IMAGES.mkdir(exist_ok=True)
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1480, 940)
    workspace = open_workspace(viewer)
    start_demo(workspace)
    session = workspace.session
    pump(lambda: session.result is not None and not session.jobs.is_busy, 600)
    workspace.load.path.setText(str(session.case.path / "scan"))
    workspace.load.look()
    pump(lambda: not session.jobs.is_busy, 60)
    workspace.review.findings_panel.table.selectRow(0)
    pump(seconds=1)
    for name in ("Review", "Load", "Annotate", "Train", "Detect"):
        workspace.show_tab(name)
        pump(seconds=1)
        path = IMAGES / f"{name.lower()}.png"
        viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main()
