"""What one must know about a scan stays on the screen for as long as the scan does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom

from .conftest import take_picture


def test_a_doubtful_scan_is_called_so_before_and_after_detection(
    workspace: object,
    viewer: object,
    wait_idle: Callable,
    study_copy: Path,
    quick_model: Path,
    picture_folder: Path,
) -> None:
    """In Detect and in Review; a sound scan that is opened next has no such label."""
    scan = study_copy / "case-001" / "scan"
    first = min(scan.iterdir(), key=lambda p: pydicom.dcmread(p).ImagePositionPatient[0])
    first.write_bytes(first.read_bytes()[:900])
    viewer.window._qt_window.resize(1366, 768)
    load, detect, review = workspace.load, workspace.detect, workspace.review
    load.path.setText(str(scan))
    load.look()
    wait_idle(workspace)
    load.open()
    wait_idle(workspace)
    workspace.show_tab("Detect")
    assert "Doubtful: 1 damaged file was passed over" in detect.warnings.text()
    assert "Copy or export the scan again" in detect.warnings.text()
    assert detect.warnings.isVisibleTo(detect)
    take_picture(viewer, picture_folder / "doubtful-before.png")
    detect._select(str(quick_model))
    detect.detect()
    wait_idle(workspace)
    assert " doubtful, in " in detect.status.text()
    workspace.show_tab("Review")
    label = review.findings_panel.warnings
    assert "Doubtful: 1 damaged file was passed over" in label.text()
    assert label.isVisibleTo(review)
    take_picture(viewer, picture_folder / "doubtful-after.png")
    load.open_study(study_copy)
    load.case_table.selectRow(1)
    load.open_case()
    wait_idle(workspace)
    assert not detect.warnings.isVisibleTo(detect)
    assert not label.isVisibleTo(review)
