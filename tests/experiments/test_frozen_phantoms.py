"""The second generator is as it was when its patients were frozen."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from napari_spinemet.experiments.scanners.exam import hash_of
from napari_spinemet.phantom import make_case

FROZEN = json.loads(
    (files("napari_spinemet.experiments.scanners") / "frozen_phantoms.json").read_text("utf-8")
)


@pytest.mark.slow
def test_every_frozen_patient_is_the_same_bit_for_bit() -> None:
    """Pixels, lesions and vertebrae of all thirty, by the hashes taken before its successor."""
    assert len(FROZEN["cases"]) == 30
    for number, expected in enumerate(FROZEN["cases"]):
        assert hash_of(make_case((FROZEN["seed"], number), generator=2)) == expected, number
