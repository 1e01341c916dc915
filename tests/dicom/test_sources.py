from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from dicom_builder import Truth, assert_exact, make_enhanced, make_series, save, write
from pydicom.fileset import FileSet
from pydicom.uid import DeflatedExplicitVRLittleEndian

from napari_spinemet.dicom import list_series, read_series, source_listing, sources
from napari_spinemet.dicom.contents import read_headers


def zipped(archive: Path, folder: Path, prefix: str = "") -> Path:
    """Pack a folder."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, f"{prefix}{path.relative_to(folder)}")
    return archive


def tree(folder: Path) -> set[str]:
    """Every path below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("prefix", ["", "disc/DICOM/", "../../", "/etc/"])
def test_a_zip_is_read_in_memory(prefix, tmp_path, truth) -> None:
    """Whatever its members are called, the volume is the same and nothing is unpacked."""
    write(tmp_path / "scan", make_series(truth))
    archive = zipped(tmp_path / "scan.zip", tmp_path / "scan", prefix)
    before = tree(tmp_path.parent)
    assert_exact(read_series(archive), truth)
    assert tree(tmp_path.parent) == before


def test_a_nested_folder_is_searched(tmp_path, truth) -> None:
    """Files may lie at any depth, and apart from each other."""
    images = make_series(truth)
    write(tmp_path / "disc" / "a" / "b", images[:5])
    write(tmp_path / "disc" / "c", images[5:])
    assert_exact(read_series(tmp_path), truth)


def test_a_single_file_is_enough_where_it_holds_a_series(tmp_path, truth, refused) -> None:
    """A multi-frame file is a series; a single slice is none, and says so."""
    path = save(make_enhanced(truth), tmp_path / "enhanced.dcm")
    assert read_series(path).shape == truth.voxels.shape
    slice_path = save(make_series(truth)[0], tmp_path / "IM1")
    with refused("only one slice"):
        read_series(slice_path)


def test_a_dicomdir_stands_for_its_folder(tmp_path, truth) -> None:
    """The directory file of a CD can be chosen, and is not mistaken for an image."""
    disc = FileSet()
    for image in make_series(truth):
        image.InstanceNumber = str(image.InstanceNumber)
        disc.add(image)
    disc.write(tmp_path / "disc")
    assert_exact(read_series(tmp_path / "disc" / "DICOMDIR"), truth)
    assert_exact(read_series(tmp_path / "disc"), truth)


def test_a_dicomdir_opens_nothing_outside_its_folder(tmp_path, truth, refused) -> None:
    """References in a directory file are not followed."""
    disc = FileSet()
    for image in make_series(truth):
        disc.add(image)
    disc.write(tmp_path / "disc")
    inside = [p for p in (tmp_path / "disc").rglob("*") if p.is_file() and p.name != "DICOMDIR"]
    for path in inside:
        path.rename(tmp_path / path.name)
    with refused("holds no scan"):
        read_series(tmp_path / "disc" / "DICOMDIR")


def test_places_without_a_scan_say_so(tmp_path, refused) -> None:
    """Each kind of wrong place has its sentence."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "readme.txt").write_text("no scan")
    (tmp_path / "scan.dcm").write_bytes(b"no scan either")
    zipped(tmp_path / "empty.zip", tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in {
        "nowhere": "nothing at .*check the path",
        "empty": "holds no scan",
        "empty.zip": "holds no scan",
        "texts": "None of the 1 files in .* is DICOM",
        "scan.dcm": "scan.dcm is not a DICOM file; choose",
        "pipe": "neither a file nor a folder",
        "x" * 300: "cannot be opened|nothing at",
    }.items():
        with refused(reason):
            list_series(tmp_path / name)


def test_a_folder_of_damaged_files_says_why(tmp_path, refused, truth) -> None:
    """If nothing can be read, the first reason is given, and not that it is no DICOM."""
    path = save(make_series(truth)[0], tmp_path / "scan" / "one")
    path.write_bytes(path.read_bytes()[:300])
    with refused("one is damaged.*copy the scan again"):
        list_series(tmp_path / "scan")


def test_a_locked_zip_asks_to_be_unpacked(tmp_path, truth, refused) -> None:
    """A password is not guessed and not asked for."""
    write(tmp_path / "scan", make_series(truth)[:2])
    archive = zipped(tmp_path / "scan.zip", tmp_path / "scan")
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
    archive = zipped(tmp_path / "scan.zip", tmp_path / "scan")
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

    monkeypatch.setattr(sources.zipfile.ZipFile, "read", unpack)
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


def deflate_bomb(truth: Truth, *, forged_length: int = 0, padding: int = 0) -> bytes:
    """A valid deflated image whose pixels would fill 128 MiB, from about as many KiB."""
    image = make_series(truth)[0]
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    if padding:
        image.file_meta.PrivateInformationCreatorUID = "1.2.3"
        image.file_meta.PrivateInformation = bytes(padding)
        # Put in front of the transfer syntax, where a look at the first bytes would miss it.
    stream = io.BytesIO()
    image.save_as(stream, enforce_file_format=True)
    content = stream.getvalue()
    start = 144 + int.from_bytes(content[140:144], "little")
    dataset = zlib.decompressobj(-15).decompress(content[start:])
    at = dataset.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    size = 128 * 2**20
    dataset = dataset[: at + 8] + struct.pack("<I", size) + bytes(size)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(dataset) + packer.flush()
    head = bytearray(content[:start])
    if forged_length:
        # The group claims to reach up to a harmless stream behind the real one.
        harmless = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed += harmless.compress(b"x") + harmless.flush()
        head[140:144] = (start - 144 + len(packed) - 3).to_bytes(4, "little")
    return bytes(head) + packed


@pytest.mark.parametrize(
    "trick", [{}, {"forged_length": 1}, {"padding": 6000}], ids=["plain", "forged", "padded"]
)
def test_a_deflate_bomb_is_refused_before_it_is_inflated(
    trick, tmp_path, truth, refused, monkeypatch
) -> None:
    """A data set that grows beyond reason never reaches the parser, however it is dressed up."""
    (tmp_path / "bomb").write_bytes(deflate_bomb(truth, **trick))

    def parse(*_: object, **__: object) -> None:
        raise AssertionError("a bomb was inflated")

    monkeypatch.setattr(sources.pydicom, "dcmread", parse)
    with refused("bomb inflates to more than 67,108,864 bytes and is refused"):
        list_series(tmp_path / "bomb")


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
