"""Paired comparison against exact enumeration."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation import compare_froc, froc_from_detections
from napari_spinemet.evaluation.bands import BAND_POINTS, froc_band
from napari_spinemet.evaluation.compare import (
    RateTable,
    _saving,
    compare_fp_at,
    rate_table,
    weighted_areas,
)
from napari_spinemet.evaluation.curve import MEAN, SUM, partial_area

DATA = json.loads((Path(__file__).parent / "vectors" / "D1_paired_exact_extreme.json").read_text())
EXACT = DATA["results"]["linear"]


def systems():
    return [
        froc_from_detections(
            [[(s["lesions"], s[name]) for s in slices] for slices in DATA["cases"]]
        )
        for name in "AB"
    ]


def test_areas_and_sign_flip_are_exact() -> None:
    """Areas, their difference and the enumerated sign-flip p equal the exact values."""
    result = compare_froc(*systems(), n_resamples=2_000)
    assert result.area_a == pytest.approx(EXACT["pA"], abs=1e-12)
    assert result.area_b == pytest.approx(EXACT["pB"], abs=1e-12)
    assert result.difference == pytest.approx(EXACT["delta"], abs=1e-12)
    assert result.sign_flip_exact
    assert result.p_sign_flip_one_sided == EXACT["signflip_p_one_sided"]
    assert result.p_sign_flip_two_sided == EXACT["signflip_p_two_sided"]


def test_enumerated_resamples_are_exact() -> None:
    """All 3,125 resamples give the enumerated mean, deviation, p and interval."""
    draws = list(product(range(5), repeat=5))
    weights = np.array([np.bincount(d, minlength=5) for d in draws], dtype=float)
    differences = np.subtract(
        *(
            weighted_areas(rate_table(curve, curve.thresholds, MEAN), weights, (0, 0.5))
            for curve in systems()
        )
    )
    assert differences.mean() == pytest.approx(EXACT["boot_mean"], abs=1e-12)
    assert differences.std() == pytest.approx(EXACT["boot_se_population"], abs=1e-12)
    assert (differences <= 1e-12).mean() == EXACT["boot_frac_le0"]
    np.testing.assert_allclose(np.percentile(differences, (2.5, 97.5)), EXACT["boot_ci95"])


def test_sampled_bootstrap_approaches_the_enumeration() -> None:
    """20,000 sampled resamples give the exact interval and a p of the exact size."""
    result = compare_froc(*systems(), n_resamples=20_000, seed=1)
    np.testing.assert_allclose(result.interval, EXACT["boot_ci95"], atol=0.02)
    # 20,000 draws at p = 0.00032: six expected, three standard deviations are seven.
    assert result.p_one_sided <= 0.00032 + 3 * np.sqrt(0.00032 / 20_000)
    again = compare_froc(*systems(), n_resamples=20_000, seed=1)
    assert result == again or result.interval == again.interval


@pytest.mark.parametrize(
    ("fp_range", "area"),
    [((0, 0.5), 0.2), ((0.5, 1), 0.9), ((0, 1), 0.55), ((0.25, 0.5), 0.3), ((0.5, 3), 0.98)],
)
def test_a_step_at_an_end_of_the_range_is_vertical(
    fp_range: tuple[float, float], area: float
) -> None:
    """Below it, the area ends at its foot; above it, it begins at its top (areas by hand)."""
    fp, tp = np.array([0.25, 0.5, 0.5, 0.5, 1.0]), np.array([0.2, 0.6, 0.4, 0.8, 1.0])
    assert partial_area(fp, tp, fp_range) == pytest.approx(area, abs=1e-12)
    table = RateTable(tp[None], fp[None], np.ones(1))
    assert weighted_areas(table, np.ones((1, 1)), fp_range)[0] == pytest.approx(area, abs=1e-12)


def test_resampled_area_is_the_area_of_the_resampled_cases() -> None:
    """Weights count cases: drawing case 2 twice is a cohort that holds it twice."""
    cases = [[(s["lesions"], s["B"]) for s in slices] for slices in DATA["cases"]]
    curve = froc_from_detections(cases)
    table = rate_table(curve, curve.thresholds, MEAN)
    rng = np.random.default_rng(0)
    for _ in range(25):
        draw = rng.integers(0, 5, 5)
        weights = np.bincount(draw, minlength=5)[None].astype(float)
        twin = froc_from_detections([cases[k] for k in draw])
        expected = partial_area(twin.fp_mean, twin.tp_rate, (0, 0.5))
        assert weighted_areas(table, weights, (0, 0.5))[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("fp_range", [(0, 0.05), (0, 0.5), (0.3, 1.1), (0, 50)])
def test_many_resampled_areas_at_once_are_those_of_each(fp_range: tuple[float, float]) -> None:
    """Whatever part of the curves the range takes in, and wherever each one leaves it."""
    cases = scattered(3)
    curve = froc_from_detections(cases)
    weights = np.random.default_rng(1).multinomial(8, np.full(8, 1 / 8), 200).astype(float)
    areas = weighted_areas(rate_table(curve, curve.thresholds, MEAN), weights, fp_range)
    for row, area in zip(weights.astype(int), areas, strict=True):
        drawn = froc_from_detections([cases[k] for k in np.repeat(np.arange(8), row)])
        expected = partial_area(drawn.fp_mean, drawn.tp_rate, fp_range)
        assert area == pytest.approx(expected, abs=1e-12)


def test_band_is_that_of_cohorts_drawn_again() -> None:
    """Each resample's curve is that of a cohort with these cases; one case, no width."""
    cases = [[(s["lesions"], s["B"]) for s in slices] for slices in DATA["cases"]]
    curve = froc_from_detections(cases)
    assert len(curve.thresholds) < BAND_POINTS  # so that none is left out
    places = np.linspace(0, 3, 13)
    low, high = froc_band(curve, places, reading=SUM, n_resamples=60, level=0.9, seed=5)
    drawn = np.random.default_rng(5).multinomial(5, np.full(5, 0.2), 60)
    rates = []
    for counts in drawn:
        twin = froc_from_detections([cases[k] for k in np.repeat(np.arange(5), counts)])
        rates.append([twin.tp_rate_at(fp, SUM) for fp in places])
    np.testing.assert_allclose([low, high], np.percentile(rates, (5, 95), axis=0), atol=1e-12)
    assert (high - low).max() > 0.1
    one = froc_from_detections(cases[:1])
    alone = froc_band(one, places)
    np.testing.assert_allclose(alone, [[one.tp_rate_at(fp) for fp in places]] * 2, atol=1e-12)


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
    ("wrong", "told"),
    [
        ({"tp_rate": 90}, "at most 1, not 90"),
        ({"tp_rate": 0}, "lies above 0"),
        ({"reading": "median"}, "'mean' or 'sum'"),
        ({"n_resamples": 0}, "at least 1"),
        ({"seed": -1}, "0 or more, not -1"),
    ],
)
def test_wrong_settings_of_a_comparison_are_refused(wrong: dict, told: str) -> None:
    """One sentence for each."""
    a, b = systems()
    with pytest.raises(SpinemetError, match=told):
        compare_fp_at(a, b, **wrong)


