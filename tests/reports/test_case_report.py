"""The report of a scan: what was found, judged and used."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet import __version__
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.disclaimer import DISCLAIMER
from napari_spinemet.imaging import Annotation, Examination, LikelihoodMap, SagittalSeries
from napari_spinemet.imaging.grids import working_affine
from napari_spinemet.network import load_card, load_model, provenance_sentence
from napari_spinemet.network.provenance import NOTHING_KNOWN, scans_learned_from
from napari_spinemet.reports import (
    CaseEvidence,
    CaseRequest,
    report_case,
    write_case_report,
)
from napari_spinemet.reports.case_page import case_page
from napari_spinemet.reports.page import write_page
from napari_spinemet.study import Study
from napari_spinemet.study.verdicts import Verdict
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.study_froc import study_curve

from .report_reading import csv_rows, read_alone
from .reported_study import IDENTITY, POINT, REPORT_TIME, evidence_of


def test_a_case_report_says_what_was_found_judged_and_used(study: Study, tmp_path: Path) -> None:
    """Findings, verdicts with their history, signature, settings, model, hashes, trail."""
    folder = tmp_path / "out"
    curve = study_curve(study, MapSource.of_model("default"), POINT).curve
    evidence = evidence_of(study, curve=("sample", curve))
    write_case_report(evidence, folder, report_time=REPORT_TIME)
    reader = read_alone(folder)
    findings = evidence.result.findings
    assert len(findings) == 2
    heading, *rows = reader.tables["findings"]
    verdicts = [row[heading.index("Verdict")] for row in rows]
    assert verdicts == ["accepted", "unsure"]
    for row, finding in zip(rows, findings, strict=True):
        assert float(row[heading.index("Volume (cm³)")]) == pytest.approx(
            finding.volume_cm3, abs=0.005
        )
        assert float(row[heading.index("Peak")]) == pytest.approx(finding.peak, abs=5e-4)
    assert [row[2] for row in reader.tables["verdicts"][1:]] == ["rejected", "accepted", "unsure"]
    assert len(reader.tables["detections"]) - 1 == len(evidence.result.detections)
    assert reader.fact("Verdicts").startswith("signed by ")
    assert reader.fact("Findings") == "2 (1 accepted, 1 unsure)"
    assert reader.fact("Threshold") == "0.500"
    assert reader.fact("Program") == f"napari-spinemet {__version__}"
    assert reader.fact("Made").startswith("2026-03-04 05:06 UTC")
    assert reader.fact("Identity") == IDENTITY
    weights = Path(load_model.__globals__["weights_path"]("default"))
    assert reader.fact("SHA-256 of the weights") == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert reader.fact("SHA-256 of the scan's files") == study.cases()[0].record.content_hash
    assert reader.fact("Series instance UID") == evidence.series.series_uid
    assert reader.fact("Audit trail").endswith(list(study.database.audit())[-1].chain)
    text = (folder / "report.html").read_text(encoding="utf-8")
    rate, _, total = curve.at(0.5)
    assert f"true positive rate of {rate:.1%} at {total:.2f} false" in text
    assert len(csv_rows(folder, "froc")) - 1 == len(curve.thresholds)
    assert "Every contoured lesion is touched" in text


def test_a_report_begins_with_what_the_model_has_learned_from(study: Study, tmp_path: Path) -> None:
    """In the words of the map, else of the card; without either it is not known."""
    evidence = evidence_of(study)
    plain = replace(evidence.result.plain, learned_from="The model has learned from <3> scans.")
    for name, case, sentence in (
        ("map", replace(evidence, result=evaluate(plain, POINT)), "learned from &lt;3&gt; scans."),
        ("card", evidence, provenance_sentence(load_card())),
        ("neither", replace(evidence, card=None), NOTHING_KNOWN),
    ):
        write_case_report(case, tmp_path / name, report_time=REPORT_TIME)
        read_alone(tmp_path / name)
        text = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        assert text.index(DISCLAIMER) < text.index(sentence) < text.index("<main>"), name


def test_a_case_whose_map_is_older_is_reported_with_the_words_of_the_card(
    study: Study, tmp_path: Path
) -> None:
    """Its map was stored before maps held them."""
    source = MapSource.of_model("default")
    request = CaseRequest("case-001", lambda point: point)
    page = report_case(study, request, tmp_path / "out", source)
    assert provenance_sentence(source.card) in page.read_text(encoding="utf-8")
    scans = scans_learned_from(source.card.training)
    assert read_alone(tmp_path / "out").fact("Trained").endswith(f"{scans} scans in all rounds")


def test_what_a_scanner_wrote_is_text(tmp_path: Path, make_series: object) -> None:
    """Markup in a description stays a description; a scan outside of a study has a report too."""
    series: SagittalSeries = make_series(
        description="<script>alert('x')</script> & \"STIR\"", warnings=("One <b>slice</b> is odd.",)
    )
    values = np.zeros(series.shape, np.float32)
    likelihood = LikelihoodMap(
        values, working_affine(series.affine), (0, values.shape[2]), series.spacing_mm, model="m@1"
    )
    evidence = CaseEvidence("a <i>scan</i>", series, evaluate(likelihood, POINT))
    write_case_report(evidence, tmp_path, report_time=REPORT_TIME)
    reader = read_alone(tmp_path)
    assert "<script>alert('x')</script>" in reader.fact("Series")
    assert not {"b", "i"} & set(reader.tags)
    assert reader.fact("Verdicts") == "not signed"
    assert reader.fact("SHA-256 of the scan's files") == "in no study"
    assert "Nothing was found" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_contoured_lesion_that_nothing_touches_is_told(
    tmp_path: Path, small_case: tuple[SagittalSeries, Annotation]
) -> None:
    """With its level, slices, area and volume, and a picture."""
    series, annotation = small_case
    values = np.zeros(series.shape, np.float32)
    likelihood = LikelihoodMap(
        values, working_affine(series.affine), (0, values.shape[2]), series.spacing_mm
    )
    evidence = CaseEvidence("x", series, evaluate(likelihood, POINT), annotation=annotation)
    write_case_report(evidence, tmp_path, report_time=REPORT_TIME)
    assert read_alone(tmp_path).tables["missed"][1] == ["1", "L2", "2", "0.64", "0.19"]
    assert (tmp_path / "figures" / "missed-1.svg").is_file()


def test_accepted_findings_come_first_and_rejected_ones_are_folded_away(
    study: Study, tmp_path: Path
) -> None:
    """In sentences, in the table and in the pictures; a draft says so."""
    evidence = evidence_of(study)
    verdicts = [Verdict("rejected", "haemangioma"), Verdict("accepted")]
    evidence = replace(evidence, verdicts=verdicts, signature="")
    page = case_page(evidence, REPORT_TIME)
    assert page.status == "Draft: not signed by a reader."
    write_page(page, tmp_path)
    heading, *rows = read_alone(tmp_path).tables["findings"]
    verdict = heading.index("Verdict")
    assert [row[verdict] for row in rows] == ["accepted", "rejected (haemangioma)"]
    second, first = evidence.result.findings
    assert float(rows[0][heading.index("Peak")]) == pytest.approx(first.peak, abs=5e-4)
    assert float(rows[1][heading.index("Peak")]) == pytest.approx(second.peak, abs=5e-4)
    sentences = [block.text for block in page.sections[0].blocks]
    assert sentences[0].startswith("Accepted as lesions: 1 finding, ")
    assert sentences[-1] == "Rejected: 1 finding (haemangioma)."
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "Pictures of 1 rejected finding" in folded
    assert 'id="finding-2"' in folded
    assert 'id="finding-1"' not in folded


def test_whose_scan_it_is_stands_on_top_unless_names_are_hidden(
    study: Study, tmp_path: Path
) -> None:
    """A report that is shown to others names the case alone, in no file of it."""
    evidence = evidence_of(study)
    whose = Examination("Mueller, Hans", "4711", "67 y", "M", "2026-03-01")
    evidence = replace(evidence, series=replace(evidence.series, examination=whose))
    write_case_report(evidence, tmp_path / "named", report_time=REPORT_TIME)
    assert "Mueller, Hans, 67 y, M, 2026-03-01" in (tmp_path / "named/report.html").read_text()
    write_case_report(replace(evidence, hides_names=True), tmp_path / "hidden")
    assert "case-001, 67 y, M<" in (tmp_path / "hidden/report.html").read_text()
    for file in (tmp_path / "hidden").rglob("*.*"):
        assert not any(word in file.read_bytes() for word in (b"Mueller", b"4711", b"2026-03-01"))
