"""The logistic model against closed forms, and its signs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.detection.comparison.logistic import LogisticModel


def test_two_groups_give_the_odds_of_each() -> None:
    """With one feature of two values the likelihood is greatest at the groups' own shares."""
    group = np.repeat([0.0, 1.0], [40, 60])
    is_true = np.r_[np.arange(40) < 10, np.arange(60) < 45]
    model = LogisticModel.fit(group[:, None], is_true, ridge=1e-9)
    np.testing.assert_allclose(model.probabilities([[0.0], [1.0]]), [0.25, 0.75], atol=1e-4)
    twice = LogisticModel.fit(
        group[:, None], is_true, ridge=1e-9, weights=np.where(is_true, 2.0, 1.0)
    )
    np.testing.assert_allclose(twice.probabilities([[0.0], [1.0]]), [20 / 50, 90 / 105], atol=1e-4)


def test_a_sign_holds_and_the_rest_is_fitted() -> None:
    """A feature that would have the wrong sign gets no weight; the others are as without it."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(400, 2))
    is_true = features[:, 0] - 2 * features[:, 1] + rng.logistic(size=400) > 0
    free = LogisticModel.fit(features, is_true, ridge=0.1)
    assert free.weights[1] < -1
    held = LogisticModel.fit(features, is_true, ridge=0.1, signs=np.array([0, 1]))
    assert held.weights[1] == 0
    alone = LogisticModel.fit(features[:, :1], is_true, ridge=0.1)
    assert held.weights[0] == pytest.approx(alone.weights[0], abs=1e-3)


def test_it_is_written_and_read() -> None:
    """The same logits; what is none is refused."""
    rng = np.random.default_rng(1)
    features = rng.normal(2, 3, size=(50, 3))
    features[:, 2] = 7.0  # says nothing, and is divided by nothing
    model = LogisticModel.fit(features, features[:, 0] > 2)
    copy = LogisticModel.from_dict(model.to_dict())
    np.testing.assert_array_equal(copy.logits(features), model.logits(features))
    broken = [
        {**model.to_dict(), "scale": [1.0, 0.0, 1.0]},
        {**model.to_dict(), "weights": [1.0]},
        {**model.to_dict(), "mean": [0.0, 0.0, float("nan")]},
    ]
    for values in broken:
        with pytest.raises(ValueError, match="a logistic model"):
            LogisticModel.from_dict(values)
