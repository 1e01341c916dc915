"""What tests of several commands share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from napari_spinemet.phantom.sample import sample_study


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A copy of the sample's diseased scan that may be damaged."""
    shutil.copytree(sample_study() / "case-001" / "scan", tmp_path / "scan")
    return tmp_path / "scan"
