"""Outlines that are begun and not closed: each belongs to its slice, and to its tool.

napari keeps the corners whatever happens meanwhile, and fills the polygon on the slice where it was
begun, though another one is on the screen by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from ..layers import ViewerLayers

POLYGON = "polygon"


class OpenOutlines(QObject):
    """What is open on each slice; put aside where another slice, tool or kind is taken.

    Parameters
    ----------
    layers : ViewerLayers
    viewer : napari.Viewer

    Signals
    -------
    put_aside(int)
        An outline was, that was begun on this slice, from 0.
    """

    put_aside = Signal(int)

    def __init__(self, layers: ViewerLayers, viewer: napari.Viewer) -> None:
        super().__init__(layers)
        self._layers = layers
        self._drafts: WeakKeyDictionary[Labels, dict[int, list[Any]]] = WeakKeyDictionary()
        layers.contours_added.connect(self._watch)
        viewer.dims.events.current_step.connect(self._follow)
        viewer.dims.events.order.connect(self._follow)

    def _watch(self, layer: Labels) -> None:
        layer.events.mode.connect(self._follow)
        layer.bind_key("Backspace", lambda _: self.drop_corner(), overwrite=True)

    def drop_corner(self) -> bool:
        """Take the last corner of the open outline back; False if none is open."""
        for layer in self._shown_layers:
            overlay = _overlay_of(layer)
            if layer.mode == POLYGON and overlay.points:
                # The last one follows the mouse, and is no corner yet.
                *corners, pointer = overlay.points
                overlay.points = [*corners[:-1], pointer] if len(corners) > 1 else []
                return True
        return False

    def drop(self) -> bool:
        """Forget the open outline; False if none is open."""
        for layer in self._shown_layers:
            if layer.mode == POLYGON and _overlay_of(layer).points:
                _overlay_of(layer).points = []
                return True
        return False

    @property
    def _shown_layers(self) -> list[Labels]:
        return [x for x in (self._layers.lesions, self._layers.vertebrae) if x is not None]

    def _follow(self, event: Any = None) -> None:
        """Put aside what belongs elsewhere, and take up what belongs here."""
        index = self._layers.current_slice
        for layer in self._shown_layers:
            overlay, drafts = _overlay_of(layer), self._drafts.setdefault(layer, {})
            if overlay.points:
                own_index = round(overlay.points[0][0])
                if own_index == index and layer.mode == POLYGON:
                    continue
                drafts[own_index] = overlay.points
                overlay.points = []
                self.put_aside.emit(own_index)
            if layer.mode == POLYGON and index in drafts:
                overlay.points = drafts.pop(index)


def _overlay_of(layer: Labels) -> Any:
    return layer._overlays[POLYGON]  # napari has no other way to it
