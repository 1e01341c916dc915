"""What a study remembers: cases, contours slice by slice, and who did what.

One SQLite file in WAL mode. Each call is one transaction that has reached the disk when it
returns, so that a program which is killed loses at most the stroke being drawn. One
program writes at a time; another one that opens the study reads.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from ..errors import SpinemetError
from .audit import (
    CLOSED,
    OPENED,
    AuditEntry,
    append,
    broken_links,
    differences,
    digest,
    saved_before_a_crash,
    subject_of,
)
from .schema import migrate, refuse_newer

FILE, LOCK = "study.sqlite", "study.lock"
LAYERS = ("lesions", "vertebrae")
PERSON, NETWORK = "person", "network"
NEW, CONTOURED, APPROVED, DETECTED, REVIEWED = (
    "new",
    "contoured",
    "approved",
    "detected",
    "reviewed",
)
STATES = (NEW, CONTOURED, APPROVED, DETECTED, REVIEWED)

LabelArray = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class CaseRecord:
    """A case as the study remembers it.

    Attributes
    ----------
    name, series_uid : str
    place : str
        Of the scan: relative to the study if it was copied, else an absolute path.
    copied : bool
    content : str
        Hash of the scan's files, see :func:`hash_of_files`.
    shape : tuple of int
        (slices, rows, columns) of the series.
    state : {"new", "contoured", "approved", "detected", "reviewed"}
    state_by, state_at : str
        Who brought it there, and when (ISO 8601, UTC).
    """

    name: str
    series_uid: str
    place: str
    copied: bool
    content: str
    shape: tuple[int, int, int]
    state: str = NEW
    state_by: str = ""
    state_at: str = ""


class StudyDatabase:
    """The remembering part of a study.

    Parameters
    ----------
    folder : Path
        Of the study; the file is made in it if ``write`` is possible and it is missing.
    write : bool
        Ask to write. Where that cannot be, because another program writes or the folder is
        read-only, the study opens for reading and :attr:`notice` says why.

    Attributes
    ----------
    notice : str
        Why nothing can be written, in a sentence; empty where it can.
    restored : str
        What was saved by a program that did not end as it should, in a sentence, else empty.

    Raises
    ------
    SpinemetError
        If the file is damaged, of a newer program, or missing and not to be made.
    """

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        self.path = folder / FILE
        self.notice = "" if write else "The study was opened for reading."
        self._lock = FileLock(folder / LOCK, timeout=0)
        if write:
            self.notice = self._take(folder)
        try:
            self._connection = self._connect()
        except sqlite3.Error as error:
            self._lock.release()
            raise self._sentence(error) from error
        except SpinemetError:
            self._lock.release()
            raise
        self.restored = ""
        if self.writable:
            self.restored = saved_before_a_crash(list(self.audit()))
            with self._writing() as (connection, now):
                append(connection, now, user(), OPENED, {}, "")

    def _take(self, folder: Path) -> str:
        """Become the one who writes; else the reason why not."""
        if not os.access(folder, os.W_OK):
            return f"The folder {folder} is read-only, so nothing can be saved in this study."
        try:
            self._lock.acquire()
        except Timeout:
            return (
                "Another program is writing to this study, so it is open for reading only here; "
                "close it there and open it again."
            )
        except OSError as error:
            return f"Nothing can be saved in {folder} ({error.strerror})."
        return ""

    def _connect(self) -> sqlite3.Connection:
        if not self.writable and not self.path.is_file():
            raise SpinemetError(f"There is no study in {self.path.parent} yet. {self.notice}")
        # Where the folder takes no lock files either, nobody can be writing.
        mode = "mode=ro" if os.access(self.path.parent, os.W_OK) else "mode=ro&immutable=1"
        connection = _connection(
            self.path if self.writable else f"{self.path.resolve().as_uri()}?{mode}"
        )
        try:
            if self.writable:
                connection.execute("PRAGMA journal_mode = WAL")
                # A commit that has returned is on the disk, also if the power fails.
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                migrate(connection, self.path)
            refuse_newer(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def writable(self) -> bool:
        """Whether this program is the one that writes."""
        return not self.notice

    def close(self) -> None:
        """End the connection, and let another program write."""
        if self.writable:
            with suppress(SpinemetError), self._writing() as (connection, now):
                append(connection, now, user(), CLOSED, {}, "")
        self.notice = "The study was closed here; open it again."
        self._connection.close()
        self._lock.release()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make several calls one transaction: all of them reach the disk, or none."""
        with self._writing():
            yield

    # Cases -------------------------------------------------------------------------------

    def cases(self) -> list[CaseRecord]:
        """All cases, by name."""
        return [_record(row) for row in self._read(f"{_CASES} ORDER BY name")]

    def case(self, name: str) -> CaseRecord | None:
        """One case, if it is known."""
        rows = self._read(f"{_CASES} WHERE name = ?", name)
        return _record(rows[0]) if rows else None

    def add_case(self, case: CaseRecord, who: str = "") -> None:
        """Remember a case.

        Raises
        ------
        SpinemetError
            If the name is taken.
        """
        if self._read("SELECT 1 FROM cases WHERE name = ?", case.name):
            raise SpinemetError(f"There is a case {case.name} already; choose another name.")
        with self._writing() as (connection, now):
            connection.execute(
                "INSERT INTO cases (name, series_uid, place, copied, content, slices, rows, "
                "columns, state, state_by, state_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *(case.name, case.series_uid, case.place, case.copied, case.content),
                    *(*case.shape, case.state, who or user(), now),
                ),
            )
            append(
                connection, now, who or user(), "add case", {"case": case.name}, _case_digest(case)
            )
            append(connection, now, who or user(), "state", {"case": case.name}, digest(case.state))

    def set_state(self, name: str, state: str, who: str = "") -> None:
        """Bring a case to another state."""
        if state not in STATES:
            raise ValueError(f"A state is one of {', '.join(STATES)}, not {state!r}.")
        with self._writing() as (connection, now):
            changed = connection.execute(
                "UPDATE cases SET state = ?, state_by = ?, state_at = ? WHERE name = ?",
                (state, who or user(), now, name),
            )
            if not changed.rowcount:
                raise self._unknown(name)
            append(connection, now, who or user(), "state", {"case": name}, digest(state))

    # Contours ----------------------------------------------------------------------------

    def save_slices(
        self,
        name: str,
        layer: str,
        slices: Mapping[int, npt.NDArray[Any]],
        *,
        reader: str = "",
        origin: str = PERSON,
        who: str = "",
    ) -> None:
        """Store label images of some slices of a case; on the disk once this returns.

        Parameters
        ----------
        name : str
            Of the case.
        layer : {"lesions", "vertebrae"}
        slices : mapping of int to numpy.ndarray
            ``(row, column)`` uint16 labels by slice.
        reader : str
            Whose contours these are, where a case has several.
        origin : {"person", "network"}
            Who drew them: what a network proposed is never the row that a person approved.
        who : str
            Who stores them; the user of the computer by default.
        """
        record = self._case_id(name)
        with self._writing() as (connection, now):
            for index, labels in slices.items():
                blob = _packed(labels, record[1])
                connection.execute(
                    "INSERT INTO contours VALUES (?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                    "labels = excluded.labels, saved_at = excluded.saved_at",
                    (record[0], reader, origin, layer, int(index), blob, now),
                )
                subject = _contour_subject(name, reader, origin, layer, int(index))
                append(connection, now, who or user(), "contour", subject, digest(blob))

    def slices(
        self, name: str, layer: str, *, reader: str = "", origin: str = PERSON
    ) -> dict[int, LabelArray]:
        """Stored label images ``(row, column)`` of a case by slice; those never saved lack."""
        case_id, shape = self._case_id(name)
        rows = self._read(
            "SELECT slice, labels FROM contours WHERE case_id = ? AND reader = ? AND origin = ? "
            "AND layer = ? ORDER BY slice",
            *(case_id, reader, origin, layer),
        )
        return {index: _unpacked(blob, shape) for index, blob in rows}

    def readers(self, name: str, *, origin: str = PERSON) -> list[str]:
        """Who has contours of a case."""
        case_id, _ = self._case_id(name)
        rows = self._read(
            "SELECT DISTINCT reader FROM contours WHERE case_id = ? AND origin = ? ORDER BY reader",
            *(case_id, origin),
        )
        return [reader for (reader,) in rows]

    def save_levels(
        self,
        name: str,
        levels: Mapping[int, str],
        *,
        reader: str = "",
        origin: str = PERSON,
        who: str = "",
    ) -> None:
        """Store the level of each vertebra by its label."""
        case_id, _ = self._case_id(name)
        names = json.dumps({str(k): v for k, v in sorted(levels.items())}, ensure_ascii=False)
        with self._writing() as (connection, now):
            connection.execute(
                "INSERT INTO levels VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET "
                "names = excluded.names, saved_at = excluded.saved_at",
                (case_id, reader, origin, names, now),
            )
            subject = {"case": name, "reader": reader, "origin": origin}
            append(connection, now, who or user(), "levels", subject, digest(names))

    def levels(self, name: str, *, reader: str = "", origin: str = PERSON) -> dict[int, str]:
        """Stored levels by label."""
        case_id, _ = self._case_id(name)
        rows = self._read(
            "SELECT names FROM levels WHERE case_id = ? AND reader = ? AND origin = ?",
            *(case_id, reader, origin),
        )
        return {int(k): v for k, v in json.loads(rows[0][0]).items()} if rows else {}

    # Audit -------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """Number of the last change."""
        return int(self._read("SELECT COALESCE(MAX(number), 0) FROM audit")[0][0])

    def audit(self) -> Iterator[AuditEntry]:
        """The audit trail, oldest first."""
        for row in self._read("SELECT * FROM audit ORDER BY number"):
            yield AuditEntry(*row)

    def verify(self) -> list[str]:
        """What is wrong with the study, a sentence each; nothing if all is as it was left.

        The chain of the trail must be unbroken, and each row must hold what the trail says
        of it last.
        """
        damage = [told for (told,) in self._read("PRAGMA integrity_check") if told != "ok"]
        wrong = [f"The file is damaged: {told}." for told in damage]
        trail = list(self.audit())
        return wrong + broken_links(trail) + differences(trail, dict(self._held()))

    def _held(self) -> Iterator[tuple[tuple[str, str], str]]:
        """The hash of every row that the trail speaks of, by action and subject."""
        for case in self.cases():
            subject = subject_of({"case": case.name})
            yield ("add case", subject), _case_digest(case)
            yield ("state", subject), digest(case.state)
        for name, reader, origin, layer, index, blob in self._read(
            "SELECT name, reader, origin, layer, slice, labels FROM contours "
            "JOIN cases ON cases.id = case_id"
        ):
            subject = subject_of(_contour_subject(name, reader, origin, layer, index))
            yield ("contour", subject), digest(blob)
        for name, reader, origin, names in self._read(
            "SELECT name, reader, origin, names FROM levels JOIN cases ON cases.id = case_id"
        ):
            subject = subject_of({"case": name, "reader": reader, "origin": origin})
            yield ("levels", subject), digest(names)

    # SQLite ------------------------------------------------------------------------------

    def _case_id(self, name: str) -> tuple[int, tuple[int, int]]:
        rows = self._read("SELECT id, rows, columns FROM cases WHERE name = ?", name)
        if not rows:
            raise self._unknown(name)
        return rows[0][0], (rows[0][1], rows[0][2])

    def _unknown(self, name: str) -> SpinemetError:
        return SpinemetError(f"The study {self.path.parent} has no case {name}.")

    def _read(self, query: str, *values: Any) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._sentence(error) from error

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, str]]:
        """One transaction and its time; within another one, a part of that."""
        if not self.writable:
            raise SpinemetError(self.notice)
        connection, now = self._connection, datetime.now(UTC).isoformat(timespec="milliseconds")
        part = bool(connection.in_transaction)
        if part:
            yield connection, now
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection, now
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._sentence(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _sentence(self, error: sqlite3.Error) -> SpinemetError:
        told = str(error)
        if "full" in told:
            return SpinemetError(
                f"The disk that holds {self.path} is full, so this was not saved; free some "
                "space, then go on."
            )
        if "readonly" in told or "unable to open" in told:
            return SpinemetError(f"{self.path} cannot be written; check who may write there.")
        if isinstance(error, sqlite3.DatabaseError) and (
            "malformed" in told or "not a database" in told
        ):
            return SpinemetError(
                f"{self.path} is damaged; put it aside and restore it from a backup."
            )
        return SpinemetError(f"{self.path} could not be used ({told}); try again.")


_CASES = (
    "SELECT name, series_uid, place, copied, content, slices, rows, columns, state, state_by, "
    "state_at FROM cases"
)


def _record(row: tuple[Any, ...]) -> CaseRecord:
    name, uid, place, copied, content, slices, height, width, *state = row
    return CaseRecord(name, uid, place, bool(copied), content, (slices, height, width), *state)


def user() -> str:
    """Who is at the computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def hash_of_files(files: list[Path]) -> str:
    """One hash of the contents of some files, in whatever order they are listed."""
    each = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return digest("\n".join(each))


def _connection(place: Path | str) -> sqlite3.Connection:
    # Transactions are begun by hand; reading comes from the window's thread, and writing
    # from one at a time.
    return sqlite3.connect(
        place, uri=isinstance(place, str), isolation_level=None, check_same_thread=False
    )


def _packed(labels: npt.NDArray[Any], shape: tuple[int, int]) -> bytes:
    if labels.shape != shape:
        raise ValueError(f"A slice of this case has shape {shape}, not {labels.shape}.")
    return zlib.compress(np.ascontiguousarray(labels, dtype="<u2").tobytes(), 1)


def _unpacked(blob: bytes, shape: tuple[int, int]) -> LabelArray:
    flat = np.frombuffer(zlib.decompress(blob), dtype="<u2").astype(np.uint16)
    return flat.reshape(shape)


def _contour_subject(
    name: str, reader: str, origin: str, layer: str, index: int
) -> dict[str, str | int]:
    return {"case": name, "reader": reader, "origin": origin, "layer": layer, "slice": index}


def _case_digest(case: CaseRecord) -> str:
    facts = [case.series_uid, case.place, case.copied, case.content, *case.shape]
    return digest(json.dumps(facts, ensure_ascii=False))
