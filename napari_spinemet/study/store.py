"""The file of a study: who may write, what one transaction is, and what went wrong in words.

One SQLite file in WAL mode. A transaction has reached the disk when it returns, so that a
program which is killed loses at most the stroke being drawn. One program writes at a time;
another one that opens the study reads. Within the program that writes one thread at a time has a
transaction, on the one connection that writes; all others read what was committed last.
"""

from __future__ import annotations

import getpass
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import SpinemetError
from .audit import CLOSE_ACTION, OPEN_ACTION, AuditEntry, append, saved_before_a_crash
from .connections import Readers, open_readers, open_writer, readers_beside_writer

FILE, LOCK = "study.sqlite", "study.lock"
_CLOSED_REASON = "The study was closed here; open it again."


@dataclass(frozen=True)
class Transaction:
    """What is being changed now: by whom, when, and the trail that tells of it."""

    connection: sqlite3.Connection
    timestamp: str
    who: str

    def execute(self, query: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement.

        Parameters
        ----------
        query : str
            In SQL, with a question mark for each value.
        *values
        """
        return self.connection.execute(query, values)

    def note(self, action: str, subject: dict[str, Any], content: str) -> None:
        """Add to the audit trail what was done.

        Parameters
        ----------
        action : str
            What was done, such as ``"contour"``.
        subject : dict
            To which row: plain values that name it.
        content : str
            Hash of what the row holds since; empty where there is no row.
        """
        append(self.connection, self.timestamp, self.who, action, subject, content)


class Store:
    """The file, for as long as the study is open; any thread may use it.

    Parameters
    ----------
    folder : Path
        Of the study; the file is made in it if ``write`` is possible and it is missing.
    write : bool
        Ask to write. Where that cannot be, because another program writes or the folder is
        read-only, the study opens for reading and :attr:`read_only_reason` says why.

    Attributes
    ----------
    read_only_reason : str
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
        self.read_only_reason = "" if write else "The study was opened for reading."
        # A transaction is one thread's at a time; within it, others of that thread are parts.
        self._one_writer = threading.RLock()
        self._writing_thread: int | None = None
        self._is_closed = False
        # Whichever thread closes the study must be able to release what another one acquired.
        self._lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
        if write:
            self.read_only_reason = self._acquire(folder)
        try:
            self._writer, self._readers = self._connect()
        except sqlite3.Error as error:
            self._lock.release()
            raise self._sentence(error) from error
        except SpinemetError:
            self._lock.release()
            raise
        self.recovery_message = ""
        if self.writable:
            try:
                self.recovery_message = saved_before_a_crash(self.audit())
                with self.writing() as change:
                    change.note(OPEN_ACTION, {}, "")
            except BaseException:  # a full disk, for one; nobody has a study to close then
                self._release()
                raise

    def _acquire(self, folder: Path) -> str:
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

    def _connect(self) -> tuple[sqlite3.Connection | None, Readers]:
        if self.writable:
            return open_writer(self.path), readers_beside_writer(self.path)
        if not self.path.is_file():
            raise SpinemetError(
                f"There is no study in {self.path.parent} yet. {self.read_only_reason}"
            )
        return None, open_readers(self.path)

    @property
    def writable(self) -> bool:
        """Whether this program is the one that writes."""
        return not self.read_only_reason

    def close(self) -> None:
        """End all connections, and let another program write; any thread may ask for it.

        The transaction of another thread is waited for. Who reads or writes afterwards gets a
        sentence.
        """
        with self._one_writer:
            if self._is_closed:
                return
            if self._owns_transaction:
                raise RuntimeError("A study cannot be closed within its own transaction.")
            if self.writable:
                with suppress(SpinemetError), self.writing() as change:
                    change.note(CLOSE_ACTION, {}, "")
            self._is_closed, self.read_only_reason = True, _CLOSED_REASON
            self._release()

    def _release(self) -> None:
        """End the connections and give up the lock."""
        # The writer ends last: the last connection moves what is in the log to the file.
        self._readers.close()
        if self._writer is not None:
            self._writer.close()
        self._lock.release()

    @property
    def _owns_transaction(self) -> bool:
        """Whether this thread is the one that has a transaction."""
        return self._writing_thread == threading.get_ident()

    def select(self, query: str, *values: Any) -> list[Any]:
        """Rows that a query gives: as committed last, or with what this thread is changing.

        Parameters
        ----------
        query : str
            In SQL, with a question mark for each value.
        *values

        Raises
        ------
        SpinemetError
            If the file cannot be read, or was closed.
        """
        try:
            if self._owns_transaction and self._writer is not None:
                return self._writer.execute(query, values).fetchall()
            return self._readers.rows(query, values)
        except sqlite3.Error as error:
            raise self._sentence(error) from error

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several reads of this thread see one moment, whatever others commit meanwhile."""
        if self._owns_transaction:
            yield
            return
        try:
            with self._readers.snapshot():
                yield
        except sqlite3.Error as error:
            raise self._sentence(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several calls one transaction: all of them reach the disk, or none.

        Other threads that write wait for its end, so nothing slow belongs into it.
        """
        with self.writing():
            yield

    @contextmanager
    def writing(self, who: str = "") -> Iterator[Transaction]:
        """One transaction; within another one of this thread, a part of that."""
        with self._one_writer:
            # Asked once it is this thread's turn: another one may have closed the study.
            if not self.writable or self._writer is None:
                raise SpinemetError(self.read_only_reason)
            timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
            change = Transaction(self._writer, timestamp, who or user())
            if self._owns_transaction:
                yield change
            else:
                yield from self._transaction(change)

    def _transaction(self, change: Transaction) -> Iterator[Transaction]:
        connection = change.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._writing_thread = threading.get_ident()
            yield change
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._sentence(error) from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._writing_thread = None

    @property
    def revision(self) -> int:
        """Number of the last change."""
        return int(self.select("SELECT COALESCE(MAX(number), 0) FROM audit")[0][0])

    @property
    def trail_end(self) -> str:
        """Number and hash of the last entry of the audit trail; empty without any."""
        rows = self.select("SELECT number, chain FROM audit ORDER BY number DESC LIMIT 1")
        return f"{rows[0][0]} entries, the last with the hash {rows[0][1]}" if rows else ""

    def audit(self) -> list[AuditEntry]:
        """The audit trail, oldest first."""
        return [AuditEntry(*row) for row in self.select("SELECT * FROM audit ORDER BY number")]

    def case_id(self, name: str) -> tuple[int, tuple[int, int]]:
        """Key of a case, and the (rows, columns) of its slices.

        Raises
        ------
        SpinemetError
            If there is no such case.
        """
        rows = self.select("SELECT id, rows, columns FROM cases WHERE name = ?", name)
        if not rows:
            raise SpinemetError(f"The study {self.path.parent} has no case {name}.")
        return rows[0][0], (rows[0][1], rows[0][2])

    def _sentence(self, error: sqlite3.Error) -> SpinemetError:
        if self._is_closed:
            return SpinemetError(_CLOSED_REASON)
        description = str(error)
        if "full" in description:
            return SpinemetError(
                f"The disk that holds {self.path} is full, so this was not saved; free some "
                "space, then go on."
            )
        if "readonly" in description or "unable to open" in description:
            return SpinemetError(f"{self.path} cannot be written; check who may write there.")
        if isinstance(error, sqlite3.DatabaseError) and (
            "malformed" in description or "not a database" in description
        ):
            return SpinemetError(
                f"{self.path} is damaged; put it aside and restore it from a backup."
            )
        return SpinemetError(f"{self.path} could not be used ({description}); try again.")


def user() -> str:
    """Who is at the computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
