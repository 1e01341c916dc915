"""Each volume of a series has a row of its own under Load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
from two_stations import add_lower_station

from .conftest import take_picture


def test_the_lower_station_is_opened_and_detected_on(
    workspace: object,
    viewer: object,
    wait_idle: Callable,
    study_copy: Path,
    quick_model: Path,
    picture_folder: Path,
) -> None:
    """What is known of the chosen row stands below the table, before it is opened."""
    scan = study_copy / "case-001" / "scan"
    add_lower_station(scan)
    for path in scan.glob("lower-*"):
        image = pydicom.dcmread(path)
        image.BodyPartExamined = "KNEE"
        image.save_as(path)
    load, session = workspace.load, workspace.session
    load.path.setText(str(scan))
    load.look()
    wait_idle(workspace)
    names, usable = ([row[column] for row in load.table.texts()] for column in (0, 4))
    assert [name.partition(", ")[2] for name in names] == ["upper station", "lower station"]
    assert usable == ["yes", "doubtful"]
    assert load.reason.text() == "case-001, 2017-01-01\nSTIR, by InversionTime."
    load.table.select_row(1)
    assert "The header names the body part KNEE" in load.reason.text()
    take_picture(viewer, picture_folder / "stations.png")
    load.open()
    wait_idle(workspace)
    assert session.series.stack == 2
    workspace.detect._select(str(quick_model))
    workspace.detect.detect()
    wait_idle(workspace)
    assert session.result is not None
    load.table.select_row(0)
    load.open()
    wait_idle(workspace)
    assert session.series.stack == 1
    assert session.result is None
