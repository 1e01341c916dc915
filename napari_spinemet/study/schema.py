"""The tables of a study, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ..errors import SpinemetError

MIGRATIONS = (
    """
    CREATE TABLE cases (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        series_uid TEXT NOT NULL,
        place TEXT NOT NULL,          -- of the scan: within the study, or an absolute path
        copied INTEGER NOT NULL,
        content TEXT NOT NULL,        -- hash of the scan's files
        slices INTEGER NOT NULL, rows INTEGER NOT NULL, columns INTEGER NOT NULL,
        state TEXT NOT NULL, state_by TEXT NOT NULL, state_at TEXT NOT NULL
    );
    CREATE TABLE contours (
        case_id INTEGER NOT NULL REFERENCES cases(id),
        reader TEXT NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('person', 'network')),
        layer TEXT NOT NULL CHECK (layer IN ('lesions', 'vertebrae')),
        slice INTEGER NOT NULL,
        labels BLOB NOT NULL,         -- uint16, row by row, compressed
        saved_at TEXT NOT NULL,
        PRIMARY KEY (case_id, reader, origin, layer, slice)
    ) WITHOUT ROWID;
    CREATE TABLE levels (
        case_id INTEGER NOT NULL REFERENCES cases(id),
        reader TEXT NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('person', 'network')),
        names TEXT NOT NULL,          -- JSON: label to level
        saved_at TEXT NOT NULL,
        PRIMARY KEY (case_id, reader, origin)
    ) WITHOUT ROWID;
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,        -- JSON: which row
        content TEXT NOT NULL,        -- hash of what the row holds since
        chain TEXT NOT NULL           -- hash of all this and of the chain before
    );
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    CREATE TRIGGER audit_is_never_shortened BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    """,
    """
    ALTER TABLE cases ADD COLUMN findings TEXT NOT NULL DEFAULT '';
    ALTER TABLE cases ADD COLUMN findings_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE cases ADD COLUMN findings_at TEXT NOT NULL DEFAULT '';
    CREATE TABLE models (
        identity TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        card TEXT NOT NULL,           -- JSON
        added_by TEXT NOT NULL, added_at TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        case_id INTEGER NOT NULL REFERENCES cases(id),
        model TEXT NOT NULL REFERENCES models(identity),
        settings TEXT NOT NULL,       -- JSON: operating point, columns, version of the program
        seconds REAL NOT NULL,
        run_by TEXT NOT NULL, run_at TEXT NOT NULL
    );
    CREATE TABLE detections (
        run_id INTEGER NOT NULL REFERENCES runs(id),
        number INTEGER NOT NULL,
        finding INTEGER NOT NULL,     -- detections of one lesion have the same
        slice INTEGER NOT NULL,
        area_cm2 REAL NOT NULL, peak REAL NOT NULL, mean REAL NOT NULL,
        x_mm REAL NOT NULL, y_mm REAL NOT NULL, z_mm REAL NOT NULL,  -- of the centre, LPS
        PRIMARY KEY (run_id, number)
    ) WITHOUT ROWID;
    CREATE TABLE verdicts (
        id INTEGER PRIMARY KEY,       -- the last on a place counts; none is ever changed
        case_id INTEGER NOT NULL REFERENCES cases(id),
        run_id INTEGER REFERENCES runs(id),
        reader TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('', 'accepted', 'rejected', 'unsure')),
        x_mm REAL NOT NULL, y_mm REAL NOT NULL, z_mm REAL NOT NULL,
        given_by TEXT NOT NULL, given_at TEXT NOT NULL
    );
    CREATE INDEX runs_of_cases ON runs (case_id);
    CREATE INDEX verdicts_of_cases ON verdicts (case_id);
    """,
    """
    CREATE TABLE default_model (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        model TEXT NOT NULL REFERENCES models(identity)
    );
    """,
    """
    ALTER TABLE cases ADD COLUMN stack INTEGER NOT NULL DEFAULT 1;  -- which volume of the series
    """,
    """
    ALTER TABLE verdicts ADD COLUMN reason TEXT NOT NULL DEFAULT '';  -- why one was rejected
    """,
)
"""Each step leads from one version to the next; an empty file has version 0."""


def version_of(connection: sqlite3.Connection) -> int:
    """Version of the tables in a file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether a file has this program's version."""
    return version_of(connection) == len(MIGRATIONS)


def refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Say so where a newer program wrote the file: it must not be misread.

    Parameters
    ----------
    connection : sqlite3.Connection
        Open; whoever opened it closes it, also if this raises.
    path : Path
        Of the file, for the message.

    Raises
    ------
    SpinemetError
        If it is of a newer program.
    """
    if version_of(connection) > len(MIGRATIONS):
        raise SpinemetError(
            f"The study {path} was written by a newer version of this program; update the "
            "program to open it."
        )


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file to this program's version, whole or not at all.

    The file as it was is kept beside it, named by its version.

    Parameters
    ----------
    connection : sqlite3.Connection
        That may write; whoever opened it closes it, also if this raises.
    path : Path
        Of the file.

    Raises
    ------
    SpinemetError
        If a newer program wrote the file.
    sqlite3.Error
        If it cannot be written; then it is as it was.
    """
    refuse_newer(connection, path)
    version = version_of(connection)
    if 0 < version < len(MIGRATIONS):
        backup = sqlite3.connect(path.with_name(f"{path.name}.version-{version}"))
        with closing(backup):
            connection.backup(backup)
    _advance(connection, version)


def migrated_copy(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """A connection that reads a file which may be older and must not be changed.

    Parameters
    ----------
    connection : sqlite3.Connection
        To the file. It is given back if the file has this program's version; else it is
        closed, and the connection that is given is to a copy in memory.
    path : Path
        Of the file, for messages.

    Raises
    ------
    SpinemetError
        If a newer program wrote the file.
    """
    refuse_newer(connection, path)
    version = version_of(connection)
    if version == len(MIGRATIONS):
        return connection
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.backup(copy)
    connection.close()
    _advance(copy, version)
    return copy


def _advance(connection: sqlite3.Connection, version: int) -> None:
    """Run the steps that lead on from a version."""
    if version == len(MIGRATIONS):
        return
    steps = "".join(MIGRATIONS[version:])
    try:
        # A script commits what is open before it begins, so it brings its own transaction.
        connection.executescript(
            f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
