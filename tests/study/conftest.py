"""Studies that may be changed: one of a single case without files, and the sample study."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from contour_images import CASE

from napari_spinemet.phantom.sample import sample_study
from napari_spinemet.study import Study
from napari_spinemet.study.database import StudyDatabase


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a space and letters beyond ASCII in its name."""
    path = tmp_path / "Wirbelsäule 脊椎 a%20b"
    path.mkdir()
    return path


@pytest.fixture
def database(folder: Path) -> Iterator[StudyDatabase]:
    """The database of a study of one case."""
    study_database = StudyDatabase(folder)
    study_database.add_case(CASE)
    yield study_database
    study_database.close()


@pytest.fixture(scope="session")
def sample() -> Path:
    """The sample study that comes with the program: one diseased and one normal case."""
    return sample_study()


@pytest.fixture
def scan(sample: Path) -> Path:
    """Folder of a scan, which is only read."""
    return sample / "case-001" / "scan"


@pytest.fixture
def study(sample: Path, tmp_path: Path) -> Iterator[Study]:
    """A copy of the sample study that may be changed; none of its cases was recorded."""
    ignore_results = shutil.ignore_patterns("*.sqlite*", "*.lock", "models", "likelihood")
    sample_copy = Study(
        shutil.copytree(sample, tmp_path / "study", ignore=ignore_results), write=True
    )
    yield sample_copy
    sample_copy.close()
