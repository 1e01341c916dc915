"""Whose scan is open is always in sight, and hidden where others look on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QInputDialog

from ..conftest import take_picture


def rename(scan: Path, name: str, **attributes: str) -> None:
    """Whose scan it is from now on."""
    for path in scan.iterdir():
        image = pydicom.dcmread(path)
        image.PatientName = name
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        image.save_as(path)


def text_on_canvas(session: object) -> str:
    """In its corner."""
    overlay = session.viewer.canvas.overlays.text
    return overlay.text if overlay.visible else ""


@pytest.fixture
def named_study(study_copy: Path) -> Path:
    """Two patients."""
    rename(study_copy / "case-001" / "scan", "Mueller^Hans", PatientAge="067Y", PatientSex="M")
    rename(study_copy / "normal-001" / "scan", "Smith^Anna", StudyDate="20260304")
    return study_copy


def test_the_patient_is_in_the_list_on_the_canvas_and_above_the_tabs(
    viewer: object,
    workspace: object,
    named_study: Path,
    wait_idle: Callable,
    picture_folder: Path,
) -> None:
    """One tick takes the names away everywhere, and brings them back."""
    load, session = workspace.load, workspace.session
    load.open_study(named_study)
    wait_idle(workspace)
    rows = load.case_table.texts()
    assert [row[:1] + row[2:4] for row in rows] == [
        ["case-001", "Mueller, Hans", "2017-01-01"],
        ["normal-001", "Smith, Anna", "2026-03-04"],
    ]
    load.open_case()
    wait_idle(workspace)
    line = "Mueller, Hans, 67 y, M, 2017-01-01 · STIR SAG · case-001"
    assert text_on_canvas(session).splitlines()[0] == line
    assert workspace.header.whose.text() == line
    take_picture(viewer, picture_folder / "whose.png")
    QTest.mouseClick(workspace.header.hide_box, Qt.LeftButton)
    hidden = "case-001, 67 y, M · STIR SAG"
    assert text_on_canvas(session).splitlines()[0] == hidden
    assert workspace.header.whose.text() == hidden
    assert load.case_table.isColumnHidden(2)
    assert load.case_table.isColumnHidden(3)
    take_picture(viewer, picture_folder / "whose-hidden.png")
    QTest.mouseClick(workspace.header.hide_box, Qt.LeftButton)
    assert workspace.header.whose.text() == line
    assert not load.case_table.isColumnHidden(2)


def test_only_what_is_open_is_marked_in_the_list(
    workspace: object, named_study: Path, tmp_path: Path, wait_idle: Callable
) -> None:
    """A scan from elsewhere takes the mark away; two patients in a folder are told apart."""
    load = workspace.load
    load.open_study(named_study)
    load.open_case()
    wait_idle(workspace)
    assert load.case_table.selected_row == 0
    disc = tmp_path / "disc"
    for name in ("case-001", "normal-001"):
        shutil.copytree(named_study / name / "scan", disc / name)
    load.path.setText(str(disc))
    load.look()
    wait_idle(workspace)
    assert not load.table.isColumnHidden(5)
    assert {row[5].partition(",")[0] for row in load.table.texts()} == {"Mueller", "Smith"}
    load.open()
    wait_idle(workspace)
    assert workspace.session.case is None
    assert load.case_table.selected_row == -1
    load.case_table.select_row(1)
    workspace.session.study_changed.emit()
    assert load.case_table.selected_row == 1, "what was chosen stays chosen"


def test_a_long_path_of_a_study_hides_nothing(
    workspace: object, named_study: Path, tmp_path: Path, wait_idle: Callable
) -> None:
    """It is shortened in its middle; the whole of it is where the mouse rests."""
    width = workspace.load.minimumSizeHint().width()
    folder = tmp_path / ("a long name of a folder " * 8).strip() / "study"
    shutil.copytree(named_study, folder)
    workspace.load.open_study(folder)
    wait_idle(workspace)
    assert workspace.load.minimumSizeHint().width() == width
    assert workspace.load.study_label.toolTip() == str(folder)


def test_verdicts_are_signed_by_a_name_that_is_asked_once(
    detection_workspace: object, wait_idle: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the account of the computer; without a name nothing is signed."""
    workspace = detection_workspace
    session, review = workspace.session, workspace.review
    session.preferences.store("reader", name="")
    session.result_changed.emit()
    for number in range(len(review.findings)):
        review.findings_panel.table.select_row(number)
        review.findings_panel.judge("rejected")
    wait_idle(workspace)
    answers = [("", False), ("Dr. A. Reader", True)]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: answers.pop(0))
    button = review.sign_off.sign_button
    assert button.text() == "Sign verdicts"
    for _ in range(2):
        review.sign_off.sign()
        wait_idle(workspace)
    assert session.case.record.findings_by.startswith("Dr. A. Reader (as ")
    assert button.text() == "Signed"
    review.findings_panel.judge("unsure")
    wait_idle(workspace)
    assert button.text() == "Sign as Dr. A. Reader"
    review.sign_off.sign()
    wait_idle(workspace)
    assert session.case.record.findings == "signed"