def scattered(seed: int) -> list[list[tuple[list, list]]]:
    """Eight cases of two slices with a region each, found or not, and some false positives."""
    rng = np.random.default_rng(seed)
    return [
        [
            (
                [(50.0, 50.0)],
                [(50, 50, rng.random())] * int(rng.random() < 0.85)
                + [(150, 50 * k, rng.random()) for k in range(rng.integers(0, 4))],
            )
            for _ in range(2)
        ]
        for _ in range(8)
    ]


@pytest.mark.parametrize("reading", [MEAN, SUM])
def test_false_positives_at_a_rate_are_those_of_cohorts_drawn_again(reading: str) -> None:
    """A resample, drawn as a cohort, has the figure that its weights give, up to the limit."""
    cases = scattered(5)
    curve = froc_from_detections(cases)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(8, np.full(8, 1 / 8), 300).astype(float)
    table = rate_table(curve, curve.thresholds, reading)
    reached = 0
    for rate, limit in ((0.5, 9.0), (0.9, 9.0), (0.9, 0.8)):
        told = -_saving(table, weights, rate, limit)
        for row, fp in zip(weights.astype(int), told, strict=True):
            drawn = froc_from_detections([cases[k] for k in np.repeat(np.arange(8), row)])
            plain = drawn.fp_at(rate, reading)
            reached += np.isfinite(plain)
            assert fp == pytest.approx(min(plain, limit), abs=1e-9)
    assert 300 < reached < 900, "some reach the rate, and some never do"


def test_false_positives_saved_at_a_rate() -> None:
    """The difference of the two curves' own figures; equal systems save nothing."""
    a, b = (froc_from_detections(scattered(seed)) for seed in (1, 2))
    found = compare_fp_at(a, b, tp_rate=0.5, n_resamples=500)
    assert found.fp_a == pytest.approx(a.fp_at(0.5, MEAN))
    assert found.fp_b == pytest.approx(b.fp_at(0.5, MEAN))
    assert found.saved == pytest.approx(found.fp_b - found.fp_a)
    assert found.interval[0] <= found.saved <= found.interval[1]
    back = compare_fp_at(b, a, tp_rate=0.5, n_resamples=500)
    assert back.saved == pytest.approx(-found.saved)
    assert back.p_two_sided == found.p_two_sided
    assert back.p_sign_flip_two_sided == found.p_sign_flip_two_sided
    same = compare_fp_at(a, a, n_resamples=100)
    assert (same.saved, same.p_two_sided, same.p_sign_flip_two_sided) == (0.0, 1.0, 1.0)
    never = froc_from_detections([[([(50.0, 50.0)], [(150, 50, 0.5)])]])
    once = froc_from_detections([[([(50.0, 50.0)], [(50, 50, 0.5)])]])
    assert compare_fp_at(once, never, n_resamples=10).saved == 1.0
