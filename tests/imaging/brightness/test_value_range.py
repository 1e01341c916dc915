"""Burnt-in text and undeclared borders do not say what the tissue's values are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spinemet.imaging.brightness.normalisation import LocalZScore
from napari_spinemet.imaging.brightness.value_range import value_range
from napari_spinemet.imaging.patches import build_pyramid


@pytest.fixture
def tissue() -> np.ndarray:
    """Rounded numbers as a scanner gives them, with a long tail of bright ones."""
    rng = np.random.default_rng(3)
    return np.round(rng.gamma(2.0, 100.0, (5, 60, 50))).astype(np.float32)


def test_a_clean_scan_keeps_every_value(tissue: np.ndarray) -> None:
    """Its range is that of all values, whatever unit they have."""
    for scale in (1.0, 1e-4, 1e6):
        voxels = (tissue * np.float32(scale)).astype(np.float32)
        assert value_range(voxels) == (voxels.min(), voxels.max())


def test_what_lies_beyond_a_gap_does_not_count(tissue: np.ndarray) -> None:
    """Text and a border, few pixels or a third of all, on one side or on both."""
    low, high = tissue.min(), tissue.max()
    text, border = tissue.copy(), tissue.copy()
    text[2, 5:9, 10:30] = 32767
    border[:, :, :16] = -32768
    both = np.where(text == 32767, text, border)
    assert value_range(text) == (low, high)
    assert value_range(border) == (border[:, :, 16:].min(), border[:, :, 16:].max())
    assert value_range(both)[0] >= low
    assert value_range(both)[1] <= high


def test_scattered_spikes_are_cut_too(tissue: np.ndarray) -> None:
    """Where no gap parts them from each other."""
    spikes = tissue.copy().reshape(-1)
    spikes[::3001] = np.geomspace(tissue.max(), 60 * tissue.max(), len(spikes[::3001]))
    low, high = value_range(spikes)
    assert low == tissue.min()
    assert high < 5 * tissue.max()


def test_many_values_on_both_sides_of_a_gap_all_count(tissue: np.ndarray) -> None:
    """Slices of unlike gain, or numbers made for a test, are no few outliers."""
    voxels = tissue.copy()
    voxels[4] += 20_000
    assert value_range(voxels) == (voxels.min(), voxels.max())


def test_a_drawing_has_no_outliers() -> None:
    """Few different values are as they are meant."""
    voxels = np.zeros((3, 20, 20), dtype=np.float32)
    voxels[1, 5, 5] = 1e6
    assert value_range(voxels) == (0, 1e6)


def test_normalisation_takes_outliers_for_the_nearest_other_value(
    make_series: Callable, tissue: np.ndarray
) -> None:
    """A slice with text is normalised as if the text were as bright as the brightest tissue."""
    text, bright = tissue.copy(), tissue.copy()
    text[2, 5:9, 10:30] = 32767
    others = np.where(text == 32767, 0, text)
    bright[text == 32767] = others.max()
    images = [
        build_pyramid(make_series(voxels), (1.0,), (9, 9), LocalZScore()).images[0]
        for voxels in (text, bright)
    ]
    np.testing.assert_array_equal(*images)
