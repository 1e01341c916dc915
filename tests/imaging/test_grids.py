"""The working grid and the resolutions, against exact fractions, scipy and scikit-image."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import resize

from napari_spinemet.imaging.geometry import index_to_mm
from napari_spinemet.imaging.grids import (
    central_columns,
    grid_size,
    nearest_pixel,
    resample_image,
    resample_labels,
    working_affine,
    working_shape,
)

RESOLUTIONS = (0.25, 0.5, 1.0, 1.25, 1.5, 2.0)


@pytest.mark.parametrize(
    "spacing", ["0.88", "0.94", "1.13", "0.29", "0.1", "0.7", "1.1", "0.703125"]
)
@pytest.mark.parametrize("resolution", ["1", "0.5", "2", "0.25", "1.25", "1.5"])
def test_grid_size_is_exact_for_decimal_spacings(spacing: str, resolution: str) -> None:
    """floor((n - 1) * spacing / r) + 1 in exact decimals, where floats fall one short."""
    for size in (1, 2, 11, 101, 256, 301, 362, 386, 512):
        exact = math.floor(Decimal(size - 1) * Decimal(spacing) / Decimal(resolution)) + 1
        assert grid_size(size, float(spacing), float(resolution)) == exact


def test_grid_size_where_plain_floats_lie() -> None:
    """100 steps of 0.29 mm are 29 mm, which floats call 28.999999999999996."""
    assert math.floor(100 * 0.29) + 1 == 29
    assert grid_size(101, 0.29) == 30


@pytest.mark.parametrize(("pixel", "size"), [(0.88, 386), (0.94, 362), (1.13, 301)])
def test_working_grid_starts_at_pixel_0_and_stays_on_the_series(
    lfp_affine: Callable[..., np.ndarray], pixel: float, size: int
) -> None:
    """Working pixel i lies i mm from the first pixel's centre, the last within the series."""
    affine = lfp_affine((3.0, pixel, pixel))
    slices, rows, columns = working_shape((13, size, size), affine)
    assert (slices, rows, columns) == (
        13,
        *(2 * (math.floor((size - 1) * Decimal(str(pixel))) + 1,)),
    )
    working = working_affine(affine)
    first, last, third = index_to_mm(working, [(0, 0, 0), (4, rows - 1, 7), (0, 0, 3)])
    np.testing.assert_allclose(first, index_to_mm(affine, (0, 0, 0)), atol=1e-12)
    assert np.linalg.norm(third - first) == pytest.approx(3.0)
    assert last[2] >= index_to_mm(affine, (4, size - 1, 0))[2] - 1e-9
    assert last[0] == pytest.approx(index_to_mm(affine, (4, 0, 0))[0])


