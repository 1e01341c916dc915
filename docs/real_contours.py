"""Contour the vertebrae of the real STIR series with the program itself, T12 to S1.

Run under a display with ``SPINEMET_REAL_DATA`` set: ``xvfb-run -a -s "-screen 0 1600x1000x24"
python docs/real_contours.py``. Writes ``tests/real/lspine_vertebrae.zip`` (contours only, no scan)
and the picture of the guide. No radiologist drew or checked them.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

import napari
from screenshots import IMAGES, pump

from napari_spinemet.gui.application import open_workspace

ROOT = Path(__file__).parents[1]
CLICKS = (
    (4, 107, 226), (4, 155, 226), (4, 206, 226), (4, 260, 228), (4, 312, 230), (4, 362, 239),
    (4, 404, 257),
)  # fmt: skip
"""(slice, row, column) in each body, T12 to S1, as a person clicked."""
TOP = "T12"


def main() -> None:
    """Open, mark, propose, approve, export; each by the widgets."""
    scan = Path(os.environ["SPINEMET_REAL_DATA"]) / "lspine_stir_cc0" / "DCMDT"
    folder = Path(tempfile.mkdtemp())
    (folder / "study").mkdir()
    viewer = napari.Viewer(show=True)
    viewer.window._qt_window.resize(1480, 940)
    workspace = open_workspace(viewer)
    session, load, annotate = workspace.session, workspace.load, workspace.annotate

    def idle() -> None:
        pump(lambda: not session.jobs.is_busy, 120)
        pump(seconds=0.3)

    load.path.setText(str(scan))
    load.look()
    idle()
    load.open()
    idle()
    load.open_study(folder / "study")
    load.refer.setChecked(True)
    load.import_scan()
    idle()
    workspace.show_tab("Annotate")
    annotate.use("mark")
    annotate.vertebrae.level.setCurrentText(TOP)
    for voxel in CLICKS:
        annotate.click_at(*voxel)
    session.layers.go_to(CLICKS[0][0])
    annotate.vertebrae.propose()
    idle()
    pump(lambda: not session.autosave.is_pending, 10)
    annotate.use("pan_zoom")
    viewer.scene.camera.center = (0, 170, 160)
    viewer.scene.camera.zoom = 3.2
    pump(seconds=4.5)
    viewer.window.screenshot(str(IMAGES / "proposal-real.png"), canvas_only=False, flash=False)
    annotate.state.approve()
    idle()
    annotate.files.export_to(folder / "out" / "lspine_vertebrae.dcm", "seg")
    idle()
    # Bit-packed frames that are mostly empty: a hundredth in a zip, which the reader takes too.
    with zipfile.ZipFile(
        ROOT / "tests" / "real" / "lspine_vertebrae.zip", "w", zipfile.ZIP_DEFLATED
    ) as archive:
        archive.write(folder / "out" / "lspine_vertebrae.dcm", "lspine_vertebrae.dcm")
    print(folder, session.case.state, annotate.drawing.levels())
    viewer.close()


if __name__ == "__main__":
    main()
