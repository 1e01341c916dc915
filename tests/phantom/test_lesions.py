"""Lesions of a case: how many, how large, in how many slices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case


@pytest.mark.parametrize("variety", ["evaluation", "training"])
def test_more_lesions_are_as_well_formed(variety: str) -> None:
    """One to five, each in its own body, in one part a slice, and of the paper's extent."""
    counts = set()
    for number in range(4):
        case = make_case((78, number), variety=variety, lesions=5, pixel_mm=1.13)
        counts.add(len(case.lesions))
        assert len({lesion.level for lesion in case.lesions}) == len(case.lesions)
        np.testing.assert_array_equal(
            sum(lesion.mask.astype(int) for lesion in case.lesions), case.annotation.lesions > 0
        )
        for lesion in case.lesions:
            carried = [plane for plane in lesion.mask if plane.any()]
            assert 3 <= len(carried) <= 7
            for plane in carried:
                assert 1.65 <= plane.sum() * 0.113**2 <= 9.54
                assert ndimage.label(plane)[1] == 1
    assert 2 < max(counts) <= 5
