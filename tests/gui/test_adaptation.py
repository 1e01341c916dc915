"""Adapt to my scanner, in a real window: which scans, what comes of it, and what stands out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.errors import SpinemetError
from napari_spinemet.gui.train import adaptation_panel
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.imaging.findings import mask_of_finding
from napari_spinemet.network import load_card
from napari_spinemet.study.run_files import save_adaptation_request

SCORES = [
    {
        "name": name,
        "own_scans": 3,
        "own_false": false,
        "implants": {"hits": 11, "of": 18},
        "lesions": {"hits": 20, "of": 31},
        "phantoms_false": 0.4,
    }
    for name, false in (("before", 4), ("operating point alone", 2), ("adapted", 1))
]
SENTENCE = "case-002: slices 4 to 6 stands out."


@pytest.fixture
def study(workspace: Any, study_copy: Path) -> Path:
    """Two cases with lesions and a normal one, open in the workspace."""
    shutil.copytree(study_copy / "case-001", study_copy / "case-002")
    workspace.load.open_study(study_copy)
    return study_copy


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch, study: Path) -> list[dict[str, Any]]:
    """What adaptations are asked for; each is done at once, and something stands out."""
    asked: list[dict[str, Any]] = []

    def stand_in(function: str, arguments: dict[str, Any], **_: Any) -> dict[str, Any]:
        assert function == adaptation_panel.ADAPT_FUNCTION
        asked.append(arguments)
        card = load_card()
        card = replace(card, name="mine", metrics={"adaptation": SCORES})
        return {
            "path": str(study / "models" / "mine.safetensors"),
            "card": card.to_json(),
            "sentences": [SENTENCE, "A note."],
            "stands_out": [
                {
                    "case": "case-002",
                    "place": "slices 4 to 6",
                    "centre_mm": [1, 2, 3],
                    "sentence": SENTENCE,
                }
            ],
        }

    monkeypatch.setattr(adaptation_panel, "run_in_process", stand_in)
    return asked


def _tick(table: Any, row: int) -> None:
    """As a click on the box does."""
    rows, role = table.model(), Qt.ItemDataRole.CheckStateRole
    assert rows.setData(rows.index(row, 0), Qt.CheckState.Checked, role)


def test_ticked_scans_are_adapted_to(
    workspace: Any, wait_idle: Callable, requests: list[dict[str, Any]], study: Path
) -> None:
    """None is ticked by itself; the table says what came of it, and what stands out is named."""
    panel = workspace.train.adaptation
    assert not panel.start_button.isEnabled()
    assert not panel.review_button.isEnabled()
    _tick(panel.table, 0)
    _tick(panel.table, 1)
    panel.name.setText("mine")
    panel.minutes.setValue(7)
    panel.start_button.click()
    wait_idle(workspace)
    (request,) = requests
    assert request["only_cases"] == ["case-001", "case-002"]
    assert (request["model"], request["minutes"], request["name"]) == ("default", 7.0, "mine")
    assert not request["resume"]
    assert panel.scores.texts()[2] == ["adapted", "1 in 3", "11 of 18", "20 of 31", "0.40"]
    assert panel.named_table.texts() == [["", "case-002: slices 4 to 6"]]
    assert panel.outcome.text() == "The model 'mine' is in the study. A note."
    assert not panel.again_button.isEnabled()
    _tick(panel.named_table, 0)
    panel.again_button.click()
    wait_idle(workspace)
    assert len(requests) == 2
    # In the trail, as under Review.
    places = workspace.session.study.case("case-002").verdicts().places("rejected")
    assert places == {(1.0, 2.0, 3.0): "other"}


def test_what_stands_out_is_opened_by_a_double_click(
    workspace: Any, qtbot: Any, wait_idle: Callable, requests: list[dict[str, Any]]
) -> None:
    """The scan of its row."""
    panel = workspace.train.adaptation
    _tick(panel.table, 0)
    panel.start()
    wait_idle(workspace)
    panel.named_table.select_row(0)
    panel.named_table.row_opened.emit()
    qtbot.waitUntil(lambda: workspace.session.case is not None, timeout=60_000)
    wait_idle(workspace)
    assert workspace.session.case.name == "case-002"


def test_what_was_judged_is_learned_from(
    workspace: Any, wait_idle: Callable, requests: list[dict[str, Any]], study: Path
) -> None:
    """All reviewed scans and no other, and those where all was missed and drawn."""
    opened = workspace.session.study
    model = ("m@1", "m", "{}")
    for name in ("case-001", "case-002"):
        case = opened.case(name)
        series = case.series()
        case.save_run(series, model, {"threshold": 0.6}, [], 1.0)
    case.judge(series, (0, 0, 0), "rejected", all_judged=True, model="m@1", reason="artefact")
    panel = workspace.train.adaptation
    panel.refresh()
    assert panel.review_button.isEnabled()
    _tick(panel.table, 0)
    panel.review_button.click()
    wait_idle(workspace)
    (request,) = requests
    assert request["only_cases"] == ["case-001", "case-002"]


def test_what_was_accepted_is_a_contour_before_it_is_learned_from(
    detection_workspace: Any, wait_idle: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the screen, where it can be edited, and stored as any stroke when the learning begins."""
    workspace, session = detection_workspace, detection_workspace.session
    stored: list[np.ndarray] = []

    def stand_in(_: str, arguments: dict[str, Any], **__: Any) -> None:
        case = session.study.case("case-001")
        assert arguments["only_cases"] == ["case-001"]
        stored.append(case.annotation(case.series()).lesions)
        raise SpinemetError("Enough was seen.")

    monkeypatch.setattr(adaptation_panel, "run_in_process", stand_in)
    session.layers.lesions.data = np.zeros_like(session.layers.lesions.data)
    review, plain = workspace.review, session.result.plain
    threshold = float(np.quantile(plain.values[plain.values > 0], 0.97))
    session.set_result(evaluate(plain, OperatingPoint(threshold, 0.1, 1.0)), "default")
    QApplication.processEvents()
    assert len(review.findings) > 1
    for number in range(len(review.findings)):
        review.findings_panel.table.selectRow(number)
        review.findings_panel.judge("accepted" if number == 0 else "rejected")
    wait_idle(workspace)
    panel = workspace.train.adaptation
    panel.review_button.click()
    wait_idle(workspace)
    (finding,) = [
        finding
        for finding, verdict in zip(
            review.findings, session.verdicts.verdicts_on(review.findings), strict=True
        )
        if verdict == "accepted"
    ]
    marked = mask_of_finding(finding, session.series)
    np.testing.assert_array_equal(stored[0] > 0, marked)
    np.testing.assert_array_equal(session.layers.lesions.data > 0, marked)
    assert panel.outcome.text() == "Enough was seen. The former model is as it was."


