"""Review: fitted outlines, what the gate drops, outlines that become contours, the distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication
from scipy import ndimage

from napari_spinemet.detection.components import OUTSIDE
from napari_spinemet.detection.gate import GateRule, Spine
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.errors import Cancelled
from napari_spinemet.gui.review.findings_panel import VERDICT
from napari_spinemet.gui.review.scanner_window import ScannerWindow
from napari_spinemet.gui.viewer.layer_style import OUTSIDE_SPINE
from napari_spinemet.imaging import LikelihoodMap, OperatingPoint, SagittalSeries
from napari_spinemet.imaging.comparison import Comparison, Evidence
from napari_spinemet.imaging.grids import working_affine
from napari_spinemet.jobs import JobContext
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.scanner_statistics import Scanner, ScannerRow

from .conftest import take_picture

POINT = OperatingPoint(0.5, 0.5, None, gate=True)
IN_SPINE, ORGAN = (1, slice(30, 50), slice(40, 60)), (1, slice(60, 80), slice(90, 110))


@pytest.fixture
def review(workspace: object, make_series: Callable, wait_idle: Callable) -> object:
    """A bright square, detected 2 mm too large in two slices, and an organ off the spine."""
    voxels = np.random.default_rng(0).normal(50, 4, (3, 96, 120)).astype(np.float32)
    values = np.zeros_like(voxels)
    for index in (1, 2):
        voxels[index, 30:50, 40:60] += 100
        values[index, 28:52, 38:62] = 0.9
    values[1, 60:80, 90:110] = 0.8
    series: SagittalSeries = make_series(voxels, series_uid="1.2.3")
    likelihood = LikelihoodMap(
        values, working_affine(series.affine), (0, 120), series.spacing_mm, series_uid="1.2.3"
    )
    spine = Spine(0, 95, np.polynomial.Polynomial([50.0]), GateRule(behind_mm=28.0))
    result = replace(evaluate(likelihood, replace(POINT, gate=False)), spine=spine)
    session = workspace.session
    session.open_series(series)
    session.set_result(result.at(POINT), "default")
    workspace.show_tab("Review")
    wait_idle(workspace)
    session.layers.go_to(1)
    return workspace.review


def wait_for_rest(review: object, qtbot: object) -> None:
    """Wait until the slider has rested and all that follows is on the screen."""
    qtbot.waitUntil(
        lambda: (
            not (
                review._slider_pause.is_pending
                or review._typing_pause.is_pending
                or review.session.jobs.display.is_busy
            )
        ),
        timeout=20_000,
    )


@pytest.mark.one_binding
def test_what_the_gate_drops_is_dimmed(
    review: object, viewer: object, qtbot: object, picture_folder: Path
) -> None:
    """It is outlined in another colour, is in no row of the table, and is counted in words."""
    layer = review.session.layers.detections
    assert (layer.data[ORGAN] == OUTSIDE).all()
    assert (layer.data[IN_SPINE] == 1).all()
    colours = layer.colormap.color_dict
    assert not np.allclose(colours[OUTSIDE], colours[None])
    assert len(review.findings) == 1
    assert review.findings_panel.count.text() == (
        "1 finding, 2 detections in slices; 1 outside the spine, dimmed."
    )
    qtbot.wait(300)  # the docks find their widths
    picture = take_picture(viewer, picture_folder / "review-dimmed.png")[..., :3].astype(int)
    dim = np.array([int(OUTSIDE_SPINE[k : k + 2], 16) for k in (1, 3, 5)])
    assert (abs(picture - dim).max(axis=-1) < 12).sum() > 20, "the dimmed outline is in sight"
    review.controls.gate.setChecked(False)
    wait_for_rest(review, qtbot)
    assert not (layer.data == OUTSIDE).any()
    assert len(review.findings) == 2


@pytest.mark.one_binding
def test_a_second_look_is_switched_and_its_evidence_shown(review: object, qtbot: object) -> None:
    """What it takes away comes back without it; brightness beside neighbours is in the table."""
    box, session = review.controls.second_look, review.session
    assert not box.isEnabled()
    assert box.text() == "no: this model has none"
    plain = session.result.plain
    labels = np.zeros(plain.values.shape, dtype=np.uint16)
    labels[IN_SPINE], labels[ORGAN] = 1, 2
    evidence = (Evidence(1.62, 9.0, 0.4, "L3", 0.5), Evidence(1.0, 0.2, 0.0, "", -8.0))
    point = replace(POINT, gate=False, second_look=True)
    compared = replace(plain, comparison=Comparison(labels, evidence))
    session.set_result(evaluate(compared, point), "default")
    wait_for_rest(review, qtbot)
    assert box.isEnabled()
    assert box.isChecked()
    table = review.findings_panel.table
    assert len(review.findings) == 1
    (cells,) = table.texts()
    assert "1.6 x" in cells
    assert "L3?" in cells
    box.setChecked(False)
    # Until the other likelihoods are there, outlines and table are of the same ones.
    assert len(review.findings) == 1
    wait_for_rest(review, qtbot)
    assert len(review.findings) == 2
    unlike = replace(plain, comparison=Comparison(labels, evidence, "the marrow is unusual"))
    session.set_result(evaluate(unlike, point), "default")
    wait_for_rest(review, qtbot)
    assert not box.isEnabled()
    assert box.text() == "no: bodies cannot be compared"


@pytest.mark.one_binding
def test_fitted_outlines_replace_the_others_once_the_threshold_rests(
    review: object, qtbot: object
) -> None:
    """Outlines, areas and volume are those of the edge; a moved threshold shows its own first."""
    layer = review.session.layers.detections
    assert review.findings[0].largest.area_cm2 == 24 * 24 / 100
    review.controls.refine_box.setChecked(True)
    wait_for_rest(review, qtbot)
    (finding,) = review.findings
    truth = np.zeros((96, 120), dtype=bool)
    truth[IN_SPINE[1:]] = True
    outlined_mask = layer.data[1] > 0
    assert 2 * (outlined_mask & truth).sum() / (outlined_mask.sum() + truth.sum()) > 0.95
    assert finding.largest.area_cm2 == pytest.approx(4.0, abs=0.4)
    assert finding.volume_cm3 == pytest.approx(2.4, abs=0.25)
    assert (layer.data[ORGAN] == OUTSIDE).all()
    review.controls.threshold.setValue(0.85)
    np.testing.assert_array_equal(
        layer.data[1] > 0, review.session.result.forest.labels(1, 0.85, 0.5) == 1
    )
    wait_for_rest(review, qtbot)
    assert ((layer.data[1] > 0) == outlined_mask).all()
    review.controls.refine_box.setChecked(False)
    assert (layer.data[1] > 0).sum() == 24 * 24


@pytest.mark.one_binding
def test_fitting_for_a_threshold_that_was_left_is_given_up(
    review: object, qtbot: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is cancelled, and its outlines would not be shown at another threshold."""
    from napari_spinemet.detection import DetectionResult

    real, ends = DetectionResult.refine, []

    def slowly(self: DetectionResult, series: SagittalSeries, *, job: JobContext) -> object:
        if self.operating_point.threshold < 0.7:
            try:
                while True:
                    job.raise_if_cancelled()
            except Cancelled:
                ends.append(self.operating_point.threshold)
                raise
        return real(self, series, job=job)

    monkeypatch.setattr(DetectionResult, "refine", slowly)
    review.controls.refine_box.setChecked(True)
    review.controls.threshold.setValue(0.6)
    review.controls.threshold.setValue(0.85)
    wait_for_rest(review, qtbot)
    assert ends == [0.5]
    assert review.outlines.refined_result.operating_point.threshold == 0.85


