"""Reports: one file that needs nothing else, and tables that are those of the CSV files."""

from __future__ import annotations

import csv
import datetime
import hashlib
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import PROGRAM, browser
from PIL import Image
from scipy import ndimage

from napari_spinemet import __version__
from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.disclaimer import DISCLAIMER
from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.evaluation.case_level import case_level
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint, SagittalSeries
from napari_spinemet.imaging.grids import resample_labels, working_affine
from napari_spinemet.jobs import CancelToken
from napari_spinemet.network import load_card, load_model
from napari_spinemet.phantom.sample import sample_study
from napari_spinemet.reports import (
    CaseEvidence,
    case_evidence,
    write_case_report,
    write_study_report,
)
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.study_froc import study_curve

NOW = datetime.datetime(2026, 3, 4, 5, 6, tzinfo=datetime.UTC)
POINT = OperatingPoint(0.5, 1.0, 0.6, gate=False)
IDENTITY = load_card().identity
MAPS = MapIdentity.of_model(IDENTITY)


class Read(HTMLParser):
    """Tables, headings and addresses of a page, by the standard library."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.facts: list[list[str]] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self._rows: list[list[str]] | None = None
        self._cell: list[str] | None = None
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [str(given[k]) for k in ("src", "href", "action") if k in given]
        if tag == "table":
            name = given.get("id")
            self._rows = self.tables.setdefault(name, []) if name else self.facts
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = []

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None and self._rows is not None:
            self._rows[-1].append("".join(self._cell))
            self._cell = None

    def fact(self, name: str) -> str:
        """What stands beside a name."""
        (found,) = (value for key, value in self.facts if key == name)
        return found


def in_csv(folder: Path, name: str) -> list[list[str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """The sample study with maps: the lesion at 0.9, and a false region at 0.6 in each case."""
    place = tmp_path / "study"
    shutil.copytree(sample_study(), place, ignore=shutil.ignore_patterns("likelihood", "models"))
    made = Study(place, write=True)
    for case, series, annotation in made.contoured_cases():
        lesions = resample_labels(annotation.lesions, series.spacing_mm[1:]) > 0
        values = 0.9 * lesions.astype(np.float32)
        values[3:6, 20:40, 100:120] = 0.6
        values = ndimage.gaussian_filter(values, (0, 1, 1)).astype(np.float32)
        made.save_likelihood_map(
            case,
            MAPS,
            LikelihoodMap(
                values,
                working_affine(series.affine),
                (0, values.shape[2]),
                series.spacing_mm,
                model=IDENTITY,
                series_uid=series.series_uid,
            ),
        )
    return made


def evidence_of(study: Study, **more: object) -> CaseEvidence:
    """The diseased case, its first finding rejected and then accepted, and signed."""
    case = study.cases()[0]
    series = case.series()
    annotation = case.annotation(series)
    plain = study.likelihood_map(case, MAPS)
    result = evaluate(plain, POINT)
    card = load_card()
    for verdict in ("rejected", "accepted"):
        case.judge(series, result.findings[0].centre_mm, verdict, all_judged=False)
    for finding in result.findings[1:]:
        case.judge(series, finding.centre_mm, "unsure", all_judged=True)
    model = (card.identity, card.name, card.to_json())
    case.sign(series, model, POINT.to_dict(), result.findings)
    return case_evidence(study, case, series, result, annotation, card=card, **more)


def alone(folder: Path) -> Read:
    """Read a page that must need nothing but itself, and whose tables are those beside it."""
    page = folder / "report.html"
    read, text = Read(page), page.read_text(encoding="utf-8")
    assert not {"script", "link", "iframe", "object", "form"} & set(read.tags)
    assert all(a.startswith("data:image/") for a in read.addresses)
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?!data:)\w+:", text)
    assert "default-src 'none'" in text
    assert text.count(DISCLAIMER) >= 2
    for name, rows in read.tables.items():
        assert in_csv(folder, name) == rows, name
    shown = {p.stem for p in (folder / "figures").iterdir()}
    assert len(shown) == len(read.addresses)
    for name in shown:
        with Image.open(folder / "figures" / f"{name}.png") as image:
            image.load()
            assert image.size[0] > 300
        assert ElementTree.parse(folder / "figures" / f"{name}.svg").getroot().tag.endswith("svg")
    return read


def test_a_case_report_says_what_was_found_judged_and_used(study: Study, tmp_path: Path) -> None:
    """Findings, verdicts with their history, signature, settings, model, hashes, trail."""
    out = tmp_path / "out"
    curve = study_curve(study, load_model(), MAPS, POINT).curve
    evidence = evidence_of(study, curve=("sample", curve))
    write_case_report(evidence, out, now=NOW)
    read = alone(out)
    findings = evidence.result.findings
    assert len(findings) == 2
    heading, *rows = read.tables["findings"]
    said = [row[heading.index("Verdict")] for row in rows]
    assert said == ["accepted", "unsure"]
    for row, finding in zip(rows, findings, strict=True):
        assert float(row[heading.index("Volume (cm³)")]) == pytest.approx(
            finding.volume_cm3, abs=0.005
        )
        assert float(row[heading.index("Peak")]) == pytest.approx(finding.peak, abs=5e-4)
    assert [row[2] for row in read.tables["verdicts"][1:]] == ["rejected", "accepted", "unsure"]
    assert len(read.tables["detections"]) - 1 == len(evidence.result.detections)
    assert read.fact("Verdicts").startswith("signed by ")
    assert read.fact("Findings") == "2 (1 accepted, 1 unsure)"
    assert read.fact("Threshold") == "0.500"
    assert read.fact("Program") == f"napari-spinemet {__version__}"
    assert read.fact("Made").startswith("2026-03-04 05:06 UTC")
    assert read.fact("Identity") == IDENTITY
    weights = Path(load_model.__globals__["weights_path"]("default"))
    assert read.fact("SHA-256 of the weights") == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert read.fact("SHA-256 of the scan's files") == study.cases()[0].record.content_hash
    assert read.fact("Series instance UID") == evidence.series.series_uid
    assert read.fact("Audit trail").endswith(list(study.database.audit())[-1].chain)
    text = (out / "report.html").read_text(encoding="utf-8")
    rate, _, total = curve.at(0.5)
    assert f"true positive rate of {rate:.1%} at {total:.2f} false" in text
    assert len(in_csv(out, "froc")) - 1 == len(curve.thresholds)
    assert "Every contoured lesion is touched" in text


def test_the_same_evidence_gives_the_same_files(study: Study, tmp_path: Path) -> None:
    """Byte for byte, so that a report can be checked by making it again."""
    evidence = evidence_of(study)
    for name in ("one", "two"):
        write_case_report(evidence, tmp_path / name, now=NOW)
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file()]
    assert len(files) > 5
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    altered = evidence.series.voxels.copy()
    altered[0, 0, 0] += 1
    other = replace(evidence, series=replace(evidence.series, voxels=altered))
    write_case_report(other, tmp_path / "three", now=NOW)
    hashes = [
        Read(tmp_path / name / "report.html").fact("SHA-256 of the voxels")
        for name in ("one", "three")
    ]
    assert hashes[0] != hashes[1]


def test_a_report_in_place_of_a_former_one_leaves_nothing_of_it(
    study: Study, tmp_path: Path
) -> None:
    """Neither its figures nor its tables; what is not a report's stays."""
    evidence, out = evidence_of(study), tmp_path / "out"
    write_case_report(evidence, out, now=NOW)
    (out / "figures" / "mine.txt").write_text("kept")
    assert (out / "figures" / "finding-2.png").is_file()
    fewer = evaluate(evidence.result.plain, replace(POINT, threshold=0.8))
    write_case_report(replace(evidence, result=fewer, verdicts=[""]), out, now=NOW)
    assert not (out / "figures" / "finding-2.png").exists()
    assert (out / "figures" / "mine.txt").read_text() == "kept"
    (out / "figures" / "mine.txt").unlink()
    alone(out)


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
    write_case_report(evidence, tmp_path, now=NOW)
    read = alone(tmp_path)
    assert "<script>alert('x')</script>" in read.fact("Series")
    assert not {"b", "i"} & set(read.tags)
    assert read.fact("Verdicts") == "not signed"
    assert read.fact("SHA-256 of the scan's files") == "in no study"
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
    write_case_report(evidence, tmp_path, now=NOW)
    assert alone(tmp_path).tables["missed"][1] == ["1", "L2", "2", "0.64", "0.19"]
    assert (tmp_path / "figures" / "missed-1.svg").is_file()


