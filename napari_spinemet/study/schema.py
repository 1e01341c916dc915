"""The tables of a study, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3
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
)
"""Each step leads from one version to the next; an empty file has version 0."""


def version_of(connection: sqlite3.Connection) -> int:
    """Version of the tables in a file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Say so where a newer program wrote the file: it must not be misread."""
    if version_of(connection) > len(MIGRATIONS):
        raise SpinemetError(
            f"The study {path} was written by a newer version of this program; update the "
            "program to open it."
        )


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file to this program's version, whole or not at all.

    What was there before is kept beside it, named by its version.
    """
    refuse_newer(connection, path)
    before = version_of(connection)
    if before == len(MIGRATIONS):
        return
    if before:
        kept = path.with_name(f"{path.name}.version-{before}")
        with sqlite3.connect(kept) as copy:
            connection.backup(copy)
        copy.close()
    steps = "".join(MIGRATIONS[before:])
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
