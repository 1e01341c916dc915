"""The file of a study: who may write, what one transaction is, and what went wrong in words.

One SQLite file in WAL mode. A transaction has reached the disk when it returns, so that a
program which is killed loses at most the stroke being drawn. One program writes at a time;
another one that opens the study reads.
"""

from __future__ import annotations

import getpass
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import SpinemetError
from .audit import CLOSED, OPENED, AuditEntry, append, saved_before_a_crash
from .schema import migrate, migrated_copy

FILE, LOCK = "study.sqlite", "study.lock"


@dataclass(frozen=True)
class Transaction:
    """What is being changed now: by whom, when, and the trail that tells of it."""

    connection: sqlite3.Connection
    now: str
    who: str

    def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement."""
        return self.connection.execute(query, values)

    def note(self, action: str, subject: dict[str, Any], content: str) -> None:
        """Add to the audit trail: what was done to which row, and the hash of what it holds."""
        append(self.connection, self.now, self.who, action, subject, content)


class Store:
    """The file, for as long as the study is open.

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
    recovery_message : str
        What was saved by a program that did not end as it should, in a sentence, else empty.

    Raises
    ------
    SpinemetError
        If the file is damaged, of a newer program, or missing and not to be made.
    """

    def __init__(self, folder: Path, *, write: bool = True) -> None:
        self.path = folder / FILE
        self.notice = "" if write else "The study was opened for reading."
        # A transaction is one thread's at a time; within it, others of that thread are parts.
        self._one_writer = threading.RLock()
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
        self.recovery_message = ""
        if self.writable:
            self.recovery_message = saved_before_a_crash(list(self.audit()))
            with self.writing() as change:
                change.note(OPENED, {}, "")

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
        if self.writable:
            connection = _connection(self.path)
        elif os.access(self.path.parent, os.W_OK):
            connection = _connection(f"{self.path.resolve().as_uri()}?mode=ro")
        else:
            connection = _settled(self.path)
        try:
            if not self.writable:
                return migrated_copy(connection, self.path)
            connection.execute("PRAGMA journal_mode = WAL")
            # A commit that has returned is on the disk, also if the power fails.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, self.path)
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
            with suppress(SpinemetError), self.writing() as change:
                change.note(CLOSED, {}, "")
        self.notice = "The study was closed here; open it again."
        self._connection.close()
        self._lock.release()

    def read(self, query: str, *values: Any) -> list[Any]:
        """Rows that a query gives."""
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._sentence(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several calls one transaction: all of them reach the disk, or none."""
        with self.writing():
            yield

    @contextmanager
    def writing(self, who: str = "") -> Iterator[Transaction]:
        """One transaction; within another one, a part of that."""
        if not self.writable:
            raise SpinemetError(self.notice)
        with self._one_writer:
            yield from self._transaction(who)

    def _transaction(self, who: str) -> Iterator[Transaction]:
        connection = self._connection
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        change = Transaction(connection, now, who or user())
        part = bool(connection.in_transaction)
        if part:
            yield change
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield change
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._sentence(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    @property
    def revision(self) -> int:
        """Number of the last change."""
        return int(self.read("SELECT COALESCE(MAX(number), 0) FROM audit")[0][0])

    @property
    def trail_end(self) -> str:
        """Number and hash of the last entry of the audit trail; empty without any."""
        rows = self.read("SELECT number, chain FROM audit ORDER BY number DESC LIMIT 1")
        return f"{rows[0][0]} entries, the last with the hash {rows[0][1]}" if rows else ""

    def audit(self) -> Iterator[AuditEntry]:
        """The audit trail, oldest first."""
        for row in self.read("SELECT * FROM audit ORDER BY number"):
            yield AuditEntry(*row)

    def case_id(self, name: str) -> tuple[int, tuple[int, int]]:
        """Key of a case, and the (rows, columns) of its slices.

        Raises
        ------
        SpinemetError
            If there is no such case.
        """
        rows = self.read("SELECT id, rows, columns FROM cases WHERE name = ?", name)
        if not rows:
            raise SpinemetError(f"The study {self.path.parent} has no case {name}.")
        return rows[0][0], (rows[0][1], rows[0][2])

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


def user() -> str:
    """Who is at the computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _connection(place: Path | str) -> sqlite3.Connection:
    # Transactions are begun by hand, and come from several threads one after the other.
    return sqlite3.connect(
        place, uri=isinstance(place, str), isolation_level=None, check_same_thread=False
    )


def _settled(path: Path) -> sqlite3.Connection:
    """A study in a folder that takes no lock files, and where nobody can be writing therefore.

    What was saved last may still stand in the log beside it, which cannot be read without a
    file of locks: then both are copied to where there can be one.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or not log.stat().st_size:
        return _connection(f"{path.resolve().as_uri()}?mode=ro&immutable=1")
    settled = _connection(":memory:")
    try:
        with tempfile.TemporaryDirectory(prefix="spinemet-") as folder:
            for file in (path, log):
                shutil.copyfile(file, Path(folder, file.name))
            with closing(_connection(Path(folder, path.name))) as copied:
                copied.backup(settled)
    except OSError as error:
        raise SpinemetError(
            f"{path} cannot be read ({error.strerror or error}), whose folder is read-only; copy "
            "the study to where you may write."
        ) from error
    return settled
