"""``spinemet study``: list, verify, and contours in and out."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.phantom.sample import sample_study
from napari_spinemet.study import Study

Run = Callable[..., tuple[int, str, str]]


def test_study_list_and_verify(run: Run, tmp_path: Path) -> None:
    """States with who and when; tampering is found, named, and ends with status 2."""
    folder = tmp_path / "study"
    shutil.copytree(sample_study(), folder, ignore=shutil.ignore_patterns("likelihood"))
    status, stdout, _ = run("study", "verify", folder, "--json")
    assert (status, json.loads(stdout)["wrong"]) == (0, [])
    study = Study(folder, write=True)
    case = study.cases()[0]
    series = case.series()
    case.save_annotation(case.annotation(series), series)
    study.close()
    status, stdout, _ = run("study", "list", folder, "--json")
    assert status == 0
    first, second = json.loads(stdout)["cases"]
    assert (first["case"], first["state"], second["case"]) == (
        "case-001",
        "contoured",
        "normal-001",
    )
    assert first["by"]
    assert first["at"]
    assert second["at"] == ""
    status, stdout, _ = run("study", "list", folder)
    assert status == 0
    assert "normal-001" in stdout
    status, stdout, err = run("study", "verify", folder)
    assert status == 0
    assert "doubtful: none" in err
    with sqlite3.connect(folder / "study.sqlite") as connection:
        connection.execute("UPDATE contours SET labels = x'00'")
    connection.close()
    status, stdout, err = run("study", "verify", folder)
    assert status == 2
    assert "Changed past the audit trail" in err
    assert run("study", "verify", tmp_path / "nowhere")[0] == 2


@pytest.mark.parametrize("file_format", ["seg", "nifti", "tiff"])
def test_contours_leave_a_study_and_enter_another_unchanged(
    run: Run, tmp_path: Path, file_format: str
) -> None:
    """With the scan copied or referred to; lesions, vertebrae and levels are the same."""
    source, target, files = sample_study(), tmp_path / "Studie Ä", tmp_path / "files"
    status, stdout, err = run("study", "export", source, files, "--format", file_format, "--json")
    assert status == 0, err
    names = json.loads(stdout)["files"]
    assert all(Path(name).is_file() for name in names)
    label_files = [name for name in names if "case-001" in name and "levels" not in name]
    contours = [part for name in label_files for part in ("--contours", name)]
    scan = source / "case-001" / "scan"
    status, stdout, err = run("study", "import", target, scan, "--refer", *contours, "--json")
    assert status == 0, err
    assert json.loads(stdout)["case"] == "case-001"
    case, source_case = Study(target).cases()[0], Study(source).cases()[0]
    assert case.scan == scan.resolve()
    series = case.series()
    copy, original = case.annotation(series), source_case.annotation(series)
    np.testing.assert_array_equal(copy.lesions, original.lesions)
    np.testing.assert_array_equal(copy.vertebrae, original.vertebrae)
    assert copy.levels == original.levels
    # The files name their reader, so they are kept beside those of the study.
    status, stdout, err = run("study", "import", target, "--case", "case-001", *contours)
    assert status == 0, err
    assert Study(target).cases()[0].readers() == [original.reader]
    status, _, err = run(
        "study", "import", target, "--case", "case-001", *contours, "--reader", "Dr Ö"
    )
    assert status == 0, err
    status, stdout, _ = run("study", "list", target, "--json")
    (row,) = json.loads(stdout)["cases"]
    assert (row["state"], row["readers"]) == ("contoured", sorted(["Dr Ö", original.reader]))
    status, _, err = run(
        "study", "export", target, files / "b", "--reader", "Dr Ö", "--format", file_format
    )
    assert status == 0, err
    assert run("study", "verify", target)[0] == 0


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
    ignore = shutil.ignore_patterns("likelihood", "*.sqlite*", "*.lock")
    shutil.copytree(sample_study(), study, ignore=ignore)
    paths = {"STUDY": study, "OUT": tmp_path / "out"}
    status, stdout, err = run("study", *(paths.get(word, word) for word in arguments))
    assert (status, stdout) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) <= 3
    assert not (tmp_path / "out").exists()
