"""Random curves and fields of intensity: bounded, ordered, alike at every resolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.network import SiameseNet
from napari_spinemet.training import TrainingConfig
from napari_spinemet.training.blocks import BlockBatches
from napari_spinemet.training.blocks.recolouring import KNOTS, STEEPEST, Recolouring

from ..coded_scans import TINY

PLACES = [(mm * np.arange(-20.0, 20), mm * np.arange(-15.0, 15)) for mm in (0.5, 1.0, 2.0)]


def crops(seed: int = 0) -> list[torch.Tensor]:
    """Normal numbers, of each resolution."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(len(r), len(c), generator=generator) for r, c in PLACES]


def field_free(one: Recolouring) -> Recolouring:
    """Its curve alone."""
    return Recolouring(one.values, np.zeros(5), np.zeros(5))


@pytest.mark.parametrize("seed", range(20))
def test_a_curve_is_numpys_interpolation_and_keeps_order_mean_and_spread(seed: int) -> None:
    """Beyond the knots it is straight; all resolutions have the same one."""
    one = field_free(Recolouring.draw(np.random.default_rng(seed), 1.0))
    images = crops(seed)
    results = one.apply(images, PLACES)
    curves = [np.interp(image.numpy(), KNOTS, one.values) for image in images]
    assert all(float(image.abs().max()) < KNOTS[-1] for image in images)
    below = [image.numpy() < KNOTS[0] for image in images]
    slope = (one.values[1] - one.values[0]) / (KNOTS[1] - KNOTS[0])
    for curve, image, part in zip(curves, images, below, strict=True):
        curve[part] = one.values[0] + slope * (image.numpy()[part] - KNOTS[0])
    factor = images[1].numpy().std() / curves[1].std()
    for result, curve in zip(results, curves, strict=True):
        expected = factor * (curve - curves[1].mean()) + images[1].numpy().mean()
        np.testing.assert_allclose(result.numpy(), expected, atol=2e-5)
    order = images[0].flatten().argsort()
    assert bool((results[0].flatten()[order].diff() >= -1e-6).all())


def test_slopes_stay_within_their_bounds_and_use_them() -> None:
    """Of five hundred; half as strong has the root."""
    rng = np.random.default_rng(0)
    for strength in (1.0, 0.5):
        slopes = np.concatenate(
            [np.diff(Recolouring.draw(rng, strength).values) / np.diff(KNOTS) for _ in range(500)]
        )
        most = STEEPEST**strength
        assert 0.98 * most < slopes.max() <= most * (1 + 1e-9)
        assert 1 / most * (1 - 1e-9) <= slopes.min() < 1.02 / most


def test_no_strength_is_no_change() -> None:
    """To rounding."""
    images = crops()
    results = Recolouring.draw(np.random.default_rng(1), 0.0).apply(images, PLACES)
    for image, result in zip(images, results, strict=True):
        torch.testing.assert_close(result, image, atol=1e-5, rtol=1e-5)


def test_a_field_is_the_same_function_of_place_at_every_resolution() -> None:
    """A constant image shows the shift; where places coincide, so do values."""
    plain = np.array(KNOTS)
    one = Recolouring(plain, np.zeros(5), np.array([0.2, -0.1, 0.1, 0.05, -0.05]))
    images = [torch.zeros(len(r), len(c)) for r, c in PLACES]
    half, whole, double = one.apply(images, PLACES)
    torch.testing.assert_close(half[::2, 1::2], whole[10:30, 8:23], atol=1e-6, rtol=0)
    torch.testing.assert_close(whole[::2, 1::2], double[10:30, 8:23], atol=1e-6, rtol=0)
    assert float(double.max() - double.min()) > 0.1
    stronger = Recolouring(plain, np.array([0.3, 0, 0, 0, 0]), np.zeros(5))
    (upper, *_), (lower, *_) = (
        stronger.apply([torch.full_like(i, v) for i in images], PLACES) for v in (-1.0, 1.0)
    )
    torch.testing.assert_close(upper, -lower)
    assert bool((lower[1:] > lower[:-1]).all())


def test_a_flat_block_stays_finite() -> None:
    """Air has no spread that could be put back."""
    images = [torch.zeros(len(r), len(c)) for r, c in PLACES]
    results = Recolouring.draw(np.random.default_rng(3), 1.0).apply(images, PLACES)
    assert all(bool(r.isfinite().all()) for r in results)


def test_no_share_leaves_the_batches_as_they_were(
    small_case: tuple[SagittalSeries, Annotation],
) -> None:
    """With a share, places and labels of the first block stay and its values change."""
    model = SiameseNet((0.5, 1, 2), "dense", **TINY)  # type: ignore[arg-type]
    batches = {
        share: BlockBatches([small_case], model, 4, recoloured_share=share).draw(
            np.random.default_rng(5), True, 1.0
        )
        for share in (0.0, 1e-12, 1.0)
    }
    for a, b in zip(batches[0.0].images, batches[1e-12].images, strict=True):
        assert torch.equal(a[0], b[0])  # the first block is drawn before the stream parts
    assert np.array_equal(batches[0.0].classes[0], batches[1.0].classes[0])
    assert not torch.allclose(batches[0.0].images[1][0], batches[1.0].images[1][0], atol=1e-3)


def test_windows_are_not_recoloured() -> None:
    """The paper's are taken as they are."""
    assert TrainingConfig.paper().recoloured_share == 0
