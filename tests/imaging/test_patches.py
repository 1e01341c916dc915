"""Windows and padding, against numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.imaging.grids import resample_image
from napari_spinemet.imaging.patches import PATCH_SHAPE, build_pyramid

MakeSeries = Callable[..., SagittalSeries]
RESOLUTIONS = (0.5, 1.0, 2.0)


def _window(pyramid, slice_index: int, row: int, column: int) -> np.ndarray:
    at = [np.array([v]) for v in (slice_index, row, column)]
    return pyramid.windows(*at)[0]


def test_a_bright_pixel_is_the_centre_of_its_patch(make_series: MakeSeries) -> None:
    """At (39, 27) of 79 rows x 55 columns at each resolution: a transposed patch would fail."""
    voxels = np.zeros((2, 90, 110))
    voxels[1, 46, 62] = 1000  # even, so that it is a pixel of the 2 mm grid too
    pyramid = build_pyramid(make_series(voxels), RESOLUTIONS)
    patches = _window(pyramid, 1, 46, 62)
    assert PATCH_SHAPE == (79, 55)
    assert patches.shape == (3, 79, 55)
    for patch in patches:
        assert np.unravel_index(patch.argmax(), patch.shape) == (39, 27)
        assert (patch == patch.max()).sum() == 1
    assert not _window(pyramid, 0, 46, 62).any()


@pytest.mark.parametrize(("rows", "columns"), [(10, 0), (0, 10), (6, -4)])
def test_patches_have_the_orientation_of_the_slice(
    make_series: MakeSeries, rows: int, columns: int
) -> None:
    """A spot so many mm below and behind the location lies there in mm / resolution pixels."""
    voxels = np.zeros((1, 80, 80))
    voxels[0, 40 + rows, 40 + columns] = 1000
    patches = _window(build_pyramid(make_series(voxels), RESOLUTIONS), 0, 40, 40)
    for resolution, patch in zip(RESOLUTIONS, patches):
        expected = (39 + int(rows / resolution), 27 + int(columns / resolution))
        assert np.unravel_index(patch.argmax(), patch.shape) == expected


def test_at_two_mm_an_odd_location_takes_the_lower_pixel(make_series: MakeSeries) -> None:
    """The windows of (2i, 2j) and (2i + 1, 2j + 1) are the same at 2 mm, not at 1 mm."""
    pyramid = build_pyramid(make_series(), RESOLUTIONS)
    even, odd = _window(pyramid, 1, 20, 30), _window(pyramid, 1, 21, 31)
    np.testing.assert_array_equal(even[2], odd[2])
    assert not np.array_equal(even[1], odd[1])


@pytest.mark.parametrize("spacing", [(3.0, 1.0, 1.0), (3.0, 0.88, 0.94)])
@pytest.mark.parametrize("location", [(0, 0), (0, 30), (21, 0), (-1, -1), (20, 20)])
def test_beyond_the_border_the_edge_pixel_is_repeated(
    make_series: MakeSeries, spacing: tuple[float, float, float], location: tuple[int, int]
) -> None:
    """Windows equal slices of numpy's symmetric padding of each resolution's image."""
    series = make_series(spacing_mm=spacing)
    pyramid = build_pyramid(series, RESOLUTIONS)
    row, column = (v % n for v, n in zip(location, pyramid.working_shape[1:]))
    patches = _window(pyramid, 1, row, column)
    for resolution, patch in zip(RESOLUTIONS, patches):
        image = resample_image(series.voxels, spacing[1:], resolution)[1]
        padded_image = np.pad(image, ((39, 39), (27, 27)), mode="symmetric")
        i, j = (int(v * 2) if resolution == 0.5 else v // int(resolution) for v in (row, column))
        np.testing.assert_array_equal(patch, padded_image[i : i + 79, j : j + 55])


def test_chosen_slices_come_in_the_order_asked_for(make_series: MakeSeries) -> None:
    """A pyramid of slices (2, 0) holds slice 2 first."""
    series = make_series()
    every = build_pyramid(series, (1.0,))
    chosen_slices = build_pyramid(series, (1.0,), slices=[2, 0])
    np.testing.assert_array_equal(chosen_slices.images[0], every.images[0][[2, 0]])


def test_windows_come_in_the_order_of_their_locations(make_series: MakeSeries) -> None:
    """Many windows at once are the same as one after the other."""
    pyramid = build_pyramid(make_series(), RESOLUTIONS)
    rng = np.random.default_rng(5)
    at = [rng.integers(0, n, 12) for n in pyramid.working_shape]
    windows = pyramid.windows(*at)
    for k, location in enumerate(zip(*at)):
        np.testing.assert_array_equal(windows[k], _window(pyramid, *location))
