"""Make the pictures of the documentation from the running program.

Run under a display, with the binding that napari does not remark upon:
``QT_API=pyqt6 xvfb-run -a -s "-screen 0 3840x2160x24" python docs/screenshots.py``. With
``--sizes DIR`` it photographs each tab on five screens instead, to be looked at.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
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
TABS = "Review", "Load", "Annotate", "Train", "Detect"
SCREENS = (
    (1366, 768, 1.0),
    (1366, 768, 1.25),
    (1920, 1080, 1.0),
    (1920, 1080, 1.5),
    (3840, 2160, 2.0),
)
"""Pixels of a screen, and how far it is scaled."""


def pump(until=lambda: False, seconds: float = 1.0) -> None:
    """Let the window live until something holds or the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QApplication.processEvents()
        time.sleep(0.01)


def photograph(
    folder: Path, size: tuple[int, int], tabs: tuple[str, ...], suffix: str = ""
) -> None:
    """Walk the sample study and photograph tabs."""
    folder.mkdir(exist_ok=True, parents=True)
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(*size)
    workspace = open_workspace(viewer)
    start_demo(workspace)
    session = workspace.session
    pump(lambda: session.result is not None and not session.jobs.is_busy, 600)
    workspace.load.path.setText(str(session.case.path / "scan"))
    workspace.load.look()
    pump(lambda: not session.jobs.is_busy, 60)
    workspace.review.findings_panel.table.selectRow(0)
    pump(seconds=1)
    for name in tabs:
        workspace.show_tab(name)
        pump(seconds=1)
        path = folder / f"{name.lower()}{suffix}.png"
        viewer.window.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()


def main() -> None:
    """The pictures of the documentation, or those of five screens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=Path, help="Folder for pictures of five screens.")
    parser.add_argument("--screen", type=int, help="Only this of them; the scale is Qt's.")
    options = parser.parse_args()
    if options.sizes is None:
        photograph(IMAGES, (1480, 940), TABS)
    elif options.screen is not None:
        width, height, scale = SCREENS[options.screen]
        size = (round(width / scale), round(height / scale))
        photograph(options.sizes, size, TABS, f"-{width}x{height}-{scale:g}")
    else:
        for number, (_, _, scale) in enumerate(SCREENS):
            environment = {**os.environ, "QT_SCALE_FACTOR": str(scale)}
            command = [sys.executable, __file__, "--sizes", str(options.sizes)]
            subprocess.run([*command, "--screen", str(number)], env=environment, check=True)


if __name__ == "__main__":
    main()
