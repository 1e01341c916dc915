"""Numbering of vertebrae."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging.vertebra_levels import (
    LEVELS,
    assign_levels,
    order_vertebrae,
    relabel_vertebrae,
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


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True),
    st.dictionaries(st.integers(1, 40), st.sampled_from(LEVELS), max_size=6),
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
