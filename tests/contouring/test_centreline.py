"""The centreline through clicks, and the way into its coordinates and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spinemet.contouring.centreline import Centreline, points_of
from napari_spinemet.imaging import SagittalSeries


def arc(count: int, radius: float = 150.0) -> np.ndarray:
    """Points on a circle about (200, 250) that bulges to the front."""
    angle = np.linspace(-0.7, 0.7, count)
    return np.stack([0 * angle, 200 + radius * np.sin(angle), 250 - radius * np.cos(angle)], axis=1)


def test_a_soft_curve_follows_a_circle() -> None:
    """Within half a millimetre between points 30 mm apart."""
    centreline = Centreline(arc(8), stiffness=1.0, margin_mm=20)
    s = np.linspace(0, centreline.points_s_mm[-1], 200)
    radius = np.hypot(*(centreline.evaluate(s)[:, 1:] - (200, 250)).T)
    assert np.abs(radius - 150).max() < 0.5


def test_a_stiff_curve_evens_out_clicks() -> None:
    """Clicks off by 2.5 mm along a straight spine: less than 1.5 mm is left on average."""
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(20):
        rows = np.arange(40, 300, 30.0)
        clicks = np.stack([0 * rows, rows, 100 + rng.normal(0, 2.5, len(rows))], axis=1)
        centreline = Centreline(clicks, stiffness=3e4, margin_mm=20)
        errors.append(centreline.evaluate(centreline.points_s_mm)[:, 2] - 100)
    assert np.sqrt(np.mean(np.square(errors))) < 1.5


def test_one_point_has_an_upright_curve() -> None:
    """Down the rows by as many mm, and backwards along the columns."""
    centreline = Centreline(np.array([[12.0, 80.0, 60.0]]), stiffness=3e4, margin_mm=40)
    np.testing.assert_allclose(
        centreline.evaluate(np.array([0.0, 10.0]))[:, 1:], [[80, 60], [90, 60]], atol=1e-3
    )
    np.testing.assert_allclose(centreline.locate(np.array([10.0]), 5.0), [[90, 65]], atol=1e-3)


@pytest.mark.parametrize("stiffness", [1.0, 3e4])
def test_projecting_is_the_way_back_of_locating(stiffness: float) -> None:
    """Points made from curve coordinates are projected to those coordinates."""
    centreline = Centreline(arc(6), stiffness=stiffness, margin_mm=20)
    s, t = np.meshgrid(np.linspace(0, 180, 13), np.linspace(-25, 25, 11))
    grid = np.arange(centreline.start_mm, centreline.end_mm, 0.1)
    projected_s, projected_t = centreline.project(centreline.locate(s, t), grid)
    assert np.abs(projected_s - s).max() < 0.3
    assert np.abs(projected_t - t).max() < 0.1


def test_a_bent_ramp_is_straightened() -> None:
    """An image that grows with the distance from the circle grows across the centreline."""
    rows, columns = np.indices((400, 300))
    image = 150 - np.hypot(rows * 1.0 - 200, columns * 0.8 - 250)
    centreline = Centreline(arc(12), stiffness=1.0, margin_mm=5)
    s, t = np.linspace(5, 200, 40), np.linspace(-30, 30, 21)
    samples, in_picture = centreline.straighten(image[None].astype(np.float32), (1.0, 0.8), s, t)
    assert in_picture.all()
    assert np.abs(samples[0] - t).max() < 0.6


def test_points_are_in_millimetres_from_the_head(
    make_series: Callable[..., SagittalSeries],
) -> None:
    """Index times spacing, sorted by row."""
    series = make_series(shape=(4, 60, 50), spacing_mm=(4.0, 1.5, 0.5))
    points = points_of(series, [(1, 40, 10), (2.5, 20, 30)])
    np.testing.assert_allclose(points, [[10, 30, 15], [4, 60, 5]])
