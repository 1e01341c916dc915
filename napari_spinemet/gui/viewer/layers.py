"""The only file that adds layers to the viewer; layers are held as objects, never by name."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Points
from qtpy.QtCore import QObject, QTimer, Signal

from ...imaging import Annotation, SagittalSeries
from .layer_style import (
    AXES,
    DETECTION,
    KIND,
    LABELLED,
    LESION,
    LEVELS_OF,
    MARK,
    OTHER,
    SERIES,
    VERTEBRA,
    is_series,
    one_colour,
    series_layer,
    text_style,
)

if TYPE_CHECKING:
    import napari

    from ...detection import DetectionResult


class ViewerLayers(QObject):
    """The layers of this plugin in one viewer."""

    contours_changed = Signal()
    contours_added = Signal(object)
    """A layer of contours is new in the viewer."""
    contours_leaving = Signal()
    """A layer of contours is about to be removed by the user."""
    contours_shown = Signal()
    """A layer of contours was drawn on the screen: the only sign that undo and redo give."""
    series_offered = Signal(object)
    """A series came into the viewer by another way, such as File > Open: its image layer."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer_ref = ref(viewer)
        self.image: Image | None = None
        self.lesions: Labels | None = None
        self.vertebrae: Labels | None = None
        self.likelihood: Image | None = None
        self.plain: Image | None = None
        self.detections: Labels | None = None
        self.others: list[Labels] = []
        """Contours of another reader."""
        self.marks: Points | None = None
        """Where vertebral bodies were clicked."""
        self.names: Points | None = None
        """Levels, written into the picture."""
        self._deleted: dict[str, Labels] = {}
        self._replacing = False
        viewer.layers.events.removing.connect(self._on_removing)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.inserted.connect(self._on_inserted)
        for event in (viewer.dims.events.current_step, viewer.dims.events.order):
            event.connect(self._write_orientation)
        viewer.dims.events.ndisplay.connect(self._write_orientation)

    @property
    def _viewer(self) -> Any:
        return self._viewer_ref()

    def _on_inserted(self, event: Any) -> None:
        if is_series(event.value):
            # Layers must not go while the viewer is still adding them.
            QTimer.singleShot(0, partial(self.series_offered.emit, event.value))

    def offered(self) -> Image | None:
        """A series in the viewer that is not ours, if any."""
        strange = [x for x in self._viewer.layers if is_series(x)]
        return strange[-1] if strange else None

    def take_out(self, layer: Image) -> dict[str, npt.NDArray[Any]]:
        """Remove an offered series with its label layers; gives what these hold, by kind."""
        series = layer.metadata[SERIES]
        mine = [x for x in self._viewer.layers if x.metadata.get(SERIES) is series]
        self._remove(*mine)
        return {x.metadata[KIND]: x.data for x in mine if KIND in x.metadata}

    def replace_contours(self, drawn: dict[str, npt.NDArray[Any]]) -> None:
        """Show other contours than those that were opened."""
        for kind, layer in (("lesions", self.lesions), ("vertebrae", self.vertebrae)):
            if layer is not None and kind in drawn:
                layer.data = drawn[kind]

    def _on_removing(self, event: Any) -> None:
        leaving = self._viewer.layers[event.index]
        if not self._replacing and any(leaving is x for x in (self.lesions, self.vertebrae)):
            self.contours_leaving.emit()

    def _on_removed(self, event: Any) -> None:
        self.others = [x for x in self.others if x is not event.value]
        for name, layer in list(vars(self).items()):
            if layer is event.value:
                setattr(self, name, None)
                if name in LABELLED and not self._replacing:
                    self._deleted[name] = layer
                    self.contours_changed.emit()

    @property
    def deleted(self) -> list[str]:
        """Kinds of contours whose layer the user has removed."""
        return [name for name in LABELLED if name in self._deleted]

    def restore(self, annotation: Annotation | None) -> None:
        """Show layers of contours again that were removed, as they were when they went.

        ``annotation``, what the study holds, wins over what the removed layer held.
        """
        for name in self.deleted:
            former = self._deleted.pop(name)
            data = getattr(annotation, name) if annotation is not None else former.data
            colour = LESION if name == "lesions" else VERTEBRA
            layer = self._add_labels(name, data, colour, tuple(former.scale))
            layer.metadata.update(former.metadata)
            setattr(self, name, layer)
        self.contours_changed.emit()

    def _remove(self, *layers: Any) -> None:
        for layer in layers:
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def show_series(self, series: SagittalSeries, annotation: Annotation | None) -> None:
        """Show a series with its contours in place of the former one."""
        self._replacing = True
        try:
            self._remove(
                *(self.detections, self.likelihood, self.plain, self.lesions, self.vertebrae),
                *(self.image, self.marks, self.names, *self.others),
            )
        finally:
            self._replacing = False
        self._deleted.clear()
        data, settings, _ = series_layer(series)
        # A copy that napari makes of this layer is a picture, not a scan to be taken over.
        settings["metadata"].pop(SERIES)
        self.image = self._viewer.add_image(data, **settings)
        empty = np.zeros(series.shape, dtype=np.uint16)
        self.vertebrae = self._add_labels(
            "vertebrae", annotation.vertebrae if annotation else empty, VERTEBRA, series.spacing_mm
        )
        self.lesions = self._add_labels(
            "lesions", annotation.lesions if annotation else empty, LESION, series.spacing_mm
        )
        if annotation is not None and annotation.lesions.any():
            self.go_to(int(annotation.lesions.sum(axis=(1, 2)).argmax()))
        else:
            self.go_to(series.shape[0] // 2)
        self._viewer.reset_view()
        self._viewer.layers.selection.active = self.image
        self._write_orientation()

    def _add_labels(
        self,
        name: str,
        data: npt.NDArray[np.unsignedinteger],
        colour: str,
        spacing_mm: tuple[float, float, float],
    ) -> Labels:
        layer = self._viewer.add_labels(
            np.array(data),
            name=name,
            scale=spacing_mm,
            units=("mm",) * 3,
            axis_labels=AXES,
            colormap=one_colour(colour),
            opacity=0.9,
        )
        layer.contour = 1
        layer.events.paint.connect(lambda _: self.contours_changed.emit())
        layer.events.labels_update.connect(lambda _: self.contours_changed.emit())
        layer.events.data.connect(lambda _: self.contours_changed.emit())
        layer.events.set_data.connect(lambda _: self.contours_shown.emit())
        self.contours_added.emit(layer)
        return layer

    def levels(self, former: Annotation | None) -> dict[int, str]:
        """What the numbers of vertebrae stand for; those of ``former`` unless told otherwise."""
        told = self.vertebrae.metadata.get(LEVELS_OF, {}) if self.vertebrae is not None else {}
        return {**(former.levels if former is not None else {}), **told}

    def show_other(self, other: Annotation | None) -> None:
        """Show the contours of another reader to compare with; None takes them away."""
        self._remove(*self.others)
        if other is None or self.image is None:
            return
        active = self._viewer.layers.selection.active
        for name in LABELLED:
            layer = self._viewer.add_labels(
                getattr(other, name),
                name=f"{name} by {other.reader}",
                colormap=one_colour(OTHER),
                opacity=0.9,
                **self._grid(),
            )
            layer.contour = 1
            layer.editable = False
            self.others.append(layer)
        self._viewer.layers.selection.active = active  # tools stay on what was drawn on

    def show_marks(self, places: list[tuple[int, float, float]]) -> None:
        """Show where bodies were clicked, numbered from the head."""
        if self.image is None or not places:
            self._remove(self.marks)
            return
        order = sorted(places, key=lambda place: place[1])
        numbers = [str(k + 1) for k in range(len(order))]
        self.marks = self._points(self.marks, "vertebra marks", order, numbers, MARK, 9, "black")

    def show_names(self, places: list[tuple[int, float, float]], names: list[str]) -> None:
        """Write levels into the picture, one at each place."""
        if self.image is None or not places:
            self._remove(self.names)
            return
        self.names = self._points(
            self.names, "vertebra levels", places, names, "transparent", 1, VERTEBRA
        )

    def _grid(self) -> dict[str, Any]:
        assert self.image is not None
        return {"scale": self.image.scale, "units": ("mm",) * 3, "axis_labels": AXES}

    def _points(
        self,
        layer: Points | None,
        name: str,
        places: list[tuple[int, float, float]],
        texts: list[str],
        colour: str,
        size: float,
        ink: str,
    ) -> Points:
        """Points with a text each, on a layer that is there or new."""
        features = {"text": texts}
        if layer is not None:
            layer.data = np.array(places, dtype=float)
            layer.features = features
            layer.refresh_text()
            return layer
        active = self._viewer.layers.selection.active
        made = self._viewer.add_points(
            np.array(places, dtype=float),
            name=name,
            features=features,
            text=text_style(ink),
            face_color=colour,
            border_width=0,
            size=size,
            **self._grid(),
        )
        made.editable = False
        self._viewer.layers.selection.active = active  # tools stay on what was drawn on
        return made

    def shown(
        self, name: str, series: SagittalSeries, former: Annotation | None
    ) -> npt.NDArray[np.uint16]:
        """The labels of one kind as they are now, not a copy; as in ``former`` without a layer."""
        layer = getattr(self, name) or self._deleted.get(name)
        labels: npt.NDArray[np.uint16]
        if layer is not None:
            labels = layer.data
            return labels
        if former is not None:
            labels = getattr(former, name)
            return labels
        return np.zeros(series.shape, dtype=np.uint16)

    def annotation(self, series: SagittalSeries, former: Annotation | None) -> Annotation | None:
        """The contours on the screen; a layer that was deleted counts as in ``former``."""
        lesions, vertebrae = (self.shown(name, series, former) for name in LABELLED)
        levels = dict(former.levels) if former else {}
        for number in np.unique(vertebrae[vertebrae > 0]):
            levels.setdefault(int(number), f"Vertebra {number}")
        if self.vertebrae is not None:
            levels |= self.vertebrae.metadata.get(LEVELS_OF, {})
        return Annotation(
            lesions,
            vertebrae,
            levels,
            series_uid=series.series_uid,
            reader=former.reader if former else "",
            created=datetime.datetime.now().isoformat(timespec="seconds"),
        )

    def show_likelihood(self, result: DetectionResult) -> None:
        """Show the likelihood, the plain one beside it hidden, and empty outlines."""
        self._remove(self.detections, self.likelihood, self.plain)
        settings: dict[str, Any] = {
            "scale": (result.plain.spacing_mm[0], 1.0, 1.0),
            "units": ("mm",) * 3,
            "axis_labels": AXES,
            "colormap": "inferno",
            "blending": "additive",
            "contrast_limits": (0.0, 1.0),
            "opacity": 0.45,
        }
        self.plain = self._viewer.add_image(
            result.plain.values, name="likelihood, plain", visible=False, **settings
        )
        self.likelihood = self._viewer.add_image(
            result.likelihood.values, name="likelihood", **settings
        )
        if self.image is not None:  # right above the scan, so that contours stay in sight
            above = self._viewer.layers.index(self.image) + 1
            self._viewer.layers.move_multiple(
                [self._viewer.layers.index(x) for x in (self.plain, self.likelihood)], above
            )
        self.detections = self._viewer.add_labels(
            np.zeros(result.likelihood.values.shape, dtype=np.int32),
            name="detections",
            scale=settings["scale"],
            units=settings["units"],
            axis_labels=AXES,
            colormap=one_colour(DETECTION),
            opacity=1.0,
        )
        self.detections.contour = 1
        self.detections.editable = False
        self._viewer.layers.selection.active = self.image

    def update_likelihood(self, values: npt.NDArray[np.float32]) -> None:
        """Replace the shown likelihood, for example after another aggregation weight."""
        if self.likelihood is not None:
            self.likelihood.data = values

    def draw_detections(
        self, slices: list[int], labels: Callable[[int], npt.NDArray[np.int32]]
    ) -> None:
        """Redraw the outlines of some slices from ``labels(slice)``."""
        if self.detections is None:
            return
        for index in slices:
            self.detections.data[index] = labels(index)
        # Only the picture changes: no thumbnail, no extent, nothing to highlight.
        self.detections.refresh(thumbnail=False, highlight=False, extent=False)

    @property
    def current_slice(self) -> int:
        """Slice on the screen."""
        if self.image is None:
            return 0
        # Steps count the finest of all layers in the viewer; only the place in mm is ours.
        place = self._viewer.dims.point[0] / self.image.scale[0]
        return int(np.clip(round(place), 0, self.image.data.shape[0] - 1))

    def go_to(self, index: int) -> None:
        """Show a slice."""
        if self.image is not None:
            self._viewer.dims.set_point(0, index * self.image.scale[0])

    def centre_on(self, index: int, row_mm: float, column_mm: float) -> None:
        """Show a slice with a point, in mm from the first pixel, in the middle."""
        self.go_to(index)
        self._viewer.scene.camera.center = (0.0, row_mm, column_mm)

    def _write_orientation(self, event: Any = None) -> None:
        """Say in the picture where left and right, head and feet are."""
        dims, overlay = self._viewer.dims, self._viewer.canvas.overlays.text
        if self.image is None or dims.ndisplay != 2 or tuple(dims.order[-2:]) != (1, 2):
            overlay.visible = False
            return
        count = self.image.data.shape[0]
        overlay.visible = True
        overlay.position = "top_left"
        overlay.font_size = 9
        overlay.text = (
            f"slice {self.current_slice + 1} of {count}, from right (1) to left ({count})\n"
            "front of the body on the left, head at the top"
        )