def test_a_study_report_says_what_its_curve_says(study: Study, tmp_path: Path) -> None:
    """Rates, the answers for the cases with their intervals, verdicts, and every point as CSV."""
    evidence_of(study)
    write_study_report(
        study, IDENTITY, POINT, tmp_path / "out", model=load_model(), card=load_card(), now=NOW
    )
    read = alone(tmp_path / "out")
    curve = study_curve(study, load_model(), MAPS, POINT).curve
    rate, mean, total = curve.at(0.5)
    assert read.fact("True positive rate").startswith(f"{rate:.1%}")
    assert read.fact("False positives").startswith(f"{total:.2f} per scan; {mean:.3f}")
    assert read.fact("Verdicts signed") == "1"
    cases = {row[0]: row for row in read.tables["cases"][1:]}
    assert cases["case-001"][1] == "contoured, signed"
    assert cases["case-001"][-4:] == ["1", "0", "1", "0"]
    assert cases["normal-001"][2] == "no lesion"
    assert cases["normal-001"][5] == "diseased"  # wrongly
    level = case_level(curve, 0.5)
    low, high = level.specificity.interval()
    assert read.tables["answers"][2][1:4] == ["0.000", "0 of 1", f"{low:.3f} to {high:.3f}"]
    points = [row for row in in_csv(tmp_path / "out", "froc")[1:] if row[0] == "with aggregation"]
    told = np.array([[float(v) for v in row[1:]] for row in points])
    held = np.array([curve.thresholds, curve.tp_rate, curve.fp_mean, curve.fp_sum], dtype=float).T
    np.testing.assert_array_equal(told, held)
    assert "Nothing was changed past the audit trail" in (
        tmp_path / "out" / "report.html"
    ).read_text(encoding="utf-8")


