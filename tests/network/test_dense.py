"""The dense form over a block is the same network window by window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.imaging.patches import build_pyramid
from napari_spinemet.network import SiameseNet
from napari_spinemet.network.dense import branch_grids, dense_scores
from napari_spinemet.network.siamese import ShiftBatchNorm


def _lively(**settings: object) -> SiameseNet:
    """Statistics that are not 0 and 1, shifts that are not 0."""
    torch.manual_seed(0)
    model = SiameseNet(form="dense", **settings)  # type: ignore[arg-type]
    model(torch.randn(4, len(model.resolutions), *model.window))
    for module in model.modules():
        if isinstance(module, ShiftBatchNorm):
            nn.init.normal_(module.bias, std=0.3)
    return model.eval()


def _both(
    model: SiameseNet,
    series: SagittalSeries,
    rows: slice,
    columns: slice,
    dtype: torch.dtype,
    spread: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities ``(outputs, rows, columns)``, dense and window by window.

    Scores are first scaled to this deviation over the block, so that answers differ.
    """
    model = model.to(dtype)
    pyramid = build_pyramid(series, model.resolutions, model.window, model.normalisation)
    grids = branch_grids(pyramid, len(model.blocks), rows, columns)
    images = [g.crop(torch.from_numpy(i[1:2])).to(dtype) for g, i in zip(grids, pyramid.images)]
    row, column = (
        v.ravel()
        for v in np.meshgrid(
            np.arange(rows.start, rows.stop),
            np.arange(columns.start, columns.stop),
            indexing="ij",
        )
    )
    windows = torch.from_numpy(pyramid.windows(np.ones_like(row), row, column)).to(dtype)

    def by_window() -> torch.Tensor:
        return torch.cat([model(w) for w in windows.split(32)])

    with torch.no_grad():
        scores = by_window()
        scale = spread / scores.std(0) if len(row) > 1 else torch.ones_like(scores[0])
        model.score.weight *= scale[:, None, None, None]
        model.score.bias.copy_((model.score.bias - scores.mean(0)) * scale)
        dense = torch.softmax(dense_scores(model, images, grids)[0], 0).numpy()
        single = torch.softmax(by_window(), 1).numpy()
    return dense, single.T.reshape(dense.shape)


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
def test_dense_equals_window_by_window(
    make_series: Callable[..., SagittalSeries], settings: dict[str, object]
) -> None:
    """On a block of odd size at an odd origin, and in the last corner of the grid.

    In double precision to 1e-10 of probability where answers differ widely; in single
    precision, where rounding is all that is left, to 1e-5.
    """
    series = make_series(shape=(2, 49, 51), spacing_mm=(3.0, 0.94, 1.13))
    rows, columns = build_pyramid(series, (1,)).working_shape[1:]
    for block in (
        (slice(7, 12), slice(11, 14)),
        (slice(rows - 3, rows), slice(columns - 3, columns)),
    ):
        dense, single = _both(_lively(**settings), series, *block, torch.float64, 1.0)
        assert single[1].std() > 0.1  # else any two would agree
        np.testing.assert_allclose(dense, single, atol=1e-10, rtol=0)
        dense, single = _both(_lively(**settings), series, *block, torch.float32, 0.1)
        assert single[1].std() > 0.01
        np.testing.assert_allclose(dense, single, atol=1e-5, rtol=0)


def test_a_block_of_one_pixel_is_one_window(make_series: Callable[..., SagittalSeries]) -> None:
    """The smallest block there is."""
    dense, single = _both(_lively(), make_series(), slice(13, 14), slice(8, 9), torch.float64, 1.0)
    assert dense.shape == (2, 1, 1)
    np.testing.assert_allclose(dense, single, atol=1e-10)


@pytest.mark.parametrize(
    ("resolution", "spacing", "step"),
    [
        (1.0, 1, 1),
        (0.5, 1, 2),
        (0.25, 1, 4),
        (0.125, 1, 8),
        (0.0625, 1, 8),
        (2.0, 1, 1),
        (1.25, 1, 1),
        (1.5, 1, 1),
        (0.4, 1, 1),
        (1.0, 4, 4),
        (1.0, 3, 1),
        (1.0, 6, 2),
        (0.5, 4, 8),
        (0.25, 4, 8),
        (2.0, 4, 2),
        (2.0, 6, 1),
    ],
)
def test_poolings_keep_their_stride_where_windows_lie_far_apart(
    make_series: Callable[..., SagittalSeries], resolution: float, spacing: int, step: int
) -> None:
    """By the largest power of two in all distances, at most one for each of three poolings.

    The windows are those of the scored pixels: the pyramid says where each begins.
    """
    pyramid = build_pyramid(make_series(), (resolution,))
    rows, columns = slice(3, 40, spacing), slice(6, 45, spacing)
    (grid,) = branch_grids(pyramid, 3, rows, columns)
    assert grid.step == step
    for first, indices, wanted in (
        (grid.first[0], grid.rows, pyramid.rows[0][rows]),
        (grid.first[1], grid.columns, pyramid.columns[0][columns]),
    ):
        np.testing.assert_array_equal(first + step * indices, wanted)
