"""What a study remembers: its cases and how far each is, and the rows about them."""

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

NEW, CONTOURED, APPROVED = "new", "contoured", "approved"
DETECTED, REVIEWED, SIGNED = "detected", "reviewed", "signed"
STATES = (NEW, CONTOURED, APPROVED)
"""How far the contours of a case are."""
FINDINGS = ("", DETECTED, REVIEWED, SIGNED)
"""How far the findings of a case are; a case may be approved and not detected on, or both."""


@dataclass(frozen=True)
class CaseRecord:
    """A case as the study remembers it.

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
    state: str = NEW
    state_by: str = ""
    state_at: str = ""
    findings: str = ""
    findings_by: str = ""
    findings_at: str = ""
    has_stored_contours: bool = False


class StudyDatabase(Store):
    """The remembering part of a study; see :class:`.Store` for how it is opened.

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
        return [_record(row) for row in self.read(f"{_CASES} ORDER BY name")]

    def case(self, name: str) -> CaseRecord | None:
        """One case, if it is known."""
        rows = self.read(f"{_CASES} WHERE name = ?", name)
        return _record(rows[0]) if rows else None

    def add_case(self, case: CaseRecord, who: str = "") -> None:
        """Remember a case.

        Raises
        ------
        SpinemetError
            If the name is taken.
        """
        if self.read("SELECT 1 FROM cases WHERE name = ?", case.name):
            raise SpinemetError(f"There is a case {case.name} already; choose another name.")
        with self.writing(who) as change:
            change.execute(
                "INSERT INTO cases (name, series_uid, place, copied, content, slices, rows, "
                "columns, state, state_by, state_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                *(case.name, case.series_uid, case.scan_location, case.is_copy, case.content_hash),
                *(*case.shape, case.state, change.who, change.now),
            )
            change.note("add case", {"case": case.name}, _case_digest(case))
            change.note("state", {"case": case.name}, digest(case.state))

    def set_state(self, name: str, state: str, who: str = "") -> None:
        """Bring the contours of a case to another state."""
        if state not in STATES:
            raise ValueError(f"A state is one of {', '.join(STATES)}, not {state!r}.")
        self._set("state", name, state, who)

    def set_findings(self, name: str, state: str, who: str = "") -> None:
        """Bring the findings of a case to another state."""
        if state not in FINDINGS:
            raise ValueError(f"Findings are {', '.join(FINDINGS[1:])}, not {state!r}.")
        self._set("findings", name, state, who)

    def _set(self, column: str, name: str, state: str, who: str) -> None:
        case_id, _ = self.case_id(name)
        with self.writing(who) as change:
            change.execute(
                f"UPDATE cases SET {column} = ?, {column}_by = ?, {column}_at = ? WHERE id = ?",
                *(state, change.who, change.now, case_id),
            )
            change.note(column, {"case": name}, digest(state))

    def verify(self) -> list[str]:
        """What is wrong with the study, a sentence each; nothing if all is as it was left.

        The chain of the trail must be unbroken, and each row must hold what the trail says
        of it last.
        """
        damage = [told for (told,) in self.read("PRAGMA integrity_check") if told != "ok"]
        wrong = [f"The file is damaged: {told}." for told in damage]
        trail = list(self.audit())
        held = dict(self._held()) | dict(self.contours.held()) | dict(self.results.held())
        return wrong + broken_links(trail) + differences(trail, held)

    def _held(self) -> Iterator[tuple[Row, str]]:
        for case in self.cases():
            subject = subject_of({"case": case.name})
            yield ("add case", subject), _case_digest(case)
            yield ("state", subject), digest(case.state)
            if case.findings:
                yield ("findings", subject), digest(case.findings)


_CASES = (
    "SELECT name, series_uid, place, copied, content, slices, rows, columns, state, state_by, "
    "state_at, findings, findings_by, findings_at, "
    "EXISTS (SELECT 1 FROM contours WHERE case_id = id AND reader = '' AND origin = 'person') "
    "FROM cases"
)


def _record(row: tuple[Any, ...]) -> CaseRecord:
    name, uid, place, copied, content, slices, height, width, *states, stored = row
    shape = (slices, height, width)
    record = CaseRecord(name, uid, place, bool(copied), content, shape, *states)
    return replace(record, has_stored_contours=bool(stored))


def hash_of_files(files: list[Path]) -> str:
    """One hash of the contents of some files, in whatever order they are listed."""
    each = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return digest("\n".join(each))


def _case_digest(case: CaseRecord) -> str:
    facts = [case.series_uid, case.scan_location, case.is_copy, case.content_hash, *case.shape]
    return digest(json.dumps(facts, ensure_ascii=False))
