"""The lattice of a block."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_spinemet.network import SiameseNet
from napari_spinemet.training.blocks import BlockBatches, lattice_spacing

from ..coded_scans import MakeSeries, RawImages, coded_series, contour_scan


@pytest.mark.parametrize(
    ("resolutions", "spacing"),
    [((0.5, 1, 2), 8), ((1,), 8), ((0.25, 1, 1.25), 10), ((0.5, 1, 1.5), 12)],
)
def test_blocks_are_spaced_as_costs_least(
    make_series: MakeSeries, resolutions: tuple[float, ...], spacing: int
) -> None:
    """Of all distances from 8 to 16, by what torch counts; 8 for powers of two."""
    annotation = contour_scan(150, 150)
    model = SiameseNet(resolutions, "dense", normalisation=RawImages())
    cases = [(coded_series(make_series, annotation), annotation)]

    def operations(spacing: int | None) -> int:
        batch = BlockBatches(cases, model, 1, spacing=spacing).draw(np.random.default_rng(0), False)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            batch.evaluate(model, torch.device("cpu"))
        return counter.get_total_flops()

    assert lattice_spacing(model) == spacing
    assert operations(None) == min(map(operations, range(8, 17)))
