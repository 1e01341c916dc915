"""What the workspace changes around itself, and takes back when it goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QWidget

from .viewer.controls.mouse_habits import MouseHabits

if TYPE_CHECKING:
    import napari

    from .viewer.session import Session

DOCK_WIDTH = 330


class Surroundings:
    """The viewer's own panels are folded, its mouse has other habits, a dock holds the FROC.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
        Of that viewer.
    """

    def __init__(self, viewer: napari.Viewer, session: Session) -> None:
        self._viewer_ref = ref(viewer)
        self.mouse = MouseHabits(viewer, session.layers)
        if session.preferences.get("mouse", "radiology"):
            self.mouse.install()
        self._docks: list[QDockWidget] = []
        self._on_leave: list[Callable[[], object]] = []
        qt_viewer = viewer.window._qt_viewer
        self._layer_panels = [qt_viewer.dockLayerControls, qt_viewer.dockLayerList]
        self.show_layer_panels(False)

    def show_layer_panels(self, is_shown: bool) -> None:
        """Show napari's controls and list of layers, or fold them away: there is little room."""
        for panel in self._layer_panels:
            panel.setVisible(is_shown)

    def add_dock(
        self, widget: QWidget, title: str, on_leave: Callable[[], object] | None = None
    ) -> QDockWidget:
        """Put a widget into a dock of its own at the left of the picture, hidden at first.

        Parameters
        ----------
        widget : QWidget
        title : str
        on_leave : callable, optional
            Lets go of what the widget holds, before it is gone.
        """
        if on_leave is not None:
            self._on_leave.append(on_leave)
        viewer: Any = self._viewer_ref()
        window = viewer.window._qt_window
        # Qt's own: closing one of napari's destroys what is in it.
        dock = QDockWidget(title, window)
        dock.setObjectName(f"spinemet {title}")
        dock.setWidget(widget)
        window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        window.resizeDocks([dock], [DOCK_WIDTH], Qt.Orientation.Horizontal)
        dock.hide()
        if self._docks:  # side by side they would leave no room for the picture
            window.tabifyDockWidget(self._docks[0], dock)
        self._docks.append(dock)
        return dock

    def take_back(self) -> None:
        """Leave the viewer as it was found."""
        with suppress(RuntimeError):  # the window may be gone before the workspace is
            self.mouse.remove()
            for leave in self._on_leave:
                leave()
            self.show_layer_panels(True)
            for dock in self._docks:
                dock.hide()
                dock.deleteLater()
