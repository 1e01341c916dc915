"""How the file of a study is opened, and the connections that only read it.

A connection that reads sees what was committed last, whatever is being written meanwhile (the
file is in WAL mode), and does not wait for who writes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..errors import SpinemetError
from .schema import is_current, migrate, migrated_copy, refuse_newer

IN_MEMORY = ":memory:"
_MAX_IDLE = 4
"""Connections that are kept open for the next readers; more than read at once are no use."""


class ClosedError(sqlite3.ProgrammingError):
    """The connections were closed, by this thread or another."""


class Reader:
    """One connection that reads, for one query at a time.

    Parameters
    ----------
    connection : sqlite3.Connection
        Closed by :meth:`close`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._is_closed = False

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """All rows that a query gives.

        Parameters
        ----------
        query : str
            In SQL, with a question mark for each of the values.
        values : tuple

        Raises
        ------
        ClosedError
            If the connection was closed.
        """
        with self._lock:
            if self._is_closed:
                raise ClosedError
            return self._connection.execute(query, values).fetchall()

    def end_transaction(self) -> None:
        """Give up the moment that was looked at; a connection that was closed has none."""
        with self._lock:
            if not self._is_closed and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """End the connection, once the query of another thread has ended."""
        with self._lock:
            self._is_closed = True
            self._connection.close()


class Readers:
    """Connections that read one file, as many as threads read at a time.

    Parameters
    ----------
    open_connection : callable
        Gives one more connection; where it gives the same one again, as for a copy in memory,
        ``is_shared`` must be true.
    is_shared : bool
        There is one connection, and threads take turns.
    """

    def __init__(
        self, open_connection: Callable[[], sqlite3.Connection], *, is_shared: bool = False
    ) -> None:
        self._open_connection = open_connection
        self._shared_reader = Reader(open_connection()) if is_shared else None
        self._idle: list[Reader] = []
        self._open: set[Reader] = set() if self._shared_reader is None else {self._shared_reader}
        self._lock = threading.Lock()
        self._is_closed = False
        self._snapshots = threading.local()

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """All rows that a query gives.

        Parameters
        ----------
        query : str
            In SQL, with a question mark for each of the values.
        values : tuple

        Raises
        ------
        ClosedError
            If the connections were closed.
        """
        snapshot_reader: Reader | None = getattr(self._snapshots, "reader", None)
        if snapshot_reader is not None:
            return snapshot_reader.rows(query, values)
        with self._lent_reader() as reader:
            return reader.rows(query, values)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that this thread reads be of one moment."""
        # A copy in memory never changes.
        if self._shared_reader is not None or getattr(self._snapshots, "reader", None) is not None:
            yield
            return
        with self._lent_reader() as reader:
            reader.rows("BEGIN")
            self._snapshots.reader = reader
            try:
                yield
            finally:
                self._snapshots.reader = None
                reader.end_transaction()

    def close(self) -> None:
        """End all connections; queries that have begun are waited for."""
        with self._lock:
            self._is_closed = True
            readers, self._open = self._open, set()
            self._idle.clear()
        for reader in readers:
            reader.close()

    @contextmanager
    def _lent_reader(self) -> Iterator[Reader]:
        reader = self._shared_reader or self._take()
        try:
            yield reader
        finally:
            self._give_back(reader)

    def _take(self) -> Reader:
        with self._lock:
            if self._is_closed:
                raise ClosedError
            if self._idle:
                return self._idle.pop()
        # Outside of the lock: others may go on reading while a file is opened.
        reader = Reader(self._open_connection())
        try:
            self._add(reader)
        except ClosedError:
            reader.close()
            raise
        return reader

    def _add(self, reader: Reader) -> None:
        with self._lock:
            if self._is_closed:
                raise ClosedError
            self._open.add(reader)

    def _give_back(self, reader: Reader) -> None:
        with self._lock:
            if self._is_closed or reader is self._shared_reader:
                return
            if len(self._idle) < _MAX_IDLE:
                self._idle.append(reader)
                return
            self._open.discard(reader)
        reader.close()


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes: the file is made, or brought to this program's version.

    Raises
    ------
    SpinemetError
        If a newer program wrote the file.
    sqlite3.Error
        If it cannot be opened.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # A commit that has returned is on the disk, also if the power fails.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_readers(path: Path) -> Readers:
    """Connections that read a file, which is not changed: one that is older is read from a copy.

    Raises
    ------
    SpinemetError
        If a newer program wrote the file, or it cannot be read where it is.
    sqlite3.Error
        If it cannot be opened.
    """
    takes_lock_files = os.access(path.parent, os.W_OK)
    connection = _read_only(path) if takes_lock_files else _without_lock_files(path)
    try:
        refuse_newer(connection, path)
        if takes_lock_files and is_current(connection):
            connection.close()
            return readers_beside_writer(path)
        copy = migrated_copy(connection, path)
    except BaseException:
        connection.close()
        raise
    return Readers(lambda: copy, is_shared=True)


def readers_beside_writer(path: Path) -> Readers:
    """Connections that read a file of this program's version, which may be written meanwhile."""
    return Readers(lambda: _read_only(path))


def connect(target: Path | str) -> sqlite3.Connection:
    """A connection to a path, or to a URI, in which transactions are begun by hand."""
    # Each is used by several threads, one after the other.
    return sqlite3.connect(
        target, uri=isinstance(target, str), isolation_level=None, check_same_thread=False
    )


def _read_only(path: Path) -> sqlite3.Connection:
    return connect(f"{path.resolve().as_uri()}?mode=ro")


def _without_lock_files(path: Path) -> sqlite3.Connection:
    """A study in a folder that takes no lock files, and where nobody can be writing therefore.

    What was saved last may still stand in the log beside it, which cannot be read without a
    file of locks: then both are copied to where there can be one.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or not log.stat().st_size:
        return connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1")
    copy_in_memory = connect(IN_MEMORY)
    try:
        with tempfile.TemporaryDirectory(prefix="spinemet-") as folder:
            for file in (path, log):
                shutil.copyfile(file, Path(folder, file.name))
            with closing(connect(Path(folder, path.name))) as copy_with_log:
                copy_with_log.backup(copy_in_memory)
    except OSError as error:
        raise SpinemetError(
            f"{path} cannot be read ({error.strerror or error}), whose folder is read-only; copy "
            "the study to where you may write."
        ) from error
    return copy_in_memory
