"""Whether a scan is like those that are known, against distances by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_spinemet.detection.comparison.appearance import FEATURES
from napari_spinemet.detection.comparison.familiarity import (
    METHOD,
    NEIGHBOURS,
    NO_SPINE,
    FamiliarityModel,
)
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging.familiarity import Familiarity


def known_scans(count: int = 60) -> np.ndarray:
    """Scans whose features vary independently, by another width each."""
    rng = np.random.default_rng(7)
    return rng.normal(size=(count, len(FEATURES))) * np.linspace(0.1, 2, len(FEATURES))


def test_the_distance_is_that_of_the_nearest_scans() -> None:
    """In standard deviations of each feature, by the plain loop."""
    known, scan = known_scans(), np.linspace(-1, 1, len(FEATURES))
    model = FamiliarityModel(known, 2.0)
    distances = []
    for row in known:
        squares = [((a - b) / s) ** 2 for a, b, s in zip(row, scan, known.std(axis=0), strict=True)]
        distances.append(sum(squares) ** 0.5)
    expected = sum(sorted(distances)[:NEIGHBOURS]) / NEIGHBOURS
    assert model.distance(scan) == pytest.approx(expected)
    assert model.judge(scan).score == pytest.approx(expected / 2)


def test_the_limit_leaves_so_many_of_the_known_scans_beyond() -> None:
    """A twentieth of them, each left out."""
    known = known_scans(200)
    model = FamiliarityModel.fit(known)
    beyond = sum(
        FamiliarityModel(np.delete(known, k, axis=0), model.limit).judge(row).unfamiliar
        for k, row in enumerate(known)
    )
    # Left out of the widths too, which moves a score or two.
    assert 6 <= beyond <= 14


def test_a_strange_scan_is_told_with_what_is_strange() -> None:
    """By name of what lies farthest, to the right side."""
    model = FamiliarityModel.fit(known_scans())
    names = [feature.name for feature in FEATURES]
    scan = model.mean.copy()
    assert model.judge(scan) == Familiarity(model.judge(scan).score)
    scan[names.index("noise")] += 30 * model.scale[names.index("noise")]
    strange = model.judge(scan)
    assert strange.unfamiliar
    assert strange.score > 1
    assert strange.reason == "it has more noise than in those"
    scan[names.index("sharpness")] -= 20 * model.scale[names.index("sharpness")]
    assert model.judge(scan).reason == "it has more noise and its edges are softer than in those"


def test_a_scan_without_a_spine_is_unfamiliar() -> None:
    """Nothing can be measured of it."""
    nothing = FamiliarityModel.fit(known_scans()).judge(None)
    assert (nothing.unfamiliar, nothing.reason) == (True, NO_SPINE)


def test_a_scanner_that_is_learned_from_is_known() -> None:
    """A scan beside one that was learned from is no longer strange; others stay as they were."""
    model = FamiliarityModel.fit(known_scans())
    own = model.mean + 8 * model.scale
    assert model.judge(own + 0.2 * model.scale).unfamiliar
    adapted = model.knowing(own[None])
    assert not adapted.judge(own + 0.2 * model.scale).unfamiliar
    assert adapted.judge(model.mean - 8 * model.scale).unfamiliar


def test_a_card_keeps_it() -> None:
    """As JSON; what is not of this program is refused in a sentence."""
    model = FamiliarityModel.fit(known_scans())
    values = json.loads(json.dumps(model.to_dict()))
    again = FamiliarityModel.of_card(values)
    scan = np.linspace(-1, 1, len(FEATURES))
    assert again.judge(scan).score == pytest.approx(model.judge(scan).score, abs=1e-3)
    for change in (
        {"method": METHOD + 1},
        {"features": ["noise"]},
        {"known": [[1.0]]},
        {"limit": 0},
        {"known": [[float("nan")] * len(FEATURES)] * 9},
    ):
        with pytest.raises(SpinemetError, match="copy the model again"):
            FamiliarityModel.of_card({**values, **change})
