from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from dicom_builder import assert_exact, make_enhanced, make_series, make_zip, save, write

from napari_spinemet.dicom import list_series, read_series, source_listing
from napari_spinemet.dicom.contents import read_headers


def tree(folder: Path) -> set[str]:
    """Every path below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("prefix", ["", "disc/DICOM/", "../../", "/etc/"])
def test_a_zip_is_read_in_memory(prefix, tmp_path, truth) -> None:
    """Whatever its members are called, the volume is the same and nothing is unpacked."""
    write(tmp_path / "scan", make_series(truth))
    archive = make_zip(tmp_path / "scan.zip", tmp_path / "scan", prefix)
    tree_before = tree(tmp_path.parent)
    assert_exact(read_series(archive), truth)
    assert tree(tmp_path.parent) == tree_before


def test_a_nested_folder_is_searched(tmp_path, truth) -> None:
    """Files may lie at any depth, and apart from each other."""
    images = make_series(truth)
    write(tmp_path / "disc" / "a" / "b", images[:5])
    write(tmp_path / "disc" / "c", images[5:])
    assert_exact(read_series(tmp_path), truth)


@pytest.mark.parametrize("others", [1, 200])
def test_a_zip_is_opened_as_often_whatever_number_of_members_it_has(
    tmp_path, truth, others, monkeypatch
) -> None:
    """To open one reads the directory of all members: once for each would take for ever."""
    write(tmp_path / "scan", make_series(truth))
    for number in range(others):
        (tmp_path / "scan" / f"note-{number}.txt").write_text("x")
    archive = make_zip(tmp_path / "scan.zip", tmp_path / "scan")
    openings = []
    real_init = zipfile.ZipFile.__init__

    def init(self, *arguments, **options) -> None:
        openings.append(1)
        real_init(self, *arguments, **options)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", init)
    assert_exact(read_series(archive), truth)
    assert len(openings) == 2


def test_a_locked_zip_asks_to_be_unpacked(tmp_path, truth, refused) -> None:
    """A password is not guessed and not asked for."""
    write(tmp_path / "scan", make_series(truth)[:2])
    archive = make_zip(tmp_path / "scan.zip", tmp_path / "scan")
    content = bytearray(archive.read_bytes())
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 8] |= 1  # the flag of encryption in the central directory
        at += 4
    archive.write_bytes(content)
    with refused("locked with a password; unpack it first"):
        list_series(archive)


def test_a_damaged_zip_says_so(tmp_path, truth, refused) -> None:
    """An archive that was cut off, or whose bytes were changed, is no crash."""
    write(tmp_path / "scan", make_series(truth))
    archive = make_zip(tmp_path / "scan.zip", tmp_path / "scan")
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with refused("not a DICOM file"):
        list_series(archive)
    start = content.index(b"PK\x01\x02")
    archive.write_bytes(content[: start + 4] + b"\xff" * 30 + content[start + 34 :])
    with refused():
        list_series(archive)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, refused, monkeypatch) -> None:
    """A member that grows two-hundredfold is never unpacked, nor is an archive without end."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("IM1", bytes(8 * 2**20))

    def unpack(*_: object) -> bytes:
        raise AssertionError("a bomb was unpacked")

    monkeypatch.setattr(source_listing.zipfile.ZipFile, "read", unpack)
    with refused("IM1 in bomb.zip would unpack to 8,388,608 bytes and is refused"):
        list_series(archive)
    monkeypatch.setattr(source_listing, "MAX_ARCHIVE_BYTES", 2**20)
    with refused("too large"):
        list_series(archive)


def test_too_many_files_are_refused(tmp_path, truth, refused, monkeypatch) -> None:
    """Someone who chooses a whole disk gets a sentence, not an hour's wait."""
    write(tmp_path / "scan", make_series(truth))
    monkeypatch.setattr(source_listing, "MAX_FILES", 5)
    with refused("more than 5 files; choose the folder of one scan"):
        list_series(tmp_path / "scan")


def test_links_out_of_the_folder_and_in_a_circle_end(tmp_path, truth) -> None:
    """Folders behind links are not searched, so no search runs in a circle."""
    write(tmp_path / "scan", make_series(truth))
    (tmp_path / "scan" / "up").symlink_to(tmp_path)
    assert len(read_headers(tmp_path / "scan").headers) == 9


def test_pixels_that_hold_the_signature_of_an_archive_are_pixels(tmp_path, truth) -> None:
    """A DICOM file is one whatever bytes it ends with."""
    image = make_enhanced(truth)
    image.PixelData = image.PixelData[:-22] + b"PK\x05\x06" + bytes(18)
    image["PixelData"].VR = "OW"
    path = save(image, tmp_path / "one")
    assert zipfile.is_zipfile(path)
    assert read_series(path).shape == truth.voxels.shape
