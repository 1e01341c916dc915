"""Every stroke on the contours of a case goes to its study at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from ...imaging.annotation import LAYERS
from ...jobs import JobContext
from .jobs import JobRunner
from .timing import Throttler

if TYPE_CHECKING:
    from napari.layers import Labels

    from ...imaging import Annotation, SagittalSeries
    from ...study import Case
    from .layers import ViewerLayers
    from .scan.open_scan import OpenScan

TASK = "autosave"
_UNDRAWN = np.uint16(65535)
"""A label that nobody draws: what it stands for differs from anything on the screen."""

LabelArray = npt.NDArray[np.uint16]
Slices = dict[str, dict[int, LabelArray]]
"""Labels by layer and slice."""


class _SavedLabels:
    """Copies of the layers as they were handed to the disk last."""

    def __init__(self) -> None:
        self._labels: dict[str, LabelArray] = {}

    def set(self, layer: str, labels: LabelArray) -> None:
        """Take labels for saved."""
        self._labels[layer] = np.array(labels)

    def forget(self, slices: Slices) -> None:
        """Take slices for unsaved: they differ from whatever is compared with them."""
        for layer, images in slices.items():
            for index in images:
                self._labels[layer][index] = _UNDRAWN

    def forget_all(self) -> None:
        """Take everything for unsaved."""
        for labels in self._labels.values():
            labels.fill(_UNDRAWN)

    def take_changes(self, layer: str, labels: LabelArray) -> dict[int, LabelArray]:
        """Slices that differ from the saved ones, which they become."""
        former_labels = self._labels.get(layer)
        if former_labels is None or former_labels.shape != labels.shape:
            former_labels = self._labels[layer] = np.full(labels.shape, _UNDRAWN)
        images = {}
        for index in np.flatnonzero((labels != former_labels).any(axis=(1, 2))):
            images[int(index)] = labels[index].astype(np.uint16)
            former_labels[index] = labels[index]
        return images


class _StoredContours:
    """What the study holds of the case, as of one revision; for the thread that saves alone.

    To read all contours back takes longer than to store a stroke: it is done once, and whenever
    somebody else has stored contours meanwhile.
    """

    annotation: Annotation | None = None
    revision: int = -1


class Autosave(QObject):
    """Compare what is on the screen with what is stored, and store the slices that differ.

    Parameters
    ----------
    layers : ViewerLayers
        What is on the screen; their signals say when it changes.
    saving : JobRunner
        Writes, in the order in which strokes were drawn.
    parent : QObject, optional

    Attributes
    ----------
    saved_at : str
        When the last stroke had reached the disk.
    failure : str
        Why the last could not be saved.

    Signals
    -------
    state_changed()
        Something is waiting, was saved, or could not be.
    contours_stored(SagittalSeries, Annotation)
        What the study holds of the series now.
    case_state_changed()
        With a stroke the case has come to another state.
    """

    state_changed = Signal()
    contours_stored = Signal(object, object)
    case_state_changed = Signal()

    def __init__(
        self, layers: ViewerLayers, saving: JobRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._layers, self._saving = layers, saving
        self._scan: OpenScan | None = None
        """What is open, whether its strokes are saved or not."""
        self._case: Case | None = None
        """Where they are saved."""
        self._saved_labels = _SavedLabels()
        self._saved_levels: dict[int, str] = {}
        self._stored_contours = _StoredContours()
        self._needs_all = False
        """Whether all contours must go along with the first stroke: the study has none yet."""
        self._queue: deque[tuple[_SavedLabels, Slices]] = deque()
        self.saved_at = ""
        self.failure = ""
        # A stroke tells of itself several times; the end of that is the end of the stroke.
        self._stroke_end = Throttler(15, self)
        self._stroke_end.triggered.connect(self.save)
        layers.contours_changed.connect(self._on_changed)
        layers.contours_shown.connect(self._on_changed)
        layers.contours_leaving.connect(self.save)
        saving.job_failed.connect(self._on_failed)

    @property
    def is_active(self) -> bool:
        """Whether strokes on the open scan are saved by themselves."""
        return self._case is not None

    @property
    def is_pending(self) -> bool:
        """Whether anything on the screen has not reached the disk yet."""
        return bool(self._queue or self.failure or self._stroke_end.is_pending)

    def follow(self, scan: OpenScan | None) -> None:
        """Watch the scan that is open now; its contours are on the screen already."""
        case = scan.writable_case if scan is not None else None
        former, self._scan = self._scan, scan
        if _have_same_series(former, scan) and _is_same_place(self._case, case):
            return
        self._case = case
        self.saved_at = self.failure = ""
        self._saved_labels, self._saved_levels = _SavedLabels(), {}
        self._stored_contours = _StoredContours()
        if case is not None and scan is not None:
            self._begin(case, scan)
        self.state_changed.emit()

    def _begin(self, case: Case, scan: OpenScan) -> None:
        self._needs_all = not _has_stored_contours(case)
        for name, layer in self._contour_layers():
            self._saved_labels.set(name, layer.data)
        self._saved_levels = self._layers.levels(scan.annotation)
        if self._needs_all:
            contours = self._layers.annotation(scan.series, scan.annotation)
            if scan.is_changed_in(contours):
                # Drawn before the scan had a place in a study.
                self._saved_labels.forget_all()
                self._stroke_end.throttle()

    def _contour_layers(self) -> list[tuple[str, Labels]]:
        """The layers of contours that are there; one that was deleted is not empty."""
        layers = [(name, getattr(self._layers, name)) for name in LAYERS]
        return [(name, layer) for name, layer in layers if layer is not None]

    def _on_changed(self) -> None:
        if self.is_active:
            self._stroke_end.throttle()

    def save(self) -> None:
        """Store what differs; the disk is written to in the background, in order."""
        self._stroke_end.cancel()
        case, scan = self._case, self._scan
        if case is None or scan is None:
            return
        changes = {
            name: self._saved_labels.take_changes(name, layer.data)
            for name, layer in self._contour_layers()
        }
        levels = self._layers.levels(scan.annotation)
        # Names of vertebrae before there are any wait for the first stroke.
        if not any(changes.values()) and (levels == self._saved_levels or self._needs_all):
            return
        all_slices = self._all_slices(scan, changes) if self._needs_all else None
        self._saved_levels = levels
        self.failure = ""
        self._queue.append((self._saved_labels, changes))
        self.state_changed.emit()
        series = scan.series

        stored = self._stored_contours

        def work(job: JobContext) -> tuple[Annotation, bool]:
            return _store(case, series, changes, all_slices, levels, stored)

        def on_stored(result: tuple[Annotation, bool]) -> None:
            self._on_stored(series, *result)

        self._saving.start(TASK, work, on_stored)

    def _all_slices(self, scan: OpenScan, changes: Slices) -> Slices:
        """All slices with contours, and those that have changed; of a removed layer too."""
        all_slices: Slices = {}
        for name in LAYERS:
            labels = self._layers.labels_on_screen(name, scan.series, scan.annotation)
            all_slices[name] = dict(changes.get(name, {})) | {
                int(index): labels[index].astype(np.uint16)
                for index in np.flatnonzero(np.any(labels, axis=(1, 2)))
            }
        return all_slices

    def _on_stored(
        self, series: SagittalSeries, annotation: Annotation, is_state_changed: bool
    ) -> None:
        labels, _ = self._queue.popleft()
        if labels is self._saved_labels:
            self._needs_all = False
        self.saved_at = datetime.now().strftime("%H:%M:%S")
        self.contours_stored.emit(series, annotation)
        self.state_changed.emit()
        if is_state_changed:  # the list of cases says what state each is in
            self.case_state_changed.emit()

    def _on_failed(self, task: str, sentence: str) -> None:
        if task != TASK:
            return
        labels, changes = self._queue.popleft()
        if labels is not self._saved_labels or self._case is None:
            return  # of a case that is no longer open; its sentence was shown
        labels.forget(changes)  # again with the next stroke
        self._needs_all = not _has_stored_contours(self._case)
        self._saved_levels = {}
        self.failure = sentence
        self.state_changed.emit()


def _store(
    case: Case,
    series: SagittalSeries,
    changes: Slices,
    all_slices: Slices | None,
    levels: Mapping[int, str],
    stored: _StoredContours,
) -> tuple[Annotation, bool]:
    """Write slices; gives what is stored then, and whether the case is in another state."""
    former_state = case.state
    # Only now it is known whether the save before this one has come to be.
    slices = changes if all_slices is None or _has_stored_contours(case) else all_slices
    database = case.writable_database()
    with database.transaction():
        is_known = stored.annotation is not None and stored.revision == database.contours.revision
        case.save_slices(slices, levels, series)
        revision = database.contours.revision
    if is_known and stored.annotation is not None:
        annotation = _with_slices(stored.annotation, slices, levels)
    else:
        annotation = case.annotation(series)
    stored.annotation, stored.revision = annotation, revision
    return annotation, case.state != former_state


def _with_slices(annotation: Annotation, slices: Slices, levels: Mapping[int, str]) -> Annotation:
    """Contours with other slices in their place, as the study would give them back."""
    lesions, vertebrae = (np.array(getattr(annotation, name)) for name in LAYERS)
    for name, labels in zip(LAYERS, (lesions, vertebrae), strict=True):
        for index, image in slices.get(name, {}).items():
            labels[index] = image
    return replace(annotation, lesions=lesions, vertebrae=vertebrae, levels=dict(levels))


def _has_stored_contours(case: Case) -> bool:
    """Whether the study holds contours of a case already."""
    record = case.record
    return record is not None and record.has_stored_contours


def _have_same_series(one: OpenScan | None, other: OpenScan | None) -> bool:
    series = [scan.series if scan is not None else None for scan in (one, other)]
    return series[0] is series[1]


def _is_same_place(one: Case | None, other: Case | None) -> bool:
    """Whether strokes go to the same case of the same open study."""
    return one == other and (one is None or other is None or one.database is other.database)
