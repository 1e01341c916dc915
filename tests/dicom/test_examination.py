"""Whose scan it is, from headers as they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from dicom_builder import make_enhanced, make_series, make_truth, write
from pydicom.dataset import Dataset

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.dicom.examination import examination_of, read_examination
from napari_spinemet.imaging import Examination


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mueller^Hans", "Mueller, Hans"),
        ("van der Berg^Anna Maria^^Dr.", "van der Berg, Anna Maria"),
        ("Smith", "Smith"),
        ("^Hans", "Hans"),
        ("", ""),
        ("=\u5c71\u7530^\u592a\u90ce", "\u5c71\u7530, \u592a\u90ce"),
        ("Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", "Yamada, Tarou"),
    ],
)
def test_names_have_the_family_first(name: str, expected: str) -> None:
    """Titles are left out; a name in one script alone is that."""
    header = Dataset()
    header.PatientName = name
    assert examination_of(header).name == expected


@pytest.mark.parametrize(
    ("age", "birth", "day", "expected"),
    [
        ("067Y", "", "20260301", "67 y"),
        ("008M", "", "20260301", "8 months"),
        ("", "19581102", "20260301", "67 y"),
        ("", "19580301", "20260301", "68 y"),
        ("", "20270101", "20260301", ""),
        ("old", "1958", "20260301", ""),
    ],
)
def test_age_is_that_on_the_day_of_the_scan(age: str, birth: str, day: str, expected: str) -> None:
    """By the header, else counted; a birth after the scan counts as not there."""
    header = Dataset()
    for keyword, text in (("PatientAge", age), ("PatientBirthDate", birth), ("StudyDate", day)):
        # As it may stand in a file: pydicom would refuse to write some of it.
        header.add_new(keyword, "LO", text)
    assert examination_of(header).age == expected


def test_a_header_without_anything_gives_nothing() -> None:
    """And damaged dates are no dates."""
    header = Dataset()
    assert examination_of(header) == Examination()
    header.add_new("StudyDate", "LO", "20261340")
    assert examination_of(header).text == ""


def test_without_identity_neither_name_nor_date_is_left() -> None:
    """Of what others see."""
    shown = Examination("Mueller, Hans", "4711", "67 y", "M", "2026-03-01").without_identity("x")
    assert shown == Examination("x", "", "67 y", "M", "")


@pytest.mark.parametrize("is_enhanced", [False, True])
def test_a_series_knows_whose_it_is(tmp_path: Path, is_enhanced: bool) -> None:
    """Slices in files of their own, and in one."""
    truth = make_truth()
    images = [make_enhanced(truth)] if is_enhanced else make_series(truth)
    for image in images:
        image.PatientName, image.PatientSex, image.PatientAge = "Mueller^Hans", "M", "067Y"
    write(tmp_path, images)
    expected = Examination("Mueller, Hans", "TEST", "67 y", "M", "2024-01-01")
    (summary,) = list_series(tmp_path)
    assert summary.examination == expected
    series = read_series(tmp_path)
    assert series.examination == expected
    assert read_examination(tmp_path, series.series_uid) == expected


def test_one_of_two_patients_in_a_folder_is_not_taken_for_the_other(tmp_path: Path) -> None:
    """The identifier of the series decides."""
    uids = []
    for number in range(2):
        images = make_series(make_truth())
        for image in images:
            image.PatientName, image.SeriesInstanceUID = f"Patient^{number}", f"1.2.{number + 3}"
            image.SOPInstanceUID = f"{image.SOPInstanceUID}.{number}"
        uids.append(images[0].SeriesInstanceUID)
        write(tmp_path / str(number), images)
    names = [read_examination(tmp_path, uid).name for uid in uids]
    assert names == ["Patient, 0", "Patient, 1"]
    assert read_examination(tmp_path, "1.2.9") == Examination()
    assert read_examination(tmp_path / "nowhere", uids[0]) == Examination()


def test_lists_for_programs_name_nobody(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    """What the command prints may be kept."""
    images = make_series(make_truth())
    for image in images:
        image.PatientName = "Secret^Name"
    write(tmp_path, images)
    status, output, _ = run("series", str(tmp_path), "--json")
    assert status == 0
    assert "Secret" not in output
    assert "examination" not in json.loads(output)["series"][0]
