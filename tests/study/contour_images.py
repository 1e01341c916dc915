"""A case without files, and slices that can be told apart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from napari_spinemet.study.database import CaseRecord
from napari_spinemet.study.store import FILE

CASE = CaseRecord("case-001", "1.2.3", "case-001/scan", True, "abc", (13, 40, 30))


def image(seed: int, shape: tuple[int, int] = (40, 30)) -> np.ndarray:
    """Labels of a slice that says which it is."""
    return np.random.default_rng(seed).integers(0, 5, shape).astype(np.uint16)


def alter(folder: Path, *statements: str) -> None:
    """Change the file behind the program's back."""
    with sqlite3.connect(folder / FILE) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
