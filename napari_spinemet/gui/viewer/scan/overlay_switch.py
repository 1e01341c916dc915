"""All that lies over the scan, off and on again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from ..layers import ViewerLayers


class OverlaySwitch:
    """Hides contours, outlines, likelihoods and texts; what was hidden before stays so.

    Parameters
    ----------
    layers : ViewerLayers
    """

    def __init__(self, layers: ViewerLayers) -> None:
        self._layers = layers
        self._hidden_layers: WeakSet[Any] = WeakSet()

    @property
    def overlays(self) -> list[Any]:
        """Every layer of this plugin but the scan."""
        layers = self._layers
        candidates = (
            *(layers.likelihood, layers.plain, layers.growing),
            *(layers.detections, layers.chosen_finding),
            *(layers.lesions, layers.vertebrae, layers.marks, layers.names, *layers.others),
        )
        return [layer for layer in candidates if layer is not None]

    def switch(self) -> None:
        """Off, if any of them is seen; else on."""
        visible_layers = [layer for layer in self.overlays if layer.visible]
        if visible_layers:
            self._hidden_layers = WeakSet(visible_layers)
        for layer in visible_layers or [x for x in self.overlays if x in self._hidden_layers]:
            layer.visible = not visible_layers
