"""``spinemet series`` and ``detect``: JSON, files, and one sentence where something is amiss."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from napari_spinemet.detection import detect
from napari_spinemet.dicom import read_series
from napari_spinemet.network import load_card, load_model, provenance_sentence
from napari_spinemet.phantom.sample import sample_study

Run = Callable[..., tuple[int, str, str]]


def files_of(folder: Path) -> set[str]:
    return {str(p) for p in folder.rglob("*")}


def change(scan: Path, edit: Callable[[pydicom.Dataset, int], object]) -> None:
    for number, path in enumerate(sorted(scan.iterdir())):
        image = pydicom.dcmread(path)
        edit(image, number)
        image.save_as(path)


def test_series_json_has_the_contract_keys(run: Run) -> None:
    """One object on stdout and nothing else, with every key that other tools read."""
    status, stdout, _ = run("series", sample_study() / "case-001" / "scan", "--json")
    (series,) = json.loads(stdout)["series"]
    assert status == 0
    assert set(series) == {
        "series_uid",
        "description",
        "plane",
        "contrast",
        "slices",
        "spacing_mm",
        "detectable",
        "reason",
        "stack",
        "stack_name",
        "contrast_rule",
        "warnings",
    }
    assert (series["plane"], series["contrast"], series["slices"]) == ("sagittal", "STIR", 13)
    assert series["spacing_mm"] == pytest.approx([3, 1.13, 1.13])
    assert series["detectable"] is True


def test_brackets_in_a_description_are_text(run: Run, scan: Path) -> None:
    """What a scanner wrote is printed as it is, never taken for markup."""
    change(scan, lambda d, _: setattr(d, "SeriesDescription", "sag [stir] [/fs]"))
    status, stdout, _ = run("series", scan)
    assert status == 0
    assert "sag [stir] [/fs]" in stdout


def test_detect_json_reports_in_patient_coordinates(
    run: Run, scan: Path, quick_model: Path
) -> None:
    """Each detection's mm are those of its index under the affine of the scan."""
    status, stdout, _ = run("detect", scan, "--model", quick_model, "--json")
    assert status == 0
    report = json.loads(stdout)
    series = read_series(scan)
    assert report["series_uid"] == series.series_uid
    assert report["threshold"] == 0.4
    assert report["model"].startswith("quick@")
    assert report["detections"]
    for detection in report["detections"]:
        assert set(detection) == {"slice", "area_cm2", "centre_index", "centre_mm", "peak", "mean"}
        centre_mm = series.affine @ [*detection["centre_index"], 1]
        np.testing.assert_allclose(detection["centre_mm"], centre_mm[:3], atol=1e-6)
        assert detection["area_cm2"] >= 0.5
        assert detection["peak"] >= 0.4
    assert len(report["findings"]) <= len(report["detections"])


def test_refined_outlines_are_those_of_the_library(run: Run, scan: Path, quick_model: Path) -> None:
    """As many detections in the same slices, and what refining them gives; not for many scans."""
    common = ("detect", scan, "--model", quick_model, "--json")
    plain, with_edges = (json.loads(run(*common, *options)[1]) for options in ((), ("--refine",)))
    series = read_series(scan)
    model, card = load_model(str(quick_model)), load_card(str(quick_model))
    library_result = detect(series, model, card.operating_point).refine(series)
    assert [d["area_cm2"] for d in with_edges["detections"]] == pytest.approx(
        [d.area_cm2 for d in library_result.detections]
    )
    assert [d["slice"] for d in with_edges["detections"]] == [
        d["slice"] for d in plain["detections"]
    ]
    status, _, message = run(*common, "--refine", "--many", "--out", scan.parent / "out")
    assert status == 2
    assert "--refine" in message


def test_options_override_the_card(run: Run, scan: Path, quick_model: Path) -> None:
    """The paper's preset and single settings take the place of the card's."""
    _, stdout, _ = run("detect", scan, "--model", quick_model, "--preset", "paper", "--json")
    assert json.loads(stdout)["operating_point"] == {
        "threshold": 0.6,
        "min_area_cm2": 5.0,
        "weight": 0.4,
        "gate": False,
        "second_look": False,
    }
    _, stdout, _ = run(
        "detect", scan, "--model", quick_model, "--threshold", 0.5, "--min-area", 2, "--json"
    )
    point = json.loads(stdout)["operating_point"]
    assert (point["threshold"], point["min_area_cm2"], point["weight"]) == (0.5, 2.0, 0.5)
    assert point["second_look"] is False
    _, stdout, _ = run("detect", scan, "--model", quick_model, "--second-look", "--json")
    assert json.loads(stdout)["operating_point"]["second_look"] is True


