"""The likelihood while it is being computed: each slice is shown as it comes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from ...detection.engines import OnSlice
from ...imaging import SagittalSeries
from ...imaging.grids import working_shape
from ..viewer.layer_style import add_likelihood
from ..viewer.scan.overlay_switch import OverlaySwitch

if TYPE_CHECKING:
    from ..viewer.session import Session


class GrowingLikelihood(QObject):
    """An image layer that fills slice by slice, and goes when the detection ends.

    What a former detection has found stays where it is, and is not seen meanwhile. The layer
    belongs to the session, as the detection does, and not to a widget that may be closed.

    Parameters
    ----------
    session : Session
    """

    _slice_computed = Signal(object, int, object)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._series: SagittalSeries | None = None
        self._has_begun = False
        self._former_opacity: list[tuple[Any, float]] = []
        """Layers that are not seen meanwhile; whether they are switched on is the user's."""
        self._slice_computed.connect(self._show)
        session.series_changed.connect(self.end)
        session.result_changed.connect(self._fade_former)

    def begin(self, series: SagittalSeries) -> OnSlice:
        """Wait for the slices of a scan; gives what hears of them, in any thread.

        Parameters
        ----------
        series : SagittalSeries
            The open one.
        """
        self.end()
        self._series = series

        def on_slice(index: int, values: npt.NDArray[np.float32]) -> None:
            with suppress(RuntimeError):  # the window is gone, and nobody looks
                self._slice_computed.emit(series, index, values)

        return on_slice

    def _show(self, series: SagittalSeries, index: int, values: npt.NDArray[np.float32]) -> None:
        # A slice may arrive when the detection was stopped, or another scan is open.
        if series is not self._series or series is not self._session.series:
            return
        layers = self._session.layers
        if layers.likelihood_so_far is None:
            if self._has_begun:  # whoever has removed it does not want to see it
                return
            self._has_begun = True
            layers.likelihood_so_far = self._add_layer(series)
            self._fade_former()
        layers.likelihood_so_far.data[index] = values
        layers.likelihood_so_far.refresh(thumbnail=False, highlight=False, extent=False)

    def _fade_former(self) -> None:
        """Let nothing be seen of another detection, also of one that comes back meanwhile."""
        layers = self._session.layers
        if layers.likelihood_so_far is None:
            return
        faded_layers = [layer for layer, _ in self._former_opacity]
        for layer in (layers.likelihood, layers.plain, layers.detections, layers.chosen_finding):
            if layer is not None and layer not in faded_layers:
                self._former_opacity.append((layer, layer.opacity))
                layer.opacity = 0

    def _add_layer(self, series: SagittalSeries) -> Image:
        viewer, layers = self._session.viewer, self._session.layers
        active = viewer.layers.selection.active
        nothing = np.zeros(working_shape(series.shape, series.affine), dtype=np.float32)
        scale, is_visible = (series.spacing_mm[0], 1.0, 1.0), not OverlaySwitch(layers).is_off
        added_layer = add_likelihood(
            viewer, nothing, "likelihood, so far", scale, is_visible=is_visible
        )
        if layers.image is not None:
            above_scan = viewer.layers.index(layers.image) + 1
            viewer.layers.move(viewer.layers.index(added_layer), above_scan)
        viewer.layers.selection.active = active
        return added_layer

    def end(self) -> None:
        """Take the layer away; what was shown before is seen again."""
        layer, viewer = self._session.layers.likelihood_so_far, self._session.viewer
        self._series, self._has_begun = None, False
        if layer is not None and viewer is not None:
            viewer.layers.remove(layer)
        for former_layer, opacity in self._former_opacity:
            former_layer.opacity = opacity
        self._former_opacity = []
