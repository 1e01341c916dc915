"""Affines and orientation, against nibabel and plain arithmetic."""

from __future__ import annotations

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging.geometry import (
    check_affine,
    corners_mm,
    index_to_mm,
    mm_to_index,
    onto_grid,
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
    affines = []
    for angles in ((0, 0, 0), (11, -7, 23)):
        turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        for order in permutations(range(3)):
            for signs in product((1, -1), repeat=3):
                affine = np.eye(4)
                affine[:3, :3] = (turn @ np.eye(3)[:, order] * signs) * SPACING_MM
                affine[:3, 3] = (-31.5, 12.25, 402.0)
                affines.append(affine)
    return affines


AFFINES = _affines()


@pytest.mark.parametrize("affine", AFFINES)
def test_reorient_keeps_each_voxel_at_its_patient_position(affine: np.ndarray) -> None:
    """The value at a point in the patient is the same before and after."""
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    result, new_affine = reorient(array, affine)
    assert orientation_codes(new_affine) == ("L", "F", "P")
    index = np.argwhere(np.ones(result.shape, bool))
    original = mm_to_index(affine, index_to_mm(new_affine, index))
    assert np.abs(original - np.round(original)).max() < 1e-9
    np.testing.assert_array_equal(
        result[tuple(index.T)], array[tuple(np.round(original).astype(int).T)]
    )


@pytest.mark.parametrize("affine", AFFINES)
def test_reorient_agrees_with_nibabel(affine: np.ndarray) -> None:
    """Array, affine and letters are those that nibabel gives for the same turn."""
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    ras = RAS @ affine
    assert tuple(NIBABEL[c] for c in orientation_codes(affine)) == nib.aff2axcodes(ras)
    start = nib.io_orientation(ras)
    for to in ("LFP", "RHA"):
        target = nib.orientations.axcodes2ornt(tuple(NIBABEL[c] for c in to))
        change = nib.orientations.ornt_transform(start, target)
        expected = nib.orientations.apply_orientation(array, change)
        expected_affine = RAS @ ras @ nib.orientations.inv_ornt_aff(change, SHAPE)
        result, new_affine = reorient(array, affine, to)
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_allclose(new_affine, expected_affine, atol=1e-10)


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
    points_mm = index_to_mm(affine, points)
    np.testing.assert_allclose(points_mm, nib.affines.apply_affine(affine, points), atol=1e-9)
    np.testing.assert_allclose(mm_to_index(affine, points_mm), points, atol=1e-9)
    np.testing.assert_allclose(mm_to_index(affine, points_mm[0]), points[0], atol=1e-9)
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
    affine = np.eye(4)
    check_affine(affine)[0, 0] = 9
    assert affine[0, 0] == 1


TARGET_SHAPE = (5, 9, 7)
TARGET = AFFINES[48]
"""The first oblique one."""


def _sparse_labels(seed: int = 0, margin: int = 0) -> np.ndarray:
    """Sparse labels on the target grid, none within the margin."""
    random = np.random.default_rng(seed)
    labels = random.integers(1, 65536, TARGET_SHAPE) * (random.random(TARGET_SHAPE) < 0.3)
    keep = np.zeros(TARGET_SHAPE, dtype=bool)
    keep[tuple(slice(margin, n - margin) for n in TARGET_SHAPE)] = True
    return np.where(keep, labels, 0).astype(np.uint16)


def _at(labels: np.ndarray, affine: np.ndarray) -> dict[tuple[float, ...], int]:
    """Each label by its patient position, rounded to a micrometre."""
    index = np.argwhere(labels)
    places = np.round(index_to_mm(affine, index), 3) + 0.0
    return {tuple(p): int(v) for p, v in zip(places.tolist(), labels[tuple(index.T)])}


def _arrange(
    labels: np.ndarray,
    affine: np.ndarray,
    order: tuple[int, ...],
    flips: tuple[bool, ...],
    edges: tuple[tuple[int, int], ...],
) -> tuple[np.ndarray, np.ndarray]:
    """The labels with their edges moved out or in, then turned, by nibabel and plain padding."""
    moved_affine = affine.copy()
    for axis, (low, high) in enumerate(edges):
        pad = [(0, 0)] * 3
        pad[axis] = (max(low, 0), max(high, 0))
        labels = np.pad(labels, pad)
        end = labels.shape[axis] + min(high, 0)
        labels = labels.take(range(max(-low, 0), end), axis)
        moved_affine[:3, 3] -= low * affine[:3, axis]
    turn = np.array([[order.index(k), -1 if flips[k] else 1] for k in range(3)])
    result = nib.orientations.apply_orientation(labels, turn)
    return result, moved_affine @ nib.orientations.inv_ornt_aff(turn, labels.shape)


@given(
    order=st.permutations(range(3)).map(tuple),
    flips=st.tuples(*[st.booleans()] * 3),
    edges=st.tuples(*[st.tuples(*[st.integers(-1, 3)] * 2)] * 3),
    seed=st.integers(0, 2**16),
)
def test_onto_grid_keeps_each_label_at_its_patient_position(order, flips, edges, seed) -> None:
    """Whatever order, direction and extent the axes had, position and value are the same."""
    labels = _sparse_labels(seed, margin=1)
    given_labels, affine = _arrange(labels, TARGET, order, flips, edges)
    result = onto_grid(given_labels, affine, TARGET_SHAPE, TARGET)
    assert result.dtype == np.uint16
    assert _at(result, TARGET) == _at(given_labels, affine)
    np.testing.assert_array_equal(result, labels)


def test_onto_grid_gives_a_fresh_array() -> None:
    """What is painted on the result does not reach what was given."""
    labels = _sparse_labels()
    onto_grid(labels, TARGET, TARGET_SHAPE, TARGET)[:] = 7
    np.testing.assert_array_equal(labels, _sparse_labels())


def _turn(degrees: float, axis: str = "x") -> np.ndarray:
    """The target grid turned about its middle."""
    middle = index_to_mm(TARGET, (np.array(TARGET_SHAPE) - 1) / 2)
    turn = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    affine = TARGET.copy()
    affine[:3, :3] = turn @ TARGET[:3, :3]
    affine[:3, 3] = middle + turn @ (TARGET[:3, 3] - middle)
    return affine


def _shift(*voxels: float) -> np.ndarray:
    affine = TARGET.copy()
    affine[:3, 3] = index_to_mm(TARGET, voxels)
    return affine


def _scale(*factors: float) -> np.ndarray:
    affine = TARGET.copy()
    affine[:3, :3] *= factors
    return affine


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (_shift(0.5, 0, 0), r"shifted by 1\.6 mm"),
        (_shift(0, 0.5, 0), r"shifted by 0\.44 mm"),
        (_shift(0, 2, 0.02), r"shifted by 0\.014 mm"),
        (_turn(2.0), "turned by 2 degrees"),
        (_turn(0.2, "z"), r"turned by 0\.2 degrees"),
        (_turn(45.0), "turned by 45 degrees"),
        (
            _scale(1, 2, 1),
            r"spacing is 3\.3 x 1\.76 x 0\.71 mm and that of the series 3\.3 x 0\.88",
        ),
        (_scale(1, 1, 0.5), "their spacing is"),
        (_scale(1.002, 1, 1), r"their spacing is 3\.3066 x"),
    ],
)
def test_onto_grid_refuses_what_would_need_resampling(affine: np.ndarray, words: str) -> None:
    """Any other spacing, direction or part of a voxel is named, and how much it is."""
    with pytest.raises(SpinemetError, match=words) as error:
        onto_grid(_sparse_labels(), affine, TARGET_SHAPE, TARGET, name="a.nii")
    assert "The contours in a.nii do not lie on the grid of this series (" in str(error.value)


