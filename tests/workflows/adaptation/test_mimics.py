"""Rejected findings are shown in many bodies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_spinemet.workflows.adaptation.mimics import MIMICS_A_CASE, mimics_of, with_mimics
from napari_spinemet.workflows.adaptation.own_scan import OwnScan

from .marked_phantoms import phantom


def _scan(number: int) -> OwnScan:
    """A phantom in one of whose bodies something was rejected."""
    series, annotation = phantom(number).series, phantom(number).annotation
    counts = np.bincount(annotation.vertebrae.ravel())
    counts[0] = 0
    mimics = annotation.vertebrae == counts.argmax()
    return OwnScan(f"case-{number}", series, replace(annotation, mimics=mimics))


def test_each_case_gets_some_of_them_in_free_bodies_and_the_same_again() -> None:
    """Two at most, in bodies without a lesion; whatever is drawn is drawn by the seed."""
    scans = [_scan(0)]
    mimics = mimics_of(scans)
    assert len(mimics) == 1
    cases = [(phantom(number).series, phantom(number).annotation) for number in (1, 2)]
    results = with_mimics(cases, mimics, 5)
    again, other = with_mimics(cases, mimics, 5), with_mimics(cases, mimics, 6)
    for (series, annotation), (new_series, new_annotation) in zip(cases, results, strict=True):
        new = new_annotation.mimics
        assert new is not None
        bodies = [
            label
            for label in np.unique(annotation.vertebrae)[1:]
            if new[annotation.vertebrae == label].mean() > 0.5
        ]
        assert len(bodies) == MIMICS_A_CASE
        assert not annotation.lesions[new].any()
        np.testing.assert_array_equal(
            new_series.voxels[annotation.lesions > 0], series.voxels[annotation.lesions > 0]
        )
    for first, second, third in zip(results, again, other, strict=True):
        np.testing.assert_array_equal(first[0].voxels, second[0].voxels)
        assert not np.array_equal(first[0].voxels, third[0].voxels)


def test_where_nothing_was_rejected_cases_stay_as_they_are() -> None:
    """The very same objects."""
    case = (phantom(1).series, phantom(1).annotation)
    (same,) = with_mimics([case], [], 0)
    assert same[0] is case[0]
    assert same[1] is case[1]
