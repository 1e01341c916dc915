"""Phantoms that several tests look at and none changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spinemet.phantom import PhantomCase, make_cohort
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case


@pytest.fixture(scope="session")
def diseased_case() -> PhantomCase:
    """A case with lesions, at the coarsest pixel."""
    return make_case((5, 1), pixel_mm=1.13)


@pytest.fixture(scope="session")
def healthy() -> PhantomCase:
    """A normal case with a lumbar field, drawn so that its fluid and marrow are known."""
    case = make_case((5, 4), has_lesions=False, pixel_mm=1.13)
    assert {"L2", "L3"} <= set(case.annotation.levels.values())
    return case


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One diseased and one normal case of seed 3."""
    folder = tmp_path_factory.mktemp("cohort")
    make_cohort(folder, cases=1, normals=1, seed=3, pixel_mm=1.13, generator=2)
    return folder
