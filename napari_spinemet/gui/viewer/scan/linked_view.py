"""A second picture beside the first: another series, at the same place in the patient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.qt import QtViewer
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from ....imaging import SagittalSeries
from ....imaging.geometry import index_to_mm, mm_to_index, turn_degrees
from ..layer_style import add_crosshair, series_layer

if TYPE_CHECKING:
    from ..session import Session

Point = npt.NDArray[np.float64]


class LinkedView(QWidget):
    """Slice, zoom and mouse follow each other by patient coordinates; each keeps its own grid.

    Nothing is resampled: the nearest slice is shown, and how far it is from the other is told.

    Parameters
    ----------
    session : Session
        Whose scan is in the first picture.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.model = ViewerModel()
        self.qt_viewer: QtViewer | None = QtViewer(self.model)
        self.line = QLabel()
        self.line.setWordWrap(True)
        self._is_following = False
        self._series: SagittalSeries | None = None
        self._crosses: list[Any] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addWidget(self.qt_viewer, 1)
        viewer = session.viewer
        for model, follow in ((viewer, self._follow_first), (self.model, self._follow_second)):
            for event in _followed_events(model):
                event.connect(follow)
        session.jobs_stopped.connect(self.close_view)
        viewer.mouse_move_callbacks.append(self._on_mouse_over_first)
        self.model.mouse_move_callbacks.append(self._on_mouse_over_second)

    def show_series(self, series: SagittalSeries | None) -> None:
        """Show another series, or none.

        Parameters
        ----------
        series : SagittalSeries or None
            Of the frame of reference of the open scan.
        """
        if self.qt_viewer is None:
            return
        self._series = None  # nothing follows while layers come and go
        self.model.layers.clear()
        self._take_crosses_away()
        if series is None or self._session.series is None:
            return
        data, settings, _ = series_layer(series)
        self.model.add_image(data, **settings)
        self._series = series
        self._follow_first()

    def close_view(self) -> None:
        """Let go of both pictures; it shows nothing any more."""
        if self.qt_viewer is None:
            return
        self._series = None
        self._take_crosses_away()
        viewer = self._session.viewer
        if viewer is not None:
            viewer.mouse_move_callbacks.remove(self._on_mouse_over_first)
            for event in _followed_events(viewer):
                event.disconnect(self._follow_first)
        self.qt_viewer.close()
        self.qt_viewer.deleteLater()
        self.qt_viewer = None

    # From one picture to the other -----------------------------------------------------------

    def place_in_other(self, spot_mm: Point) -> Point:
        """Where a place of the first picture lies in the second.

        Parameters
        ----------
        spot_mm : numpy.ndarray
            ``(slice, row, column)`` in mm from the first pixel, as on the screen.
        """
        assert self._session.series is not None
        assert self._series is not None
        return _carry(spot_mm, self._session.series, self._series)

    def place_in_first(self, spot_mm: Point) -> Point:
        """The way back.

        Parameters
        ----------
        spot_mm : numpy.ndarray
            ``(slice, row, column)`` in mm from the first pixel, as on the screen.
        """
        assert self._session.series is not None
        assert self._series is not None
        return _carry(spot_mm, self._series, self._session.series)

    @contextmanager
    def _follow_lock(self) -> Iterator[bool]:
        """Whether one picture may follow the other now; the other then does not answer."""
        is_ready = (
            not self._is_following
            and self._series is not None
            and self._session.series is not None
            and self._session.layers.image is not None
        )
        self._is_following = self._is_following or is_ready
        try:
            yield is_ready
        finally:
            if is_ready:
                self._is_following = False

    def _follow_first(self, event: Any = None) -> None:
        with self._follow_lock() as is_ready:
            if is_ready:
                self._move(
                    self._session.viewer, self.model, self._first_slice_mm, self.place_in_other
                )
                self._tell(self._first_slice_mm)

    def _follow_second(self, event: Any = None) -> None:
        with self._follow_lock() as is_ready:
            if is_ready:
                slice_mm = float(self.model.dims.point[0])
                self._move(self.model, self._session.viewer, slice_mm, self.place_in_first)
                self._tell(self._first_slice_mm)

    @property
    def _first_slice_mm(self) -> float:
        """Where the slice of the first picture lies."""
        series = self._session.series
        assert series is not None
        return self._session.layers.current_slice * series.spacing_mm[0]

    @staticmethod
    def _move(source: Any, target: Any, slice_mm: float, carry: Any) -> None:
        """Bring a picture to the slice, the middle and the zoom of another."""
        camera = source.scene.camera
        middle = carry(np.array([slice_mm, *camera.center[-2:]], dtype=float))
        target.dims.set_point(0, float(middle[0]))
        target.scene.camera.center = (0.0, float(middle[1]), float(middle[2]))
        target.scene.camera.zoom = camera.zoom

    def _tell(self, first_mm: float) -> None:
        """Say what is seen, and how far apart both slices lie."""
        first, other = self._session.series, self._series
        assert first is not None
        assert other is not None
        spot_mm = self.place_in_other(self._middle(first_mm))
        index = int(np.clip(round(spot_mm[0] / other.spacing_mm[0]), 0, other.shape[0] - 1))
        apart_mm = abs(spot_mm[0] - index * other.spacing_mm[0])
        turn = turn_degrees(first.affine, other.affine)
        turn_text = f", turned by {turn:.1f} degrees" if turn >= 0.1 else ""
        self.line.setText(
            f"{other.contrast}, slice {index + 1} of {other.shape[0]}: {apart_mm:.1f} mm beside "
            f"that of the {first.contrast}{turn_text}."
        )

    def _middle(self, slice_mm: float) -> Point:
        center = self._session.viewer.scene.camera.center
        return np.array([slice_mm, *center[-2:]], dtype=float)

    # Mouse -----------------------------------------------------------------------------------

    def _on_mouse_over_first(self, viewer: Any, event: Any) -> None:
        if self._series is not None and self.isVisible():
            spot_mm = self.place_in_other(np.array(event.position[-3:], dtype=float))
            self._cross(self.model, spot_mm, self._series)

    def _on_mouse_over_second(self, model: Any, event: Any) -> None:
        first = self._session.series
        if self._series is not None and first is not None:
            spot_mm = self.place_in_first(np.array(event.position[-3:], dtype=float))
            self._cross(self._session.viewer, spot_mm, first)

    def _cross(self, model: Any, spot_mm: Point, series: SagittalSeries) -> None:
        """A cross where the mouse of the other picture is; that picture has none then."""
        crosses = [cross for cross in self._crosses if cross in model.layers]
        for cross in self._crosses:
            cross.visible = cross in crosses
        # In the slice that is seen, for the cross tells of the place within it.
        spacing = np.array(series.spacing_mm)
        voxel = np.array([model.dims.point[0], spot_mm[1], spot_mm[2]]) / spacing
        if crosses:
            crosses[0].data = voxel[np.newaxis]
        else:
            self._crosses.append(add_crosshair(model, voxel, series.spacing_mm))

    def _take_crosses_away(self) -> None:
        for cross in self._crosses:
            for model in (self._session.viewer, self.model):
                if model is not None and cross in model.layers:
                    model.layers.remove(cross)
        self._crosses.clear()


def _followed_events(model: Any) -> tuple[Any, ...]:
    """What tells that a picture shows another place."""
    camera = model.scene.camera
    return model.dims.events.current_step, camera.events.center, camera.events.zoom


def _carry(spot_mm: Point, source: SagittalSeries, target: SagittalSeries) -> Point:
    """A place of one picture in another, by where it lies in the patient."""
    point = index_to_mm(source.affine, spot_mm / np.array(source.spacing_mm))
    place_in_target: Point = mm_to_index(target.affine, point) * np.array(target.spacing_mm)
    return place_in_target
