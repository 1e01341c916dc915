"""Windows cut on a device are those of the pyramid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.imaging.brightness.normalisation import zscore
from napari_spinemet.imaging.patches import build_pyramid
from napari_spinemet.network import SiameseNet
from napari_spinemet.network.device_pyramid import (
    DevicePyramid,
    choose_image_device,
    pyramid_bytes,
    zscore_windows,
)

CPU = torch.device("cpu")


def test_windows_are_those_of_the_pyramid(make_series: Callable[..., SagittalSeries]) -> None:
    """Bit for bit, at random locations, borders and repeats among them, in their order."""
    pyramid = build_pyramid(make_series(), (0.5, 1, 1.25, 2), (15, 9))
    rng = np.random.default_rng(0)
    slices, rows, columns = (rng.integers(0, n, 300) for n in pyramid.working_shape)
    rows[:4], columns[:4] = (0, 0, 47, 47), (0, 51, 0, 51)
    got = DevicePyramid(pyramid, CPU).windows(slices, rows, columns)
    np.testing.assert_array_equal(got.numpy(), pyramid.windows(slices, rows, columns))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_zscores_are_those_of_the_core(value: float) -> None:
    """To float rounding; a constant window gives zeros here too."""
    rng = np.random.default_rng(1)
    windows = rng.normal(300, 50, (4, 3, 79, 55)).astype(np.float32)
    windows[1, 2] = value
    got = zscore_windows(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(got, zscore(windows), atol=1e-6)
    assert not got[1, 2].any()


def test_the_size_of_a_cohort_is_known_beforehand(
    make_series: Callable[..., SagittalSeries],
) -> None:
    """To 3 %, so that it goes to the card only where it fits."""
    cohort = [make_series(shape=(3, 240, 250)), make_series(shape=(2, 100, 90))]
    model = SiameseNet(form="dense")
    made = [build_pyramid(s, model.resolutions, model.window).images for s in cohort]
    expected = sum(image.nbytes for images in made for image in images)
    assert pyramid_bytes(cohort, model) == pytest.approx(expected, rel=0.03)
    assert choose_image_device(cohort, model, CPU) == CPU


@pytest.mark.parametrize(("free", "home"), [(10**9, "cuda"), (10**6, "cpu")])
def test_images_go_to_the_card_where_they_fit(
    make_series: Callable[..., SagittalSeries],
    free: int,
    home: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In half of what is free, else they stay in memory."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10**10))
    model = SiameseNet(form="dense")
    assert choose_image_device([make_series()], model, torch.device("cuda")).type == home
