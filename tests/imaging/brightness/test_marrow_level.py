"""The level of marrow: robust to lesions, true to the coil, and never without an answer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.brightness.marrow_level import REACH_MM, STEP_MM, MarrowLevel
from napari_spinemet.imaging.brightness.normalisation import GAIN, LocalZScore
from napari_spinemet.imaging.patches import build_pyramid

MakeSeries = Callable[..., SagittalSeries]
ROWS, COLUMNS = 260, 120


def spine_scan(
    make_series: MakeSeries, field: np.ndarray, lesions: tuple[int, ...] = ()
) -> tuple[SagittalSeries, Annotation]:
    """Bodies of brightness 100 in tissue of 30, eight of them; those of lesions have 260."""
    rng = np.random.default_rng(0)
    voxels = rng.normal(30, 3, (4, ROWS, COLUMNS))
    labels = np.zeros(voxels.shape, dtype=np.uint8)
    for k in range(8):
        part = np.s_[:, 10 + 30 * k : 34 + 30 * k, 45:75]
        labels[part] = k + 1
        voxels[part] = rng.normal(260 if k in lesions else 100, 8, voxels[part].shape)
    diseased = np.isin(labels, [k + 1 for k in lesions])
    return make_series(voxels * field[:, None]), Annotation(diseased.astype(np.uint8), labels)


@pytest.mark.parametrize("row_mm", [0.7, 1.0])
def test_the_level_is_the_median_of_the_marrow_nearby(row_mm: float) -> None:
    """At each place, by the plain computation; where the samples are few, that of neighbours."""
    rng = np.random.default_rng(1)
    rows_mm = rng.uniform(60, 150, 900)
    values = rng.gamma(9, 10, 900) + rows_mm
    level = MarrowLevel.measure(values, rows_mm, 300 * row_mm, least=50)
    assert level is not None
    places = STEP_MM * np.arange(len(level.values))
    assert places[-1] >= 300 * row_mm
    medians = np.array([np.median(values[np.abs(rows_mm - p) < REACH_MM]) for p in (100.0, 110.0)])
    # Smoothed over some places, so that it is theirs but for the bend of the curve.
    np.testing.assert_allclose(level.at([100.0, 110.0]), medians, rtol=0.08)
    assert level.at(-50) == level.values[0]
    assert level.at(1e4) == level.values[-1]


def test_of_the_contours_it_is_that_of_the_healthy_bodies(make_series: MakeSeries) -> None:
    """Four of eight bodies are bright, three in a row, and a coil falls off along them.

    Where all of them are, the level is what it is.
    """
    field = np.exp(-np.arange(ROWS) / 180)
    series, annotation = spine_scan(make_series, field, lesions=(1, 4, 5, 6))
    level = MarrowLevel.of_contours(series, annotation)
    assert level is not None
    rows = np.arange(20, 240)
    np.testing.assert_allclose(level.at(rows), 100 * field[rows], rtol=0.15)
    series, annotation = spine_scan(make_series, np.ones(ROWS), lesions=tuple(range(8)))
    level = MarrowLevel.of_contours(series, annotation)
    assert level is not None
    np.testing.assert_allclose(level.values, 260, rtol=0.01)


def test_over_it_a_coil_and_a_gain_are_gone(make_series: MakeSeries) -> None:
    """The wide view of a scan is that of the same patient under another coil; z-scores too."""
    rows = np.arange(ROWS)
    views = []
    for field in (np.ones(ROWS), 37 * np.exp(-((rows - 90) ** 2) / (2 * 150**2))):
        series, annotation = spine_scan(make_series, field)
        pyramid = build_pyramid(
            series,
            (1.0, 2.0),
            (9, 9),
            LocalZScore(reference="marrow"),
            marrow=MarrowLevel.of_contours(series, annotation),
        )
        views.append(pyramid.images)
    for one, other, limit in zip(*views, (0.3, 0.3), strict=True):
        assert np.abs(one - other)[:, 14:-14].max() < limit
    # A body is at its own level, which is 0; what is a third as bright lies below.
    inside = views[0][1][:, 4 + 8, 4 + 30]
    np.testing.assert_allclose(inside, 0, atol=0.5)
    assert views[0][1][:, 14:-14, 8].mean() == pytest.approx(GAIN * np.log(0.3), abs=0.1)


def test_without_a_level_the_picture_lets_guess(make_series: MakeSeries) -> None:
    """Alike for a scan and a brighter copy; of an empty one too."""
    series, _ = spine_scan(make_series, np.ones(ROWS))
    brighter = make_series(5 * series.voxels)
    np.testing.assert_allclose(
        MarrowLevel.guess(brighter).values, 5 * MarrowLevel.guess(series).values, rtol=1e-6
    )
    for value in (0.0, -20.0):
        empty = make_series(np.full((2, 40, 30), value))
        pyramid = build_pyramid(empty, (1.0, 2.0), (9, 9), LocalZScore(reference="marrow"))
        assert all(np.isfinite(image).all() for image in pyramid.images)
    nothing = Annotation(*np.zeros((2, *series.shape), dtype=np.uint8))
    assert MarrowLevel.of_contours(series, nothing) is None


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [1.0, np.nan], [[1.0]]])
def test_a_level_that_nothing_can_be_divided_by_is_none(values: list) -> None:
    """Whoever makes it is told."""
    with pytest.raises(ValueError, match="level"):
        MarrowLevel(np.array(values))
