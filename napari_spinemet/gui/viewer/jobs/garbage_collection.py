"""Python's garbage collection, which stops all threads, kept short while a viewer is open."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari


def leave_out_of_collections(viewer: napari.Viewer) -> None:
    """Leave what is in memory now out of every collection, until the viewer's window closes.

    A whole collection visits all objects of torch, napari and the widgets: a quarter of a second
    in which no stroke is drawn or saved. With these left out it is short. In a viewer that shows
    layers already nothing is done: a layer that is left out would never be freed.

    Parameters
    ----------
    viewer : napari.Viewer
        With all of its widgets.
    """
    if viewer.layers or gc.get_freeze_count():
        return
    gc.collect()
    gc.freeze()
    viewer.window._qt_window.destroyed.connect(gc.unfreeze)