def test_a_finding_becomes_a_contour_once(review: object, workspace: object, qtbot: object) -> None:
    """A new lesion on the series grid, one step for undo; what a person drew is not replaced."""
    session, box = review.session, review.findings_panel
    lesions = session.layers.lesions
    box.table.selectRow(0)
    box.edit_button.click()
    assert workspace.tabs.tabText(workspace.tabs.currentIndex()) == "Annotate"
    expected_mask = np.zeros(lesions.data.shape, dtype=bool)
    expected_mask[1:, 28:52, 38:62] = True
    np.testing.assert_array_equal(lesions.data == 1, expected_mask)
    assert lesions.selected_label == 1
    assert lesions.mode == "paint"
    assert session.viewer.layers.selection.active is lesions
    workspace.annotate.undo()
    assert not lesions.data.any()

    lesions.data[2, 35:40, 45:50] = 7
    messages: list[str] = []
    session.message.connect(messages.append)
    workspace.show_tab("Review")
    box.edit()
    assert lesions.selected_label == 7
    assert int((lesions.data > 0).sum()) == 25
    assert "stays as it was drawn" in messages[-1]


@pytest.mark.one_binding
def test_contours_of_a_finding_lie_where_it_does(
    workspace: object, make_series: Callable, wait_idle: Callable
) -> None:
    """On a scan whose pixels are not of 1 mm: every pixel is the nearest of the working grid."""
    series = make_series(shape=(2, 80, 120), spacing_mm=(4.0, 1.25, 0.8), series_uid="1.2.4")
    affine = working_affine(series.affine)
    values = np.zeros((2, 99, 96), dtype=np.float32)
    values[1, 40:60, 30:50] = 0.9
    likelihood = LikelihoodMap(values, affine, (0, 96), series.spacing_mm, series_uid="1.2.4")
    session = workspace.session
    session.open_series(series)
    session.set_result(evaluate(likelihood, replace(POINT, gate=False)), "default")
    wait_idle(workspace)
    box = workspace.review.findings_panel
    box.table.selectRow(0)
    box.edit()
    rows, columns = np.arange(80) * 1.25, np.arange(120) * 0.8
    inside = ((rows >= 39.5) & (rows < 59.5))[:, None] & ((columns >= 29.5) & (columns < 49.5))
    np.testing.assert_array_equal(session.layers.lesions.data[1] > 0, inside)
    assert not session.layers.lesions.data[0].any()


