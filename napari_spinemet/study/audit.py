"""The audit trail: who did what, in a chain of hashes that shows what was changed since."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[str, str]
"""What was done and to which row."""
OPEN_ACTION, CLOSE_ACTION = "open study", "close study"
"""Lines that tell of no row: when a program began and ended to write."""


@dataclass(frozen=True)
class AuditEntry:
    """One line of the audit trail.

    Attributes
    ----------
    number : int
        From 1, without a gap.
    at, who, action : str
    subject : str
        JSON: which row.
    content : str
        Hash of what the row holds since.
    chain : str
        Hash of all this and of the chain before.
    """

    number: int
    at: str
    who: str
    action: str
    subject: str
    content: str
    chain: str

    def link(self, previous_chain: str) -> str:
        """What :attr:`chain` must be after the chain of the line before."""
        parts = [previous_chain, str(self.number), self.at, self.who, self.action]
        return digest(json.dumps([*parts, self.subject, self.content], ensure_ascii=False))


def append(
    connection: sqlite3.Connection,
    timestamp: str,
    who: str,
    action: str,
    subject: Mapping[str, Any],
    content: str,
) -> None:
    """Add a line to the trail, within the transaction that does what it tells of.

    Parameters
    ----------
    connection : sqlite3.Connection
        Within a transaction, which the caller ends.
    timestamp : str
        ISO 8601, UTC.
    who, action : str
        By whom, and what was done.
    subject : mapping
        To which row: plain values that name it.
    content : str
        Hash of what the row holds since.
    """
    last = connection.execute(
        "SELECT number, chain FROM audit ORDER BY number DESC LIMIT 1"
    ).fetchone()
    number, chain = last or (0, "")
    entry = AuditEntry(number + 1, timestamp, who, action, subject_of(subject), content, chain="")
    connection.execute(
        "INSERT INTO audit VALUES (?,?,?,?,?,?,?)",
        (
            *(entry.number, entry.at, entry.who, entry.action, entry.subject, entry.content),
            entry.link(chain),
        ),
    )


def broken_links(trail: Iterable[AuditEntry]) -> list[str]:
    """Where lines are missing from the trail or were changed, a sentence each."""
    faults, chain, number = [], "", 0
    for entry in trail:
        number += 1
        if entry.number != number:
            faults.append(f"Entry {number} of the audit trail is missing.")
            number = entry.number
        if entry.chain != entry.link(chain):
            faults.append(f"Entry {entry.number} of the audit trail was changed.")
        chain = entry.chain
    return faults


def differences(trail: Iterable[AuditEntry], row_hashes: Mapping[Row, str]) -> list[str]:
    """Where rows hold something else than the trail said of them last, a sentence each.

    Parameters
    ----------
    trail : iterable of AuditEntry
        Oldest first.
    row_hashes : mapping
        The hash of each row that the trail may speak of; of the same moment as the trail.
    """
    last_hashes = {
        (entry.action, entry.subject): entry.content
        for entry in trail
        if entry.action not in (OPEN_ACTION, CLOSE_ACTION)
    }
    faults = []
    for row, content in last_hashes.items():
        if row not in row_hashes:
            faults.append(f"Missing, though the audit trail has it: {' '.join(row)}.")
        elif row_hashes[row] != content:
            faults.append(f"Changed past the audit trail: {' '.join(row)}.")
    unknown_rows = [row for row in row_hashes if row not in last_hashes]
    return faults + [f"Unknown to the audit trail: {' '.join(row)}." for row in unknown_rows]


def saved_before_a_crash(trail: Sequence[AuditEntry]) -> str:
    """What was saved since a program began to write and did not end; empty if it ended."""
    marks = [k for k, entry in enumerate(trail) if entry.action in (OPEN_ACTION, CLOSE_ACTION)]
    if not marks or trail[marks[-1]].action == CLOSE_ACTION:
        return ""
    strokes = [entry for entry in trail[marks[-1] :] if entry.action == "contour"]
    if not strokes:
        return ""
    names = sorted({str(json.loads(entry.subject)["case"]) for entry in strokes})
    slices = len({entry.subject for entry in strokes})
    return (
        "The program ended unexpectedly last time. Every stroke that was shown as saved is here: "
        f"{slices} slice{'s' if slices > 1 else ''} of {', '.join(names)}, the last at "
        f"{strokes[-1].at[:19].replace('T', ' ')} UTC."
    )


def digest(content: str | bytes) -> str:
    """SHA-256 in hexadecimal digits; text as UTF-8."""
    raw = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(raw).hexdigest()


def subject_of(parts: Mapping[str, Any]) -> str:
    """The name of a row in the trail."""
    return json.dumps(parts, sort_keys=True, ensure_ascii=False)