@pytest.mark.parametrize("affine", [_shift(0.002, 0.002, 0), _turn(0.02), _scale(1, 1.001, 1)])
def test_onto_grid_takes_what_files_round_away(affine: np.ndarray) -> None:
    """A hundredth of a mm at the corners is no other grid, and everything lands where it was."""
    gaps = corners_mm(TARGET_SHAPE, affine) - corners_mm(TARGET_SHAPE, TARGET)
    assert 1e-4 < np.linalg.norm(gaps, axis=1).max() < 0.01
    np.testing.assert_array_equal(
        onto_grid(_sparse_labels(), affine, TARGET_SHAPE, TARGET), _sparse_labels()
    )


def test_a_small_turn_of_a_large_grid_is_refused() -> None:
    """The tolerance holds at the corners, not for a single voxel."""
    large = np.zeros((13, 512, 512), dtype=np.uint8)
    with pytest.raises(SpinemetError, match="turned by"):
        onto_grid(large, _turn(0.02), large.shape, TARGET)


def test_labels_outside_the_target_are_refused_and_zeros_are_not() -> None:
    """A contour is never cut off, an empty margin is."""
    labels = _sparse_labels(margin=1)
    for shape in ((4, 9, 7), (3, 8, 7), (1, 1, 1)):
        lost_count = np.count_nonzero(labels) - np.count_nonzero(labels[tuple(map(slice, shape))])
        if lost_count:
            with pytest.raises(SpinemetError, match=f"{lost_count} labelled voxels lie outside"):
                onto_grid(labels, TARGET, shape, TARGET)
        else:
            np.testing.assert_array_equal(
                onto_grid(labels, TARGET, shape, TARGET), labels[tuple(map(slice, shape))]
            )
    for offset in ((100, 0, 0), (0, -100, 0)):
        with pytest.raises(SpinemetError, match="labelled voxels lie outside"):
            onto_grid(labels, _shift(*offset), TARGET_SHAPE, TARGET)
        assert not onto_grid(labels * 0, _shift(*offset), TARGET_SHAPE, TARGET).any()


def test_onto_grid_says_what_is_wrong_with_a_damaged_affine() -> None:
    """The file is named, not the series; a wrong number of axes is a fault of the program."""
    with pytest.raises(SpinemetError, match=r"position of the file a\.nii .* missing or damaged"):
        onto_grid(_sparse_labels(), np.full((4, 4), np.nan), TARGET_SHAPE, TARGET, name="a.nii")
    with pytest.raises(ValueError, match="three axes"):
        onto_grid(_sparse_labels()[0], TARGET, TARGET_SHAPE, TARGET)
