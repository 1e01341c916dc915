"""The mouse over the picture, as it is in radiology elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from napari.components._viewer_mouse_bindings import dims_scroll

if TYPE_CHECKING:
    import napari

    from ..layers import ViewerLayers

ZOOM_A_NOTCH = 1.2
WINDOWS_A_DRAG = 1 / 300
"""Of the width of the window, for each pixel that the mouse moves."""
NOTES = (
    ("Wheel", "The slice before or after."),
    ("Ctrl+Wheel", "Zoom, where the mouse is."),
    ("Right drag", "The window: wider to the right, brighter upwards. Not while a tool draws."),
    ("Left drag", "Move the picture, while no tool draws (Look)."),
    ("[ and ]", "A smaller or a larger brush."),
)
"""For the list of keys."""


class MouseHabits:
    """Wheel scrolls, Ctrl+wheel zooms, a right drag changes the window.

    Only in the flat view, and only where no tool of a layer wants the drag. napari's own habits
    come back with :meth:`remove`.

    Parameters
    ----------
    viewer : napari.Viewer
        Held weakly.
    layers : ViewerLayers
    """

    def __init__(self, viewer: napari.Viewer, layers: ViewerLayers) -> None:
        self._viewer_ref, self._layers = ref(viewer), layers
        self._notches = 0.0

    @property
    def is_installed(self) -> bool:
        """Whether they are in force."""
        viewer: Any = self._viewer_ref()
        return viewer is not None and self._on_wheel in viewer.mouse_wheel_callbacks

    def install(self) -> None:
        """Let them be in force."""
        viewer: Any = self._viewer_ref()
        if viewer is None or self.is_installed:
            return
        if dims_scroll in viewer.mouse_wheel_callbacks:  # Ctrl+wheel is another thing now
            viewer.mouse_wheel_callbacks.remove(dims_scroll)
        viewer.mouse_wheel_callbacks.append(self._on_wheel)
        viewer.mouse_drag_callbacks.append(self._on_drag)

    def remove(self) -> None:
        """Give napari's own back."""
        viewer: Any = self._viewer_ref()
        if viewer is None or not self.is_installed:
            return
        viewer.mouse_wheel_callbacks.remove(self._on_wheel)
        viewer.mouse_drag_callbacks.remove(self._on_drag)
        viewer.mouse_wheel_callbacks.insert(0, dims_scroll)

    def _on_wheel(self, viewer: Any, event: Any) -> None:
        if viewer.dims.ndisplay != 2:
            return
        # One notch at most, even if the system scrolls many lines at once.
        notch = float(np.clip(event.delta[1], -1, 1))
        if "Control" in event.modifiers:
            self._zoom(viewer, event, ZOOM_A_NOTCH**notch)
        elif not event.modifiers:
            self._scroll(-notch if not event.native.inverted() else notch, viewer)
        else:
            return
        event.handled = True

    def _scroll(self, notches: float, viewer: Any) -> None:
        """Touchpads tell parts of a notch, which add up."""
        self._notches += notches
        steps = int(self._notches)
        self._notches -= steps
        layers = self._layers
        if not steps:
            return
        if layers.image is None or tuple(viewer.dims.order[-2:]) != (1, 2):
            for _ in range(abs(steps)):
                if steps > 0:
                    viewer.dims._increment_dims_right()
                else:
                    viewer.dims._increment_dims_left()
            return
        last = layers.image.data.shape[0] - 1
        layers.go_to(int(np.clip(layers.current_slice + steps, 0, last)))

    def _zoom(self, viewer: Any, event: Any, factor: float) -> None:
        camera = viewer.scene.camera
        centre = np.array(camera.center, dtype=float)
        mouse = np.array([event.position[axis] for axis in viewer.dims.displayed], dtype=float)
        centre[-2:] += (mouse - centre[-2:]) * (1 - 1 / factor)
        camera.zoom *= factor
        camera.center = tuple(centre)

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        image, active = self._layers.seen_image, viewer.layers.selection.active
        is_tool_active = active is not None and str(getattr(active, "mode", "")) != "pan_zoom"
        if event.button != 2 or event.modifiers or viewer.dims.ndisplay != 2:
            return
        if image is None or is_tool_active:
            return
        low, high = image.contrast_limits
        width, level = high - low, (high + low) / 2
        start = np.array(event.pos, dtype=float)
        event.handled = True
        yield
        while event.type == "mouse_move":
            right_px, down_px = (np.array(event.pos, dtype=float) - start) * WINDOWS_A_DRAG * width
            new_width = max(width + right_px, width / 50)
            image.contrast_limits = (
                level + down_px - new_width / 2,
                level + down_px + new_width / 2,
            )
            event.handled = True
            yield
