"""One order of steps over both layers of contours: undo takes back the last one of all."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableSequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject

if TYPE_CHECKING:
    from napari.layers import Labels

    from ..layers import ViewerLayers
    from .open_outlines import OpenOutlines

_LIMIT = 200
"""napari keeps a hundred steps of each layer."""


class DrawingHistory(QObject):
    """In which order steps were made, taken back and made again.

    The steps themselves are kept by the layers; a step there tells of itself when it is made.

    Parameters
    ----------
    layers : ViewerLayers
    open_outlines : OpenOutlines
        Corners of what is not closed yet are taken back first, one by one.
    """

    def __init__(self, layers: ViewerLayers, open_outlines: OpenOutlines) -> None:
        super().__init__(layers)
        self._layers, self._open_outlines = layers, open_outlines
        self._steps: deque[Labels] = deque(maxlen=_LIMIT)
        self._undone_steps: list[Labels] = []
        layers.contours_added.connect(self._watch)

    def _watch(self, layer: Labels) -> None:
        layer.events.paint.connect(lambda _: self._on_step(layer))
        # In place of napari's own, which know of one layer only.
        layer.bind_key("Control-Z", lambda _: self.undo(), overwrite=True)
        layer.bind_key("Control-Shift-Z", lambda _: self.redo(), overwrite=True)

    def _on_step(self, layer: Labels) -> None:
        self._steps.append(layer)
        self._undone_steps.clear()

    def undo(self) -> bool:
        """Take the last corner back, or the last step; False if there is none."""
        if self._open_outlines.drop_corner():
            return True
        return self._move(self._steps, self._undone_steps, "undo")

    def redo(self) -> bool:
        """Make the step again that was taken back last; False if there is none."""
        return self._move(self._undone_steps, self._steps, "redo")

    def _move(
        self, source: MutableSequence[Labels], target: MutableSequence[Labels], method: str
    ) -> bool:
        layers_on_screen = (self._layers.lesions, self._layers.vertebrae)
        while source:
            layer = source.pop()
            if not any(layer is x for x in layers_on_screen):
                continue  # its layer was deleted, or belongs to a scan that was left
            former_labels = layer.data.copy()
            getattr(layer, method)()
            slices = np.flatnonzero((layer.data != former_labels).any(axis=(1, 2)))
            if not len(slices):  # napari has dropped so old a step, or it changed nothing
                continue
            target.append(layer)
            if self._layers.current_slice not in slices:
                self._layers.go_to(int(slices[0]))  # nobody shall undo what they do not see
            return True
        return False
