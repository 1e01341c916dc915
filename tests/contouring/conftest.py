"""Phantoms that several modules of these tests look at."""

from __future__ import annotations

import pytest

from napari_spinemet.phantom import PhantomCase
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case


@pytest.fixture(scope="session")
def phantom_cases() -> list[PhantomCase]:
    """Ten cases, not those on which the parameters were chosen."""
    return [make_case(seed) for seed in ((12, k) for k in range(10))]
