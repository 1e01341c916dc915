"""Numbering of vertebrae."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging.vertebra_levels import (
    LEVELS,
    NAMES,
    assign_levels,
    order_vertebrae,
    relabel_vertebrae,
    vertebra_centres,
)


def draw_vertebrae(*labels: int) -> np.ndarray:
    """Vertebrae one below the other, in two slices."""
    array = np.zeros((2, 10 * len(labels), 8), np.uint16)
    for k, label in enumerate(labels):
        array[:, 10 * k + 2 : 10 * k + 8, 2:6] = label
    return array


def test_the_order_is_that_of_the_spine_whatever_the_numbers() -> None:
    """By the height of the centres, not by label."""
    assert order_vertebrae(draw_vertebrae(7, 2, 9)) == [7, 2, 9]
    assert order_vertebrae(np.zeros((1, 4, 4), int)) == []


def test_centres_are_those_that_scipy_gives() -> None:
    """Of labels in several pieces, with numbers left out, at the edges of the array."""
    rng = np.random.default_rng(5)
    labels = rng.choice(np.array([0, 0, 2, 3, 70], dtype=np.uint16), (4, 9, 7))
    labels[labels == 3] = 0
    labels[-1, -1, -1] = 3
    centres = vertebra_centres(labels)
    assert list(centres) == [2, 3, 70]
    expected = ndimage.center_of_mass(labels > 0, labels, list(centres))
    np.testing.assert_array_equal(list(centres.values()), expected)


def test_one_named_level_numbers_the_rest() -> None:
    """Upwards and downwards, over the borders of regions."""
    assert assign_levels([4, 9, 1, 3], 1, "L1") == {4: "T11", 9: "T12", 1: "L1", 3: "L2"}
    assert assign_levels([1, 2], 1, "L5") == {1: "L5", 2: "S1"}
    with pytest.raises(SpinemetError, match="more are contoured above it"):
        assign_levels([1, 2], 2, "C1")
    with pytest.raises(SpinemetError, match="more are contoured below it"):
        assign_levels([1, 2], 1, "S5")
    with pytest.raises(SpinemetError, match="click inside"):
        assign_levels([1, 2], 5, "L1")
    with pytest.raises(SpinemetError, match="C1 to S5"):
        assign_levels([1, 2], 1, "Q1")


def test_one_more_vertebra_can_be_named() -> None:
    """A sixth lumbar one, or a thirteenth with ribs; it stays when another is named after it."""
    order = [1, 2, 3, 4]
    with_sixth = assign_levels(order, 3, "L6")
    assert with_sixth == {1: "L4", 2: "L5", 3: "L6", 4: "S1"}
    assert assign_levels(order, 2, "L5", with_sixth) == with_sixth
    assert assign_levels(order, 4, "S1", with_sixth) == with_sixth
    # Named otherwise, it is gone, and so it is from the others' numbers.
    assert assign_levels(order, 3, "S1", with_sixth) == {1: "L4", 2: "L5", 3: "S1", 4: "S2"}
    assert assign_levels(order, 2, "T13") == {1: "T12", 2: "T13", 3: "L1", 4: "L2"}
    both = assign_levels([1, 2, 3, 4, 5, 6, 7, 8], 1, "T13", {8: "L6"})
    assert list(both.values()) == ["T13", "L1", "L2", "L3", "L4", "L5", "L6", "S1"]


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True),
    st.dictionaries(st.integers(1, 40), st.sampled_from(NAMES), max_size=6),
    st.data(),
)
def test_relabelling_moves_each_vertebra_to_its_level_and_none_together(
    labels: list[int], level_names: dict[int, str], data: st.DataObject
) -> None:
    """What a number stands for never changes; each body stays one body of its own."""
    levels = {
        n: level for n, level in level_names.items() if list(level_names.values()).count(level) == 1
    }
    renamed_labels = data.draw(st.lists(st.sampled_from(labels), unique=True))
    new_levels = dict(zip(renamed_labels, data.draw(st.permutations(LEVELS))))
    former = draw_vertebrae(*labels)
    result, all_levels = relabel_vertebrae(former, levels, new_levels)
    assert levels.items() <= all_levels.items()
    pairs = set(zip(former.ravel().tolist(), result.ravel().tolist()))
    assert len(pairs) == len(set(labels)) + 1  # and the background
    assert (0, 0) in pairs
    assert len({b for _, b in pairs}) == len(pairs)
    for old, new in pairs - {(0, 0)}:
        if old in new_levels:
            assert all_levels[new] == new_levels[old]
        elif old not in {n for n, level in all_levels.items() if level in new_levels.values()}:
            assert new == old
