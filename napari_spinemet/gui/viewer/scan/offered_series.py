"""A series that comes into the viewer by a drop, by File > Open or as sample data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy.typing as npt
from qtpy.QtCore import QObject, QTimer

from ..common_widgets import confirm_loss
from ..layer_style import CONTOURS, KIND, SERIES, SOURCE, is_series

if TYPE_CHECKING:
    from napari.layers import Image

    from ..session import Session


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
        layers = session.viewer.layers
        layers.events.inserted.connect(self._on_inserted)
        images = [layer for layer in layers if is_series(layer)]
        if images:  # opened before the first of our widgets
            self._on_offered(images[-1])

    def _on_inserted(self, event: Any) -> None:
        if is_series(event.value):
            # Layers must not go while the viewer is still adding them.
            QTimer.singleShot(0, partial(self._on_offered, event.value))

    def _on_offered(self, layer: Image) -> None:
        session = self._session_ref()
        if session is None or session.viewer is None or layer not in session.viewer.layers:
            return
        name, metadata = layer.name, dict(layer.metadata)
        labels = _take_out(layer, session.viewer.layers)

        def take_over(_: object = None) -> None:
            session.open_series(
                metadata[SERIES], metadata.get(SOURCE), annotation=metadata.get(CONTOURS)
            )
            if labels:  # perhaps painted on before it was taken over
                layers = session.layers
                for kind, own in (("lesions", layers.lesions), ("vertebrae", layers.vertebrae)):
                    if own is not None and kind in labels:
                        own.data = labels[kind]
                session.contours_changed.emit()

        session.autosave.save()
        loss, window = session.why_loss, session.viewer.window._qt_window
        if loss and not confirm_loss(window, f"{loss} Open '{name}' all the same?"):
            session.say(f"'{name}' was not opened; the other scan stays, with its contours.")
        elif session.autosave.is_pending or session.jobs.is_disk_busy:
            session.jobs.start_after_saving("open", lambda job: None, take_over)
        else:
            take_over()


def _take_out(image: Image, layers: Any) -> dict[str, npt.NDArray[Any]]:
    """Remove a series with its label layers from a viewer; gives what these hold, by kind."""
    series = image.metadata[SERIES]
    own = [layer for layer in layers if layer.metadata.get(SERIES) is series]
    for layer in own:
        layers.remove(layer)
    return {layer.metadata[KIND]: layer.data for layer in own if KIND in layer.metadata}
