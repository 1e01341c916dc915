"""Curves of resampled cohorts against cohorts that are drawn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from napari_spinemet.evaluation import froc_from_detections
from napari_spinemet.evaluation.comparison.resampled_curves import (
    RateTable,
    fp_savings,
    rate_table,
    weighted_areas,
)
from napari_spinemet.evaluation.curve import MEAN, SUM, partial_area

from ..paired_systems import EXACT, scattered, slices_of, systems


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
    cases = slices_of("B")
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
        twin = froc_from_detections([cases[k] for k in np.repeat(np.arange(8), row)])
        expected = partial_area(twin.fp_mean, twin.tp_rate, fp_range)
        assert area == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("reading", [MEAN, SUM])
def test_false_positives_at_a_rate_are_those_of_cohorts_drawn_again(reading: str) -> None:
    """A resample, drawn as a cohort, has the figure that its weights give, up to the limit."""
    cases = scattered(5)
    curve = froc_from_detections(cases)
    rng = np.random.default_rng(0)
    weights = rng.multinomial(8, np.full(8, 1 / 8), 300).astype(float)
    table = rate_table(curve, curve.thresholds, reading)
    n_reached = 0
    for rate, limit in ((0.5, 9.0), (0.9, 9.0), (0.9, 0.8)):
        savings = -fp_savings(table, weights, rate, limit)
        for row, fp in zip(weights.astype(int), savings, strict=True):
            twin = froc_from_detections([cases[k] for k in np.repeat(np.arange(8), row)])
            plain = twin.fp_at(rate, reading)
            n_reached += np.isfinite(plain)
            assert fp == pytest.approx(min(plain, limit), abs=1e-9)
    assert 300 < n_reached < 900, "some reach the rate, and some never do"
