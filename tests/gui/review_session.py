"""A person who reviews: run as a program, killed by the test that started it.

``python review_session.py STUDY MODEL SEED``: opens the first case in the real window, detects,
moves every control, and judges one finding after the other; prints what is on the screen as a
line of JSON each time that it rests.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def screen(workspace: Any) -> dict[str, Any]:
    """What a person sees: the case, how it is looked at, the outlines, and the table."""
    session, review = workspace.session, workspace.review
    table, point = review.findings_panel.table, review.controls.point()
    return {
        "case": session.case.name if session.case is not None else "",
        "tab": workspace.tabs.tabText(workspace.tabs.currentIndex()),
        "slice": session.layers.current_slice,
        "point": point.to_dict(),
        "refined": review.controls.refine_box.isChecked(),
        "distance": review.evaluation.distance.value(),
        "outlines": hashlib.sha256(session.layers.detections.data.tobytes()).hexdigest(),
        "likelihood": hashlib.sha256(session.layers.likelihood.data.tobytes()).hexdigest(),
        "findings": table.texts(),
        "count": review.findings_panel.count.text(),
    }


def main() -> None:
    """Review until killed."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_spinemet.gui.application import open_workspace
    from napari_spinemet.gui.review.findings_panel import VERDICT

    path, model, rng = Path(sys.argv[1]), sys.argv[2], random.Random(int(sys.argv[3]))
    viewer = napari.Viewer()
    workspace = open_workspace(viewer)
    application, session, review = QApplication.instance(), workspace.session, workspace.review
    assert application is not None

    def rest(seconds: float = 0.7) -> None:
        until = time.monotonic() + seconds
        # A screen is written down once it rests, which is late on a busy computer.
        while (
            time.monotonic() < until
            or session.jobs.is_busy
            or review._typing_pause.is_pending
            or workspace.view_states._pause.is_pending
        ):
            application.processEvents()
            time.sleep(0.002)

    workspace.load.open_study(path)
    rest()
    if session.case is None:
        workspace.load.open_case()
        rest()
        workspace.detect._select(model)
        workspace.detect.detect()
        rest()
    workspace.show_tab("Review")
    values = session.result.likelihood.values
    review.controls.min_area.setValue(rng.choice((0.3, 0.5, 0.8)))
    review.controls.weight.setValue(rng.choice((0.4, 0.6, 0.8)))
    review.controls.refine_box.setChecked(rng.random() < 0.5)
    review.evaluation.distance.setValue(rng.choice((10, 15, 20)))
    review.controls.threshold.setValue(
        float(np.quantile(values[values > 0], rng.uniform(0.9, 0.96)))
    )
    session.layers.go_to(rng.randrange(len(values)))
    rest()
    print(json.dumps(screen(workspace)), flush=True)
    table = review.findings_panel.table
    while True:
        review.findings_panel.go(1)
        former_verdict = table.texts()[table.currentIndex().row()][VERDICT]
        # The same again would take it back.
        review.findings_panel.judge(
            rng.choice([v for v in ("accepted", "rejected", "unsure") if v != former_verdict])
        )
        rest()
        print(json.dumps(screen(workspace)), flush=True)


if __name__ == "__main__":
    main()
