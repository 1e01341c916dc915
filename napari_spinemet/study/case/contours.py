"""The contours of a case: as they came, as they were drawn since, and by whom.

All that takes time (reading files, hashing the scan, comparing, packing) is done before a
transaction begins, so that the stroke of another thread never waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...errors import SpinemetError
from ...exchange.formats import read_annotation
from ...imaging import Annotation, SagittalSeries
from ...imaging.annotation import LAYERS
from ..contour_rows import LabelArray, PackedSlice, pack_slice
from ..database import CONTOURS_APPROVED, CONTOURS_DRAWN, CaseRecord, StudyDatabase
from .scan import CaseScan

_Change = TypeVar("_Change")


@dataclass(frozen=True)
class ContourChange:
    """Contours of one reader that only need to be stored.

    Attributes
    ----------
    missing_record : CaseRecord or None
        To be entered along with them, where the database has none of the case.
    slices : mapping
        Of each layer those that differ from what is stored, by slice.
    levels : mapping of int to str
        Of all vertebrae, by label.
    reader : str
    """

    missing_record: CaseRecord | None
    slices: Mapping[str, Mapping[int, PackedSlice]]
    levels: Mapping[int, str]
    reader: str = ""


class CaseContours(CaseScan):
    """A case with its scan and its contours."""

    def readers(self) -> list[str]:
        """Who else has contours of this case, by name."""
        if self.database is None or self.record is None:
            return []
        return [reader for reader in self.database.contours.readers(self.name) if reader]

    def annotation(self, series: SagittalSeries, reader: str = "") -> Annotation:
        """The contours on the grid of the scan: as last saved, or as they came.

        Parameters
        ----------
        series : SagittalSeries
            The scan, as :meth:`series` gives it.
        reader : str
            Whose; those that the study works with by default.

        Raises
        ------
        SpinemetError
            If there are none, or they are of another scan.
        """
        # Record, slices and levels of one moment, though strokes may be arriving.
        with self.database.snapshot() if self.database is not None else nullcontext():
            record = self.record
            if reader and reader not in self.readers():
                raise SpinemetError(f"The case {self.name} has no contours by {reader}.")
            if not reader and not self.state_in(record).has_contours:
                raise SpinemetError(f"The case {self.name} has no contours yet; draw them first.")
            if record is not None and (reader or record.has_stored_contours):
                return self._stored_annotation(record, series, reader)
        return read_annotation(self.path / "contours", series)

    def _stored_annotation(
        self, record: CaseRecord, series: SagittalSeries, reader: str
    ) -> Annotation:
        assert self.database is not None, "a record is of a database"
        if record.shape != series.shape:
            raise SpinemetError(
                f"The contours of {self.name} are of a series of {record.shape} and its scan has "
                f"{series.shape}; the scan was exchanged. Import it as another case."
            )
        rows = self.database.contours
        layers = {}
        for layer in LAYERS:
            layers[layer] = np.zeros(series.shape, dtype=np.uint16)
            for index, labels in rows.slices(self.name, layer, reader=reader).items():
                layers[layer][index] = labels
        levels = rows.levels(self.name, reader=reader)
        return Annotation(
            layers["lesions"], layers["vertebrae"], levels, series.series_uid, reader=reader
        )

    def save_slices(
        self,
        slices: Mapping[str, Mapping[int, LabelArray]],
        levels: Mapping[int, str],
        series: SagittalSeries,
        *,
        reader: str = "",
    ) -> None:
        """Store slices of each layer that were drawn on; on the disk once this returns.

        Parameters
        ----------
        slices : mapping
            ``(row, column)`` labels by layer and slice. The first time all slices with contours
            must come, since what the case came with is not looked at from then on.
        levels : mapping of int to str
            Of all vertebrae, by label; they replace the former ones.
        series : SagittalSeries
            The scan that was drawn on.
        reader : str
            Whose they are; empty for those that the study works with.

        Raises
        ------
        SpinemetError
            If nothing can be saved; then all is as it was.
        """
        self.writable_database()
        self.store_change(self._packed_change(slices, levels, series, reader))

    def save_annotation(
        self, annotation: Annotation, series: SagittalSeries, *, reader: str = ""
    ) -> None:
        """Store contours in place of the former ones: the slices that differ.

        Parameters
        ----------
        annotation : Annotation
            What it does not speak of stays as it is.
        series : SagittalSeries
            The scan that it is of.
        reader : str
            Whose it becomes, whatever it says itself; empty for those that the study works with.

        Raises
        ------
        SpinemetError
            If it is of another series, or nothing can be saved; then all is as it was.
        """
        store_unless_overtaken(
            self.writable_database(),
            lambda: self.prepare_change(annotation, series, reader),
            self.store_change,
        )

    def approve(self, series: SagittalSeries) -> None:
        """Say that the contours are right as they are; another stroke takes that back."""
        database = self.writable_database()

        def prepare() -> ContourChange | None:
            record = self.record
            if record is not None and record.has_stored_contours:
                return None
            # They came as DICOM and were never touched: what is approved must not depend on files.
            return self.prepare_change(self.annotation(series), series)

        def store(change: ContourChange | None) -> None:
            if change is not None:
                self.store_change(change)
            database.set_state(self.name, CONTOURS_APPROVED)

        store_unless_overtaken(database, prepare, store)

    def prepare_change(
        self, annotation: Annotation, series: SagittalSeries, reader: str = ""
    ) -> ContourChange:
        """What :meth:`save_annotation` has to store: the slices that differ.

        Parameters
        ----------
        annotation : Annotation
        series : SagittalSeries
            The scan that it is of.
        reader : str
            Whose it becomes; empty for those that the study works with.

        Raises
        ------
        SpinemetError
            If it is of another series, or the contours that the case came with cannot be read.
        """
        database, record = self.writable_database(), self.record
        if annotation.lesions.shape != series.shape:
            raise SpinemetError(
                f"These contours have the shape {annotation.lesions.shape} and the scan of "
                f"{self.name} has {series.shape}; they are of another series."
            )
        has_stored_contours = record is not None and record.has_stored_contours
        if not reader and not has_stored_contours and self.has_contour_files:
            # From the first row on what the case came with is not looked at any more.
            annotation = annotation.complete_from(read_annotation(self.path / "contours", series))
        rows = database.contours
        differing: dict[str, dict[int, LabelArray]] = {}
        for layer in annotation.holds:
            former = rows.slices(self.name, layer, reader=reader) if record is not None else {}
            differing[layer] = {
                index: labels
                for index, labels in enumerate(getattr(annotation, layer))
                if (index in former or labels.any())
                and not np.array_equal(former.get(index, 0 * labels), labels)
            }
        levels = annotation.levels
        if "vertebrae" not in annotation.holds and record is not None:
            levels = rows.levels(self.name, reader=reader)
        return self._packed_change(differing, levels, series, reader)

    def _packed_change(
        self,
        slices: Mapping[str, Mapping[int, LabelArray]],
        levels: Mapping[int, str],
        series: SagittalSeries,
        reader: str,
    ) -> ContourChange:
        packed_slices = {
            layer: {index: pack_slice(labels) for index, labels in images.items()}
            for layer, images in slices.items()
        }
        return ContourChange(self._missing_record(series), packed_slices, dict(levels), reader)

    def store_change(self, change: ContourChange) -> None:
        """Store contours that were prepared; on the disk once this returns.

        Within a transaction it is a part of that.
        """
        database, reader = self.writable_database(), change.reader
        # A case that is recorded without its contours would have lost those it came with.
        with database.transaction():
            record = self._enter_record(change.missing_record)
            renames = dict(change.levels) != database.contours.levels(self.name, reader=reader)
            alters = any(change.slices.values()) or (renames and record.has_stored_contours)
            if not reader and alters and record.state != CONTOURS_DRAWN:
                # What was approved were other contours.
                database.set_state(self.name, CONTOURS_DRAWN)
            for layer, slices in change.slices.items():
                if slices:
                    database.contours.save(self.name, layer, slices, reader=reader)
            if renames:
                database.contours.save_levels(self.name, change.levels, reader=reader)


def store_unless_overtaken(
    database: StudyDatabase,
    prepare: Callable[[], _Change],
    store: Callable[[_Change], None],
) -> None:
    """Compare outside of a transaction, then store within one.

    If contours were saved in between, what was compared is out of date, and both begin again.

    Parameters
    ----------
    database : StudyDatabase
    prepare : callable
        Gives what is to be stored; may take its time and changes nothing.
    store : callable
        Stores that, within the transaction.
    """
    while True:
        revision = database.contours.revision
        change = prepare()
        with database.transaction():
            if database.contours.revision == revision:
                store(change)
                return
