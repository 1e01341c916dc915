"""The report of a study says what its curve says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_spinemet.evaluation.case_level import case_level
from napari_spinemet.imaging import ScanWarning
from napari_spinemet.network import load_card, provenance_sentence
from napari_spinemet.network.provenance import OUT_OF_FOLD
from napari_spinemet.reports import StudyEvidence, write_curve_report, write_study_report
from napari_spinemet.study import Study
from napari_spinemet.study.case.warnings_file import write_warnings
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.map_source import MapSource
from napari_spinemet.workflows.study_froc import cross_validation_curve, study_curve

from .report_reading import csv_rows, read_alone
from .reported_study import MAPS, POINT, REPORT_TIME, evidence_of


def test_a_study_report_says_what_its_curve_says(study: Study, tmp_path: Path) -> None:
    """Rates, the answers for the cases with their intervals, verdicts, and every point as CSV."""
    evidence_of(study)
    write_study_report(
        study, MapSource.of_model("default"), POINT, tmp_path / "out", report_time=REPORT_TIME
    )
    reader = read_alone(tmp_path / "out")
    curve = study_curve(study, MapSource.of_model("default"), POINT).curve
    rate, mean, total = curve.at(0.5)
    assert reader.fact("True positive rate").startswith(f"{rate:.1%}")
    assert reader.fact("False positives").startswith(f"{total:.2f} per scan; {mean:.3f}")
    assert reader.fact("Verdicts signed") == "1"
    cases = {row[0]: row for row in reader.tables["cases"][1:]}
    assert cases["case-001"][1] == "contoured, signed"
    assert cases["case-001"][-4:] == ["1", "0", "1", "0"]
    assert cases["normal-001"][2] == "no lesion"
    assert cases["normal-001"][5] == "diseased"  # wrongly
    level = case_level(curve, 0.5)
    low, high = level.specificity.interval()
    assert reader.tables["answers"][2][1:4] == ["0.000", "0 of 1", f"{low:.3f} to {high:.3f}"]
    points = [row for row in csv_rows(tmp_path / "out", "froc")[1:] if row[0] == "with aggregation"]
    table_points = np.array([[float(v) for v in row[1:]] for row in points])
    curve_points = np.array(
        [curve.thresholds, curve.tp_rate, curve.fp_mean, curve.fp_sum], dtype=float
    ).T
    np.testing.assert_array_equal(table_points, curve_points)
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Nothing was changed past the audit trail" in text
    assert provenance_sentence(load_card()) in text.partition("<main>")[0]


def test_a_doubtful_scan_is_no_clean_row(study: Study, tmp_path: Path) -> None:
    """What was warned of as its scan was copied stands beside its rates."""
    sentence = "1 damaged file was passed over, so slices at an end may be missing."
    write_warnings(study.case("case-001").path, [ScanWarning("files-damaged", sentence)])
    write_study_report(
        study, MapSource.of_model("default"), POINT, tmp_path / "out", report_time=REPORT_TIME
    )
    reader = read_alone(tmp_path / "out")
    header, *rows = reader.tables["cases"]
    marks = {row[0]: row[header.index("Scan")] for row in rows}
    assert marks["case-001"] == "doubtful"
    assert set(marks.values()) == {"doubtful", ""}
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"case-001: {sentence}" in text


def test_a_cross_validation_is_reported_without_its_networks(study: Study, tmp_path: Path) -> None:
    """Its maps are enough; that its card is not at hand is told."""
    maps = MapIdentity.of_cross_validation("run")
    for case in study.cases():
        likelihood = study.likelihood_map(case, MAPS)
        assert likelihood is not None
        study.save_likelihood_map(case, maps, likelihood)
    system = cross_validation_curve(study, maps, POINT)
    evidence = StudyEvidence(study, maps, system)
    write_curve_report(evidence, tmp_path / "out", report_time=REPORT_TIME)
    reader = read_alone(tmp_path / "out")
    assert reader.fact("Identity") == "crossval-run"
    assert {row[0] for row in reader.tables["systems"][1:]} == {
        "with aggregation",
        "without aggregation",
    }
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Its card is not at hand." in text
    assert OUT_OF_FOLD in text.partition("<main>")[0]
