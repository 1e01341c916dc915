"""A study on disk: its cases, what is imported, and who may write."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom
import pytest

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.phantom.sample import SEED
from napari_spinemet.study import Study
from napari_spinemet.study.connections import Readers
from napari_spinemet.study.database import (
    CONTOURS_APPROVED,
    CaseRecord,
)


def test_cases_are_folders_with_a_scan_by_name(study: Study) -> None:
    """Models, likelihoods, files and half-made imports are no cases."""
    (study.path / "models").mkdir()
    (study.path / "likelihood" / "m").mkdir(parents=True)
    (study.path / "notes.txt").write_text("")
    (study.path / ".case-003.partial" / "scan").mkdir(parents=True)
    assert [case.name for case in study.cases()] == ["case-001", "normal-001"]


def test_contoured_cases_come_with_scan_and_contours(study: Study) -> None:
    """In order, each annotation on the grid of its series; new cases are passed over."""
    shutil.rmtree(study.cases()[1].path / "contours")
    ((case, series, annotation),) = study.contoured_cases()
    assert case.name == "case-001"
    assert annotation.lesions.shape == series.shape
    assert annotation.lesions.any()


def test_a_study_without_cases_or_contours_says_so(tmp_path: Path, study: Study) -> None:
    """One sentence each, that says what to do."""
    with pytest.raises(SpinemetError, match="no study at"):
        Study(tmp_path / "nowhere")
    empty = Study(tmp_path / "empty", create=True)
    with pytest.raises(SpinemetError, match=r"no cases in .*choose a folder"):
        list(empty.contoured_cases())
    for case in study.cases():
        shutil.rmtree(case.path / "contours")
    with pytest.raises(SpinemetError, match=r"None of the 2 cases .*draw some first"):
        list(study.contoured_cases())


def test_a_second_look_cannot_save_and_says_why(study: Study) -> None:
    """It reads what the first has saved."""
    other = Study(study.path, write=True)
    assert "Another program" in other.read_only_reason
    case = other.cases()[0]
    series = case.series()
    with pytest.raises(SpinemetError, match=r"cannot be saved\. Another program"):
        case.save_annotation(case.annotation(series), series)
    reading = Study(study.path)
    with pytest.raises(SpinemetError, match=r"cannot be saved\. .*for reading"):
        reading.cases()[0].save_annotation(case.annotation(series), series)


def test_states_of_five_hundred_cases_are_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is asked once, however many cases there are."""
    study = Study(tmp_path, write=True)
    for number in range(500):
        (tmp_path / f"case-{number:03d}" / "scan").mkdir(parents=True)
    record = CaseRecord("case-007", "1.2", "case-007/scan", True, "", (1, 2, 2), CONTOURS_APPROVED)
    study.database.add_case(record)
    queries: list[str] = []
    rows = Readers.rows

    def count(self: Readers, query: str, values: tuple[object, ...] = ()) -> list[object]:
        queries.append(query)
        return rows(self, query, values)

    monkeypatch.setattr(Readers, "rows", count)
    states = study.states()
    assert len(queries) == 1
    assert [str(state) for _, state in states].count("approved") == 1
    assert str(states[7][1]) == "approved"
    assert len(states) == 500
    study.close()


def test_the_sample_study_is_the_phantom_that_it_says(study: Study) -> None:
    """A study of phantoms knows how it was made; any other says nothing."""
    assert study.origin["phantom"]["seed"] == SEED
    (study.path / "cohort.json").write_text("[1]")
    assert study.origin == {}
    (study.path / "cohort.json").write_text("{")
    assert study.origin == {}
    (study.path / "cohort.json").unlink()
    assert study.origin == {}


def test_a_scan_is_imported_once(study: Study, scan: Path) -> None:
    """A series that is there already is that case."""
    assert study.import_scan(scan, read_series(scan)).name == "case-001"
    assert len(study.cases()) == 2


def test_one_damaged_case_does_not_stop_the_others(study: Study, sample: Path) -> None:
    """A scan is imported and found although another case can no longer be read."""
    for image in (study.path / "case-001" / "scan").iterdir():
        image.write_bytes(b"damaged")
    source = sample / "case-001" / "scan"
    series = read_series(source)
    case = study.import_scan(source, series)
    assert case.name == "case-002"
    assert study.case_of(series.series_uid) == case


def test_numbers_of_cases_are_never_used_twice(study: Study, scan: Path) -> None:
    """Neither that of a case whose scan was taken away, nor what only looks like a number."""
    shutil.rmtree(study.path / "case-001" / "scan")
    (study.path / "case-²").mkdir()
    case = study.import_scan(scan, read_series(scan))
    assert case.name == "case-002"
    assert (study.path / "case-001" / "contours").is_dir()


def test_a_scan_of_another_contrast_can_be_read_again(scan: Path, tmp_path: Path) -> None:
    """Who chose a T1 series by name and imported it finds it in the study."""
    source = tmp_path / "source"
    source.mkdir()
    for file in scan.iterdir():
        image = pydicom.dcmread(file)
        image.ScanningSequence, image.RepetitionTime, image.EchoTime = "SE", "500", "12"
        image.SeriesDescription = "T1 SAG"
        del image.InversionTime
        image.save_as(source / file.name)
    uid = str(image.SeriesInstanceUID)
    with pytest.raises(SpinemetError, match="T1"):
        read_series(source)
    case = Study(tmp_path / "study", create=True).import_scan(source, read_series(source, uid))
    assert case.series().contrast == "T1"


def test_models_of_the_study_are_listed_by_name(study: Study) -> None:
    """Only weights, and nothing before there are any."""
    assert study.model_files() == []
    study.models.mkdir()
    for name in ("b.safetensors", "a.safetensors", "a.json"):
        (study.models / name).write_text("")
    assert [p.stem for p in study.model_files()] == ["a", "b"]
