"""A series that comes into the viewer by a drop, by File > Open or as sample data."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from qtpy.QtCore import QObject

from .common_widgets import confirm_loss
from .layer_style import CONTOURS, SERIES, SOURCE

if TYPE_CHECKING:
    from napari.layers import Image

    from .session import Session


class OfferedSeries(QObject):
    """Takes over what is offered, once what was drawn on the open scan is settled.

    It leaves the viewer at once: one patient never lies over another. What was drawn is saved
    first; where it cannot be, the person decides.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session_ref = ref(session)
        session.layers.series_offered.connect(self._on_offered)
        image = session.layers.foreign_series()
        if image is not None:  # opened before the first of our widgets
            self._on_offered(image)

    def _on_offered(self, layer: Image) -> None:
        session = self._session_ref()
        if session is None or session.viewer is None or layer not in session.viewer.layers:
            return
        name, metadata = layer.name, dict(layer.metadata)
        labels = session.layers.take_out(layer)

        def take_over(_: object = None) -> None:
            session.open_series(
                metadata[SERIES], metadata.get(SOURCE), annotation=metadata.get(CONTOURS)
            )
            if labels:  # perhaps painted on before it was taken over
                session.layers.replace_contours(labels)
                session.contours_changed.emit()

        session.autosave.save()
        loss, window = session.why_loss, session.viewer.window._qt_window
        if loss and not confirm_loss(window, f"{loss} Open '{name}' all the same?"):
            session.say(f"'{name}' was not opened; the other scan stays, with its contours.")
        elif session.autosave.is_pending or session.jobs.is_disk_busy:
            session.jobs.start_after_saving("open", lambda job: None, take_over)
        else:
            take_over()
