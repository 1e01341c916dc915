"""Aggregation over neighbouring slices."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import LikelihoodMap, aggregate


def likelihood_of(slices: list[float]) -> LikelihoodMap:
    """A map whose slices each hold one value."""
    values = np.tile(np.array(slices, dtype=np.float32)[:, None, None], (1, 4, 5))
    return LikelihoodMap(values, np.eye(4), (0, 5), (1.0, 1, 1))


@pytest.mark.parametrize(
    ("slices", "weight", "expected"),
    [
        # The first takes the next two, the last the previous two, as a reader would count.
        ([0.9, 0.3, 0.6, 0.0], 0.4, [0.63, 0.57, 0.33, 0.27]),
        ([0.9, 0.3, 0.6], 1 / 3, [0.6, 0.6, 0.6]),
        ([0.8, 0.2], 0.6, [0.56, 0.44]),
        ([0.7], 0.4, [0.7]),
    ],
)
def test_hand_worked(slices: list[float], weight: float, expected: list[float]) -> None:
    """Four, three, two and one slice give what the formula gives by hand."""
    result = aggregate(likelihood_of(slices), weight)
    np.testing.assert_allclose(result.values[:, 0, 0], expected, atol=1e-6)
    assert result.weight == weight


def test_refuses_to_aggregate_twice() -> None:
    """An aggregated map is not aggregated again, and a weight above 1 is refused."""
    aggregated_map = aggregate(likelihood_of([0.1, 0.2, 0.3]))
    with pytest.raises(SpinemetError, match="already"):
        aggregate(aggregated_map)
    with pytest.raises(SpinemetError, match="weight"):
        aggregate(likelihood_of([0.1]), 1.5)
