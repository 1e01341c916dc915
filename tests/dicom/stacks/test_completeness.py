"""A copy that lost slices at an end looks whole: what tells of them is heard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dicom_builder import Truth, assert_exact, make_series, make_zip, write
from pydicom.dataset import FileDataset

from napari_spinemet.dicom import read_series

Images = list[FileDataset]


def warning_codes(scan: Path) -> list[str]:
    return [warning.code for warning in read_series(scan).warnings]


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def unmarked(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[128:132] = b"DIXM"
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [emptied, zeroed, unmarked])
@pytest.mark.parametrize("at", [0, 8])
def test_a_file_that_was_a_slice_is_not_passed_over_in_silence(
    scan: Path, truth: Truth, at: int, spoil: Callable[[Path], None]
) -> None:
    """Empty, all zero, or without its mark, beside slices and called as they are."""
    paths = write(scan, make_series(truth))
    spoil(paths[at])
    series = read_series(scan)
    assert_exact(series, truth.without(at))
    assert series.warnings[0].code == "files-damaged"
    assert "1 damaged file was passed over" in series.warnings[0]
    folder_in_zip = make_zip(scan.parent / "scan.zip", scan)
    assert warning_codes(folder_in_zip)[0] == "files-damaged"


def test_other_files_beside_the_slices_are_no_damage(scan: Path, truth: Truth) -> None:
    """A viewer's, a note, a list: what is not called as a slice was none."""
    write(scan, make_series(truth))
    for name in ("AUTORUN.INF", "readme.txt", "VERSION", "Thumbs.db", "empty", "1.txt"):
        (scan / name).write_bytes(b"")
    assert read_series(scan).warnings == ()


def test_a_folder_that_cannot_be_opened_is_told(
    scan: Path, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies in it may have been a slice."""
    write(scan, make_series(truth))
    (scan / "more").mkdir()
    real_scandir = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "more":
            raise PermissionError(13, "Permission denied", str(path))
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert warning_codes(scan) == ["files-damaged"]


def numbered_from_two(images: Images) -> Images:
    return images[1:]


def number_missing_at_end_of_acquisition(images: Images) -> Images:
    for image in images:
        image.ImagesInAcquisition = 11
    return images


def every_second(images: Images) -> Images:
    for image in images:
        image.SpacingBetweenSlices = "4.4"
    return images[::2]


def every_second_numbered_anew(images: Images) -> Images:
    kept_images = every_second(images)
    for number, image in enumerate(kept_images, 1):
        image.InstanceNumber = number
    return kept_images


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        (numbered_from_two, "1 image is missing (1)"),
        (number_missing_at_end_of_acquisition, "11 images (ImagesInAcquisition), and 9 are there"),
        (every_second, "4 images are missing (2, 4, 6, 8)"),
        (every_second_numbered_anew, "8.80 mm apart where the scanner says 4.40 mm"),
    ],
)
def test_numbers_and_distances_tell_what_is_missing(
    scan: Path, truth: Truth, lose: Callable[[Images], Images], words: str
) -> None:
    """The series is read, and the warning is a grave one."""
    write(scan, lose(make_series(truth)))
    warnings = read_series(scan).warnings
    assert {w.code for w in warnings} == {"slices-missing"}
    assert any(words in w for w in warnings)
    assert all(w.is_grave for w in warnings)


def counted_from_zero(images: Images) -> None:
    for k, image in enumerate(images):
        image.InstanceNumber = k


def counted_on(images: Images) -> None:
    for k, image in enumerate(images):
        image.InstanceNumber = 61 + k


def counted_with_another_echo(images: Images) -> None:
    for k, image in enumerate(images):
        image.InstanceNumber = 1 + 4 * k
        image.ImagesInAcquisition = 4 * len(images)


def counted_with_a_second_echo(images: Images) -> None:
    for k, image in enumerate(images):
        image.InstanceNumber = 1 + 2 * k
        image.SpacingBetweenSlices = "4.4"


def not_counted(images: Images) -> None:
    for image in images:
        image.InstanceNumber = None


def told_the_gap(images: Images) -> None:
    for image in images:
        image.SliceThickness, image.SpacingBetweenSlices = "3.3", "1.1"


def negative_spacing(images: Images) -> None:
    for image in images:
        image.SpacingBetweenSlices = "-4.4"


@pytest.mark.parametrize(
    "count",
    [
        counted_from_zero,
        counted_on,
        counted_with_another_echo,
        counted_with_a_second_echo,
        not_counted,
        told_the_gap,
        negative_spacing,
    ],
)
def test_habits_of_writers_are_no_loss(
    scan: Path, truth: Truth, count: Callable[[Images], None]
) -> None:
    """A whole series, counted in another way, warns of nothing."""
    images = make_series(truth)
    count(images)
    write(scan, images)
    series = read_series(scan)
    assert_exact(series, truth)
    assert series.warnings == ()
    shutil.rmtree(scan)


def test_many_duplicates_are_one_warning(scan: Path, truth: Truth) -> None:
    """With their number, so that it does not bury the others."""
    images = make_series(truth)
    write(scan, images)
    write(scan / "again", images, seed=1)
    (warning,) = read_series(scan).warnings
    assert (warning.code, str(warning)) == (
        "files-doubled",
        "9 duplicate files were passed over.",
    )


def test_two_names_with_one_identifier_are_told_without_naming_them(
    scan: Path, truth: Truth
) -> None:
    """Whoever exports may have mixed two patients; spelling alone is no difference."""
    images = make_series(truth)
    images[3].PatientName = "TEST^SPINE "
    write(scan, images)
    assert read_series(scan).warnings == ()
    images[3].PatientName = "Other^Person"
    write(scan, images)
    (warning,) = read_series(scan).warnings
    assert (warning.code, warning.is_grave) == ("patient-names", True)
    assert "Other" not in warning.text
