"""Contours of several readers, from files."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.study import Study
from napari_spinemet.study.import_contours import keep_beside, take_contours


def test_contours_of_several_readers_are_kept_apart(study: Study) -> None:
    """Those that the study works with are not touched by another's."""
    case = study.cases()[0]
    series = case.series()
    mine = case.annotation(series)
    theirs = np.zeros_like(mine.lesions)
    theirs[2, 5:9, 5:9] = 1
    take_contours(case, [Annotation(theirs, 0 * theirs, reader="Dr Ö")], series)
    assert case.readers() == ["Dr Ö"]
    np.testing.assert_array_equal(case.annotation(series, "Dr Ö").lesions, theirs)
    np.testing.assert_array_equal(case.annotation(series).lesions, mine.lesions)
    assert case.annotation(series).levels == mine.levels
    with pytest.raises(SpinemetError, match="do not say whose"):
        take_contours(case, [Annotation(theirs, 0 * theirs)], series)
    with pytest.raises(SpinemetError, match="no contours by Dr A"):
        case.annotation(series, "Dr A")
    with pytest.raises(SpinemetError, match="lesions and vertebrae by Dr Ö"):
        take_contours(case, [Annotation(theirs, 0 * theirs, reader="Dr Ö")] * 2, series)
    two_files = [
        Annotation(theirs, 0 * theirs, holds=("lesions",)),
        Annotation(0 * theirs, theirs, {1: "L1"}, holds=("vertebrae",)),
    ]
    take_contours(case, two_files, series, reader="Dr B")
    annotation = case.annotation(series, "Dr B")
    np.testing.assert_array_equal(annotation.lesions, annotation.vertebrae)
    assert annotation.levels == {1: "L1"}
    with pytest.raises(SpinemetError, match="lesions and vertebrae by the study already"):
        take_contours(case, [Annotation(theirs, 0 * theirs)], series, reader="")
    np.testing.assert_array_equal(case.annotation(series).lesions, mine.lesions)
    take_contours(case, [Annotation(theirs, 0 * theirs)], series, reader="", replace=True)
    np.testing.assert_array_equal(case.annotation(series).lesions, theirs)
    assert study.verify() == []


def test_lesions_and_vertebrae_of_a_reader_may_come_one_after_the_other(study: Study) -> None:
    """A file of one says nothing of the other; the same kind again needs to be asked for."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    lesions = Annotation(came.lesions, 0 * came.lesions, holds=("lesions",))
    bodies = Annotation(0 * came.lesions, came.vertebrae, came.levels, holds=("vertebrae",))
    for annotation in (lesions, bodies, lesions):  # the same again changes nothing
        take_contours(case, [annotation], series, reader="Dr C")
    annotation = case.annotation(series, "Dr C")
    np.testing.assert_array_equal(annotation.lesions, came.lesions)
    np.testing.assert_array_equal(annotation.vertebrae, came.vertebrae)
    assert annotation.levels == came.levels
    other = Annotation(np.roll(came.lesions, 3, 2), 0 * came.lesions, holds=("lesions",))
    with pytest.raises(SpinemetError, match=r"has lesions by Dr C already.*replaced"):
        take_contours(case, [other], series, reader="Dr C")
    np.testing.assert_array_equal(case.annotation(series, "Dr C").lesions, came.lesions)
    assert keep_beside(case, other, series, "Dr C") == "Dr C 2"
    assert keep_beside(case, other, series, "Dr C") == "Dr C 2"
    assert case.readers() == ["Dr C", "Dr C 2"]
    take_contours(case, [other], series, reader="Dr C", replace=True)
    annotation = case.annotation(series, "Dr C")
    np.testing.assert_array_equal(annotation.lesions, other.lesions)
    np.testing.assert_array_equal(annotation.vertebrae, came.vertebrae)
    # Those the case came with, of which only one kind is replaced.
    take_contours(case, [other], series, reader="", replace=True)
    np.testing.assert_array_equal(case.annotation(series).lesions, other.lesions)
    np.testing.assert_array_equal(case.annotation(series).vertebrae, came.vertebrae)
    assert case.annotation(series).levels == came.levels
    assert study.verify() == []


def test_the_only_contours_of_a_case_are_the_ones_it_works_with(study: Study) -> None:
    """Whoever drew them."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    shutil.rmtree(case.path / "contours")
    assert not case.has_contours
    annotations = [
        Annotation(came.lesions, 0 * came.lesions, reader="Dr Ö", holds=("lesions",)),
        Annotation(0 * came.lesions, came.vertebrae, reader="Dr Ö", holds=("vertebrae",)),
    ]
    for annotation in annotations:
        take_contours(case, [annotation], series)
    np.testing.assert_array_equal(case.annotation(series).lesions, came.lesions)
    assert case.has_contours
    assert case.readers() == []
    np.testing.assert_array_equal(case.annotation(series).vertebrae, came.vertebrae)
