"""The command: its JSON, its exit status, its one sentence."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from napari_spinemet.detection import detect
from napari_spinemet.dicom import read_series
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.network import load_card, load_model
from napari_spinemet.phantom.sample import sample_study
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows.cross_validation.study import validated_point

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A copy of the sample's diseased scan that may be damaged."""
    shutil.copytree(sample_study() / "case-001" / "scan", tmp_path / "scan")
    return tmp_path / "scan"


def files_of(folder: Path) -> set[str]:
    return {str(p) for p in folder.rglob("*")}


def change(scan: Path, edit: Callable[[pydicom.Dataset, int], object]) -> None:
    for number, path in enumerate(sorted(scan.iterdir())):
        image = pydicom.dcmread(path)
        edit(image, number)
        image.save_as(path)


def test_series_json_has_the_contract_keys(run: Run) -> None:
    """One object on stdout and nothing else, with every key that other tools read."""
    status, out, _ = run("series", sample_study() / "case-001" / "scan", "--json")
    (series,) = json.loads(out)["series"]
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
    }
    assert (series["plane"], series["contrast"], series["slices"]) == ("sagittal", "STIR", 13)
    assert series["spacing_mm"] == pytest.approx([3, 1.13, 1.13])
    assert series["detectable"] is True


def test_detect_json_reports_in_patient_coordinates(
    run: Run, scan: Path, quick_model: Path
) -> None:
    """Each detection's mm are those of its index under the affine of the scan."""
    status, out, _ = run("detect", scan, "--model", quick_model, "--json")
    assert status == 0
    report = json.loads(out)
    series = read_series(scan)
    assert report["series_uid"] == series.series_uid
    assert report["threshold"] == 0.4
    assert report["model"].startswith("quick@")
    assert report["detections"]
    for detection in report["detections"]:
        assert set(detection) == {"slice", "area_cm2", "centre_index", "centre_mm", "peak", "mean"}
        expected = series.affine @ [*detection["centre_index"], 1]
        np.testing.assert_allclose(detection["centre_mm"], expected[:3], atol=1e-6)
        assert detection["area_cm2"] >= 0.5
        assert detection["peak"] >= 0.4
    assert len(report["findings"]) <= len(report["detections"])


def test_refined_outlines_are_those_of_the_library(run: Run, scan: Path, quick_model: Path) -> None:
    """As many detections in the same slices, and what refining them gives; not for many scans."""
    common = ("detect", scan, "--model", quick_model, "--json")
    plain, refined = (json.loads(run(*common, *more)[1]) for more in ((), ("--refine",)))
    series = read_series(scan)
    model, card = load_model(str(quick_model)), load_card(str(quick_model))
    expected = detect(series, model, card.operating_point).refined(series)
    assert [d["area_cm2"] for d in refined["detections"]] == pytest.approx(
        [d.area_cm2 for d in expected.detections]
    )
    assert [d["slice"] for d in refined["detections"]] == [d["slice"] for d in plain["detections"]]
    status, _, said = run(*common, "--refine", "--many", "--out", scan.parent / "out")
    assert status == 2
    assert "--refine" in said


def test_options_override_the_card(run: Run, scan: Path, quick_model: Path) -> None:
    """The paper's preset and single settings take the place of the card's."""
    _, out, _ = run("detect", scan, "--model", quick_model, "--preset", "paper", "--json")
    assert json.loads(out)["operating_point"] == {
        "threshold": 0.6,
        "min_area_cm2": 5.0,
        "weight": 0.4,
        "gate": False,
    }
    _, out, _ = run(
        "detect", scan, "--model", quick_model, "--threshold", 0.5, "--min-area", 2, "--json"
    )
    point = json.loads(out)["operating_point"]
    assert (point["threshold"], point["min_area_cm2"], point["weight"]) == (0.5, 2.0, 0.5)


