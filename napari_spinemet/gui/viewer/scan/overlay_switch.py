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
            *(layers.likelihood, layers.plain, layers.likelihood_so_far),
            *(layers.detections, layers.chosen_finding),
            *(layers.lesions, layers.vertebrae, layers.marks, layers.names, *layers.others),
        )
        return [layer for layer in candidates if layer is not None]

    @property
    def is_off(self) -> bool:
        """Whether none of them is seen."""
        return not any(layer.visible for layer in self.overlays)

    def switch(self) -> None:
        """Off, if any of them is seen; else on."""
        visible_layers = [layer for layer in self.overlays if layer.visible]
        if visible_layers:
            # With those hidden before: what a detection has shown since comes on top of them.
            self._hidden_layers.update(visible_layers)
            for layer in visible_layers:
                layer.visible = False
            return
        late_layer = self._layers.likelihood_so_far  # it may have come while all was off
        for layer in self.overlays:
            if layer in self._hidden_layers or layer is late_layer:
                layer.visible = True
        self._hidden_layers.clear()