def test_a_missed_lesion_is_drawn_as_a_new_one(review: object, workspace: object) -> None:
    """The polygon is in hand, and what is drawn begins another lesion."""
    lesions = review.session.layers.lesions
    lesions.data[0, 5:9, 5:9] = 3
    review.findings_panel.missed_button.click()
    assert workspace.tabs.tabText(workspace.tabs.currentIndex()) == "Annotate"
    assert lesions.mode == "polygon"
    assert lesions.selected_label == 4


@pytest.mark.one_binding
def test_another_distance_redraws_the_curve(review: object, qtbot: object) -> None:
    """Both the scan's curve and the operating point on it follow."""
    session = review.session
    review.controls.gate.setChecked(False)
    # The centre of the contour lies 15 mm from that of the detection.
    session.layers.lesions.data[1, 44:66, 39:61] = 1
    session.layers.lesions.data[2, 28:52, 38:62] = 1
    session.contours_changed.emit()
    wait_for_rest(review, qtbot)
    assert session.curve.at(0.5) == (1.0, pytest.approx(1 / 3), 1.0)
    review.evaluation.distance.setValue(10)
    wait_for_rest(review, qtbot)
    assert session.froc.matching.max_distance_mm == 10
    assert session.curve.at(0.5) == (0.5, pytest.approx(2 / 3), 2.0)
    assert review.froc_panel.plot.point == session.curve.at(0.5)


@pytest.mark.one_binding
def test_the_validated_point_is_taken_whole(review: object, qtbot: object) -> None:
    """Threshold, minimum area, weight and gate; where there is none, that is said."""
    session, box = review.session, review.froc_panel
    session.layers.lesions.data[1, 30:50, 40:60] = 1
    session.contours_changed.emit()
    wait_for_rest(review, qtbot)
    box.wish.setCurrentIndex(3)
    assert box.wish_value.isHidden()
    box.suggest_button.click()
    assert "Nothing was chosen" in box.suggestion.text()
    validated_point = OperatingPoint(0.7, 1.5, 0.6, gate=False)
    session.show_froc(replace(session.froc, validated_point=validated_point))
    box.suggest_button.click()
    assert review.controls.point() == validated_point
    wait_for_rest(review, qtbot)
    assert session.result.operating_point == validated_point


