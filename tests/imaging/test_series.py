"""A series checks itself when it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import SagittalSeries

MakeAffine = Callable[..., np.ndarray]


def test_a_series_knows_its_shape_and_spacing(lfp_affine: MakeAffine) -> None:
    """Voxels become float32 and contiguous; spacing comes from the affine."""
    voxels = np.arange(24, dtype=np.int16).reshape(4, 3, 2).transpose(2, 1, 0)
    series = SagittalSeries(voxels, lfp_affine((3.3, 0.88, 0.94)))
    assert series.shape == (2, 3, 4)
    assert series.voxels.dtype == np.float32
    assert series.voxels.flags.c_contiguous
    np.testing.assert_allclose(series.spacing_mm, (3.3, 0.88, 0.94))
    np.testing.assert_array_equal(series.voxels, voxels)


def test_a_series_cannot_be_changed(lfp_affine: MakeAffine) -> None:
    """Neither its arrays nor its fields can be written to."""
    series = SagittalSeries(np.zeros((2, 3, 4)), lfp_affine())
    with pytest.raises(ValueError, match="read-only"):
        series.voxels[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        series.affine[0, 3] = 1
    with pytest.raises(FrozenInstanceError):
        series.voxels = np.ones((2, 3, 4), np.float32)  # type: ignore[misc]


def test_a_series_has_arrays_of_its_own(lfp_affine: MakeAffine) -> None:
    """The caller may go on writing into what it gave; the series does not change."""
    voxels, affine = np.zeros((2, 3, 4), dtype=np.float32), lfp_affine()
    series = SagittalSeries(voxels, affine)
    voxels[:] = 9
    affine[0, 3] = 1000
    assert not series.voxels.any()
    assert series.affine[0, 3] != 1000


@pytest.mark.parametrize("shape", [(3, 4), (0, 3, 4), (2, 3, 4, 1)])
def test_other_shapes_are_refused(lfp_affine: MakeAffine, shape: tuple[int, ...]) -> None:
    """Two axes, four axes or nothing at all are no stack of slices."""
    with pytest.raises(SpinemetError, match=r"\(slice, row, column\)"):
        SagittalSeries(np.zeros(shape), lfp_affine())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(lfp_affine: MakeAffine, value: float) -> None:
    """One such voxel would spread over a whole z-scored slice."""
    voxels = np.zeros((2, 3, 4))
    voxels[1, 2, 3] = value
    with pytest.raises(SpinemetError, match="not finite"):
        SagittalSeries(voxels, lfp_affine())


@pytest.mark.parametrize(
    ("columns", "codes"),
    [([0, 2, 1], "LPF"), ([1, 0, 2], "FLP"), ([2, 1, 0], "PFL")],
)
def test_other_orders_of_the_axes_are_refused(
    lfp_affine: MakeAffine, columns: list[int], codes: str
) -> None:
    """Only left, feet, back; the message says what it found."""
    affine = lfp_affine((1.0, 1.0, 1.0))
    affine[:3, :3] = affine[:3, columns]
    with pytest.raises(SpinemetError, match=codes):
        SagittalSeries(np.zeros((2, 3, 4)), affine)


def test_a_flipped_stack_is_refused(lfp_affine: MakeAffine) -> None:
    """Slices that run to the right (as SimpleITK stacks them) are not taken for the left."""
    affine = lfp_affine()
    affine[:3, 0] *= -1
    with pytest.raises(SpinemetError, match="RFP"):
        SagittalSeries(np.zeros((2, 3, 4)), affine)
