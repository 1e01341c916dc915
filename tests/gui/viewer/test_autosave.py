"""What the window takes for stored is what the study holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.gui.viewer.autosave import _store, _StoredContours
from napari_spinemet.imaging import Annotation
from napari_spinemet.study import Study

pytestmark = pytest.mark.one_binding


def test_contours_known_from_strokes_are_those_that_are_read(study_copy: Path) -> None:
    """Stroke after stroke, on both layers, with names of vertebrae, and after others' changes."""
    study = Study(study_copy, write=True)
    case = study.cases()[0]
    series = case.series()
    rng, stored = np.random.default_rng(2), _StoredContours()
    for number in range(6):
        changes = {
            layer: {
                int(index): rng.integers(0, 4, series.shape[1:]).astype(np.uint16)
                for index in rng.choice(series.shape[0], 2, replace=False)
            }
            for layer in ("lesions", "vertebrae")[: 1 + number % 2]
        }
        levels = {1: "L1"} if number > 2 else {}
        told, _ = _store(case, series, changes, None, levels, stored)
        read = case.annotation(series)
        np.testing.assert_array_equal(told.lesions, read.lesions)
        np.testing.assert_array_equal(told.vertebrae, read.vertebrae)
        assert dict(told.levels) == dict(read.levels)
        assert (told.series_uid, told.reader) == (read.series_uid, read.reader)
        if number == 3:  # somebody else, such as an import of contours
            empty = np.zeros(series.shape, dtype=np.uint16)
            case.save_annotation(Annotation(empty, empty), series)
    study.close()
