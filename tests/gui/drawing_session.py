"""A person who draws: run as a program, killed by the test that started it.

``python drawing_session.py STUDY FIRST``: opens the first case in the real window and draws
one small disc after the other, stroke FIRST, FIRST + 1 and so on; prints "ready" before the
first, and the number of a stroke once the widget shows that all strokes are saved.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

SPACING, DISC = 12, 4


def stroke_centre(number: int, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Slice, row and column of a stroke: apart from those of any stroke near in number."""
    slices, rows, columns = shape
    row_count, column_count = rows // SPACING - 1, columns // SPACING - 1
    turn = number // slices
    return (
        number % slices,
        SPACING * (1 + turn % row_count),
        SPACING * (1 + turn // row_count % column_count),
    )


def main() -> None:
    """Draw until killed."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_spinemet.gui.application import open_workspace

    path, number = Path(sys.argv[1]), int(sys.argv[2])
    viewer = napari.Viewer()
    workspace = open_workspace(viewer)
    workspace.load.open_study(path)
    application, session = QApplication.instance(), workspace.session
    assert application is not None

    def wait(ready: object) -> None:
        until = time.monotonic() + 60
        while not ready() and time.monotonic() < until:  # type: ignore[operator]
            application.processEvents()
            time.sleep(0.001)

    workspace.load.open_case()
    wait(lambda: session.case is not None)
    assert session.autosave.is_active, session.study.read_only_reason
    workspace.show_tab("Annotate")
    annotate, layer = workspace.annotate, session.layers.lesions
    annotate.lesion_button.setChecked(True)
    annotate.use("paint")
    layer.brush_size = 2 * DISC
    shape = layer.data.shape
    print("ready", flush=True)
    while True:
        layer.selected_label = 1 + number % 60_000
        centre = stroke_centre(number, shape)
        session.layers.go_to(centre[0])
        layer.paint(np.array(centre), layer.selected_label)
        wait(lambda: session.autosave._stroke_end.is_pending or session.autosave.is_pending)
        wait(lambda: not session.autosave.is_pending)
        if annotate.state.save_label.text().startswith("All strokes are saved"):
            print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main()
