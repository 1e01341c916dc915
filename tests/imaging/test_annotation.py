"""Contours check themselves when they are made."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation

SHAPE = (4, 5, 6)


def test_labels_become_uint16_and_keep_their_numbers() -> None:
    """Bools, signed and whole floating-point labels are taken as they are meant."""
    vertebrae = np.zeros(SHAPE)
    vertebrae[1, 2, 3] = 65535.0
    annotation = Annotation(vertebrae > 0, vertebrae, {65535: "L1"})
    assert annotation.lesions.dtype == annotation.vertebrae.dtype == np.uint16
    assert annotation.lesions[1, 2, 3] == 1
    assert annotation.vertebrae[1, 2, 3] == 65535


@pytest.mark.parametrize("bad", [-1, 65536, 0.5, np.nan, np.inf])
@pytest.mark.parametrize("field", ["lesions", "vertebrae"])
def test_labels_that_would_wrap_round_are_refused(bad: float, field: str) -> None:
    """A negative, fractional, too large or missing label is never turned into another one."""
    arrays = {"lesions": np.zeros(SHAPE), "vertebrae": np.zeros(SHAPE)}
    arrays[field][0, 0, 0] = bad
    with pytest.raises(SpinemetError, match=f"{field} contours must be whole numbers"):
        Annotation(**arrays)


def test_a_negative_integer_label_is_refused() -> None:
    """-1 as int32 would become 65535."""
    labels = np.zeros(SHAPE, dtype=np.int32)
    labels[0, 0, 0] = -1
    with pytest.raises(SpinemetError, match="whole numbers"):
        Annotation(labels, np.zeros(SHAPE))


def test_both_arrays_lie_on_one_grid() -> None:
    """Two shapes, or a single slice, are refused with the shapes in the sentence."""
    with pytest.raises(SpinemetError, match=r"\(4, 5, 6\).*\(4, 6, 5\)"):
        Annotation(np.zeros(SHAPE), np.zeros((4, 6, 5)))
    with pytest.raises(SpinemetError, match=r"\(slice, row, column\)"):
        Annotation(np.zeros((5, 6)), np.zeros((5, 6)))


def test_an_annotation_has_arrays_of_its_own() -> None:
    """What is drawn later into the caller's array does not reach it, nor can it be written to."""
    lesions = np.zeros(SHAPE, dtype=np.uint16)
    annotation = Annotation(lesions, lesions)
    lesions[:] = 3
    assert annotation.empty
    with pytest.raises(ValueError, match="read-only"):
        annotation.lesions[0, 0, 0] = 1


def test_an_annotation_is_empty_only_if_neither_array_has_a_label() -> None:
    """A vertebra alone, or a lesion alone, is something."""
    lesions, vertebrae = np.zeros(SHAPE), np.zeros(SHAPE)
    assert Annotation(lesions, vertebrae).empty
    vertebrae[2, 1, 1] = 4
    assert not Annotation(lesions, vertebrae).empty
    lesions[[3, 1], 2, 2] = 1, 2
    assert not Annotation(lesions, vertebrae).empty
    assert not Annotation(lesions, 0 * vertebrae).empty


def test_layers_that_are_not_spoken_of_come_from_another() -> None:
    """Lesions of one file and vertebrae of another, with their levels; none is overwritten."""
    nothing, labels = np.zeros(SHAPE), np.zeros(SHAPE)
    labels[1, 2, 3] = 1
    lesions = Annotation(labels, nothing, reader="A", holds=("lesions",))
    vertebrae = Annotation(nothing, 2 * labels, {2: "L1"}, reader="B", holds=("vertebrae",))
    both = lesions.complete_from(vertebrae)
    assert (both.reader, both.holds, both.levels) == ("A", ("lesions", "vertebrae"), {2: "L1"})
    assert both.lesions[1, 2, 3] == 1
    assert both.vertebrae[1, 2, 3] == 2
    empty_annotation = Annotation(nothing, nothing)
    assert empty_annotation.complete_from(both).empty
