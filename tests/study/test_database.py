"""The database of a study: its cases, and sentences for what it does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from contour_images import CASE, alter

from napari_spinemet.errors import SpinemetError
from napari_spinemet.study import schema
from napari_spinemet.study.database import (
    CONTOURS_APPROVED,
    StudyDatabase,
    hash_of_files,
)
from napari_spinemet.study.store import FILE


def test_what_is_not_there_is_one_sentence(database: StudyDatabase, folder: Path) -> None:
    """A case, a damaged file, a file of a newer program."""
    for call in (
        lambda: database.contours.slices("case-009", "lesions"),
        lambda: database.set_state("case-009", CONTOURS_APPROVED),
        lambda: database.contours.save("case-009", "lesions", {}),
    ):
        with pytest.raises(SpinemetError, match="no case case-009"):
            call()
    with pytest.raises(SpinemetError, match="already"):
        database.add_case(CASE)
    database.close()
    alter(folder, f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    with pytest.raises(SpinemetError, match="newer version"):
        StudyDatabase(folder)
    (folder / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(SpinemetError, match="damaged"):
        StudyDatabase(folder)


def test_files_are_known_by_their_contents(tmp_path: Path) -> None:
    """Whatever their names and order; a changed byte is another scan."""
    for name, content in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).write_bytes(content)
    one = hash_of_files([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a").rename(tmp_path / "z")
    assert hash_of_files([tmp_path / "z", tmp_path / "b"]) == one
    (tmp_path / "b").write_bytes(b"3")
    assert hash_of_files([tmp_path / "z", tmp_path / "b"]) != one
