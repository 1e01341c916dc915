"""Older files become newer ones, and what was in them is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from contour_images import image

from napari_spinemet.errors import SpinemetError
from napari_spinemet.study import schema
from napari_spinemet.study.audit import digest
from napari_spinemet.study.contour_rows import ContourRows
from napari_spinemet.study.database import (
    StudyDatabase,
)
from napari_spinemet.study.store import FILE, Store


def test_an_older_file_becomes_a_newer_one(
    database: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that is in it; the file as it was is kept; a step that fails changes nothing."""
    database.contours.save("case-001", "lesions", {3: image(1)})
    database.close()
    first = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*first, "CREATE TABLE a (b); CREATE TABLE a (b);"))
    with pytest.raises(SpinemetError):
        StudyDatabase(folder)
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*first, "ALTER TABLE cases ADD COLUMN ward TEXT DEFAULT 'A';")
    )
    newer = StudyDatabase(folder)
    assert newer.select("SELECT ward FROM cases") == [("A",)]
    assert list(newer.contours.slices("case-001", "lesions")) == [3]
    assert newer.verify() == []
    newer.close()
    monkeypatch.setattr(schema, "MIGRATIONS", first)
    backup = folder / f"{FILE}.version-{len(first)}"
    (folder / FILE).unlink()
    backup.rename(folder / FILE)
    older = StudyDatabase(folder)
    assert list(older.contours.slices("case-001", "lesions")) == [3]
    older.close()


def test_a_study_of_the_first_version_is_carried_over(
    database: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by its tables alone; a reader sees it without changing the file."""
    database.close()
    (folder / FILE).unlink()
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        first = Store(folder)
        with first.writing() as change:
            change.execute(
                "INSERT INTO cases VALUES (1,'case-001','1.2','case-001/scan',1,'abc',13,40,30,"
                "'contoured','a','2026')"
            )
        first.close()
    current_store = Store(folder)
    ContourRows(current_store).save("case-001", "lesions", {3: image(1)})
    current_store.close()
    as_it_was = folder / f"{FILE}.version-1"
    assert as_it_was.is_file()
    (folder / FILE).unlink()
    shutil.copy(as_it_was, folder / FILE)
    content = (folder / FILE).read_bytes()
    reading = StudyDatabase(folder, write=False)
    (case,) = reading.cases()
    assert (case.name, case.state, case.findings, case.has_stored_contours) == (
        "case-001",
        "contoured",
        "",
        False,
    )
    assert reading.results.runs("case-001") == []
    reading.close()
    assert (folder / FILE).read_bytes() == content


def test_verdicts_of_a_former_version_verify(
    database: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have no reason, and the hash that the trail has of them stands."""
    database.close()
    (folder / FILE).unlink()
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:4])
        former = Store(folder)
        with former.writing() as change:
            change.execute(
                "INSERT INTO cases (id, name, series_uid, place, copied, content, slices, rows, "
                "columns, state, state_by, state_at) VALUES (1,'case-001','1.2','case-001/scan',1,"
                "'abc',13,40,30,'new','a','2026')"
            )
            change.execute(
                "INSERT INTO verdicts (case_id, run_id, reader, verdict, x_mm, y_mm, z_mm, "
                "given_by, given_at) VALUES (1,NULL,'','rejected',1.0,2.0,3.0,'a','2026')"
            )
            # As the version before wrote it.
            content = digest(json.dumps([None, "", "rejected", 1.0, 2.0, 3.0]))
            change.note("verdict", {"case": "case-001", "verdict": 1}, content)
        former.close()
    newer = StudyDatabase(folder)
    (verdict,) = newer.results.verdicts("case-001")
    assert (verdict.verdict, verdict.reason) == ("rejected", "")
    assert [s for s in newer.verify() if "verdict" in s] == []
    newer.close()
