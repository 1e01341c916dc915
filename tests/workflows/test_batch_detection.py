"""Many scans: what is bad is a line of the table, and what is done is not done again."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.jobs import CancelToken, JobContext, Progressed
from napari_spinemet.phantom.sample import sample_study
from napari_spinemet.workflows import batch_detection as module
from napari_spinemet.workflows.batch_detection import (
    STATUS_DONE,
    STATUS_FAILED,
    detect_many,
    scans_in,
)
from napari_spinemet.workflows.map_source import MapSource


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two good scans, one that is cut off, one folder without a picture."""
    folder = tmp_path / "scans"
    for name, case in (("a", "case-001"), ("d", "normal-001")):
        shutil.copytree(sample_study() / case / "scan", folder / name)
    shutil.copytree(folder / "a", folder / "b")
    for file in (folder / "b").iterdir():
        file.write_bytes(file.read_bytes()[:-2000])
    (folder / "c").mkdir()
    (folder / "c" / "letter.txt").write_text("no picture")
    return folder


def _run(scans: Path, out: Path, model: Path, **given: Any) -> Any:
    source = MapSource.of_model(str(model))
    return detect_many(scans, out, source, source.card.operating_point, **given)


def test_a_bad_scan_is_a_row_and_the_rest_is_done_once(
    scans: Path, tmp_path: Path, quick_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports, pictures and a table; a second run makes nothing, a changed scan only itself."""
    out = tmp_path / "out"
    table = _run(scans, out, quick_model)
    assert [(row.scan, row.status) for row in table if row.scan in "ad"] == [
        ("a", STATUS_DONE),
        ("d", STATUS_DONE),
    ]
    assert {row.status for row in table if row.scan in "bc"} <= {STATUS_FAILED, "not usable"}
    assert all(row.reason for row in table if row.status != STATUS_DONE)
    written = list(csv.DictReader((out / "table.csv").open(encoding="utf-8")))
    assert [line["status"] for line in written] == [row.status for row in table]
    assert len(list(out.rglob("report.json"))) == len(list(out.rglob("detections.png"))) == 2
    made = []
    one = module._detect_one
    monkeypatch.setattr(module, "_detect_one", lambda *a, **k: made.append(a[1]) or one(*a, **k))
    assert _run(scans, out, quick_model) == table
    assert not [place for place in made if Path(place).name in "ad"]
    made.clear()
    shutil.rmtree(scans / "d")
    shutil.copytree(scans / "a", scans / "d")
    _run(scans, out, quick_model)
    assert [Path(place).name for place in made if Path(place).name in "ad"] == ["d"]


def test_an_interrupted_run_keeps_what_it_has(
    scans: Path, tmp_path: Path, quick_model: Path
) -> None:
    """Cancelled after the first scan, the next run begins with the second."""
    out, token = tmp_path / "out", CancelToken()

    def stop(event: Any) -> None:
        if isinstance(event, Progressed) and event.task == "detect" and "done" in event.message:
            token.cancel()

    with pytest.raises(Cancelled):
        _run(scans, out, quick_model, job=JobContext(stop, token))
    assert len(list(out.rglob("report.json"))) == 1
    assert not (out / "table.csv").exists()
    assert sum(row.status == STATUS_DONE for row in _run(scans, out, quick_model)) == 2


def test_a_study_is_its_cases(tmp_path: Path) -> None:
    """Their scans and not their contours; what is no folder or empty is said."""
    names = [name for name, _ in scans_in(sample_study())]
    assert names == ["case-001", "normal-001"]
    assert all(place.name == "scan" for _, place in scans_in(sample_study()))
    with pytest.raises(SpinemetError, match="one folder a scan"):
        scans_in(tmp_path / "nowhere")
    with pytest.raises(SpinemetError, match="nothing in"):
        scans_in(tmp_path)
