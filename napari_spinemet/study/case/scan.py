"""A case and its scan: what it is called, how far it is, and the files of its images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ...dicom.examination import read_examination
from ...dicom.reading import content_hash
from ...dicom.series_readers import list_series, read_series
from ...errors import SpinemetError
from ...imaging import Examination, SagittalSeries
from ..database import (
    CONTOURS_APPROVED,
    CONTOURS_DRAWN,
    CONTOURS_NEW,
    CaseRecord,
    StudyDatabase,
    hash_of_files,
)
from .warnings_file import read_warnings

BESIDE_FOLDER = "beside"
"""Folder of a case with copies of the other series of the examination."""


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
        return self.contours in (CONTOURS_DRAWN, CONTOURS_APPROVED)

    def __str__(self) -> str:
        if self.contours == CONTOURS_NEW and self.findings:
            return self.findings
        return ", ".join(filter(None, (self.contours, self.findings)))


@dataclass(frozen=True)
class CaseScan:
    """A case with its scan.

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
        """What the database has of it; None before anything was saved."""
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
        contours = record.state if record is not None else CONTOURS_NEW
        if contours == CONTOURS_NEW and self.has_contour_files:
            contours = CONTOURS_DRAWN
        return CaseState(contours, record.findings if record is not None else "")

    @property
    def has_contour_files(self) -> bool:
        """Whether the case came with contours."""
        folder = self.path / "contours"
        return folder.is_dir() and any(folder.iterdir())

    @property
    def scan(self) -> Path:
        """Where the scan is."""
        return self._scan_path(self.record)

    def _scan_path(self, record: CaseRecord | None) -> Path:
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
        scan_path = self._scan_path(record)
        if record is not None and not record.is_copy:
            if not scan_path.exists():
                raise SpinemetError(
                    f"The scan of {self.name} is no longer at {scan_path}; put it back there, or "
                    "connect the disk that holds it."
                )
            if content_hash(scan_path, record.series_uid, record.stack) != record.content_hash:
                raise SpinemetError(
                    f"The scan of {self.name} at {scan_path} was changed since it was added to the "
                    "study, so its contours may not fit; add it again as another case."
                )
            return read_series(scan_path, record.series_uid, record.stack)
        summaries = list_series(scan_path)
        if len(summaries) == 1:  # also where the series it was copied from held several volumes
            series = read_series(scan_path, summaries[0].series_uid)
        elif record is not None:
            series = read_series(scan_path, record.series_uid, record.stack)
        else:
            series = read_series(scan_path)
        warnings = (*read_warnings(self.path), *series.warnings)
        stack = record.stack if record is not None else series.stack
        return replace(series, stack=stack, warnings=tuple(dict.fromkeys(warnings)))

    @property
    def examination(self) -> Examination:
        """Whose scan it is and of when; empty where its files do not say so or are not there."""
        record = self.record
        return read_examination(
            self._scan_path(record), record.series_uid if record is not None else ""
        )

    @property
    def companion_places(self) -> list[Path]:
        """Where other series of the examination may be: with the scan, and in the case's folder."""
        scan = self.scan
        return [self.path] if scan.is_relative_to(self.path) else [self.path, scan]

    def scan_fault(self) -> str:
        """What is wrong with the files of the scan, in a sentence; empty if nothing is."""
        record = self.record
        if record is None:
            return ""
        scan_path = self._scan_path(record)
        try:
            current_hash = (
                hash_of_files(_files_below(scan_path))
                if record.is_copy
                else content_hash(scan_path, record.series_uid, record.stack)
            )
        except (OSError, SpinemetError):
            current_hash = ""
        if current_hash == record.content_hash:
            return ""
        return f"The scan of {self.name} at {scan_path} is missing or was changed."

    def writable_database(self) -> StudyDatabase:
        """The database of its study, to change it.

        Raises
        ------
        SpinemetError
            If nothing can be saved there.
        """
        if self.database is None or not self.database.writable:
            reason = (
                self.database.read_only_reason
                if self.database is not None
                else "The study was opened for reading."
            )
            raise SpinemetError(f"The contours of {self.name} cannot be saved. {reason}")
        return self.database

    def ensure_record(self, series: SagittalSeries) -> CaseRecord:
        """Make sure that the database has the case; gives what it has of it.

        All files of the scan are read the first time: not for use within a transaction.
        """
        database, missing_record = self.writable_database(), self._missing_record(series)
        with database.transaction():
            return self._enter_record(missing_record)

    def _missing_record(self, series: SagittalSeries) -> CaseRecord | None:
        """What the database is to have of the case; None where it has that already.

        Hashes the scan, which other writers must not wait for: to be called before a
        transaction, in which :meth:`_enter_record` then stores what this gives.
        """
        if self.record is not None:
            return None
        return CaseRecord(
            name=self.name,
            series_uid=series.series_uid,
            scan_location=f"{self.name}/scan",
            is_copy=True,
            content_hash=hash_of_files(_files_below(self.path / "scan")),
            shape=series.shape,
            stack=series.stack,
            state=self.state_in(None).contours,
        )

    def _enter_record(self, missing_record: CaseRecord | None) -> CaseRecord:
        """Within a transaction: store the record, unless another thread has done so meanwhile."""
        record = self.record
        if record is None:
            assert missing_record is not None, "a case is never taken out of a database"
            self.writable_database().add_case(missing_record)
            return missing_record
        return record


def _files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
