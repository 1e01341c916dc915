"""Difficulty: the same patients, other lesions and other noise."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case


def test_difficulty_changes_lesions_mimics_and_noise_and_nothing_else() -> None:
    """The same spine, organs and seats of lesions; fainter ones, and more of what is like them."""
    easy, standard, hard = (
        [make_case((5, k), difficulty=name, pixel_mm=2.0) for k in range(4)]
        for name in ("easy", "standard", "hard")
    )
    for three in zip(easy, standard, hard, strict=True):
        for other in three[1:]:
            np.testing.assert_array_equal(three[0].series.affine, other.series.affine)
            np.testing.assert_array_equal(three[0].annotation.vertebrae, other.annotation.vertebrae)
            np.testing.assert_array_equal(three[0].annotation.lesions, other.annotation.lesions)
        # What lies far from the spine has the same tissue and other noise.
        outer = [c.series.voxels[:, :, -20:].std() for c in three]
        assert outer[0] < outer[2]
    means = [
        np.mean([x.contrast for c in cases for x in c.lesions]) for cases in (easy, standard, hard)
    ]
    assert means[0] > means[1] > means[2]
    assert min(x.contrast for c in easy for x in c.lesions) >= 0.5
    with pytest.raises(SpinemetError, match="easy, standard, hard"):
        make_case(0, difficulty="impossible")
