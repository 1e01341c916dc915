"""The spine is seen, whatever else shines."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.imaging.brightness.display_window import display_window


def spine(marrow: float = 100.0, fluid: float = 400.0) -> np.ndarray:
    """A canal before dark muscle, with noise."""
    rng = np.random.default_rng(4)
    voxels = rng.normal(30, 5, (12, 200, 160))
    voxels[:, :, 60:80] = rng.normal(marrow, 5, (12, 200, 20))
    voxels[4:8, :, 80:88] = rng.normal(fluid, 10, (4, 200, 8))
    return voxels.astype(np.float32)


def shade_of_marrow(voxels: np.ndarray) -> float:
    """0 for black, 1 for white."""
    low, high = display_window(voxels)
    return (100 - low) / (high - low)


def test_a_bladder_and_a_bright_border_do_not_darken_the_spine() -> None:
    """Each ten times as bright as the canal; the percentile of all voxels would be theirs."""
    plain = spine()
    shade = shade_of_marrow(plain)
    assert 0.1 < shade < 0.9
    bladder = plain.copy()
    bladder[3:9, 170:198, 45:75] = 4000
    border = plain.copy()
    border[:, :, 140:] = 4000
    for voxels in (bladder, border):
        assert shade_of_marrow(voxels) == pytest.approx(shade, rel=0.2)
        low, high = np.percentile(voxels, (1, 99.7))
        assert (100 - low) / (high - low) < 0.05


def test_black_borders_have_no_say() -> None:
    """Half of the heights without a picture."""
    voxels = spine()
    shade = shade_of_marrow(voxels)
    voxels[:, :60] = voxels[:, 140:] = 0
    assert shade_of_marrow(voxels) == pytest.approx(shade, rel=0.35)


@pytest.mark.parametrize("value", [0.0, -1e6, 3e38])
def test_a_flat_scan_has_a_window(value: float) -> None:
    """Of one slice of one pixel, too: viewers refuse a window without width."""
    low, high = display_window(np.full((1, 1, 1), value, dtype=np.float32))
    assert np.float32(low) < np.float32(high)
    assert np.isfinite(high - low)
