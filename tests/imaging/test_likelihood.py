"""A likelihood map checks itself when it is made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import LikelihoodMap

MakeAffine = Callable[..., np.ndarray]


def _likelihood(lfp_affine: MakeAffine, values: np.ndarray, **settings: object) -> LikelihoodMap:
    return LikelihoodMap(values, lfp_affine(), (0, 4), (3.0, 0.88, 0.88), **settings)  # type: ignore[arg-type]


def test_a_likelihood_map_is_float32_on_one_mm(lfp_affine: MakeAffine) -> None:
    """Values become float32; spacing is that of the working grid, not of the series."""
    likelihood = _likelihood(lfp_affine, np.full((2, 3, 4), 0.25))
    assert likelihood.values.dtype == np.float32
    np.testing.assert_allclose(likelihood.spacing_mm, (3, 1, 1))
    assert likelihood.stride == 1
    assert likelihood.weight is None


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan])
def test_a_likelihood_map_holds_probabilities(lfp_affine: MakeAffine, bad: float) -> None:
    """Numbers outside [0, 1] are refused."""
    values = np.zeros((2, 3, 4))
    values[1, 1, 1] = bad
    with pytest.raises(SpinemetError, match="between 0 and 1"):
        _likelihood(lfp_affine, values)


def test_a_likelihood_map_has_three_axes_and_a_vertebra_map_alike(lfp_affine: MakeAffine) -> None:
    """A single slice, nothing, or a vertebra map of another shape are refused."""
    with pytest.raises(SpinemetError, match=r"\(slice, row, column\)"):
        _likelihood(lfp_affine, np.zeros((3, 4)))
    with pytest.raises(SpinemetError, match="between 0 and 1"):
        _likelihood(lfp_affine, np.zeros((0, 3, 4)))
    with pytest.raises(SpinemetError, match="vertebra map"):
        _likelihood(lfp_affine, np.zeros((2, 3, 4)), vertebra=np.zeros((2, 3, 5), dtype=np.float32))
