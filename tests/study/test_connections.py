"""Files are opened where nothing may be written, too; for several threads see test_threads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from contour_images import image

from napari_spinemet.errors import SpinemetError
from napari_spinemet.study import store
from napari_spinemet.study.database import (
    StudyDatabase,
)


def test_a_folder_that_takes_no_files_is_read(
    database: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so; without a study in it there is nothing to open."""
    database.contours.save("case-001", "lesions", {3: image(1)})
    database.close()
    real = os.access
    monkeypatch.setattr(store.os, "access", lambda p, mode: mode != os.W_OK and real(p, mode))
    reader = StudyDatabase(folder)
    assert "read-only" in reader.read_only_reason
    assert list(reader.contours.slices("case-001", "lesions")) == [3]
    reader.close()
    with pytest.raises(SpinemetError, match="no study"):
        StudyDatabase(folder.parent)


def test_what_is_in_the_log_only_is_read_where_nothing_can_be_written(
    database: StudyDatabase, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study copied to a read-only place while it was open: the last strokes are in its log."""
    database.contours.save("case-001", "lesions", {3: image(1)})
    copy = tmp_path / "copied"
    shutil.copytree(folder, copy)
    assert (copy / "study.sqlite-wal").stat().st_size
    real = os.access
    monkeypatch.setattr(store.os, "access", lambda p, mode: mode != os.W_OK and real(p, mode))
    reader = StudyDatabase(copy)
    assert "read-only" in reader.read_only_reason
    assert list(reader.contours.slices("case-001", "lesions")) == [3]
    assert reader.verify() == []
    reader.close()
    database.close()
