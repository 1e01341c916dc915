"""Every stroke on the contours of a case goes to its study at once."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, QTimer, Signal

from ...imaging.annotation import LAYERS

if TYPE_CHECKING:
    from ...imaging import Annotation, SagittalSeries
    from ...study import Case
    from .session import Session

TASK = "autosave"
_NEVER = np.uint16(65535)
"""A label that nobody draws: what it stands for differs from anything on the screen."""

Slices = dict[str, dict[int, npt.NDArray[np.uint16]]]


class Autosave(QObject):
    """Compare what is on the screen with what is stored, and store the slices that differ.

    Signals
    -------
    changed()
        Something is waiting, was saved, or could not be.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._case: Case | None = None
        self._series: SagittalSeries | None = None
        self._stored: dict[str, npt.NDArray[np.uint16]] = {}
        self._levels: dict[int, str] = {}
        self._whole = False
        """Whether all contours must go along with the first stroke: the study has none yet."""
        self._waiting: deque[tuple[dict[str, npt.NDArray[np.uint16]], Slices]] = deque()
        self.saved_at = ""
        """When the last stroke had reached the disk."""
        self.failure = ""
        """Why the last could not be saved."""
        # A stroke tells of itself several times; the end of that is the end of the stroke.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(15)
        self._soon.timeout.connect(self.save)
        session.contours_changed.connect(self._on_changed)
        session.layers.contours_shown.connect(self._on_changed)
        session.layers.contours_leaving.connect(self.save)
        session.series_changed.connect(self._follow)
        session.study_changed.connect(self._follow)
        session.desk.failed.connect(self._on_failed)

    @property
    def active(self) -> bool:
        """Whether strokes on the open scan are saved by themselves."""
        return self._case is not None

    @property
    def pending(self) -> bool:
        """Whether anything on the screen has not reached the disk yet."""
        return bool(self._waiting or self.failure or self._soon.isActive())

    def _follow(self) -> None:
        """Watch the case that is open now."""
        session = self._session
        case = session.case
        if case is not None and (case.database is None or not case.database.writable):
            case = None
        same = case == self._case and session.series is self._series
        if same and (case is None or self._case is None or case.database is self._case.database):
            return
        self._case, self._series = case, session.series
        self.saved_at = self.failure = ""
        self._stored, self._levels = {}, {}
        if case is not None:
            self._whole = not _stored(case)
            for name, layer in self._layers():
                self._stored[name] = np.array(layer.data)
            self._levels = self._shown_levels()
            if self._whole and session.unsaved_since_opened():
                # Drawn before the scan had a place in a study.
                for stored in self._stored.values():
                    stored.fill(_NEVER)
                self._soon.start()
        self.changed.emit()

    def _layers(self) -> list[tuple[str, Any]]:
        """The layers of contours that are there; one that was deleted is not empty."""
        both = [(name, getattr(self._session.layers, name)) for name in LAYERS]
        return [(name, layer) for name, layer in both if layer is not None]

    def _shown_levels(self) -> dict[int, str]:
        return self._session.layers.levels(self._session.annotation)

    def _on_changed(self) -> None:
        if self.active and not self._soon.isActive():
            self._soon.start()

    def save(self) -> None:
        """Store what differs; the disk is written to in the background, in order."""
        self._soon.stop()
        case, series = self._case, self._series
        if case is None or series is None:
            return
        differing: Slices = {}
        for name, layer in self._layers():
            data, stored = layer.data, self._stored.get(name)
            if stored is None or stored.shape != data.shape:
                stored = self._stored[name] = np.full(data.shape, _NEVER)
            slices = {}
            for index in np.flatnonzero((data != stored).any(axis=(1, 2))):
                slices[int(index)] = data[index].astype(np.uint16)
                stored[index] = data[index]
            differing[name] = slices
        levels = self._shown_levels()
        # Names of vertebrae before there are any wait for the first stroke.
        if not any(differing.values()) and (levels == self._levels or self._whole):
            return
        whole: Slices = {}
        if self._whole:  # not known to be stored yet; those of a layer that was removed too
            for name in LAYERS:
                data = self._session.layers.shown(name, series, self._session.annotation)
                whole[name] = dict(differing.get(name, {})) | {
                    int(index): data[index].astype(np.uint16)
                    for index in np.flatnonzero(np.any(data, axis=(1, 2)))
                }
        self._levels = levels
        self.failure = ""
        self._waiting.append((self._stored, differing))
        self.changed.emit()

        def work(*_: Any) -> tuple[Annotation, bool]:
            before = case.state
            # Only now it is known whether the save before this one has come to be.
            case.save_slices(differing if _stored(case) else whole, levels, series)
            return case.annotation(series), case.state != before

        def done(result: tuple[Annotation, bool]) -> None:
            stored, moved = result
            of, _ = self._waiting.popleft()
            if of is self._stored:
                self._whole = False
            self.saved_at = datetime.now().strftime("%H:%M:%S")
            if self._session.series is series:
                self._session.annotation = stored
            self.changed.emit()
            if moved:  # the list of cases says what state each is in
                self._session.study_changed.emit()

        self._session.desk.start(TASK, work, done)

    def _on_failed(self, task: str, sentence: str) -> None:
        if task != TASK:
            return
        stored, differing = self._waiting.popleft()
        if stored is not self._stored or self._case is None:
            return  # of a case that is no longer open; its sentence was shown
        for name, slices in differing.items():
            for index in slices:
                stored[name][index] = _NEVER  # again with the next stroke
        self._whole = not _stored(self._case)
        self._levels = {}
        self.failure = sentence
        self.changed.emit()


def _stored(case: Case) -> bool:
    """Whether the study holds contours of a case already."""
    record = case.record
    return record is not None and record.has_stored_contours
