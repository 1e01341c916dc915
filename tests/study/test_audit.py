"""The audit trail: nothing in it, and nothing past it, is changed in silence."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from contour_images import alter, image

from napari_spinemet.study.database import (
    StudyDatabase,
)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["UPDATE contours SET labels = x'00' WHERE slice = 3"], "Changed .* contour .*slice.: 3"),
        (["DELETE FROM contours WHERE slice = 3"], "Missing.* contour .*slice.: 3"),
        (["UPDATE contours SET slice = 4 WHERE slice = 3"], "Unknown .* contour .*slice.: 4"),
        (["UPDATE cases SET state = 'approved'"], "Changed .* state"),
        (["UPDATE cases SET content = 'other'"], "Changed .* add case"),
        (["UPDATE levels SET names = '{}'"], "Changed .* levels"),
        (
            ["DROP TRIGGER audit_is_never_changed", "UPDATE audit SET who = 'x' WHERE number = 2"],
            "Entry 2 .* was changed",
        ),
        (
            ["DROP TRIGGER audit_is_never_shortened", "DELETE FROM audit WHERE number = 2"],
            "Entry 2 .* is missing",
        ),
        (
            ["DROP TRIGGER audit_is_never_shortened", "DELETE FROM audit WHERE number > 2"],
            "Unknown to the audit trail",
        ),
    ],
)
def test_tampering_is_found(
    database: StudyDatabase, folder: Path, statements: list[str], words: str
) -> None:
    """In contours, levels, states, and in the trail itself, its end included."""
    database.contours.save("case-001", "lesions", {3: image(1)})
    database.contours.save_levels("case-001", {1: "L1"})
    assert database.verify() == []
    alter(folder, *statements)
    assert any(re.search(words, fault) for fault in database.verify())


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_trail_only_grows(database: StudyDatabase, folder: Path, statement: str) -> None:
    """Nothing in it is changed or taken away by mistake."""
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        alter(folder, statement)
    assert database.verify() == []
