"""Z-scores and shares of marrow, against numpy and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.imaging.brightness.normalisation import LocalZScore, gaussian_mean, zscore


def test_zscore_gives_mean_0_and_deviation_1() -> None:
    """Each patch by itself, whatever its level and contrast."""
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(4, 3, 79, 55)) * rng.uniform(0.1, 900, (4, 3, 1, 1)) + 3000
    result = zscore(patches.astype(np.float32))
    np.testing.assert_allclose(result.mean(axis=(2, 3), dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(result.std(axis=(2, 3), dtype=float), 1, atol=1e-5)
    assert result.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, 7.0, -3.3, 1e6 / 3])
def test_a_constant_patch_gives_zeros(value: float) -> None:
    """No deviation to divide by, and no rounding residue blown up; its neighbour is untouched."""
    patches = np.full((2, 79, 55), value, dtype=np.float32)
    patches[1, 5, 5] += 100
    result = zscore(patches)
    assert not result[0].any()
    assert result[1].std() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("sigma", [4.0, 10.0, 40.0])
@pytest.mark.parametrize("shape", [(61, 47), (30, 90)])
def test_gaussian_mean_is_scipys_gaussian_filter(sigma: float, shape: tuple[int, int]) -> None:
    """The product in the cosine transform is the convolution with mirrored edges."""
    image = np.random.default_rng(6).normal(size=shape)
    expected = ndimage.gaussian_filter(image, sigma, mode="reflect", truncate=8)
    np.testing.assert_allclose(gaussian_mean(image, sigma), expected, atol=1e-10)


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("settings", [(20.0, 0.1, None), (12.0, 0.3, None), (20.0, 0.1, 60.0)])
def test_local_zscore_is_the_plain_computation(
    resolution: float, settings: tuple[float, float, float | None]
) -> None:
    """Minus the local mean, over the local deviation plus a share of the slice's own."""
    normalisation = LocalZScore(*settings)
    sigma_mm, floor, wide_sigma_mm = settings
    if resolution == 2 and wide_sigma_mm is not None:
        sigma_mm = wide_sigma_mm
    rng = np.random.default_rng(7)
    images = (rng.gamma(2, 80, (2, 70, 60)) + 1000).astype(np.float32)
    images[:, :, :12] = 20  # air, of little contrast
    results = normalisation(images, resolution)
    for image, result in zip(images.astype(np.float64), results):

        def mean(values: np.ndarray) -> np.ndarray:
            return ndimage.gaussian_filter(
                values, sigma_mm / resolution, mode="reflect", truncate=8
            )

        centre = mean(image)
        deviation = np.sqrt(np.maximum(mean(image**2) - centre**2, 0))
        expected = (image - centre) / (deviation + floor * image.std())
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_local_zscore_of_a_constant_slice_is_zeros() -> None:
    """An empty slice stays empty beside one with an image."""
    images = np.full((2, 40, 30), 812.7, dtype=np.float32)
    images[1] += np.random.default_rng(8).normal(0, 30, (40, 30)).astype(np.float32)
    result = LocalZScore()(images, 1.0)
    assert not result[0].any()
    assert result[1].any()
    assert not LocalZScore()(np.zeros((1, 40, 30), np.float32), 2.0).any()


def test_a_window_of_no_size_is_refused() -> None:
    """As a card of a model may say; so is a reference that there is none of."""
    for settings in ({"sigma_mm": 0.0}, {"wide_sigma_mm": math.inf}, {"floor": -0.1}):
        with pytest.raises(ValueError, match="z-score"):
            LocalZScore(**settings)
    with pytest.raises(ValueError, match="reference"):
        LocalZScore(reference="muscle")
    with pytest.raises(ValueError, match="window"):
        LocalZScore(reference="marrow", wide_sigma_mm=60.0)


def test_shares_of_marrow_are_logarithms_in_the_wide_view() -> None:
    """Of narrow pixels z-scores as ever; very dark and very bright ones are cut off."""
    shares = np.random.default_rng(10).gamma(4, 0.3, (2, 40, 30)).astype(np.float32)
    shares[0, 0, :2] = 0, 1e6
    normalisation = LocalZScore(reference="marrow")
    expected = [2 * min(max(math.log(max(v, 1e-9)), -1.5), 2.0) for v in shares.ravel()]
    np.testing.assert_allclose(normalisation(shares, 2.0).ravel(), expected, atol=1e-5)
    np.testing.assert_array_equal(normalisation(shares, 1.0), LocalZScore()(shares, 1.0))


def test_local_zscore_does_not_see_gain_and_offset() -> None:
    """Scanners scale freely: 3 times the image plus 500 gives the same numbers."""
    images = np.random.default_rng(9).normal(100, 20, (1, 50, 40)).astype(np.float32)
    one, other = LocalZScore()(images, 1.0), LocalZScore()(3 * images + 500, 1.0)
    np.testing.assert_allclose(one, other, atol=1e-4)
