"""The database of a study: its cases and how far each is, and the rows about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import SpinemetError
from .audit import Row, broken_links, differences, digest, subject_of
from .contour_rows import ContourRows
from .result_rows import ResultRows
from .store import Store

CONTOURS_NEW, CONTOURS_DRAWN, CONTOURS_APPROVED = "new", "contoured", "approved"
FINDINGS_DETECTED, FINDINGS_REVIEWED, FINDINGS_SIGNED = "detected", "reviewed", "signed"
CONTOUR_STATUSES = (CONTOURS_NEW, CONTOURS_DRAWN, CONTOURS_APPROVED)
"""How far the contours of a case are."""
FINDINGS_STATUSES = ("", FINDINGS_DETECTED, FINDINGS_REVIEWED, FINDINGS_SIGNED)
"""How far the findings of a case are; a case may be approved and not detected on, or both."""


@dataclass(frozen=True)
class CaseRecord:
    """A case as the database has it.

    Attributes
    ----------
    name, series_uid : str
    scan_location : str
        Of the scan: relative to the study if it was copied, else an absolute path.
    is_copy : bool
    content_hash : str
        Hash of the scan's files.
    shape : tuple of int
        (slices, rows, columns) of the series.
    stack : int
        Which volume of its DICOM series it is, from 1.
    state : {"new", "contoured", "approved"}
        Of its contours.
    state_by, state_at : str
        Who brought it there, and when (ISO 8601, UTC).
    findings : {"", "detected", "reviewed", "signed"}
    findings_by, findings_at : str
    has_stored_contours : bool
        Whether the study holds contours of it, in place of those it may have come with.
    """

    name: str
    series_uid: str
    scan_location: str
    is_copy: bool
    content_hash: str
    shape: tuple[int, int, int]
    state: str = CONTOURS_NEW
    state_by: str = ""
    state_at: str = ""
    findings: str = ""
    findings_by: str = ""
    findings_at: str = ""
    has_stored_contours: bool = False
    stack: int = 1


class StudyDatabase(Store):
    """All that a study stores in its file; see :class:`.Store` for how it is opened.

    Attributes
    ----------
    contours : ContourRows
    results : ResultRows
    """

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        super().__init__(folder, write=write)
        self.contours = ContourRows(self)
        self.results = ResultRows(self)

    def cases(self) -> list[CaseRecord]:
        """All cases, by name."""
        return [_record(row) for row in self.select(f"{_CASES} ORDER BY name")]

    def case(self, name: str) -> CaseRecord | None:
        """One case, if it was entered."""
        rows = self.select(f"{_CASES} WHERE name = ?", name)
        return _record(rows[0]) if rows else None

    def add_case(self, case: CaseRecord, who: str = "") -> None:
        """Enter a case.

        Parameters
        ----------
        case : CaseRecord
            Who brought it to its state, and when, is not taken from it.
        who : str
            Who adds it; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If the name is taken, or nothing can be saved.
        """
        with self.writing(who) as change:
            if self.select("SELECT 1 FROM cases WHERE name = ?", case.name):
                raise SpinemetError(f"There is a case {case.name} already; choose another name.")
            change.execute(
                "INSERT INTO cases (name, series_uid, place, copied, content, slices, rows, "
                "columns, state, state_by, state_at, stack) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                *(case.name, case.series_uid, case.scan_location, case.is_copy, case.content_hash),
                *(*case.shape, case.state, change.who, change.timestamp, case.stack),
            )
            change.note("add case", {"case": case.name}, _case_digest(case))
            change.note("state", {"case": case.name}, digest(case.state))

    def set_state(self, name: str, state: str, who: str = "") -> None:
        """Bring the contours of a case to another state.

        Parameters
        ----------
        name : str
            Of the case.
        state : {"new", "contoured", "approved"}
        who : str
            Who says so; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If there is no such case, or nothing can be saved.
        """
        if state not in CONTOUR_STATUSES:
            raise ValueError(f"A state is one of {', '.join(CONTOUR_STATUSES)}, not {state!r}.")
        self._set("state", name, state, who)

    def set_findings(self, name: str, state: str, who: str = "") -> None:
        """Bring the findings of a case to another state.

        Parameters
        ----------
        name : str
            Of the case.
        state : {"", "detected", "reviewed", "signed"}
        who : str
            Who says so; the user of the computer by default.

        Raises
        ------
        SpinemetError
            If there is no such case, or nothing can be saved.
        """
        if state not in FINDINGS_STATUSES:
            raise ValueError(f"Findings are {', '.join(FINDINGS_STATUSES[1:])}, not {state!r}.")
        self._set("findings", name, state, who)

    def _set(self, column: str, name: str, state: str, who: str) -> None:
        case_id, _ = self.case_id(name)
        with self.writing(who) as change:
            change.execute(
                f"UPDATE cases SET {column} = ?, {column}_by = ?, {column}_at = ? WHERE id = ?",
                *(state, change.who, change.timestamp, case_id),
            )
            change.note(column, {"case": name}, digest(state))

    def verify(self) -> list[str]:
        """What is wrong with the study, a sentence each; nothing if all is as it was left.

        The chain of the trail must be unbroken, and each row must hold what the trail says
        of it last.
        """
        # Trail and rows of one moment: a stroke between the two reads would look like tampering.
        with self.snapshot():
            reports = [report for (report,) in self.select("PRAGMA integrity_check")]
            trail = self.audit()
            row_hashes = (
                dict(self._row_hashes())
                | dict(self.contours.row_hashes())
                | dict(self.results.row_hashes())
            )
        faults = [f"The file is damaged: {report}." for report in reports if report != "ok"]
        return faults + broken_links(trail) + differences(trail, row_hashes)

    def _row_hashes(self) -> Iterator[tuple[Row, str]]:
        for case in self.cases():
            subject = subject_of({"case": case.name})
            yield ("add case", subject), _case_digest(case)
            yield ("state", subject), digest(case.state)
            if case.findings:
                yield ("findings", subject), digest(case.findings)


_CASES = (
    "SELECT name, series_uid, place, copied, content, slices, rows, columns, stack, state, "
    "state_by, state_at, findings, findings_by, findings_at, "
    "EXISTS (SELECT 1 FROM contours WHERE case_id = id AND reader = '' AND origin = 'person') "
    "FROM cases"
)


def _record(row: tuple[Any, ...]) -> CaseRecord:
    name, uid, location, is_copy, content_hash, *shape, stack = row[:9]
    *states, has_contours = row[9:]
    slices, height, width = shape
    record = CaseRecord(
        name, uid, location, bool(is_copy), content_hash, (slices, height, width), *states
    )
    return replace(record, has_stored_contours=bool(has_contours), stack=stack)


def hash_of_files(files: list[Path]) -> str:
    """One hash of the contents of some files, in whatever order they are listed."""
    hashes = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return digest("\n".join(hashes))


def _case_digest(case: CaseRecord) -> str:
    facts = [case.series_uid, case.scan_location, case.is_copy, case.content_hash, *case.shape]
    if case.stack != 1:  # so that what was noted before there were any still holds
        facts.append(case.stack)
    return digest(json.dumps(facts, ensure_ascii=False))
