"""Paired comparison against exact enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation import compare_froc, froc_from_detections
from napari_spinemet.evaluation.comparison import compare_fp_at
from napari_spinemet.evaluation.curve import MEAN

from ..paired_systems import DATA, EXACT, scattered, systems


def test_areas_and_sign_flip_are_exact() -> None:
    """Areas, their difference and the enumerated sign-flip p equal the exact values."""
    result = compare_froc(*systems(), n_resamples=2_000)
    assert result.area_a == pytest.approx(EXACT["pA"], abs=1e-12)
    assert result.area_b == pytest.approx(EXACT["pB"], abs=1e-12)
    assert result.difference == pytest.approx(EXACT["delta"], abs=1e-12)
    assert result.sign_flip_exact
    assert result.p_sign_flip_one_sided == EXACT["signflip_p_one_sided"]
    assert result.p_sign_flip_two_sided == EXACT["signflip_p_two_sided"]


def test_sampled_bootstrap_approaches_the_enumeration() -> None:
    """20,000 sampled resamples give the exact interval and a p of the exact size."""
    result = compare_froc(*systems(), n_resamples=20_000, seed=1)
    np.testing.assert_allclose(result.interval, EXACT["boot_ci95"], atol=0.02)
    # 20,000 draws at p = 0.00032: six expected, three standard deviations are seven.
    assert result.p_one_sided <= 0.00032 + 3 * np.sqrt(0.00032 / 20_000)
    again = compare_froc(*systems(), n_resamples=20_000, seed=1)
    assert result == again or result.interval == again.interval


def test_equal_systems_do_not_differ() -> None:
    """A system against itself: no difference and p of 1."""
    a, _ = systems()
    result = compare_froc(a, a, n_resamples=500)
    assert (result.difference, result.p_two_sided, result.p_sign_flip_two_sided) == (0, 1, 1)


def test_other_cases_are_refused() -> None:
    """Two systems on different cases cannot be paired."""
    a, _ = systems()
    fewer = froc_from_detections([[(s["lesions"], s["A"]) for s in DATA["cases"][0]]])
    with pytest.raises(SpinemetError, match="same cases"):
        compare_froc(a, fewer)


@pytest.mark.parametrize("fp_range", [(0, 0), (0.5, 0), (-1, 0.5), (0, math.nan), (0, math.inf)])
def test_what_is_no_range_is_refused(fp_range: tuple[float, float]) -> None:
    """Rather than compared to a difference that is not one."""
    a, b = systems()
    with pytest.raises(SpinemetError, match="rises from 0 or more to a finite number"):
        compare_froc(a, b, fp_range=fp_range, n_resamples=20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tp_rate": 90}, "at most 1, not 90"),
        ({"tp_rate": 0}, "lies above 0"),
        ({"reading": "median"}, "'mean' or 'sum'"),
        ({"n_resamples": 0}, "at least 1"),
        ({"seed": -1}, "0 or more, not -1"),
    ],
)
def test_wrong_settings_of_a_comparison_are_refused(settings: dict, message: str) -> None:
    """One sentence for each."""
    a, b = systems()
    with pytest.raises(SpinemetError, match=message):
        compare_fp_at(a, b, **settings)


def test_false_positives_saved_at_a_rate() -> None:
    """The difference of the two curves' own figures; equal systems save nothing."""
    a, b = (froc_from_detections(scattered(seed)) for seed in (1, 2))
    result = compare_fp_at(a, b, tp_rate=0.5, n_resamples=500)
    assert result.fp_a == pytest.approx(a.fp_at(0.5, MEAN))
    assert result.fp_b == pytest.approx(b.fp_at(0.5, MEAN))
    assert result.fp_saved == pytest.approx(result.fp_b - result.fp_a)
    assert result.interval[0] <= result.fp_saved <= result.interval[1]
    back = compare_fp_at(b, a, tp_rate=0.5, n_resamples=500)
    assert back.fp_saved == pytest.approx(-result.fp_saved)
    assert back.p_two_sided == result.p_two_sided
    assert back.p_sign_flip_two_sided == result.p_sign_flip_two_sided
    same = compare_fp_at(a, a, n_resamples=100)
    assert (same.fp_saved, same.p_two_sided, same.p_sign_flip_two_sided) == (0.0, 1.0, 1.0)
    never = froc_from_detections([[([(50.0, 50.0)], [(150, 50, 0.5)])]])
    once = froc_from_detections([[([(50.0, 50.0)], [(50, 50, 0.5)])]])
    assert compare_fp_at(once, never, n_resamples=10).fp_saved == 1.0
