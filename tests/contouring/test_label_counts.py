"""The tally says what counting everything anew would say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_spinemet.contouring.label_counts import LabelCounts

STROKES = st.lists(
    st.tuples(*(st.integers(0, n) for n in (4, 9, 9, 3)), st.integers(1, 5)), max_size=12
)


@given(STROKES, st.integers(1, 4))
def test_it_equals_counting_anew(strokes: list[tuple[int, ...]], often: int) -> None:
    """After any strokes and erasures, looked at after each or after some."""
    labels, tally = np.zeros((5, 10, 10), np.uint16), LabelCounts()
    for number, (index, row, column, value, size) in enumerate(strokes):
        before = labels.copy()
        labels[index, row : row + size, column : column + size] = value
        if number % often == 0:
            changed = tally.look(labels)
            if often == 1:
                assert changed == [k for k in range(5) if (before[k] != labels[k]).any()]
    tally.look(labels)
    assert tally.labels == set(np.unique(labels).tolist()) - {0}
    assert tally.slices == np.flatnonzero(labels.any(axis=(1, 2))).tolist()
    assert [tally.pixels(k) for k in range(5)] == (labels > 0).sum(axis=(1, 2)).tolist()
    assert tally.look(labels) == []


def test_another_series_starts_anew() -> None:
    """Another shape, with fewer slices; nothing is left of the former."""
    tally = LabelCounts()
    tally.look(np.ones((4, 3, 3), np.uint16))
    assert tally.look(np.zeros((2, 5, 5), np.uint16)) == []
    assert (tally.slices, tally.labels, tally.pixels(0), tally.pixels(9)) == ([], set(), 0, 0)