@pytest.mark.parametrize("resolution", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("spacing", [(0.88, 0.94), (1.13, 0.88)])
def test_bilinear_values_are_exact_on_a_ramp(
    resolution: float, spacing: tuple[float, float]
) -> None:
    """A linear ramp in mm stays that ramp: no half-pixel shift, no smoothing on the way up."""
    rows, columns = np.mgrid[0:40, 0:33]
    ramp = (3 * rows * spacing[0] - 2 * columns * spacing[1])[None].astype(np.float32)
    fine = resample_image(ramp, spacing, resolution)
    row_mm, column_mm = np.indices(fine.shape[1:]) * resolution
    np.testing.assert_allclose(fine[0], 3 * row_mm - 2 * column_mm, atol=2e-4)
    assert fine.dtype == np.float32


def test_bilinear_values_are_those_of_a_plain_loop() -> None:
    """Each pixel is the weighted mean of its four neighbours."""
    source = np.random.default_rng(0).normal(size=(1, 9, 8)).astype(np.float32)
    result = resample_image(source, (1.3, 1.1), 0.7)[0]
    for (row, column), value in np.ndenumerate(result):
        r, c = row * 0.7 / 1.3, column * 0.7 / 1.1
        i, j = min(int(r), 7), min(int(c), 6)
        a, b = r - i, c - j
        four = source[0, i : i + 2, j : j + 2]
        expected = np.array([1 - a, a]) @ four @ np.array([1 - b, b])
        assert value == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("resolution", [1.0, 2.0])
def test_smoothing_follows_the_sigma_rule(resolution: float) -> None:
    """Where the step grows: a Gaussian of (r / spacing - 1) / 2 source pixels, then bilinear."""
    source = np.random.default_rng(1).normal(size=(2, 50, 40)).astype(np.float32)
    spacing = (0.5, 0.8)
    smooth = np.stack(
        [
            ndimage.gaussian_filter(
                plane.astype(float), [(resolution / s - 1) / 2 for s in spacing]
            )
            for plane in source
        ]
    )
    result = resample_image(source, spacing, resolution)
    at = np.meshgrid(
        *(np.arange(n) * resolution / s for n, s in zip(result.shape[1:], spacing)), indexing="ij"
    )
    for plane, expected in zip(result, smooth):
        np.testing.assert_allclose(
            plane, ndimage.map_coordinates(expected, at, order=1, mode="nearest"), atol=1e-5
        )


@pytest.mark.parametrize("factor", [3, 5])
def test_smoothing_equals_that_of_skimage_resize(factor: int) -> None:
    """At an odd factor skimage samples pixel centres of ours, one half step in: same values."""
    # resize() takes the centre of each group of `factor` pixels, that is pixel
    # factor // 2 + k * factor; starting there, our grid samples the very same pixels.
    source = np.random.default_rng(2).normal(size=(13 * factor, 11 * factor)).astype(np.float32)
    theirs = resize(source, (13, 11), order=1, anti_aliasing=True, mode="reflect")
    smooth = ndimage.gaussian_filter(source, (factor - 1) / 2, mode="reflect")
    ours = resample_image(source[None], (1.0, 1.0), float(factor))[0]
    np.testing.assert_allclose(ours, smooth[::factor, ::factor], atol=1e-5)
    half = factor // 2
    # skimage smooths with scipy's "mirror", which differs from "reflect" near the border only.
    inner = np.s_[3:-3, 3:-3]
    np.testing.assert_allclose(theirs[inner], smooth[half::factor, half::factor][inner], atol=1e-4)


def test_same_grid_is_untouched() -> None:
    """1 mm pixels at 1 mm keep their values bit for bit; slices are never mixed."""
    source = np.random.default_rng(4).normal(size=(3, 12, 10)).astype(np.float32)
    np.testing.assert_array_equal(resample_image(source, (1.0, 1.0), 1.0), source)
    source[1] = 0
    assert not resample_image(source, (1.0, 1.0), 2.0)[1].any()


def test_nearest_pixel_at_half_and_two_mm() -> None:
    """2i at 0.5 mm; i // 2 at 2 mm, so that the odd pixel takes the lower one."""
    i = np.arange(340)
    np.testing.assert_array_equal(nearest_pixel(340, 0.5, 679), 2 * i)
    np.testing.assert_array_equal(nearest_pixel(340, 2.0, 170), i // 2)
    np.testing.assert_array_equal(nearest_pixel(340, 1.0, 340), i)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("size", [33, 118])
def test_nearest_pixel_is_the_brute_force_nearest(resolution: float, size: int) -> None:
    """Smallest distance in exact fractions, ties to the lower, never beyond the last pixel."""
    step = Fraction(resolution)
    available = grid_size(size, 1.0, resolution)
    expected = [min(range(available), key=lambda j: (abs(j * step - i), j)) for i in range(size)]
    assert nearest_pixel(size, resolution, available).tolist() == expected


@pytest.mark.parametrize("spacing", [(0.88, 0.94), (1.13, 1.13), (0.5, 2.0), (1.0, 1.0)])
def test_labels_take_the_nearest_pixel(spacing: tuple[float, float]) -> None:
    """Every working pixel has the label of a series pixel than which none is nearer."""
    labels = np.arange(20 * 17, dtype=np.uint16).reshape(1, 20, 17)
    result = resample_labels(labels, spacing)[0]
    for (row, column), label in np.ndenumerate(result):
        i, j = divmod(int(label), 17)
        for at, n, index, s in ((row, 20, i, spacing[0]), (column, 17, j, spacing[1])):
            nearest = min(abs(k * s - at) for k in range(n))
            assert abs(index * s - at) == pytest.approx(nearest, abs=1e-9)
    assert result.dtype == np.uint16


@pytest.mark.parametrize("width", range(1, 30))
def test_central_columns_are_the_half_open_middle(width: int) -> None:
    """Exactly the columns x with W/4 <= x < 3W/4."""
    expected = [x for x in range(width) if Fraction(width, 4) <= x < Fraction(3 * width, 4)]
    assert list(range(*central_columns(width))) == expected
