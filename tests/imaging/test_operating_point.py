"""Settings that turn likelihoods into detections."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import PAPER_OPERATING_POINT, OperatingPoint


def test_the_paper_operates_at_06_and_5_square_centimetres() -> None:
    """Threshold 0.6, 5 cm², weight 0.4, no gate; also what an operating point is by default."""
    expected = {"threshold": 0.6, "min_area_cm2": 5.0, "weight": 0.4, "gate": False}
    assert PAPER_OPERATING_POINT.to_dict() == expected
    assert OperatingPoint() == PAPER_OPERATING_POINT


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": 1.01}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"min_area_cm2": -0.1}, "minimum area"),
        ({"min_area_cm2": float("nan")}, "minimum area"),
        ({"weight": 1.5}, "weight"),
        ({"weight": -0.1}, "weight"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], words: str) -> None:
    """Each setting has its range, and the sentence names it."""
    with pytest.raises(SpinemetError, match=words):
        OperatingPoint(**settings)  # type: ignore[arg-type]


def test_the_ends_of_the_ranges_are_allowed() -> None:
    """Threshold 1, no minimum area and no aggregation can be asked for."""
    assert OperatingPoint(threshold=1.0, min_area_cm2=0.0, weight=None).weight is None


def test_points_share_a_curve_if_only_the_threshold_differs() -> None:
    """Any other setting makes another curve."""
    point = OperatingPoint(threshold=0.5)
    assert point.differs_in_threshold_only(replace(point, threshold=0.8))
    for other in ({"min_area_cm2": 1.0}, {"weight": None}, {"gate": True}):
        assert not point.differs_in_threshold_only(replace(point, **other))


def test_the_weight_gives_the_method() -> None:
    """None combines nothing."""
    assert OperatingPoint(weight=0.3).aggregation.weight == 0.3
    assert OperatingPoint(weight=None).aggregation.weight is None
