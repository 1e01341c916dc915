"""The open scan as a value."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_spinemet.gui.viewer.scan.open_scan import OpenScan, have_same_labels
from napari_spinemet.imaging import Annotation


def annotation(label: int = 0) -> Annotation:
    """One voxel of a lesion, or none."""
    lesions = np.zeros((2, 4, 4), dtype=np.uint16)
    lesions[0, 1, 1] = label
    return Annotation(lesions, np.zeros_like(lesions))


def test_it_is_changed_by_copies(make_series: Callable[..., Any]) -> None:
    """The series and its source stay."""
    scan = OpenScan(make_series())
    case: Any = SimpleNamespace(database=SimpleNamespace(writable=False), has_contours=True)
    in_study = scan.with_case(case).with_annotation(annotation(1))
    assert (scan.case, scan.annotation) == (None, None)
    assert in_study.series is scan.series
    assert in_study.case is case
    assert in_study.writable_case is None
    case.database.writable = True
    assert in_study.writable_case is case


def test_what_would_be_lost(make_series: Callable[..., Any]) -> None:
    """Labels that differ from those opened; without any, all that is drawn."""
    scan = OpenScan(make_series())
    assert not scan.is_changed_in(annotation())
    assert scan.is_changed_in(annotation(1))
    scan = scan.with_annotation(annotation(1))
    assert not scan.is_changed_in(annotation(1))
    assert scan.is_changed_in(annotation(2))
    assert have_same_labels(None, None)
    assert not have_same_labels(None, annotation())
