"""What tests of several commands share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def scan(tmp_path: Path, cropped_sample: Path) -> Path:
    """A copy of the small sample's diseased scan that may be damaged."""
    return Path(shutil.copytree(cropped_sample / "case-001" / "scan", tmp_path / "scan"))
