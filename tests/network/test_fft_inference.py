"""Spectra give the scores that plain convolutions give, however a block is cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.imaging.patches import Pyramid, build_pyramid
from napari_spinemet.network import SiameseNet
from napari_spinemet.network import fft_inference as spectral
from napari_spinemet.network.dense import branch_grids, dense_scores
from napari_spinemet.network.siamese import ShiftBatchNorm

MakeSeries = Callable[..., SagittalSeries]
Block = tuple[slice, slice]


def _lively(**settings: object) -> SiameseNet:
    """Statistics that are not 0 and 1, shifts that are not 0."""
    torch.manual_seed(5)
    model = SiameseNet(form="dense", **settings)  # type: ignore[arg-type]
    model(torch.randn(4, len(model.resolutions), *model.window))
    for module in model.modules():
        if isinstance(module, ShiftBatchNorm):
            nn.init.normal_(module.bias, std=0.3)
    return model.eval()


def _both(
    model: SiameseNet, made: spectral.FftNetwork, pyramid: Pyramid, block: Block
) -> tuple[np.ndarray, np.ndarray]:
    """Scores in float32 by spectra, and in float64 by plain convolutions."""
    grids = branch_grids(pyramid, len(model.blocks), *block)
    images = [g.crop(torch.from_numpy(i[0])) for g, i in zip(grids, pyramid.images, strict=True)]
    got = made.scores(images, grids)
    with torch.inference_mode():
        expected = dense_scores(model.double(), [i[None].double() for i in images], grids)[0]
    model.float()
    return got.numpy(), expected.numpy()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"resolutions": (0.25, 1, 1.25)},
        {"resolutions": (0.5, 1, 1.5), "outputs": 3},
        {"resolutions": (1,), "blocks": (1, 1, 1)},
        {"patch_shape": (63, 63), "blocks": (1, 1), "widths": (8, 16), "resolutions": (2, 0.5)},
    ],
)
@pytest.mark.parametrize("tile", [(24, 24), (3, 5), (1, 1)])
def test_spectra_equal_plain_convolutions(
    make_series: MakeSeries,
    settings: dict[str, object],
    tile: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To 1e-5 of the scores' range, on blocks that are no whole number of tiles or phases.

    One network serves blocks of several sizes in turn, larger and smaller, in the middle, in
    the last corner, and on a lattice: memory that it uses again holds nothing of the last.
    """
    monkeypatch.setattr(spectral, "TILE", tile)
    model = _lively(**settings)
    made = spectral.FftNetwork(model)
    series = make_series(shape=(1, 49, 51), spacing_mm=(3.0, 0.94, 1.13))
    pyramid = build_pyramid(series, model.resolutions, model.window, model.normalisation)
    rows, columns = pyramid.working_shape[1:]
    blocks: list[Block] = [
        (slice(0, rows), slice(0, columns)),
        (slice(7, 12), slice(11, 14)),
        (slice(rows - 21, rows), slice(columns - 3, columns)),
        (slice(2, rows, 4), slice(1, columns, 4)),
        (slice(13, 14), slice(8, 9)),
        (slice(0, rows), slice(0, columns)),
    ]
    for block in blocks:
        got, expected = _both(model, made, pyramid, block)
        assert np.abs(got - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())
        assert got.shape[1] < 2 or np.ptp(expected[1]) > 0.02  # else any two would agree


def test_the_model_is_left_as_it_was(make_series: MakeSeries) -> None:
    """What is made ready is a copy: the model itself can be trained on."""
    model = _lively(resolutions=(1,))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = spectral.FftNetwork(model)
    _both(model, made, build_pyramid(make_series(), (1,)), (slice(0, 9), slice(0, 9)))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
