"""The program by itself: napari with the workspace open."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..phantom.sample import sample_study
from ..study import Study
from .workspace import Workspace

if TYPE_CHECKING:
    import napari

_log = logging.getLogger(__name__)
TITLE = "Spinal metastases (research use only)"


def open_workspace(viewer: napari.Viewer) -> Workspace:
    """Add the workspace to a viewer."""
    workspace = Workspace(viewer)
    viewer.window.add_dock_widget(workspace, name="Spinal metastases", area="right")
    viewer.title = TITLE
    return workspace


def run_demo() -> None:
    """Open the sample study, detect on its diseased case, and leave the window to the user."""
    import napari

    _leave_remark_to_record()
    viewer = napari.Viewer(title=TITLE)
    workspace = open_workspace(viewer)
    start_demo(workspace)
    napari.run()


def start_demo(workspace: Workspace) -> None:
    """Open the sample study's first case and detect; review comes to the front at the end."""
    session = workspace.session
    study = Study(sample_study(writable=True), write=True)
    session.open_study(study)
    case = study.cases()[0]
    series = case.series()
    session.open_series(series, case.path, case, case.annotation(series))
    workspace.show_tab("Detect")

    def show_review() -> None:
        if session.result is not None:
            workspace.show_tab("Review")
            session.result_changed.disconnect(show_review)

    session.result_changed.connect(show_review)
    workspace.detect.detect()


def _leave_remark_to_record() -> None:
    """Which binding napari will drop is for who installs it, not for who opens the window."""
    from napari._qt import qt_main_window

    if getattr(qt_main_window, "SHOW_QT_WARNING", False):
        qt_main_window.SHOW_QT_WARNING = False
        _log.warning("napari will drop PyQt5; install the extra 'pyqt6' to go on with it.")
