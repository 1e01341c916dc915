"""The counts say what counting everything anew would say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_spinemet.contouring.label_counts import LabelCounts

STROKES = st.lists(
    st.tuples(*(st.integers(0, n) for n in (4, 9, 9, 3)), st.integers(1, 5)), max_size=12
)


@given(STROKES, st.integers(1, 4))
def test_it_equals_counting_anew(strokes: list[tuple[int, ...]], interval: int) -> None:
    """After any strokes and erasures, updated after each or after some."""
    labels, counts = np.zeros((5, 10, 10), np.uint16), LabelCounts()
    for number, (index, row, column, value, size) in enumerate(strokes):
        former = labels.copy()
        labels[index, row : row + size, column : column + size] = value
        if number % interval == 0:
            slices = counts.update(labels)
            if interval == 1:
                assert slices == [k for k in range(5) if (former[k] != labels[k]).any()]
    counts.update(labels)
    assert counts.labels == set(np.unique(labels).tolist()) - {0}
    assert counts.slices == np.flatnonzero(labels.any(axis=(1, 2))).tolist()
    assert [counts.pixels(k) for k in range(5)] == (labels > 0).sum(axis=(1, 2)).tolist()
    assert counts.update(labels) == []


def test_another_series_starts_anew() -> None:
    """Another shape, with fewer slices; nothing is left of the former."""
    counts = LabelCounts()
    counts.update(np.ones((4, 3, 3), np.uint16))
    assert counts.update(np.zeros((2, 5, 5), np.uint16)) == []
    assert (counts.slices, counts.labels, counts.pixels(0), counts.pixels(9)) == ([], set(), 0, 0)
