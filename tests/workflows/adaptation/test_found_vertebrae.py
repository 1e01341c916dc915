"""Bodies that nobody contoured, against the truth of phantoms."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.workflows.adaptation.found_vertebrae import find_vertebrae

from .marked_phantoms import map_by_truth, phantom


@pytest.mark.parametrize("number", range(3))
def test_bodies_are_outlined_where_they_are(number: int) -> None:
    """As many as there are, but for one at each end; and of each that is found most."""
    case = phantom(number)
    found = find_vertebrae(case.series, map_by_truth(case.series, case.annotation))
    truth = case.annotation.vertebrae
    assert not found.lesions.any()
    hits = []
    for label in np.unique(found.vertebrae)[1:]:
        own = found.vertebrae == label
        counts = np.bincount(truth[own])
        counts[0] = 0
        true = truth == counts.argmax()
        hits.append(2 * (own & true).sum() / (own.sum() + true.sum()))
    assert abs(len(hits) - len(np.unique(truth)) + 1) <= 2
    assert np.median(hits) > 0.75


def test_a_picture_without_a_spine_is_refused() -> None:
    """With its name, and what to do."""
    case = phantom(0)
    nothing = np.zeros_like(case.annotation.vertebrae)
    empty = map_by_truth(case.series, Annotation(nothing, nothing))
    with pytest.raises(SpinemetError, match=r"recognised in knee.*leave it out"):
        find_vertebrae(case.series, empty, "knee")
