"""One file that needs nothing else, tables that are those of the CSV files, written whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import PROGRAM, browser
from PIL import Image

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.jobs import CancelToken, JobContext
from napari_spinemet.reports import (
    write_case_report,
    write_study_report,
)
from napari_spinemet.study import Study
from napari_spinemet.study.verdicts import NO_VERDICT
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.study_froc import study_curve

from .report_reading import ReportReader, csv_rows, read_alone
from .reported_study import POINT, REPORT_TIME, evidence_of


def test_the_same_evidence_gives_the_same_files(study: Study, tmp_path: Path) -> None:
    """Byte for byte, so that a report can be checked by making it again."""
    evidence = evidence_of(study)
    for name in ("one", "two"):
        write_case_report(evidence, tmp_path / name, report_time=REPORT_TIME)
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    assert len(files) > 5
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    voxels = evidence.series.voxels.copy()
    voxels[0, 0, 0] += 1
    other = replace(evidence, series=replace(evidence.series, voxels=voxels))
    write_case_report(other, tmp_path / "three", report_time=REPORT_TIME)
    hashes = [
        ReportReader(tmp_path / name / "report.html").fact("SHA-256 of the voxels")
        for name in ("one", "three")
    ]
    assert hashes[0] != hashes[1]


def test_a_report_in_place_of_a_former_one_leaves_nothing_of_it(
    study: Study, tmp_path: Path
) -> None:
    """Neither its figures nor its tables; what is not a report's stays."""
    evidence, folder = evidence_of(study), tmp_path / "out"
    write_case_report(evidence, folder, report_time=REPORT_TIME)
    (folder / "figures" / "mine.txt").write_text("kept")
    assert (folder / "figures" / "finding-2.png").is_file()
    result = evaluate(evidence.result.plain, replace(POINT, threshold=0.8))
    write_case_report(
        replace(evidence, result=result, verdicts=[NO_VERDICT]), folder, report_time=REPORT_TIME
    )
    assert not (folder / "figures" / "finding-2.png").exists()
    assert (folder / "figures" / "mine.txt").read_text() == "kept"
    (folder / "figures" / "mine.txt").unlink()
    read_alone(folder)


def test_a_report_that_is_cancelled_or_cannot_be_written_leaves_no_page(
    study: Study, tmp_path: Path
) -> None:
    """The page is the last file; a sentence says what is wrong with the place."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        write_study_report(
            study,
            MapSource.of_model("default"),
            POINT,
            tmp_path / "out",
            job=JobContext(cancel=token),
        )
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpinemetError, match="cannot be written"):
        write_case_report(evidence_of(study), tmp_path / "file")


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="no Chromium is installed")
def test_a_browser_shows_the_report_without_a_complaint_or_a_request(
    study: Study, tmp_path: Path
) -> None:
    """Tables as in the CSV, every picture drawn, nothing cut off, and pages when printed."""
    curve = study_curve(study, MapSource.of_model("default"), POINT).curve
    write_case_report(
        evidence_of(study, curve=("sample", curve)), tmp_path / "case", report_time=REPORT_TIME
    )
    write_study_report(
        study, MapSource.of_model("default"), POINT, tmp_path / "all", report_time=REPORT_TIME
    )
    with browser(tmp_path / "profile") as window:
        for folder in (tmp_path / "case", tmp_path / "all"):
            page = folder / "report.html"
            window.open(page)
            tables = window.run(
                "Object.fromEntries([...document.querySelectorAll('table[id]')].map(t => [t.id, "
                "[...t.rows].map(r => [...r.cells].map(c => c.textContent))]))"
            )
            assert tables
            for name, rows in tables.items():
                assert rows == csv_rows(folder, name), name
            assert window.run("[...document.images].every(i => i.complete && i.naturalWidth > 300)")
            assert window.run("document.documentElement.scrollWidth <= window.innerWidth")
            window.picture(folder / "page.png")
            with Image.open(folder / "page.png") as image:
                assert np.asarray(image.convert("L")).std() > 10
            pdf = window.printed()
            assert pdf.startswith(b"%PDF")
            assert pdf.count(b"/Type /Page\n") >= 2
        requests = [a for a in window.requested if not a.startswith("data:")]
        assert requests == [(tmp_path / n / "report.html").as_uri() for n in ("case", "all")]
        assert window.complaints == []
