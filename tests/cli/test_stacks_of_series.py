"""A series that holds two stations, on the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from two_stations import SHIFT_MM, add_lower_station

from napari_spinemet.study import Study

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def stations(scan: Path) -> Path:
    """Both of them in one folder."""
    add_lower_station(scan)
    return scan


def test_both_are_listed_and_either_is_detected_on(
    run: Run, stations: Path, quick_model: Path, tmp_path: Path
) -> None:
    """Without a number the program asks which."""
    _, stdout, _ = run("series", stations, "--json")
    rows = json.loads(stdout)["series"]
    assert [(r["stack"], r["stack_name"], r["detectable"]) for r in rows] == [
        (1, "upper station", True),
        (2, "lower station", True),
    ]
    _, stdout, _ = run("series", stations)
    assert "lower station" in stdout
    assert ", stack 2" in stdout
    status, _, message = run("detect", stations, "--model", quick_model)
    assert status == 2
    assert "say which by its stack" in message
    heights = []
    for stack in (1, 2):
        status, stdout, _ = run(
            "detect", stations, "--stack", stack, "--model", quick_model, "--json"
        )
        assert status == 0
        findings = json.loads(stdout)["findings"]
        assert findings
        heights.append(max(finding["centre_mm"][2] for finding in findings))
    assert heights[0] - heights[1] > SHIFT_MM / 2


def test_many_scans_and_a_study_know_them_apart(
    run: Run, stations: Path, quick_model: Path, tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    shutil.copytree(stations, scans / "one")
    words = ("detect", scans, "--many", "--model", quick_model, "--out", tmp_path / "out")
    _, stdout, _ = run(*words, "--json")
    rows = json.loads(stdout)["scans"]
    assert [(row["stack"], row["status"]) for row in rows] == [(1, "done"), (2, "done")]
    assert len({row["series"] for row in rows}) == 2
    assert len(list((tmp_path / "out").rglob("report.json"))) == 2
    study = tmp_path / "study"
    for stack in (1, 2):
        status, _, _ = run("study", "import", study, stations, "--stack", stack)
        assert status == 0
    assert [case.record.stack for case in Study(study).cases() if case.record] == [1, 2]