def test_a_report_that_is_cancelled_or_cannot_be_written_leaves_no_page(
    study: Study, tmp_path: Path
) -> None:
    """The page is the last file; a sentence says what is wrong with the place."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        write_study_report(
            study, IDENTITY, POINT, tmp_path / "out", model=load_model(), cancel=token
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
    curve = study_curve(study, load_model(), MAPS, POINT).curve
    write_case_report(evidence_of(study, curve=("sample", curve)), tmp_path / "case", now=NOW)
    write_study_report(
        study, IDENTITY, POINT, tmp_path / "all", model=load_model(), card=load_card(), now=NOW
    )
    with browser(tmp_path / "profile") as seen:
        for folder in (tmp_path / "case", tmp_path / "all"):
            page = folder / "report.html"
            seen.open(page)
            shown = seen.run(
                "Object.fromEntries([...document.querySelectorAll('table[id]')].map(t => [t.id, "
                "[...t.rows].map(r => [...r.cells].map(c => c.textContent))]))"
            )
            assert shown
            for name, rows in shown.items():
                assert rows == in_csv(folder, name), name
            assert seen.run("[...document.images].every(i => i.complete && i.naturalWidth > 300)")
            assert seen.run("document.documentElement.scrollWidth <= window.innerWidth")
            seen.picture(folder / "page.png")
            with Image.open(folder / "page.png") as image:
                assert np.asarray(image.convert("L")).std() > 10
            pdf = seen.printed()
            assert pdf.startswith(b"%PDF")
            assert pdf.count(b"/Type /Page\n") >= 2
        asked = [a for a in seen.requested if not a.startswith("data:")]
        assert asked == [(tmp_path / n / "report.html").as_uri() for n in ("case", "all")]
        assert seen.complaints == []