def test_detect_writes_pictures_and_report(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """With --out there is a picture and a report that says what it is not for."""
    out = tmp_path / "out"
    status, _, _ = run("detect", scan, "--model", quick_model, "--out", out)
    assert status == 0
    assert (out / "detections.png").read_bytes()[:4] == b"\x89PNG"
    assert "Research use only" in json.loads((out / "report.json").read_text())["notice"]


def test_a_zip_gives_what_its_folder_gives(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """Detection on a zip of the scan reports the same."""
    archive = tmp_path / "scan.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in scan.iterdir():
            target.write(path, f"CD/{path.name}")
    reports = []
    for place in (scan, archive):
        _, out, _ = run("detect", place, "--model", quick_model, "--json")
        report = json.loads(out)
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
    before = files_of(tmp_path)
    out = ["--out", tmp_path / "out"] if arguments[0] == "detect" else []
    status, stdout, stderr = run(*arguments, *out)
    assert status == 2
    assert stdout == ""
    assert words in stderr
    assert "Traceback" not in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("arguments", [["detect"], ["nonsense"], ["series", "--wrong", "x"]])
def test_wrong_use_is_one_sentence(run: Run, arguments: list[str]) -> None:
    """A command line that is none ends with status 2 and points to the help."""
    status, stdout, stderr = run(*arguments)
    assert status == 2
    assert stdout == ""
    assert len(stderr.strip().splitlines()) == 1
    assert "--help" in stderr


def test_interrupt_ends_with_a_word(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is the user's wish and no fault."""
    import napari_spinemet.dicom

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(napari_spinemet.dicom, "list_series", interrupted)
    status, _, stderr = run("series", "anywhere")
    assert (status, stderr.strip()) == (2, "Stopped.")


def test_brackets_in_a_description_are_text(run: Run, scan: Path) -> None:
    """What a scanner wrote is printed as it is, never taken for markup."""
    change(scan, lambda d, _: setattr(d, "SeriesDescription", "sag [stir] [/fs]"))
    status, out, _ = run("series", scan)
    assert status == 0
    assert "sag [stir] [/fs]" in out


def test_a_fault_of_ours_is_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen exception is owned up to, without a traceback."""
    import napari_spinemet.dicom

    def broken(_: object) -> None:
        raise KeyError("inside")

    monkeypatch.setattr(napari_spinemet.dicom, "list_series", broken)
    status, _, stderr = run("series", "anywhere")
    assert status == 1
    assert "its fault" in stderr
    assert "Traceback" not in stderr


def test_headless_demo_writes_pictures_and_a_report(run: Run, tmp_path: Path) -> None:
    """The demo detects on both sample cases with the shipped model and compares with truth."""
    status, _, stderr = run("demo", "--headless", "--out", tmp_path / "demo")
    assert status == 0
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert [c["case"] for c in report["cases"]] == ["case-001", "normal-001"]
    assert report["cases"][0]["findings"]
    assert "Research use only" in report["notice"]
    for name in ("case-001.png", "normal-001.png", "froc.png"):
        assert (tmp_path / "demo" / name).read_bytes()[:4] == b"\x89PNG"
    assert "Research use only" in stderr


def test_phantom_train_froc_from_the_command_line(run: Run, tmp_path: Path) -> None:
    """A tiny cohort is made, trained on and judged, each by its command."""
    cohort = tmp_path / "cohort"
    assert run("phantom", cohort, "--cases", 3, "--seed", 41)[0] == 0
    assert json.loads((cohort / "cohort.json").read_text())["phantom"]["seed"] == 41
    status, out, _ = run("train", cohort, "--epochs", 1, "--batches", 2, "--name", "t", "--json")
    assert status == 0
    card = json.loads(out)
    assert card["training"]["cases"] == 2
    assert card["training"]["command"].startswith("spinemet train")
    assert card["training"]["data"][0]["phantom"]["cases"] == 3
    model = cohort / "models" / "t.safetensors"
    # A network after two batches finds nothing; the curve and its two readings are there.
    status, out, _ = run("froc", cohort, "--model", model, "--json")
    assert status == 0
    report = json.loads(out)
    assert report["cases"] == 3
    assert "tp_rate_at_0.20_fp_per_scan" in report["systems"]["network"]
    assert "tp_rate_at_0.20_fp_mean_over_slices" in report["systems"]["network"]
    status, out, stderr = run("froc", cohort, "--model", model)
    assert (status, stderr.strip()) == (0, "")
    assert "network" in out
    at = report["at_operating_point"]
    assert f"(threshold {at['threshold']:.2f}, {at['min_area_cm2']:g} cm²" in out
    points = report["systems"]["network"]["points"]
    assert points["threshold"] == sorted(points["threshold"], reverse=True)


def test_benchmark_times_a_model_of_ones_own(run: Run, quick_model: Path) -> None:
    """One object, with the device and a rate for each way; a wrong device is one sentence."""
    status, out, _ = run(
        *("benchmark", "--model", quick_model, "--device", "cpu", "--precision", "float32"),
        *("--samples", 128, "--stride", 90, "--json"),
    )
    assert status == 0
    report = json.loads(out)
    assert report["device"].startswith("cpu")
    assert report["measurements"][0]["name"] == "detection, dense"
    assert all(m["rate"] > 0 for m in report["measurements"])
    status, out, err = run("benchmark", "--model", quick_model, "--device", "abacus")
    assert (status, out) == (2, "")
    assert "'abacus' is not available" in err


def test_study_list_and_verify(run: Run, tmp_path: Path) -> None:
    """States with who and when; tampering is found, named, and ends with status 2."""
    place = tmp_path / "study"
    shutil.copytree(sample_study(), place, ignore=shutil.ignore_patterns("likelihood"))
    status, out, _ = run("study", "verify", place, "--json")
    assert (status, json.loads(out)["wrong"]) == (0, [])
    study = Study(place, write=True)
    case = study.cases()[0]
    series = case.series()
    case.save_annotation(case.annotation(series), series)
    study.close()
    status, out, _ = run("study", "list", place, "--json")
    assert status == 0
    first, second = json.loads(out)["cases"]
    assert (first["case"], first["state"], second["case"]) == (
        "case-001",
        "contoured",
        "normal-001",
    )
    assert first["by"]
    assert first["at"]
    assert second["at"] == ""
    status, out, _ = run("study", "list", place)
    assert status == 0
    assert "normal-001" in out
    status, out, err = run("study", "verify", place)
    assert status == 0
    assert "doubtful: none" in err
    with sqlite3.connect(place / "study.sqlite") as connection:
        connection.execute("UPDATE contours SET labels = x'00'")
    connection.close()
    status, out, err = run("study", "verify", place)
    assert status == 2
    assert "Changed past the audit trail" in err
    assert run("study", "verify", tmp_path / "nowhere")[0] == 2


@pytest.mark.parametrize("chosen", ["seg", "nifti", "tiff"])
def test_contours_leave_a_study_and_enter_another_unchanged(
    run: Run, tmp_path: Path, chosen: str
) -> None:
    """With the scan copied or referred to; lesions, vertebrae and levels are the same."""
    here, there, files = sample_study(), tmp_path / "Studie Ä", tmp_path / "files"
    status, out, err = run("study", "export", here, files, "--format", chosen, "--json")
    assert status == 0, err
    written = json.loads(out)["files"]
    assert all(Path(name).is_file() for name in written)
    mine = [name for name in written if "case-001" in name]
    given = [part for name in mine if "levels" not in name for part in ("--contours", name)]
    scan = here / "case-001" / "scan"
    status, out, err = run("study", "import", there, scan, "--refer", *given, "--json")
    assert status == 0, err
    assert json.loads(out)["case"] == "case-001"
    case, former = Study(there).cases()[0], Study(here).cases()[0]
    assert case.scan == scan.resolve()
    series = case.series()
    got, wanted = case.annotation(series), former.annotation(series)
    np.testing.assert_array_equal(got.lesions, wanted.lesions)
    np.testing.assert_array_equal(got.vertebrae, wanted.vertebrae)
    assert got.levels == wanted.levels
    # The files name their reader, so they are kept beside those of the study.
    status, out, err = run("study", "import", there, "--case", "case-001", *given)
    assert status == 0, err
    assert Study(there).cases()[0].readers() == [wanted.reader]
    status, _, err = run("study", "import", there, "--case", "case-001", *given, "--reader", "Dr Ö")
    assert status == 0, err
    status, out, _ = run("study", "list", there, "--json")
    (row,) = json.loads(out)["cases"]
    assert (row["state"], row["readers"]) == ("contoured", sorted(["Dr Ö", wanted.reader]))
    status, _, err = run(
        "study", "export", there, files / "b", "--reader", "Dr Ö", "--format", chosen
    )
    assert status == 0, err
    assert run("study", "verify", there)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "STUDY"], "either a scan, or a case"),
        (["import", "STUDY", "--case", "case-001"], "with --contours"),
        (["import", "STUDY", "--case", "case-009", "--contours", "x.nii"], "no case case-009"),
        (["import", "STUDY", "--case", "case-001", "--contours", "x.nii"], "x.nii"),
        (["export", "STUDY", "OUT", "--format", "mhd"], "one of seg, nifti, tiff"),
        (["export", "STUDY", "OUT", "--reader", "Dr A"], "no contours by Dr A"),
        (["export", "STUDY", "OUT", "--case", "case-009"], "no case case-009"),
    ],
)
def test_study_commands_say_what_is_wrong(
    run: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """In one sentence, with status 2; nothing is written."""
    study = tmp_path / "study"
    left = shutil.ignore_patterns("likelihood", "*.sqlite*", "*.lock")
    shutil.copytree(sample_study(), study, ignore=left)
    places = {"STUDY": study, "OUT": tmp_path / "out"}
    status, out, err = run("study", *(places.get(word, word) for word in arguments))
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) <= 3
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_crossval_of_a_small_study(run: Run, tmp_path: Path) -> None:
    """Its maps are in the study, its report tells the folds, and another run of it is at once."""
    study = tmp_path / "study"
    assert run("phantom", study, "--cases", "3", "--seed", "5")[0] == 0
    options = ("--folds", 3, "--epochs", 1, "--batches", 1, "--scheduler", "none", "--json")
    status, out, err = run("crossval", study, *options)
    assert status == 0, err
    report = json.loads(out)
    tests = [fold["test"] for fold in report["folds"]]
    assert sorted(name for held in tests for name in held) == ["case-001", "case-002", "case-003"]
    for fold in report["folds"]:
        parts = [set(fold[k]) for k in ("training", "validation", "test")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 3
    assert set(report["froc"]) >= {"aggregated", "plain"}
    place = Study(study)
    for case in place.cases():
        held = place.likelihood_map(case, MapIdentity.of_cross_validation("run"))
        assert held is not None
        assert held.model.startswith("crossval-")
    told = report["operating_point"]
    assert validated_point(place, "run") == (None if told is None else OperatingPoint(**told))
    again = run("crossval", study, *options)
    assert json.loads(again[1])["froc"] == report["froc"]
    # One fold again by itself; its report does not take the place of the whole one's.
    whole = (study / "crossval" / "run" / "report.json").read_bytes()
    for name in ("run", "alone"):
        status, out, err = run("crossval", study, *options, "--fold", 2, "--name", name)
        assert status == 0, err
        assert json.loads(out)["folds"] == [report["folds"][1]]
        assert (study / "crossval" / name / "report-fold-2.json").is_file()
    assert (study / "crossval" / "run" / "report.json").read_bytes() == whole
    assert not (study / "crossval" / "alone" / "report.json").exists()
    status, _, err = run("crossval", study, "--folds", 9, "--scheduler", "none")
    assert status == 2
    assert "cannot be split into 9 folds" in err
    status, _, err = run("crossval", study, *options, "--seed", 4)
    assert status == 2
    assert "other settings or cases" in err


def test_many_scans_end_with_a_table_and_a_sentence_on_what_failed(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """One bad scan among good ones: status 2, all of it in the JSON, the good ones kept."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(scan, scans / "good")
    (scans / "bad").mkdir()
    (scans / "bad" / "IM0001").write_bytes(b"no picture")
    words = ["detect", str(scans), "--many", "--model", str(quick_model), "--json"]
    status, said, why = run(*words, "--out", str(out))
    assert status == 2
    assert "1 of 2 series failed (bad:" in why
    told = json.loads(said)
    assert [(row["scan"], row["status"]) for row in told["scans"]] == [
        ("bad", "failed"),
        ("good", "done"),
    ]
    assert (out / "table.csv").is_file()
    shutil.rmtree(scans / "bad")
    status, said, _ = run(*words[:-1], "--out", str(out))
    assert status == 0
    assert "good" in said
    assert run(*words)[0] == 2  # nowhere to put what is found
    assert run(*words, "--out", str(out), "--series", "1.2")[0] == 2
