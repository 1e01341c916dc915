"""The curve through clicks, and the way into its coordinates and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spinemet.contouring.centreline import Centreline, points_of
from napari_spinemet.contouring.spine_edges import best_paths
from napari_spinemet.imaging import SagittalSeries


def arc(count: int, radius: float = 150.0) -> np.ndarray:
    """Points on a circle about (200, 250) that bulges to the front."""
    angle = np.linspace(-0.7, 0.7, count)
    return np.stack([0 * angle, 200 + radius * np.sin(angle), 250 - radius * np.cos(angle)], axis=1)


def test_a_soft_curve_follows_a_circle() -> None:
    """Within half a millimetre between points 30 mm apart."""
    curve = Centreline(arc(8), stiffness=1.0, margin_mm=20)
    s = np.linspace(0, curve.at_mm[-1], 200)
    far = np.hypot(*(curve.centre(s)[:, 1:] - (200, 250)).T)
    assert np.abs(far - 150).max() < 0.5


def test_a_stiff_curve_evens_out_clicks() -> None:
    """Clicks off by 2.5 mm along a straight spine: less than 1.5 mm is left on average."""
    rng = np.random.default_rng(0)
    off = []
    for _ in range(20):
        rows = np.arange(40, 300, 30.0)
        clicks = np.stack([0 * rows, rows, 100 + rng.normal(0, 2.5, len(rows))], axis=1)
        curve = Centreline(clicks, stiffness=3e4, margin_mm=20)
        off.append(curve.centre(curve.at_mm)[:, 2] - 100)
    assert np.sqrt(np.mean(np.square(off))) < 1.5


def test_one_point_has_an_upright_curve() -> None:
    """Down the rows by as many mm, and backwards along the columns."""
    curve = Centreline(np.array([[12.0, 80.0, 60.0]]), stiffness=3e4, margin_mm=40)
    np.testing.assert_allclose(
        curve.centre(np.array([0.0, 10.0]))[:, 1:], [[80, 60], [90, 60]], atol=1e-3
    )
    np.testing.assert_allclose(curve.points(np.array([10.0]), 5.0), [[90, 65]], atol=1e-3)


@pytest.mark.parametrize("stiffness", [1.0, 3e4])
def test_there_and_back(stiffness: float) -> None:
    """Places made from curve coordinates are projected to those coordinates."""
    curve = Centreline(arc(6), stiffness=stiffness, margin_mm=20)
    s, t = np.meshgrid(np.linspace(0, 180, 13), np.linspace(-25, 25, 11))
    grid = np.arange(curve.start_mm, curve.end_mm, 0.1)
    along, behind = curve.project(curve.points(s, t), grid)
    assert np.abs(along - s).max() < 0.3
    assert np.abs(behind - t).max() < 0.1


def test_a_bent_ramp_is_straightened() -> None:
    """An image that grows with the distance from the circle grows across the curve."""
    rows, columns = np.indices((400, 300))
    image = 150 - np.hypot(rows * 1.0 - 200, columns * 0.8 - 250)
    curve = Centreline(arc(12), stiffness=1.0, margin_mm=5)
    s, t = np.linspace(5, 200, 40), np.linspace(-30, 30, 21)
    samples, seen = curve.straighten(image[None].astype(np.float32), (1.0, 0.8), s, t)
    assert seen.all()
    assert np.abs(samples[0] - t).max() < 0.6


def test_points_are_in_millimetres_from_the_head(
    make_series: Callable[..., SagittalSeries],
) -> None:
    """Index times spacing, sorted by row."""
    series = make_series(shape=(4, 60, 50), spacing_mm=(4.0, 1.5, 0.5))
    points = points_of(series, [(1, 40, 10), (2.5, 20, 30)])
    np.testing.assert_allclose(points, [[10, 30, 15], [4, 60, 5]])


def test_the_best_path_is_the_best_of_all() -> None:
    """Against trying each of the paths through 5 x 4 scores."""
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(20, 5, 4))
    ways = [
        way
        for way in np.stack(np.meshgrid(*[range(4)] * 5), axis=-1).reshape(-1, 5)
        if np.abs(np.diff(way)).max() <= 1
    ]
    for score, found in zip(scores, best_paths(scores, 0.4)):
        values = [score[range(5), way].sum() - 0.4 * np.abs(np.diff(way)).sum() for way in ways]
        np.testing.assert_array_equal(found, ways[int(np.argmax(values))])
