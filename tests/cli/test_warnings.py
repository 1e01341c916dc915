"""What reading and detection warn of is in every record, and no doubtful result looks clean."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.study import Study

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def damaged_scan(scan: Path) -> Path:
    """The slice at one end is cut off within its header: its loss leaves no gap."""
    first = min(scan.iterdir(), key=lambda p: pydicom.dcmread(p).ImagePositionPatient[0])
    first.write_bytes(first.read_bytes()[:900])
    return scan


def test_a_warning_of_reading_reaches_the_records_of_detection(
    run: Run, damaged_scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """Terminal, ``--json``, ``report.json``: the same list, and the result is called doubtful."""
    words = ("detect", damaged_scan, "--model", quick_model, "--out", tmp_path / "out")
    status, stdout, _ = run(*words, "--json")
    assert status == 0
    report = json.loads(stdout)
    warning = report["warnings"][0]
    assert set(warning) == {"code", "sentence", "remedy"}
    assert warning["code"] == "files-damaged"
    assert "1 damaged file was passed over" in warning["sentence"]
    assert warning["remedy"].startswith("Copy")
    assert report["doubtful"] is True
    saved_report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert saved_report["warnings"] == report["warnings"]
    assert saved_report["doubtful"] is True
    _, stdout, message = run(*words)
    assert ", doubtful" in " ".join(stdout.split())
    assert f"Doubtful: {warning['sentence']}" in " ".join(message.split())


def test_a_doubtful_scan_is_no_clean_row_of_many(
    run: Run, damaged_scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """In the table, its file, the JSON and the report of the scan; also when it is kept."""
    scans, out_folder = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(damaged_scan, scans / "one")
    words = ("detect", scans, "--many", "--model", quick_model, "--out", out_folder)
    for _ in range(2):
        status, stdout, _ = run(*words, "--json")
        assert status == 0
        (row,) = json.loads(stdout)["scans"]
        assert row["status"] == "doubtful"
        assert row["warnings"][0]["code"] == "files-damaged"
        with (out_folder / "table.csv").open(encoding="utf-8", newline="") as stream:
            (line,) = csv.DictReader(stream)
        assert line["status"] == "doubtful"
        assert "files-damaged: 1 damaged file was passed over" in line["warnings"]
    (path,) = out_folder.rglob("report.json")
    assert json.loads(path.read_text())["warnings"] == row["warnings"]


def test_a_study_remembers_what_its_copy_cannot_show(
    run: Run, damaged_scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """The copy looks whole; the case, its map and its report say that a file was damaged."""
    study_path = tmp_path / "study"
    status, _, message = run("study", "import", study_path, damaged_scan)
    assert status == 0, message
    study = Study(study_path)
    (case,) = study.cases()
    assert "files-damaged" in [w.code for w in case.series().warnings]
    assert study.verify() == []
    out_folder = tmp_path / "report"
    status, _, message = run(
        *("export", "report", study_path, out_folder, "--case", case.name, "--model", quick_model)
    )
    assert status == 0, message
    text = (out_folder / "report.html").read_text(encoding="utf-8")
    assert "Doubtful: 1 damaged file was passed over" in text
    assert text.index("Doubtful:") < text.index("Size")
    (identity,) = study.map_identities()
    assert study.likelihood_map(case, identity).warnings[0].code == "files-damaged"
    words = ("detect", study_path, "--many", "--model", quick_model, "--out", tmp_path / "out")
    status, stdout, message = run(*words, "--json")
    assert status == 0, message
    assert json.loads(stdout)["scans"][0]["status"] == "doubtful"
    (case.path / "scan-warnings.json").write_text("{")
    with pytest.raises(SpinemetError, match=r"scan-warnings.json cannot be read; copy"):
        case.series()
