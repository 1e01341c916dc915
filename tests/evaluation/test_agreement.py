"""Agreement of two readers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation.agreement import compare_readers
from napari_spinemet.imaging import Annotation, SagittalSeries


@pytest.fixture
def series() -> SagittalSeries:
    """Slices 4 mm apart, rows 0.5 and columns 2 mm."""
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = 4, -0.5, 2, 1
    return SagittalSeries(np.zeros((6, 30, 20), np.float32), affine, series_uid="1")


def test_dice_is_the_f1_score_and_distances_are_in_millimetres(series: SagittalSeries) -> None:
    """Against scikit-learn on random contours; against arithmetic on two boxes."""
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 2, series.shape).astype(np.uint16) for _ in range(2))
    agreement = compare_readers(Annotation(one, 0 * one), Annotation(other, 0 * other), series)
    assert agreement["lesions"].dice == pytest.approx(f1_score(one.ravel(), other.ravel()))
    one, other = np.zeros((2, *series.shape), np.uint16)
    one[1:3, 4:8, 2:6] = 5
    other[2:4, 6:10, 3:7] = 9
    (match,) = compare_readers(Annotation(one, 0 * one), Annotation(other, 0 * other), series)[
        "lesions"
    ].matches
    assert (match.one, match.other) == (5, 9)
    assert match.dice == pytest.approx(2 * (1 * 2 * 3) / (32 + 32))
    assert match.distance_mm == pytest.approx(np.sqrt(4**2 + 1**2 + 2**2))


def test_regions_are_matched_once_and_the_rest_is_told(series: SagittalSeries) -> None:
    """Numbers need not agree; a lesion that one reader saw alone has no partner."""
    one, other = np.zeros((2, *series.shape), np.uint16)
    one[0, 0:5] = 1
    one[0, 10:15] = 2
    one[4, 0:3] = 3
    other[0, 0:4] = 2
    other[0, 4:15] = 1
    agreement = compare_readers(Annotation(0 * one, one), Annotation(0 * other, other), series)
    assert {(m.one, m.other) for m in agreement["vertebrae"].matches} == {(1, 2), (2, 1)}
    assert (agreement["vertebrae"].only_one, agreement["vertebrae"].only_other) == ((3,), ())
    assert np.isnan(agreement["lesions"].dice)
    assert np.isnan(agreement["lesions"].distance_mm)


def test_another_grid_is_refused(series: SagittalSeries) -> None:
    """In a sentence with both shapes."""
    small = np.zeros((2, 3, 4), np.uint16)
    with pytest.raises(SpinemetError, match=r"\(2, 3, 4\).*same scan"):
        compare_readers(Annotation(small, small), Annotation(small, small), series)