def test_another_study_begins_anew(
    workspace: Any,
    wait_idle: Callable,
    requests: list[dict[str, Any]],
    study: Path,
    tmp_path: Path,
) -> None:
    """Its cases have the same names, and are other patients."""
    panel = workspace.train.adaptation
    _tick(panel.table, 0)
    panel.start_button.click()
    wait_idle(workspace)
    assert panel.named_table.texts()
    other = tmp_path / "other"
    shutil.copytree(study, other, ignore=shutil.ignore_patterns("*.sqlite*", "study.*"))
    workspace.load.open_study(other)
    wait_idle(workspace)
    assert not panel.start_button.isEnabled()
    assert panel.named_table.texts() == panel.scores.texts() == []
    assert panel.outcome.text() == ""


def test_what_was_cut_short_goes_on_without_a_tick(
    workspace: Any, wait_idle: Callable, requests: list[dict[str, Any]], study: Path
) -> None:
    """As after a crash, which forgets the ticks; what was asked for is kept beside the models."""
    panel = workspace.train.adaptation
    assert not panel.resume_button.isEnabled()
    target = study / "models" / f"{panel.name.text()}.safetensors"
    save_adaptation_request(
        target, {"model": "default", "cases": ["case-001"], "minutes": 3, "seed": 0}
    )
    panel.refresh()
    assert panel.resume_button.isEnabled()
    panel.resume_button.click()
    wait_idle(workspace)
    assert requests[-1]["resume"]


def test_a_failure_leaves_the_former_model(
    workspace: Any, wait_idle: Callable, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so, beside why."""

    def fail(*_: Any, **__: Any) -> None:
        raise SpinemetError("No spine was seen; leave it out.")

    monkeypatch.setattr(adaptation_panel, "run_in_process", fail)
    panel = workspace.train.adaptation
    _tick(panel.table, 0)
    panel.start()
    wait_idle(workspace)
    assert panel.outcome.text() == (
        "No spine was seen; leave it out. The former model is as it was."
    )
