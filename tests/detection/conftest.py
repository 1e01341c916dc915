"""A scan that engines are tried on."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.imaging import SagittalSeries


@pytest.fixture(scope="session")
def series() -> SagittalSeries:
    """Two slices of 46 x 49 mm with three different spacings."""
    rng = np.random.default_rng(1)
    voxels = np.cumsum(rng.normal(size=(2, 52, 70)), axis=2).astype(np.float32)
    affine = np.eye(4)
    # Left, feet, back with three different spacings.
    affine[:3, :3] = np.array([[4.4, 0, 0], [0, 0, 0.7], [0, -0.9, 0]])
    return SagittalSeries(voxels, affine, series_uid="1.2.3")