def test_detect_writes_pictures_and_report(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """With --out there is a picture and a report that says what it is not for."""
    out_folder = tmp_path / "out"
    status, _, _ = run("detect", scan, "--model", quick_model, "--out", out_folder)
    assert status == 0
    assert (out_folder / "detections.png").read_bytes()[:4] == b"\x89PNG"
    assert "Research use only" in json.loads((out_folder / "report.json").read_text())["notice"]


def test_detect_says_what_the_model_has_learned_from(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """Above the findings, in the JSON and in the report."""
    sentence = provenance_sentence(load_card(str(quick_model)))
    words = ("detect", scan, "--model", quick_model)
    status, _, message = run(*words, "--out", tmp_path / "out")
    assert status == 0
    assert message.index(sentence) < message.index("Research use only")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (
        report["learned_from"] == json.loads(run(*words, "--json")[1])["learned_from"] == sentence
    )


def test_a_zip_gives_what_its_folder_gives(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """Detection on a zip of the scan reports the same."""
    archive = tmp_path / "scan.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in scan.iterdir():
            target.write(path, f"CD/{path.name}")
    reports = []
    for path in (scan, archive):
        _, stdout, _ = run("detect", path, "--model", quick_model, "--json")
        report = json.loads(stdout)
        report.pop("seconds")
        reports.append(report)
    assert reports[0] == reports[1]


def not_dicom(folder: Path) -> list[object]:
    (folder / "a.txt").write_text("not a scan")
    return ["detect", folder / "a.txt"]


def empty_folder(folder: Path) -> list[object]:
    (folder / "empty").mkdir()
    return ["series", folder / "empty"]


def wrong_plane(folder: Path) -> list[object]:
    change(folder / "scan", lambda d, _: setattr(d, "ImageOrientationPatient", [1, 0, 0, 0, 1, 0]))
    change(folder / "scan", lambda d, k: setattr(d, "ImagePositionPatient", [0, 0, 3 * k]))
    return ["detect", folder / "scan"]


def one_slice(folder: Path) -> list[object]:
    for path in sorted((folder / "scan").iterdir())[1:]:
        path.unlink()
    return ["detect", folder / "scan"]


def missing_spacing(folder: Path) -> list[object]:
    change(folder / "scan", lambda d, _: delattr(d, "PixelSpacing"))
    return ["detect", folder / "scan"]


def truncated_pixels(folder: Path) -> list[object]:
    path = sorted((folder / "scan").iterdir())[4]
    path.write_bytes(path.read_bytes()[:-5000])
    return ["detect", folder / "scan"]


def no_model(folder: Path) -> list[object]:
    (folder / "x.safetensors").write_bytes(b"\x80\x04 no model at all")
    return ["detect", folder / "scan", "--model", folder / "x.safetensors"]


def missing_model(folder: Path) -> list[object]:
    return ["detect", folder / "scan", "--model", "nonsense"]


def study_without_contours(folder: Path) -> list[object]:
    (folder / "study" / "case-001").mkdir(parents=True)
    shutil.copytree(folder / "scan", folder / "study" / "case-001" / "scan")
    return ["train", folder / "study"]


def froc_without_contours(folder: Path) -> list[object]:
    return ["froc", study_without_contours(folder)[1]]


def impossible_threshold(folder: Path) -> list[object]:
    return ["detect", folder / "scan", "--threshold", "1.5"]


def unknown_series(folder: Path) -> list[object]:
    return ["detect", folder / "scan", "--series", "1.2.3"]


BAD = {
    not_dicom: "not a DICOM",
    empty_folder: "empty",
    wrong_plane: "plane is axial",
    one_slice: "one slice",
    missing_spacing: "PixelSpacing",
    truncated_pixels: "truncated",
    no_model: "not a model",
    missing_model: "no model 'nonsense'",
    study_without_contours: "has contours",
    froc_without_contours: "has contours",
    impossible_threshold: "threshold",
    unknown_series: "No series",
}


@pytest.mark.parametrize(("make", "words"), BAD.items(), ids=[f.__name__ for f in BAD])
def test_bad_input_is_one_sentence(
    run: Run, scan: Path, tmp_path: Path, make: Callable[[Path], list[object]], words: str
) -> None:
    """What the user can mend ends with status 2 and one sentence; nothing is written."""
    arguments = make(tmp_path)
    former_files = files_of(tmp_path)
    options = ["--out", tmp_path / "out"] if arguments[0] == "detect" else []
    status, stdout, stderr = run(*arguments, *options)
    assert status == 2
    assert stdout == ""
    assert words in stderr
    assert "Traceback" not in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert files_of(tmp_path) == former_files