def test_every_tick_shows_one_threshold(review: object, qtbot: object) -> None:
    """Outlines on the screen and the point on the curve are read after each tick, with no pause."""
    session, layer = review.session, review.session.layers.detections
    session.layers.lesions.data[1, 30:50, 40:60] = 1
    session.contours_changed.emit()
    wait_for_rest(review, qtbot)
    values = session.result.likelihood.values[1]
    for threshold in np.random.default_rng(4).uniform(0.01, 1.0, 200).round(3):
        review.controls.threshold.setValue(float(threshold))
        labels, count = ndimage.label(values >= np.float32(threshold), np.ones((3, 3)))
        in_spine = [n for n in range(1, count + 1) if labels[40, 50] == n]
        np.testing.assert_array_equal(layer.data[1] > 0, np.isin(labels, in_spine))
        np.testing.assert_array_equal(layer.data[1] == OUTSIDE, (labels > 0) & (layer.data[1] <= 0))
        assert review.froc_panel.plot.point == session.curve.at(float(threshold))
        assert review.outlines.current().operating_point.threshold == float(threshold)


@pytest.mark.one_binding
def test_a_scan_without_contours_has_no_truth(review: object, qtbot: object) -> None:
    """Said beside the curve of a study, on which the threshold's point stands; not once drawn."""
    from napari_spinemet.evaluation import froc_from_detections
    from napari_spinemet.gui.viewer.displayed_froc import DisplayedFroc

    session, truth = review.session, review.froc_panel.truth
    assert truth.isHidden()
    assert "No FROC yet: detect on a scan with contours" in review.froc_panel.plot.title.text()
    curve = froc_from_detections([[([(0, 0)], [(0, 0, 0.9), (99, 0, 0.4)])]])
    of_study = DisplayedFroc(
        curve, "a study", review.controls.point(), MapIdentity("m"), study=object()
    )
    session.show_froc(of_study)
    assert not truth.isHidden()
    assert "This scan has no contours" in truth.text()
    assert review.froc_panel.plot.point == curve.at(review.controls.threshold.value())
    session.layers.lesions.data[1, 30:50, 40:60] = 1
    session.contours_changed.emit()
    assert truth.isHidden()


def turn_wheel(widget: object) -> None:
    """One notch over it."""
    centre = QPointF(widget.rect().center())
    event = QWheelEvent(
        centre,
        QPointF(widget.mapToGlobal(widget.rect().center())),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def test_a_finding_is_rejected_with_its_reason(review: object, qtbot: object) -> None:
    """From a menu, so that neither wheel nor arrows reject; undo brings it back."""
    panel, log = review.findings_panel, review.session.verdicts
    assert not panel.reason.isEnabled()
    panel.go(1)
    assert panel.reason.isEnabled()
    panel.reason.setFocus()
    qtbot.keyClick(panel.reason, Qt.Key.Key_Down)
    turn_wheel(panel.reason)
    assert log.with_reasons(panel.findings) == [("", "")]
    (haemangioma,) = [a for a in panel.reason.menu().actions() if a.text() == "haemangioma"]
    haemangioma.trigger()
    haemangioma.trigger()  # the same again is no further verdict
    assert log.with_reasons(panel.findings) == [("rejected", "haemangioma")]
    assert panel.table.texts()[0][VERDICT] == "rejected (haemangioma)"
    panel.judge("accepted")
    assert log.with_reasons(panel.findings) == [("accepted", "")]
    assert panel.table.texts()[0][VERDICT] == "accepted"
    panel.undo()
    assert log.with_reasons(panel.findings) == [("rejected", "haemangioma")]
    panel.undo()
    assert log.with_reasons(panel.findings) == [("", "")]


def test_what_scanners_gave_is_shown(review: object, qtbot: object) -> None:
    """A table and three plots; without a study nothing is asked for."""
    window = ScannerWindow(
        [
            ScannerRow(
                Scanner("MR1", "3 T", "STIR", "m@1", month),
                *(2, 3, 1, rejected, 0, {"artefact": rejected}, 0.4, 1),
            )
            for month, rejected in (("2026-10", 0), ("2026-11", 2))
        ],
        review,
    )
    assert window.table.texts()[1][4:] == [
        *("2026-11", "2", "1.50", "2 of 3 (67%)", "artefact 2", "0.40", "1"),
    ]
    for index in range(window.value_list.count()):
        window.value_list.setCurrentIndex(index)
        (line,) = window.plot.getPlotItem().listDataItems()
        assert len(line.getData()[0]) == 2
    assert not review.evaluation.scanner_button.isEnabled()
