"""``spinemet export``: files, JSON, and one sentence where something is amiss."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.detection import detect
from napari_spinemet.evaluation.published_curves import read_points
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.network import load_card, load_model
from napari_spinemet.study import Study

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def study(tmp_path: Path, cropped_sample: Path) -> Path:
    """A small study whose maps are still to be made."""
    return Path(shutil.copytree(cropped_sample, tmp_path / "study"))


def test_figures_show_what_froc_prints(
    run: Run, study: Path, tmp_path: Path, quick_model: Path
) -> None:
    """The table of figure 5 holds its points, its facts the settings; what is left out is told."""
    out_folder = tmp_path / "figures"
    common = ("--model", quick_model, "--min-area", 1, "--weight", 0.6)
    status, stdout, _ = run(
        "export", "figures", study, out_folder, *common, "--threshold", 0.45, "--only", 5, "--json"
    )
    assert status == 0
    report = json.loads(stdout)
    assert report["model"].startswith("quick@")
    point = {"threshold": 0.45, "min_area_cm2": 1.0, "weight": 0.6, "gate": False}
    assert report["operating_point"] == point
    assert set(report["files"]) == {str(p) for p in out_folder.iterdir()}
    (figure,) = json.loads((out_folder / "figures.json").read_text())["figures"].values()
    assert figure["operating_point"] == point
    assert "The cases are synthetic." in figure["caption"]
    assert (out_folder / "figure-5.png").read_bytes()[:4] == b"\x89PNG"
    assert b"</svg>" in (out_folder / "figure-5.svg").read_bytes()
    status, stdout, _ = run("froc", study, *common, "--json")
    assert status == 0
    points = json.loads(stdout)["systems"]["network"]["points"]
    table = np.genfromtxt(out_folder / "figure-5-with-aggregation.csv", delimiter=",", names=True)
    assert table.dtype.names == tuple(points)
    for column, values in points.items():
        assert table[column].tolist() == values
    assert read_points(out_folder / "figure-5-without-aggregation.csv")
    status, stdout, message = run(
        "export", "figures", study, out_folder, *common, "--threshold", 1, "--only", 8, "--json"
    )
    assert status == 0
    assert json.loads(stdout)["left_out"]["figure-8"] in message


def test_files_are_named_on_stderr(run: Run, study: Path, tmp_path: Path) -> None:
    """Without --json; a figure without maps needs no network to run."""
    status, stdout, message = run(
        "export", "figures", study, tmp_path / "figures", "--only", 4, "--case", "case-001"
    )
    assert (status, stdout) == (0, "")
    for name in ("figure-4.png", "figure-4.svg", "figures.json"):
        assert str(tmp_path / "figures" / name) in message
    assert not (study / "likelihood").exists()


def no_contours(study: Path) -> list[object]:
    for case in study.glob("*/contours"):
        shutil.rmtree(case)
    return []


def only_a_normal_case(study: Path) -> list[object]:
    shutil.rmtree(study / "case-001")
    return ["--only", 3]


def no_such_folds(study: Path) -> list[object]:
    return ["--folds", "tenfold"]


def no_such_preset(study: Path) -> list[object]:
    return ["--preset", "mine"]


def no_such_figure(study: Path) -> list[object]:
    return ["--only", 1]


def impossible_threshold(study: Path) -> list[object]:
    return ["--threshold", 1.5]


BAD = {
    no_contours: "draw some first",
    only_a_normal_case: "which figure 3 must show; contour one",
    no_such_folds: "spinemet crossval",
    no_such_preset: "the only one is 'paper'",
    no_such_figure: "choose among 3 to 8",
    impossible_threshold: "threshold",
}


@pytest.mark.parametrize(("make", "words"), BAD.items(), ids=[f.__name__ for f in BAD])
def test_what_is_amiss_is_one_sentence(
    run: Run, study: Path, tmp_path: Path, make: Callable[[Path], list[object]], words: str
) -> None:
    """Status 2, nothing on stdout, nothing written."""
    options = make(study)
    status, stdout, message = run("export", "figures", study, tmp_path / "figures", *options)
    assert (status, stdout) == (2, "")
    assert words in message
    assert len(message.strip().splitlines()) == 1
    assert not (tmp_path / "figures").exists()


def test_a_report_of_a_case_is_of_what_was_signed(
    run: Run, study: Path, tmp_path: Path, quick_model: Path
) -> None:
    """The model, settings and findings of the last run, unless others are asked for."""
    (study / "models").mkdir()
    for file in quick_model.parent.iterdir():
        shutil.copy(file, study / "models" / file.name)
    model, card = load_model(quick_model), load_card(quick_model)
    open_study = Study(study, write=True)
    case = open_study.cases()[0]
    series = case.series()
    point = OperatingPoint(0.45, 0.8, 0.6, False)
    result = detect(series, model, point, identity=card.identity)
    for finding in result.findings:
        case.judge(series, finding.centre_mm, "rejected", all_judged=False)
    settings = {**point.to_dict(), "columns": "centre", "refined": True}
    result_with_edges = result.refine(series)
    for finding in result_with_edges.findings:
        case.judge(series, finding.centre_mm, "rejected", all_judged=True)
    case.sign(
        series, (card.identity, card.name, card.to_json()), settings, result_with_edges.findings
    )
    open_study.close()
    out_folder = tmp_path / "report"
    status, stdout, _ = run("export", "report", study, out_folder, "--case", "case-001", "--json")
    assert status == 0
    assert json.loads(stdout)["report"] == str(out_folder / "report.html")
    text = (out_folder / "report.html").read_text(encoding="utf-8")
    assert card.identity in text
    assert "signed by" in text
    assert "fitted to the picture" in text
    with (out_folder / "tables" / "findings.csv").open(encoding="utf-8-sig") as stream:
        areas = [float(row["Largest area (cm²)"]) for row in csv.DictReader(stream)]
    assert areas == pytest.approx(
        [f.largest.area_cm2 for f in result_with_edges.findings], abs=0.005
    )
    other = tmp_path / "other"
    status, _, _ = run("export", "report", study, other, "--case", "case-001", "--threshold", 0.9)
    assert status == 0
    assert "<td>0.900</td>" in (other / "report.html").read_text(encoding="utf-8")


def test_a_report_of_a_study_needs_no_detection(
    run: Run, study: Path, tmp_path: Path, quick_model: Path
) -> None:
    """Its maps are made; the page, its tables and its figures are there."""
    out_folder = tmp_path / "report"
    status, _, err = run("export", "report", study, out_folder, "--model", quick_model)
    assert status == 0, err
    assert {p.name for p in (out_folder / "tables").iterdir()} >= {
        "cases.csv",
        "answers.csv",
        "froc.csv",
    }
    assert (out_folder / "figures" / "froc.svg").is_file()


def test_a_report_that_cannot_be_made_says_why(
    run: Run, study: Path, tmp_path: Path, quick_model: Path
) -> None:
    """One sentence, and nothing is written."""
    out_folder = tmp_path / "report"
    for arguments, words in (
        (("--case", "case-001"), "was not detected on yet"),
        (("--case", "case-009"), "has no case case-009"),
        (("--folds", "none"), "no maps of a cross-validation 'none'"),
        (("--folds", "none", "--model", quick_model), "leave one of them out"),
        (("--preset", "best"), "no preset 'best'"),
    ):
        status, _, err = run("export", "report", study, out_folder, *arguments)
        assert status == 2
        assert words in err
        assert len(err.strip().splitlines()) <= 3
    assert not out_folder.exists()
