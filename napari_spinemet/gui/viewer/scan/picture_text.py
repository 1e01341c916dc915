"""What is written into the picture: whose scan it is, and where left and right are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from ..session import Session


class PictureText(QObject):
    """Keeps the text in the corner of the canvas true.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session_ref = ref(session)
        dims = session.viewer.dims
        for event in (dims.events.current_step, dims.events.order, dims.events.ndisplay):
            event.connect(self.write)
        for signal in (
            session.series_changed,
            session.study_changed,
            session.identity.identity_changed,
        ):
            signal.connect(self.write)
        for event in (session.viewer.layers.events.inserted, session.viewer.layers.events.removed):
            event.connect(self._on_layers)

    def _on_layers(self, event: Any) -> None:
        """Another series has come in place of the scan, or has gone."""
        QTimer.singleShot(0, self.write)

    def write(self, event: Any = None) -> None:
        """Whose scan it is; in the view of its slices also which one, and its directions."""
        session = self._session_ref()
        viewer = session.viewer if session is not None else None
        if session is None or viewer is None:
            return
        overlay, layers, scan = viewer.canvas.overlays.text, session.layers, session.scan
        if scan is None or layers.image is None:
            overlay.visible = False
            return
        lines = [session.identity.line_of(scan)]
        if layers.other is not None:
            lines.append(f"{layers.other.name} IN PLACE OF THE {scan.series.contrast}")
        if viewer.dims.ndisplay == 2 and tuple(viewer.dims.order[-2:]) == (1, 2):
            count = scan.series.shape[0]
            lines += [
                f"slice {layers.current_slice + 1} of {count}, from right (1) to left ({count})",
                "front of the body on the left, head at the top",
            ]
        overlay.visible = True
        overlay.position = "top_left"
        overlay.font_size = 9
        overlay.text = "\n".join(filter(None, lines))
