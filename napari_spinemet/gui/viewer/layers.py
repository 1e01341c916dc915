"""The layers of this plugin in a viewer; they are held as objects, never by name."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Points
from qtpy.QtCore import QObject, Signal

from ...imaging import Annotation, Finding, SagittalSeries
from ...imaging.annotation import LAYERS
from ...imaging.geometry import Placement
from .layer_style import (
    CHOSEN_FINDING,
    CHOSEN_WIDTH,
    DETECTION,
    DETECTION_WIDTH,
    LESION,
    LESION_WIDTH,
    LEVELS_OF,
    OTHER,
    SERIES,
    VERTEBRA,
    TextStyle,
    Voxel,
    add_likelihood,
    add_outlines,
    add_texts,
    keep_in_place,
    move_texts,
    series_layer,
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

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer_ref = ref(viewer)
        self.image: Image | None = None
        self.other: Image | None = None
        """Another series in place of the scan."""
        self.lesions: Labels | None = None
        self.vertebrae: Labels | None = None
        self.likelihood: Image | None = None
        self.plain: Image | None = None
        self.likelihood_so_far: Image | None = None
        """The likelihood of a detection that runs."""
        self.detections: Labels | None = None
        self.chosen_finding: Labels | None = None
        """The finding that is looked at, in a thicker line."""
        self.others: list[Labels] = []
        """Contours of another reader."""
        self.marks: Points | None = None
        """Where vertebral bodies were clicked."""
        self.names: Points | None = None
        """Levels, written into the picture."""
        self._removed_layers: dict[str, Labels] = {}
        self._is_replacing = False
        viewer.layers.events.removing.connect(self._on_removing)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def _viewer(self) -> Any:
        return self._viewer_ref()

    def _on_removing(self, event: Any) -> None:
        layer = self._viewer.layers[event.index]
        if not self._is_replacing and any(layer is x for x in (self.lesions, self.vertebrae)):
            self.contours_leaving.emit()

    def _on_removed(self, event: Any) -> None:
        self.others = [x for x in self.others if x is not event.value]
        for name, layer in list(vars(self).items()):
            if layer is event.value:
                setattr(self, name, None)
                if name in LAYERS and not self._is_replacing:
                    self._removed_layers[name] = layer
                    self.contours_changed.emit()

    @property
    def removed_kinds(self) -> list[str]:
        """Kinds of contours whose layer the user has removed."""
        return [name for name in LAYERS if name in self._removed_layers]

    def restore(self, annotation: Annotation | None) -> None:
        """Show layers of contours again that were removed, as they were when they went.

        ``annotation``, what the study holds, wins over what the removed layer held.
        """
        for name in self.removed_kinds:
            former = self._removed_layers.pop(name)
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
        """Show a series with its contours in place of the former one.

        Parameters
        ----------
        series : SagittalSeries
        annotation : Annotation or None
            None for empty layers to draw on.
        """
        self._is_replacing = True
        try:
            self._remove(
                *(self.chosen_finding, self.detections),
                *(self.likelihood, self.plain, self.likelihood_so_far),
                *(self.lesions, self.vertebrae, self.image, self.other, self.marks, self.names),
                *self.others,
            )
        finally:
            self._is_replacing = False
        self._removed_layers.clear()
        data, settings, _ = series_layer(series)
        # A copy that napari makes of this layer is a picture, not a scan to be taken over.
        settings["metadata"].pop(SERIES)
        self.image = self._viewer.add_image(data, **settings)
        keep_in_place(self.image)
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

    @property
    def seen_image(self) -> Image | None:
        """The scan, or the other series in its place."""
        return self.image if self.other is None else self.other

    def show_in_place(self, other: SagittalSeries | None, placement: Placement | None) -> None:
        """Show another series in place of the scan, or the scan again.

        Parameters
        ----------
        other : SagittalSeries or None
        placement : Placement or None
            Where its pixels lie in the scan's own axes.
        """
        if self.image is None:
            return
        self._remove(self.other)
        self.image.visible = other is None
        if other is None or placement is None:
            return
        active = self._viewer.layers.selection.active
        data, settings, _ = series_layer(other)
        settings["metadata"].pop(SERIES)
        settings |= {"scale": placement.scale, "translate": placement.translate}
        self.other = self._viewer.add_image(data, **settings)
        index = self._viewer.layers.index(self.image) + 1
        self._viewer.layers.move(self._viewer.layers.index(self.other), index)
        self._viewer.layers.selection.active = active

    def _add_labels(
        self,
        name: str,
        data: npt.NDArray[np.unsignedinteger],
        colour: str,
        spacing_mm: tuple[float, float, float],
    ) -> Labels:
        layer = add_outlines(self._viewer, np.array(data), name, colour, spacing_mm)
        if name == "lesions":
            layer.contour = LESION_WIDTH
        layer.events.paint.connect(lambda _: self.contours_changed.emit())
        layer.events.labels_update.connect(lambda _: self.contours_changed.emit())
        layer.events.data.connect(lambda _: self.contours_changed.emit())
        layer.events.set_data.connect(lambda _: self.contours_shown.emit())
        self.contours_added.emit(layer)
        return layer

    def levels(self, former: Annotation | None) -> dict[int, str]:
        """What the numbers of vertebrae stand for; as in ``former`` unless changed since."""
        changes = self.vertebrae.metadata.get(LEVELS_OF, {}) if self.vertebrae is not None else {}
        return {**(former.levels if former is not None else {}), **changes}

    def show_other(self, other: Annotation | None) -> None:
        """Show the contours of another reader to compare with; None takes them away."""
        self._remove(*self.others)
        if other is None or self.image is None:
            return
        active = self._viewer.layers.selection.active
        for name in LAYERS:
            layer = add_outlines(
                self._viewer,
                getattr(other, name),
                f"{name} by {other.reader}",
                OTHER,
                self.image.scale,
            )
            layer.editable = False
            self.others.append(layer)
        self._viewer.layers.selection.active = active  # tools stay on what was drawn on

    def write_texts(
        self,
        layer_name: str,
        voxels: list[Voxel],
        texts: list[str],
        style: TextStyle,
    ) -> None:
        """Write texts into the picture, in place of the former ones of that kind.

        Parameters
        ----------
        layer_name : {"marks", "names"}
        voxels : list of (slice, row, column)
            None takes them away.
        texts : list of str
            One for each.
        style : TextStyle
        """
        layer = getattr(self, layer_name)
        if self.image is None or not voxels:
            self._remove(layer)
        elif layer is not None:
            move_texts(layer, voxels, texts)
        else:
            layer = add_texts(self._viewer, voxels, texts, self.image.scale, style)
            setattr(self, layer_name, layer)

    def labels_on_screen(
        self, name: str, series: SagittalSeries, former: Annotation | None
    ) -> npt.NDArray[np.uint16]:
        """The labels of one kind as they are now, not a copy.

        Parameters
        ----------
        name : {"lesions", "vertebrae"}
        series : SagittalSeries
            The open one.
        former : Annotation or None
            As it was opened or saved; that is given where there is no layer.
        """
        layer = getattr(self, name) or self._removed_layers.get(name)
        labels: npt.NDArray[np.uint16]
        if layer is not None:
            labels = layer.data
            return labels
        if former is not None:
            labels = getattr(former, name)
            return labels
        return np.zeros(series.shape, dtype=np.uint16)

    def annotation(self, series: SagittalSeries, former: Annotation | None) -> Annotation:
        """The contours on the screen; a layer that was removed counts as in ``former``.

        Parameters
        ----------
        series : SagittalSeries
            The open one.
        former : Annotation or None
            As it was opened or saved.
        """
        lesions, vertebrae = (self.labels_on_screen(name, series, former) for name in LAYERS)
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
        self._remove(self.chosen_finding, self.detections, self.likelihood, self.plain)
        viewer, scale = self._viewer, (result.plain.spacing_mm[0], 1.0, 1.0)
        self.plain = add_likelihood(
            viewer, result.plain.values, "likelihood, plain", scale, is_visible=False
        )
        self.likelihood = add_likelihood(
            viewer, result.likelihood.values, "likelihood", scale, is_visible=True
        )
        if self.image is not None:  # right above the scan, so that contours stay in sight
            index_above = self._viewer.layers.index(self.image) + 1
            self._viewer.layers.move_multiple(
                [self._viewer.layers.index(x) for x in (self.plain, self.likelihood)],
                index_above,
            )
        outlines = np.zeros(result.likelihood.values.shape, dtype=np.int32)
        self.detections = add_outlines(
            viewer, outlines, "detections", DETECTION, scale, opacity=1.0
        )
        self.detections.contour = DETECTION_WIDTH
        self.chosen_finding = add_outlines(
            viewer, np.zeros_like(outlines, dtype=np.uint8), "chosen finding", CHOSEN_FINDING, scale
        )
        self.chosen_finding.contour = CHOSEN_WIDTH
        self.detections.editable = self.chosen_finding.editable = False
        self._viewer.layers.selection.active = self.image

    def mark_finding(self, finding: Finding | None) -> None:
        """Draw a thick line around a finding, or around none.

        Parameters
        ----------
        finding : Finding or None
            Of the shown result.
        """
        if self.chosen_finding is None:
            return
        mask = self.chosen_finding.data
        mask[mask.any(axis=(1, 2))] = 0
        for detection in finding.detections if finding is not None else ():
            mask[detection.slice][detection.mask(mask.shape[1:])] = 1
        self.chosen_finding.refresh(thumbnail=False, highlight=False, extent=False)

    def update_likelihood(self, values: npt.NDArray[np.float32]) -> None:
        """Replace the shown likelihood, for example after another aggregation weight."""
        if self.likelihood is not None:
            self.likelihood.data = values

    def draw_detections(
        self, slices: list[int], labels: Callable[[int], npt.NDArray[np.int32]]
    ) -> None:
        """Redraw the outlines of some slices.

        Parameters
        ----------
        slices : list of int
        labels : callable
            Gives the ``(row, column)`` labels of one of them.
        """
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
        index = self._viewer.dims.point[0] / self.image.scale[0]
        return int(np.clip(round(index), 0, self.image.data.shape[0] - 1))

    def go_to(self, index: int) -> None:
        """Show a slice."""
        if self.image is not None:
            self._viewer.dims.set_point(0, index * self.image.scale[0])

    def centre_on(self, index: int, row_mm: float, column_mm: float) -> None:
        """Show a slice with a point in the middle.

        Parameters
        ----------
        index : int
        row_mm, column_mm : float
            From the first pixel.
        """
        self.go_to(index)
        self._viewer.scene.camera.center = (0.0, row_mm, column_mm)
