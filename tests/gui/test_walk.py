"""The main job, walked in a real window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_spinemet.detection import link_findings
from napari_spinemet.gui.review.findings_panel import HEADINGS, VERDICT
from napari_spinemet.gui.viewer.displayed_froc import DisplayedFroc
from napari_spinemet.study.map_identity import MapIdentity

from .conftest import take_picture

AREA = [name for name, _ in HEADINGS].index("cm²")


@pytest.mark.slow
def test_load_detect_review(
    workspace: object,
    viewer: object,
    qtbot: object,
    wait_idle: Callable,
    picture_folder: Path,
) -> None:
    """Load the sample, detect with the shipped model, move the slider: all of it follows."""
    load, detect, review = workspace.load, workspace.detect, workspace.review
    session = workspace.session

    load.open_sample()
    wait_idle(workspace)
    assert [c.name for c in load.cases] == ["case-001", "normal-001"]
    assert load.case_table.texts()[0][1] == "contoured"
    load.case_table.selectRow(0)
    load.open_case_button.click()
    wait_idle(workspace)
    assert session.series is not None
    assert {layer.name for layer in viewer.layers} >= {"STIR SAG", "vertebrae", "lesions"}
    assert detect.detect_button.isEnabled()

    workspace.show_tab("Detect")
    detect.detect_button.click()
    assert not detect.detect_button.isEnabled()
    wait_idle(workspace)
    assert session.result is not None
    assert session.result.findings, "the shipped model finds the plain lesion of the sample"
    assert "likelihood" in viewer.layers
    assert "FROC of this scan alone" in review.froc_panel.plot.title.text()

    workspace.show_tab("Review")
    # Without the gate what is outlined at a threshold holds what is outlined at a higher one.
    review.controls.gate.setChecked(False)
    qtbot.waitUntil(lambda: not review._typing_pause.is_pending, timeout=5_000)
    wait_idle(workspace)
    assert session.result.operating_point.gate is False
    outlines, points = [], []
    layer = session.layers.detections
    for threshold in (0.2, 0.6, 0.95):
        review.controls.threshold.setValue(threshold)
        qtbot.waitUntil(lambda: not review._slider_pause.is_pending, timeout=5_000)
        # What is drawn, what is counted and what is marked on the curve have one threshold.
        index = session.layers.current_slice
        expected_labels = session.result.forest.labels(
            index, threshold, review.controls.min_area.value()
        )
        np.testing.assert_array_equal(layer.data[index], expected_labels)
        assert review.froc_panel.plot.point == session.curve.at(threshold)
        outlines.append(int((layer.data > 0).sum()))
        points.append(review.froc_panel.plot.point)
        detections = session.result.forest.detections(threshold, review.controls.min_area.value())
        assert review.findings_panel.table.row_count == len(link_findings(detections, 3.0))
        image = take_picture(viewer, picture_folder / f"review-{int(threshold * 100):02d}.png")
        assert image.std() > 10
    assert outlines[0] > outlines[1] > outlines[2]
    assert len(set(points)) > 1


def test_click_on_the_curve_sets_the_threshold(workspace: object, wait_idle: Callable) -> None:
    """The slider goes to the threshold of the chosen point."""
    from qtpy.QtCore import QPointF

    from napari_spinemet.evaluation import froc_from_detections

    curve = froc_from_detections([[([(0, 0)], [(0, 0, 0.75), (99, 0, 0.25)])]])
    point = workspace.review.controls.point()
    workspace.session.show_froc(DisplayedFroc(curve, "a test", point, MapIdentity("")))
    plot = workspace.review.froc_panel.plot
    view = plot.plot.getPlotItem().vb

    view.point_picked.emit(view.mapViewToScene(QPointF(1.0, 1.0)))
    assert workspace.review.controls.threshold.value() == 0.25
    assert plot.point == (1.0, 1.0, 1.0)


def test_finding_is_flown_to_and_judged(detection_workspace: object, viewer: object) -> None:
    """A click in the table shows the slice of the finding; a verdict stands in its row."""
    review = detection_workspace.review
    values = detection_workspace.session.result.likelihood.values
    review.controls.threshold.setValue(float(np.quantile(values[values > 0], 0.9)))
    review._draw_all()
    assert review.findings
    review.findings_panel.table.selectRow(len(review.findings) - 1)
    finding = review.findings[-1]
    assert viewer.dims.current_step[0] == finding.largest.slice
    np.testing.assert_allclose(viewer.camera.center[1:], finding.largest.centre_working)
    review.findings_panel.judge("accepted")
    assert review.findings_panel.table.texts()[-1][VERDICT] == "accepted"
    review.findings_panel.judge("accepted")
    assert review.findings_panel.table.texts()[-1][VERDICT] == ""


def test_keys_lead_through_the_findings(detection_workspace: object, wait_idle: Callable) -> None:
    """Next, verdict, undo: in the order that the table is sorted by, and recorded."""
    review, session = detection_workspace.review, detection_workspace.session
    values = session.result.likelihood.values
    review.controls.min_area.setValue(0.1)
    review.controls.threshold.setValue(float(np.quantile(values[values > 0], 0.95)))
    review._draw_all()
    box, table = review.findings_panel, review.findings_panel.table
    assert len(box.findings) > 2
    table.sortByColumn(AREA, Qt.SortOrder.DescendingOrder)
    areas = [float(table.texts()[row][AREA]) for row in range(table.row_count)]
    assert areas == sorted(areas, reverse=True)
    assert len(set(areas)) > 1
    detection_workspace.show_tab("Review")
    key = {entry.keys: entry.do for entry in box.keys}
    key["N"]()
    assert table.currentIndex().row() == 0
    largest = max(box.findings, key=lambda f: round(f.largest.area_cm2, 1))
    assert box.findings[table.selected_row].largest.area_cm2 == pytest.approx(
        largest.largest.area_cm2, abs=0.1
    )
    key["Shift+N"]()
    assert table.currentIndex().row() == len(areas) - 1  # round about
    key["N"]()
    for letter, verdict in (("A", "accepted"), ("R", "rejected")):
        key[letter]()
        assert table.texts()[table.currentIndex().row()][VERDICT] == verdict
    finding = box.findings[table.selected_row]
    for former in ("accepted", ""):
        key["Ctrl+Z"]()
        assert session.verdicts.book.of([finding.centre_mm]) == [former]
    assert not box.undo_button.isEnabled()
    messages = []
    session.message.connect(messages.append)
    key["Ctrl+Z"]()
    assert "no verdict" in messages[-1]
    wait_idle(detection_workspace)
    records = session.study.database.results.verdicts(session.case.name)
    assert [r.verdict for r in records] == ["accepted", "rejected", "accepted", ""]
    assert session.study.verify() == []


@pytest.mark.one_binding
def test_what_was_found_and_said_is_in_the_study(
    detection_workspace: object, wait_idle: Callable
) -> None:
    """The run with its detections, and each verdict; the case is reviewed with the last one."""
    review, session = detection_workspace.review, detection_workspace.session
    results, case = session.study.database.results, session.case
    (run,) = results.runs(case.name)
    assert run.settings["threshold"] == session.result.operating_point.threshold
    assert len(results.detections(run.number)) == len(session.result.detections)
    assert detection_workspace.load.case_table.texts()[0][1] == "contoured, detected"
    values = session.result.likelihood.values
    review.controls.threshold.setValue(float(np.quantile(values[values > 0], 0.9)))
    review._draw_all()
    assert review.findings
    for number in range(len(review.findings)):
        review.findings_panel.table.selectRow(number)
        review.findings_panel.judge("rejected")
    wait_idle(detection_workspace)
    assert detection_workspace.load.case_table.texts()[0][1] == "contoured, reviewed"
    assert len(results.verdicts(case.name)) == len(review.findings)
    book = case.verdicts()
    centres = [f.centre_mm for f in review.findings]
    assert set(book.of(centres)) == {"rejected"}
    detection_workspace.load.open_case()  # read anew
    wait_idle(detection_workspace)
    assert set(session.verdicts.book.of(centres)) == {"rejected"}
    assert session.study.verify() == []
