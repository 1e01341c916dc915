"""One case of a study: its scan, its contours, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..dicom import list_series, read_series
from ..dicom.reading import content_hash
from ..errors import SpinemetError
from ..exchange import read_annotation
from ..imaging import Annotation, Finding, SagittalSeries
from ..imaging.annotation import LAYERS
from .contour_rows import LabelArray
from .database import (
    APPROVED,
    CONTOURED,
    DETECTED,
    NEW,
    REVIEWED,
    SIGNED,
    CaseRecord,
    StudyDatabase,
    hash_of_files,
)
from .result_rows import RunRecord
from .verdicts import VerdictBook


@dataclass(frozen=True)
class CaseState:
    """How far a case is.

    Attributes
    ----------
    contours : {"new", "contoured", "approved"}
    findings : {"", "detected", "reviewed", "signed"}
        What a network found, whether a person has judged all of it, and has signed that.
    """

    contours: str
    findings: str = ""

    @property
    def has_contours(self) -> bool:
        """Whether there are contours to learn from or to measure against."""
        return self.contours in (CONTOURED, APPROVED)

    def __str__(self) -> str:
        if self.contours == NEW and self.findings:
            return self.findings
        return ", ".join(filter(None, (self.contours, self.findings)))


@dataclass(frozen=True)
class Case:
    """One case of a study.

    Attributes
    ----------
    path : Path
        Its folder; one whose scan lies elsewhere has none.
    database : StudyDatabase or None
        Of its study, where there is one.
    """

    path: Path
    database: StudyDatabase | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Name of the case."""
        return self.path.name

    @property
    def record(self) -> CaseRecord | None:
        """What the study remembers of it; None before anything was saved."""
        return self.database.case(self.name) if self.database is not None else None

    @property
    def has_contours(self) -> bool:
        """Whether there are contours."""
        return self.state.has_contours

    @property
    def state(self) -> CaseState:
        """How far the case is."""
        return self.state_in(self.record)

    def state_in(self, record: CaseRecord | None) -> CaseState:
        """The state, with the record at hand."""
        contours = record.state if record is not None else NEW
        if contours == NEW and self.has_contour_files:
            contours = CONTOURED
        return CaseState(contours, record.findings if record is not None else "")

    @property
    def has_contour_files(self) -> bool:
        """Whether the case came with contours."""
        folder = self.path / "contours"
        return folder.is_dir() and any(folder.iterdir())

    @property
    def scan(self) -> Path:
        """Where the scan is."""
        return self._scan(self.record)

    def _scan(self, record: CaseRecord | None) -> Path:
        if record is None or record.is_copy:
            return self.path / "scan"
        return Path(record.scan_location)

    def series(self) -> SagittalSeries:
        """Read the scan: the only series that is there, or the one that can be detected on.

        Raises
        ------
        SpinemetError
            If it cannot be read, or lies elsewhere and is no longer what it was.
        """
        record = self.record
        place = self._scan(record)
        if record is not None and not record.is_copy:
            if not place.exists():
                raise SpinemetError(
                    f"The scan of {self.name} is no longer at {place}; put it back there, or "
                    "connect the disk that holds it."
                )
            if content_hash(place, record.series_uid) != record.content_hash:
                raise SpinemetError(
                    f"The scan of {self.name} at {place} was changed since it was added to the "
                    "study, so its contours may not fit; add it again as another case."
                )
            return read_series(place, record.series_uid)
        held = list_series(place)
        return read_series(place, held[0].series_uid if len(held) == 1 else None)

    def scan_fault(self) -> str:
        """What is wrong with the files of the scan, in a sentence; empty if nothing is."""
        record = self.record
        if record is None:
            return ""
        place = self._scan(record)
        try:
            now = (
                hash_of_files([p for p in place.rglob("*") if p.is_file()])
                if record.is_copy
                else content_hash(place, record.series_uid)
            )
        except (OSError, SpinemetError):
            now = ""
        if now == record.content_hash:
            return ""
        return f"The scan of {self.name} at {place} is missing or was changed."

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
        reader : str
            Whose; those that the study works with by default.

        Raises
        ------
        SpinemetError
            If there are none, or they are of another scan.
        """
        database, record = self.database, self.record
        if reader and reader not in self.readers():
            raise SpinemetError(f"The case {self.name} has no contours by {reader}.")
        if not reader and not self.state_in(record).has_contours:
            raise SpinemetError(f"The case {self.name} has no contours yet; draw them first.")
        if record is None or database is None or not (reader or record.has_stored_contours):
            return read_annotation(self.path / "contours", series)
        if record.shape != series.shape:
            raise SpinemetError(
                f"The contours of {self.name} are of a series of {record.shape} and its scan has "
                f"{series.shape}; the scan was exchanged. Import it as another case."
            )
        layers = {}
        for layer in LAYERS:
            layers[layer] = np.zeros(series.shape, dtype=np.uint16)
            for index, labels in database.contours.slices(self.name, layer, reader=reader).items():
                layers[layer][index] = labels
        levels = database.contours.levels(self.name, reader=reader)
        return Annotation(
            layers["lesions"], layers["vertebrae"], levels, series.series_uid, reader=reader
        )

    def ensure_record(self, series: SagittalSeries) -> CaseRecord:
        """Make sure that the study knows the case; gives what it remembers."""
        database, record = self.writable(), self.record
        if record is not None:
            return record
        scan = self.path / "scan"
        made = CaseRecord(
            name=self.name,
            series_uid=series.series_uid,
            scan_location=f"{self.name}/scan",
            is_copy=True,
            content_hash=hash_of_files([p for p in scan.rglob("*") if p.is_file()]),
            shape=series.shape,
            state=self.state_in(None).contours,
        )
        database.add_case(made)
        return made

    def save_slices(
        self,
        changed: Mapping[str, Mapping[int, LabelArray]],
        levels: Mapping[int, str],
        series: SagittalSeries,
        *,
        reader: str = "",
    ) -> None:
        """Store slices of each layer that were drawn on; on the disk once this returns.

        The first time all slices with contours must come, since what the case came with is
        not looked at from then on.
        """
        database = self.writable()
        # A case that is known without its contours would have lost those it came with.
        with database.transaction():
            record = self.ensure_record(series)
            named = dict(levels) != database.contours.levels(self.name, reader=reader)
            altered = any(changed.values()) or (named and record.has_stored_contours)
            if not reader and altered and record.state != CONTOURED:
                # What was approved were other contours.
                database.set_state(self.name, CONTOURED)
            for layer, slices in changed.items():
                if slices:
                    database.contours.save(self.name, layer, slices, reader=reader)
            if named:
                database.contours.save_levels(self.name, levels, reader=reader)

    def save_annotation(
        self, annotation: Annotation, series: SagittalSeries, *, reader: str = ""
    ) -> None:
        """Store contours in place of the former ones: the slices that differ.

        What the annotation does not speak of stays as it is.
        """
        database, record = self.writable(), self.record
        known = record is not None
        if annotation.lesions.shape != series.shape:
            raise SpinemetError(
                f"These contours have the shape {annotation.lesions.shape} and the scan of "
                f"{self.name} has {series.shape}; they are of another series."
            )
        if (
            not reader
            and not (record is not None and record.has_stored_contours)
            and self.has_contour_files
        ):
            # From the first row on what the case came with is not looked at any more.
            annotation = annotation.complete_from(read_annotation(self.path / "contours", series))
        changed: dict[str, dict[int, LabelArray]] = {}
        for layer in annotation.holds:
            labels = getattr(annotation, layer)
            former = database.contours.slices(self.name, layer, reader=reader) if known else {}
            changed[layer] = {
                index: image
                for index, image in enumerate(labels)
                if (index in former or image.any())
                and not np.array_equal(former.get(index, 0 * image), image)
            }
        levels = annotation.levels
        if "vertebrae" not in annotation.holds and known:
            levels = database.contours.levels(self.name, reader=reader)
        self.save_slices(changed, levels, series, reader=reader)

    def approve(self, series: SagittalSeries) -> None:
        """Say that the contours are right as they are; another stroke takes that back."""
        database, record = self.writable(), self.record
        with database.transaction():
            if (
                record is None or not record.has_stored_contours
            ):  # they came as DICOM and were never touched
                self.save_annotation(self.annotation(series), series)
            database.set_state(self.name, APPROVED)

    def save_run(
        self,
        series: SagittalSeries,
        model: tuple[str, str, str],
        settings: Mapping[str, Any],
        findings: Sequence[Finding],
        seconds: float,
    ) -> int:
        """Store what a model found; gives the number of the run.

        Parameters
        ----------
        series : SagittalSeries
            The scan that it ran on.
        model : tuple of str
            Identity, name, and card as JSON.
        settings : mapping
            What the result depends on.
        findings : sequence of Finding
        seconds : float
            How long it took.
        """
        database = self.writable()
        identity, name, card = model
        with database.transaction():
            self.ensure_record(series)
            database.results.save_model(identity, name, card)
            run = database.results.save_run(
                self.name, identity, settings, findings, seconds=seconds
            )
            database.set_findings(self.name, DETECTED)
        return run

    def verdicts(self) -> VerdictBook:
        """What has been said of its findings."""
        if self.database is None or self.record is None:
            return VerdictBook()
        return VerdictBook(self.database.results.verdicts(self.name))

    def judge(
        self,
        series: SagittalSeries,
        place: Sequence[float],
        verdict: str,
        *,
        all_judged: bool,
        model: str = "",
    ) -> None:
        """Store the verdict on what is at a place; with the last one the case is reviewed.

        ``model`` is the identity of the one that found it. What was signed is so no more.
        """
        database = self.writable()
        with database.transaction():
            record = self.ensure_record(series)
            runs = [r for r in database.results.runs(self.name) if r.model == model]
            run = runs[-1].number if runs else None
            database.results.save_verdict(self.name, place, verdict, run=run)
            state = REVIEWED if all_judged else DETECTED
            if record.findings != state:
                database.set_findings(self.name, state)

    @property
    def last_run(self) -> RunRecord | None:
        """What was detected last."""
        if self.database is None or self.record is None:
            return None
        runs = self.database.results.runs(self.name)
        return runs[-1] if runs else None

    def sign(
        self,
        series: SagittalSeries,
        model: tuple[str, str, str],
        settings: Mapping[str, Any],
        findings: Sequence[Finding],
    ) -> None:
        """Sign the verdicts on findings; these are stored as they were on the screen.

        The user of the computer signs; another verdict, or another detection, takes it back.
        The parameters are those of :meth:`save_run`.

        Raises
        ------
        SpinemetError
            If one of the findings has no verdict.
        """
        database = self.writable()
        with database.transaction():
            self.ensure_record(series)
            said = self.verdicts().of([f.centre_mm for f in findings])
            if not all(said):
                raise SpinemetError(
                    f"{said.count('')} of the {len(said)} findings of {self.name} have no verdict "
                    "yet; judge them, then sign."
                )
            self.save_run(series, model, {**settings, "signed": True}, findings, 0.0)
            database.set_findings(self.name, SIGNED)

    def writable(self) -> StudyDatabase:
        """The memory of its study, to change it.

        Raises
        ------
        SpinemetError
            If nothing can be saved there.
        """
        if self.database is None or not self.database.writable:
            notice = self.database.notice if self.database else "The study was opened for reading."
            raise SpinemetError(f"The contours of {self.name} cannot be saved. {notice}")
        return self.database
