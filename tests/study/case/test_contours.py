"""The contours of a case: saved, approved, and kept as they came elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation
from napari_spinemet.study import Study
from napari_spinemet.study.contour_rows import ContourRows


def test_saved_contours_come_back_identical(study: Study) -> None:
    """Both arrays, pixel for pixel, and the levels; former contours are replaced."""
    case = study.cases()[0]
    series = case.series()
    rng = np.random.default_rng(0)
    lesions = np.zeros(series.shape, dtype=np.uint16)
    vertebrae = np.zeros_like(lesions)
    lesions[4, 100:130, 120:150] = rng.random((30, 30)) > 0.5
    lesions[6:8, 200:220, 130:140] = 2
    vertebrae[3:9, 95:140, 110:160] = 1
    vertebrae[3:9, 190:230, 110:160] = 2
    drawing = Annotation(lesions, vertebrae, {1: "T12", 2: "L1"}, reader="Reader^Test")
    case.save_annotation(drawing, series)
    stored_annotation = case.annotation(case.series())
    np.testing.assert_array_equal(stored_annotation.lesions, lesions)
    np.testing.assert_array_equal(stored_annotation.vertebrae, vertebrae)
    assert dict(stored_annotation.levels) == {1: "T12", 2: "L1"}
    assert stored_annotation.series_uid == series.series_uid
    fewer_lesions = Annotation(np.where(lesions == 2, 0, lesions), vertebrae, {1: "T11"})
    earlier_state = study.database.revision
    case.save_annotation(fewer_lesions, series)
    reread_annotation = Study(study.path).cases()[0].annotation(series)
    np.testing.assert_array_equal(reread_annotation.lesions, fewer_lesions.lesions)
    np.testing.assert_array_equal(reread_annotation.vertebrae, vertebrae)
    assert dict(reread_annotation.levels) == {1: "T11"}
    assert study.database.revision - earlier_state == 3  # two slices and the levels
    assert study.database.verify() == []


def test_the_first_stroke_keeps_what_the_case_came_with(study: Study) -> None:
    """Contours that came as DICOM stay as they were on every other slice, and in their file."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    files = {f: f.read_bytes() for f in (case.path / "contours").iterdir()}
    drawing = came.lesions.copy()
    drawing[2, 50:60, 50:60] = 9
    case.save_annotation(Annotation(drawing, came.vertebrae, came.levels), series)
    stored_annotation = case.annotation(series)
    np.testing.assert_array_equal(stored_annotation.lesions, drawing)
    np.testing.assert_array_equal(stored_annotation.vertebrae, came.vertebrae)
    assert dict(stored_annotation.levels) == dict(came.levels)
    assert {f: f.read_bytes() for f in (case.path / "contours").iterdir()} == files


def test_approval_is_of_the_contours_as_they_are(study: Study) -> None:
    """Contours that came with the case can be approved; a stroke takes the approval back."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    case.approve(series)
    assert str(case.state) == "approved"
    assert case.has_contours
    np.testing.assert_array_equal(case.annotation(series).lesions, came.lesions)
    case.save_annotation(case.annotation(series), series)
    assert str(case.state) == "approved"  # nothing was changed
    drawing = came.lesions.copy()
    drawing[2, 50:60, 50:60] = 9
    case.save_annotation(Annotation(drawing, came.vertebrae, came.levels), series)
    assert str(case.state) == "contoured"
    states = [e.subject for e in study.database.audit() if e.action == "state"]
    assert len(states) == 3
    with pytest.raises(SpinemetError, match="for reading"):
        Study(study.path).cases()[0].approve(series)


def test_a_first_stroke_that_is_cut_off_leaves_what_the_case_came_with(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case, both layers and levels are one transaction: a part of them is nothing."""
    case = study.cases()[0]
    series = case.series()
    came = case.annotation(series)
    real = ContourRows.save

    def save_or_fail(
        self: ContourRows, name: str, layer: str, slices: dict, **keywords: str
    ) -> None:
        if layer == "vertebrae":
            raise SpinemetError("The disk is full.")
        real(self, name, layer, slices, **keywords)

    monkeypatch.setattr(ContourRows, "save", save_or_fail)
    with pytest.raises(SpinemetError, match="full"):
        case.save_annotation(came, series)
    assert case.record is None
    stored_annotation = case.annotation(series)
    np.testing.assert_array_equal(stored_annotation.lesions, came.lesions)
    np.testing.assert_array_equal(stored_annotation.vertebrae, came.vertebrae)
    assert study.database.verify() == []
    monkeypatch.setattr(ContourRows, "save", real)
    case.save_annotation(came, series)
    assert case.record is not None
    assert study.database.verify() == []


def test_contours_of_another_shape_do_not_replace_the_former(study: Study) -> None:
    """Refused before anything is written."""
    case = study.cases()[0]
    earlier_state = {f: f.read_bytes() for f in (case.path / "contours").iterdir()}
    bad = Annotation(np.ones((2, 3, 4)), np.zeros((2, 3, 4)))
    with pytest.raises(SpinemetError, match="shape"):
        case.save_annotation(bad, case.series())
    assert {f: f.read_bytes() for f in (case.path / "contours").iterdir()} == earlier_state
