"""The band about a curve."""

from __future__ import annotations

import numpy as np

from napari_spinemet.evaluation import froc_from_detections
from napari_spinemet.evaluation.bands import BAND_POINTS, froc_band
from napari_spinemet.evaluation.curve import SUM

from .paired_systems import slices_of


def test_band_is_that_of_cohorts_drawn_again() -> None:
    """Each resample's curve is that of a cohort with these cases; one case, no width."""
    cases = slices_of("B")
    curve = froc_from_detections(cases)
    assert len(curve.thresholds) < BAND_POINTS  # so that none is left out
    positions = np.linspace(0, 3, 13)
    low, high = froc_band(curve, positions, reading=SUM, n_resamples=60, level=0.9, seed=5)
    draws = np.random.default_rng(5).multinomial(5, np.full(5, 0.2), 60)
    rates = []
    for counts in draws:
        twin = froc_from_detections([cases[k] for k in np.repeat(np.arange(5), counts)])
        rates.append([twin.tp_rate_at(fp, SUM) for fp in positions])
    np.testing.assert_allclose([low, high], np.percentile(rates, (5, 95), axis=0), atol=1e-12)
    assert (high - low).max() > 0.1
    one = froc_from_detections(cases[:1])
    single = froc_band(one, positions)
    np.testing.assert_allclose(single, [[one.tp_rate_at(fp) for fp in positions]] * 2, atol=1e-12)
