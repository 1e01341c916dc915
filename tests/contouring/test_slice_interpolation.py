"""Outlines between contoured slices."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.contouring.slice_interpolation import interpolate_slices
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case


def disc(shape: tuple[int, int], row: float, column: float, radius: float) -> np.ndarray:
    """Pixels within a radius."""
    rows, columns = np.indices(shape)
    return np.hypot(rows - row, columns - column) <= radius


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_a_cone_has_the_radius_of_its_height() -> None:
    """Between discs of 4 and 12 pixels the radius grows evenly, to half a pixel."""
    labels = np.zeros((5, 60, 50), np.uint16)
    labels[0][disc((60, 50), 30, 25, 4.3)] = 3
    labels[4][disc((60, 50), 30, 25, 12.3)] = 3
    slices = interpolate_slices(labels, (1.0, 1.0))
    assert sorted(slices) == [1, 2, 3]
    for index, radius in ((1, 6.3), (2, 8.3), (3, 10.3)):
        image = slices[index] == 3
        assert np.sqrt(image.sum() / np.pi) == pytest.approx(radius, abs=0.5)
        assert dice(image, disc((60, 50), 30, 25, radius)) > 0.93


def test_a_shape_that_moves_is_met_half_way() -> None:
    """Discs that do not touch each other: the one between lies between them."""
    labels = np.zeros((3, 60, 50), np.uint16)
    labels[0][disc((60, 50), 12, 10, 5)] = 1
    labels[2][disc((60, 50), 40, 36, 5)] = 1
    slices = interpolate_slices(labels, (1.0, 1.0))
    assert dice(slices[1] > 0, disc((60, 50), 26, 23, 5)) > 0.95


def test_distances_are_in_millimetres() -> None:
    """On wide columns a shape grows by as many mm to the side as upwards."""
    labels = np.zeros((3, 80, 40), np.uint16)
    labels[0, 38:43, 19:22] = 1  # 5 x 6 mm
    labels[2, 30:51, 15:26] = 1  # 21 x 22 mm
    (image,) = interpolate_slices(labels, (1.0, 2.0)).values()
    assert abs(image[:, 20].sum() - 13) <= 1
    assert abs(2 * image[40].sum() - 14) <= 2


def test_only_gaps_are_filled_and_others_keep_their_pixels() -> None:
    """What was drawn stays, whatever its label; slices beyond the ends stay empty."""
    labels = np.zeros((7, 40, 40), np.uint16)
    for index in (1, 4):
        labels[index, 10:30, 10:30] = 2
    labels[2, 15:20, 15:20] = 1
    labels[5, 3:6, 3:6] = 2
    former = labels.copy()
    slices = interpolate_slices(labels, (1.0, 1.0))
    np.testing.assert_array_equal(labels, former)
    assert sorted(slices) == [2, 3]
    assert (slices[2][15:20, 15:20] == 1).all()
    assert (slices[2] == 2).sum() == 400 - 25
    assert (slices[3] == 2).sum() == 400
    assert interpolate_slices(labels[:2], (1.0, 1.0)) == {}
    assert interpolate_slices(np.zeros_like(labels), (1.0, 1.0)) == {}


def test_dropped_slices_of_phantom_lesions_come_back() -> None:
    """Every second inner slice of ten lesions is dropped: mean Dice with the truth >= 0.85."""
    overlaps: list[float] = []
    seed = 0
    while len(overlaps) < 10:
        case = make_case((44, seed))
        seed += 1
        for label in np.unique(case.annotation.lesions[case.annotation.lesions > 0]):
            mask = case.annotation.lesions == label
            label_slices = np.flatnonzero(mask.any(axis=(1, 2)))
            if len(label_slices) < 3 or len(overlaps) == 10:
                continue
            dropped_slices = label_slices[1:-1:2]
            sparse = mask.astype(np.uint16)
            sparse[dropped_slices] = 0
            slices = interpolate_slices(sparse, case.series.spacing_mm[1:])
            assert set(slices) == set(map(int, dropped_slices))
            result = np.stack([slices[int(k)] > 0 for k in dropped_slices])
            overlaps.append(dice(result, mask[dropped_slices]))
    print(f"Dice of ten lesions: mean {np.mean(overlaps):.3f}, least {min(overlaps):.3f}")
    assert np.mean(overlaps) >= 0.85
