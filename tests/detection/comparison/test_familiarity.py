"""Whether a scan is like those that are known, against ranges and counts by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit

from napari_spinemet.detection.comparison.appearance import FEATURES, MarkRule
from napari_spinemet.detection.comparison.familiarity import (
    METHOD,
    NO_SPINE,
    NOT_MEANT,
    FamiliarityModel,
)
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging.likelihood import Familiarity

NAMES = [feature.name for feature in FEATURES]
RISKS = [feature.is_risk for feature in FEATURES]
WIDTHS = np.linspace(0.1, 2, len(FEATURES))


def some_scans(count: int, seed: int = 7) -> np.ndarray:
    """Scans whose features vary independently, by another width each."""
    return np.random.default_rng(seed).normal(size=(count, len(FEATURES))) * WIDTHS


def fitted() -> FamiliarityModel:
    """Of a model that errs where it marks much."""
    known, tried = some_scans(80), some_scans(150, 8)
    failed = tried[:, NAMES.index("marks")] > 1.2 * WIDTHS[NAMES.index("marks")]
    return FamiliarityModel.fit(known, tried, failed)


MODEL = fitted()
USUAL = np.median(MODEL.known_scans, axis=0)


def changed(**by: float) -> np.ndarray:
    """A usual scan but for some features, in standard deviations."""
    scan = USUAL.copy()
    for name, deviations in by.items():
        number = NAMES.index(name.replace("_", " "))
        scan[number] += deviations * WIDTHS[number]
    return scan


def test_the_distance_is_the_largest_beyond_the_known_range() -> None:
    """By the plain loop; features that rise with disease do not count."""
    scan = np.linspace(-3, 3, len(FEATURES)) * WIDTHS
    largest = 0.0
    for number, feature in enumerate(FEATURES):
        low, middle, high = np.quantile(MODEL.known_scans[:, number], (0.01, 0.5, 0.99))
        end = high if scan[number] > middle else low
        if feature.is_look:
            largest = max(largest, abs((scan[number] - middle) / (end - middle)))
    assert MODEL.distance(scan) == pytest.approx(largest)
    assert MODEL.distance(changed(marks=40)) == pytest.approx(0.0, abs=1e-12)


def test_the_limits_leave_so_many_of_the_known_scans_beyond() -> None:
    """Of 80 three by their looks and three by risk."""
    risks = MODEL.risk.probabilities(MODEL.known_scans[:, RISKS])
    assert (risks > MODEL.risk_limit).sum() == 3
    distances = []
    for k, row in enumerate(MODEL.known_scans):
        rest = FamiliarityModel(np.delete(MODEL.known_scans, k, axis=0), 1.0, MODEL.risk, 1.0)
        distances.append(rest.distance(row))
    assert (np.array(distances) > MODEL.limit).sum() == 3


def test_a_usual_scan_scores_by_its_risk() -> None:
    """Its probability, over that at the limit; how far it lies within the range does not count."""
    for scan in (USUAL, changed(noise=1), changed(marks=0.5)):
        z = (scan[RISKS] - MODEL.risk.mean) / MODEL.risk.scale
        risk = expit(float(z @ MODEL.risk.weights) + MODEL.risk.bias)
        assert MODEL.judge(scan) == Familiarity(pytest.approx(risk / MODEL.risk_limit))


def test_a_strange_scan_is_told_with_what_is_strange() -> None:
    """By name of what lies farthest, to the right side."""
    strange = MODEL.judge(changed(noise=30))
    assert strange.unfamiliar
    assert strange.score > 1
    assert strange.reason == "it has more noise than in those"
    both = MODEL.judge(changed(noise=30, sharpness=-20))
    assert both.reason == "it has more noise and its edges are softer than in those"


def test_a_scan_like_those_on_which_the_model_was_wrong_is_told() -> None:
    """By what the risk comes from."""
    risky = MODEL.judge(changed(marks=4))
    assert risky.unfamiliar
    assert risky.reason == "the model marks more in it than in those"


def test_other_anatomy_is_told() -> None:
    """No spine, so that nothing can be measured; or another kind of scan, by its header."""
    nothing = MODEL.judge(None)
    assert (nothing.unfamiliar, nothing.reason) == (True, NO_SPINE)
    other = MODEL.judge(USUAL, is_meant=False)
    assert (other.unfamiliar, other.reason) == (True, NOT_MEANT)
    assert other.score > 1


def test_a_scanner_that_is_learned_from_is_known() -> None:
    """Scans beside those that were learned from are no longer strange; others stay as they were."""
    own = changed(noise=8, height_of_bodies=8)
    assert MODEL.judge(own).unfamiliar
    adapted = MODEL.with_scans(np.stack([own, own]))
    assert not adapted.judge(own).unfamiliar
    assert adapted.judge(changed(noise=-30)).unfamiliar


def test_a_card_keeps_it() -> None:
    """As JSON; what is not of this program is refused in a sentence."""
    values = json.loads(json.dumps(MODEL.to_dict()))
    again = FamiliarityModel.of_card(values)
    scan = changed(noise=1, marks=2)
    assert again.judge(scan).score == pytest.approx(MODEL.judge(scan).score, abs=1e-3)
    assert again.rule == MarkRule()
    for change in (
        {"method": METHOD + 1},
        {"features": ["noise"]},
        {"known": [[1.0]]},
        {"limit": 0},
        {"risk_limit": float("nan")},
        {"risk": {}},
        {"rule": {"threshold": "much"}},
        {"rule": None},
        {"known": [[float("nan")] * len(FEATURES)] * 9},
    ):
        with pytest.raises(SpinemetError, match="copy the model again"):
            FamiliarityModel.of_card({**values, **change})
