"""Affines and orientation, against nibabel and plain arithmetic."""

from __future__ import annotations

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging.geometry import (
    check_affine,
    index_to_mm,
    mm_to_index,
    orientation_codes,
    reorient,
    spacing_of,
)

SPACING_MM = (3.3, 0.88, 0.71)
SHAPE = (3, 4, 5)
# nibabel speaks RAS+ and calls the feet I, the head S.
RAS = np.diag((-1.0, -1.0, 1.0, 1.0))
NIBABEL = {"H": "S", "F": "I", "L": "L", "R": "R", "A": "A", "P": "P"}


def _affines() -> list[np.ndarray]:
    """Every permutation and flip of the axes, upright and on an oblique plane."""
    found = []
    for angles in ((0, 0, 0), (11, -7, 23)):
        turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        for order in permutations(range(3)):
            for signs in product((1, -1), repeat=3):
                affine = np.eye(4)
                affine[:3, :3] = (turn @ np.eye(3)[:, order] * signs) * SPACING_MM
                affine[:3, 3] = (-31.5, 12.25, 402.0)
                found.append(affine)
    return found


AFFINES = _affines()


@pytest.mark.parametrize("affine", AFFINES)
def test_reorient_keeps_each_voxel_at_its_patient_position(affine: np.ndarray) -> None:
    """The value at a point in the patient is the same before and after."""
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    turned, after = reorient(array, affine)
    assert orientation_codes(after) == ("L", "F", "P")
    index = np.argwhere(np.ones(turned.shape, bool))
    back = mm_to_index(affine, index_to_mm(after, index))
    assert np.abs(back - np.round(back)).max() < 1e-9
    np.testing.assert_array_equal(
        turned[tuple(index.T)], array[tuple(np.round(back).astype(int).T)]
    )


@pytest.mark.parametrize("affine", AFFINES)
def test_reorient_agrees_with_nibabel(affine: np.ndarray) -> None:
    """Array, affine and letters are those that nibabel gives for the same turn."""
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    ras = RAS @ affine
    assert tuple(NIBABEL[c] for c in orientation_codes(affine)) == nib.aff2axcodes(ras)
    start = nib.io_orientation(ras)
    for to in ("LFP", "RHA"):
        wanted = nib.orientations.axcodes2ornt(tuple(NIBABEL[c] for c in to))
        change = nib.orientations.ornt_transform(start, wanted)
        expected = nib.orientations.apply_orientation(array, change)
        expected_affine = RAS @ ras @ nib.orientations.inv_ornt_aff(change, SHAPE)
        turned, after = reorient(array, affine, to)
        np.testing.assert_array_equal(turned, expected)
        np.testing.assert_allclose(after, expected_affine, atol=1e-10)


def test_reorient_leaves_what_it_was_given_alone() -> None:
    """The caller's affine and array are not changed."""
    affine, array = AFFINES[5].copy(), np.arange(60).reshape(SHAPE)
    reorient(array, affine)
    np.testing.assert_array_equal(affine, AFFINES[5])
    np.testing.assert_array_equal(array, np.arange(60).reshape(SHAPE))


def test_orientation_codes_use_no_letter_twice_at_45_degrees() -> None:
    """On a plane halfway between sagittal and coronal every patient axis is still named once."""
    turn = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    letters = orientation_codes(affine)
    assert len({"LR" if c in "LR" else "AP" if c in "AP" else "HF" for c in letters}) == 3


@pytest.mark.parametrize("affine", AFFINES[::7])
def test_index_and_mm_are_inverse(affine: np.ndarray) -> None:
    """To mm and back is the identity, for one point and for many, and agrees with nibabel."""
    points = np.random.default_rng(3).uniform(-50, 400, (20, 3))
    there = index_to_mm(affine, points)
    np.testing.assert_allclose(there, nib.affines.apply_affine(affine, points), atol=1e-9)
    np.testing.assert_allclose(mm_to_index(affine, there), points, atol=1e-9)
    np.testing.assert_allclose(mm_to_index(affine, there[0]), points[0], atol=1e-9)
    assert index_to_mm(affine, points[0]).shape == (3,)


@pytest.mark.parametrize("affine", AFFINES[::11])
def test_spacing_is_the_length_of_each_step(affine: np.ndarray) -> None:
    """Spacing does not depend on the orientation."""
    np.testing.assert_allclose(spacing_of(affine), SPACING_MM, rtol=1e-12)
    np.testing.assert_allclose(spacing_of(affine), nib.affines.voxel_sizes(affine), rtol=1e-12)


def _with(row: int, column: int, value: float) -> np.ndarray:
    affine = np.eye(4)
    affine[row, column] = value
    return affine


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (np.eye(3), "missing or damaged"),
        (np.zeros(16), "missing or damaged"),
        (_with(0, 3, np.nan), "missing or damaged"),
        (_with(1, 1, np.inf), "missing or damaged"),
        (_with(3, 0, 0.5), "last row"),
        (_with(3, 3, 2.0), "last row"),
        (_with(2, 2, 0.0), "spacing of zero"),
        (_with(0, 1, 0.2), "right angles"),
    ],
)
def test_bad_affines_are_refused_with_a_sentence(affine: np.ndarray, words: str) -> None:
    """An affine that is no rigid grid says what is wrong with it."""
    with pytest.raises(SpinemetError, match=words):
        check_affine(affine)


def test_check_affine_gives_a_copy() -> None:
    """Changing the checked affine does not reach the one that was given."""
    given = np.eye(4)
    check_affine(given)[0, 0] = 9
    assert given[0, 0] == 1
