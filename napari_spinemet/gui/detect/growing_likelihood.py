"""The likelihood while it is being computed: each slice is shown as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from ...detection.engines import OnSlice
from ...imaging import SagittalSeries
from ...imaging.grids import working_shape
from ..viewer.layer_style import add_likelihood

if TYPE_CHECKING:
    import napari

    from ..viewer.session import Session


class GrowingLikelihood(QObject):
    """An image layer that fills slice by slice, and goes when the detection ends.

    What a former detection has found stays where it is, hidden as long as the new one runs.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
    parent : QObject
    """

    _slice_computed = Signal(object, int, object)

    def __init__(self, viewer: napari.Viewer, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer_ref, self._session = ref(viewer), session
        self._series: SagittalSeries | None = None
        self._hidden_layers: list[Image] = []
        self._slice_computed.connect(self._show)
        session.series_changed.connect(self.end)

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
            self._slice_computed.emit(series, index, values)

        return on_slice

    def _show(self, series: SagittalSeries, index: int, values: npt.NDArray[np.float32]) -> None:
        # A slice may arrive when the detection was stopped, or another scan is open.
        if series is not self._series or series is not self._session.series:
            return
        layers = self._session.layers
        if layers.growing is None:
            layers.growing = self._add_layer(series)
        layers.growing.data[index] = values
        layers.growing.refresh(thumbnail=False, highlight=False, extent=False)

    def _add_layer(self, series: SagittalSeries) -> Image:
        viewer, layers = self._viewer_ref(), self._session.layers
        assert viewer is not None  # signals come as long as there is a window
        for layer in (layers.likelihood, layers.detections):
            if layer is not None and layer.visible:
                self._hidden_layers.append(layer)
                layer.visible = False
        active = viewer.layers.selection.active
        nothing = np.zeros(working_shape(series.shape, series.affine), dtype=np.float32)
        scale = (series.spacing_mm[0], 1.0, 1.0)
        added_layer = add_likelihood(viewer, nothing, "likelihood, so far", scale, is_visible=True)
        if layers.image is not None:
            above_scan = viewer.layers.index(layers.image) + 1
            viewer.layers.move(viewer.layers.index(added_layer), above_scan)
        viewer.layers.selection.active = active
        return added_layer

    def end(self) -> None:
        """Take the layer away; what was shown before is seen again."""
        viewer, layer, self._series = self._viewer_ref(), self._session.layers.growing, None
        if layer is not None and viewer is not None:
            viewer.layers.remove(layer)
        for hidden_layer in self._hidden_layers:
            hidden_layer.visible = True
        self._hidden_layers = []
