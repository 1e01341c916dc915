"""Copies with implants that a network learns from, and others that it is judged by."""

from __future__ import annotations

import numpy as np

from napari_spinemet.workflows.adaptation.own_scan import OwnScan

from .marked_phantoms import phantom


def own_scan() -> OwnScan:
    """Of a healthy phantom with its true bodies."""
    case = phantom(0)
    return OwnScan("a", case.series, case.annotation)


def test_copies_have_lesions_in_bodies_and_are_the_same_again() -> None:
    """Two in most; all else of the picture is as it was."""
    scan = own_scan()
    assert scan.is_free
    copies = scan.training_copies(3, seed=1)
    again = scan.training_copies(3, seed=1)
    assert len(copies) == 3
    for (series, annotation), (other, _) in zip(copies, again, strict=True):
        np.testing.assert_array_equal(series.voxels, other.voxels)
        assert annotation.lesions.max() >= 1
        inside = (annotation.vertebrae > 0)[annotation.lesions > 0]
        assert inside.mean() > 0.7
        far = annotation.lesions.max(axis=0) == 0
        changed = (series.voxels != scan.series.voxels).any(axis=0)
        assert (changed & far).mean() < 0.1


def test_what_is_judged_by_is_none_of_what_is_learned_from() -> None:
    """Other lesions, and facts of each."""
    scan = own_scan()
    learned = [annotation.lesions for _, annotation in scan.training_copies(2, seed=1)]
    for _, truth in scan.trial_copies(2, seed=1):
        assert len(truth.facts) == truth.annotation.lesions.max()
        assert not any(np.array_equal(truth.annotation.lesions, own) for own in learned)
    assert scan.truth.facts == []


def test_uncertain_places_stay_so_in_copies() -> None:
    """And more of them are added to those that there are."""
    scan = own_scan()
    first, second = (np.zeros(scan.series.shape, dtype=bool) for _ in range(2))
    first[2, 3:5], second[3, 7:9] = True, True
    both = scan.without(first).without(second)
    assert both.annotation.uncertain is not None
    np.testing.assert_array_equal(both.annotation.uncertain, first | second)
    for _, annotation in both.training_copies(1, seed=0):
        np.testing.assert_array_equal(annotation.uncertain, first | second)
