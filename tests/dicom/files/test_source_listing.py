from __future__ import annotations

import gzip
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from dicom_builder import assert_exact, make_enhanced, make_series, make_zip, save, write

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.dicom.files import source_listing
from napari_spinemet.dicom.files.contents import read_headers


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
    assert len(openings) == 1


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
    with refused("scan.zip is damaged or incomplete; copy or download it again"):
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

    monkeypatch.setattr(zipfile.ZipFile, "open", unpack)
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


def packed(name: str, folder: Path, target: Path) -> Path:
    """A folder in an archive of the kind that its name says."""
    path = target / name
    if name.endswith(".zip"):
        return make_zip(path, folder)
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:
        archive.add(folder, "disc")
    return path


KINDS = ["scan.zip", "scan.tar", "scan.tar.gz", "scan.tgz", "scan.tar.bz2", "scan.tar.xz"]


@pytest.mark.parametrize("name", KINDS)
def test_every_archive_of_the_standard_library_is_read(name, tmp_path, truth) -> None:
    """Chosen itself, in a folder, and in a zip."""
    write(tmp_path / "scan", make_series(truth))
    path = packed(name, tmp_path / "scan", tmp_path)
    assert_exact(read_series(path), truth)
    inside = tmp_path / "inside"
    (inside / "deep").mkdir(parents=True)
    path.rename(inside / "deep" / name)
    assert_exact(read_series(inside), truth)
    assert_exact(read_series(make_zip(tmp_path / "outer.zip", inside)), truth)


def test_files_that_were_compressed_one_by_one_are_read(tmp_path, truth) -> None:
    folder = tmp_path / "scan"
    for path in write(folder, make_series(truth)):
        with gzip.open(folder / f"{path.name}.dcm.gz", "wb") as target:
            target.write(path.read_bytes())
        path.unlink()
    assert_exact(read_series(folder), truth)


def test_slices_in_a_zip_beside_others_are_found(tmp_path, truth) -> None:
    images = make_series(truth)
    write(tmp_path / "first", images[:4])
    write(tmp_path / "scan", images[4:])
    make_zip(tmp_path / "scan" / "rest.zip", tmp_path / "first")
    assert_exact(read_series(tmp_path / "scan"), truth)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scan.7z", b"7z\xbc\xaf\x27\x1c" + bytes(600)),
        ("scan.rar", b"Rar!\x1a\x07\x01\x00" + bytes(600)),
        ("scan.iso", bytes(0x8001) + b"CD001" + bytes(600)),
    ],
)
def test_other_archives_ask_to_be_unpacked(name, content, tmp_path, truth, refused) -> None:
    """Alone, in a zip, and in a folder; beside a scan they do no harm."""
    folder = tmp_path / "scan"
    folder.mkdir()
    (folder / name).write_bytes(content)
    kind = name.partition(".")[2]
    with refused(f"{name} is not a DICOM file but an archive of the kind {kind}; unpack it first"):
        list_series(folder / name)
    with refused("unpack it first"):
        list_series(folder)
    if kind != "iso":
        with refused("unpack it first"):
            list_series(make_zip(tmp_path / "outer.zip", folder))
    write(folder, make_series(truth))
    series = read_series(folder)
    assert_exact(series, truth)
    assert series.warnings == ()


@pytest.mark.parametrize("name", KINDS)
def test_an_archive_that_was_cut_off_says_so(name, tmp_path, truth, refused) -> None:
    """Or its scan is read with a warning, where the cut is behind the first slices."""
    write(tmp_path / "scan", make_series(truth))
    path = packed(name, tmp_path / "scan", tmp_path)
    content = path.read_bytes().rstrip(b"\0")  # a tar is filled up
    for share in (0.01, 0.3, 0.7, 0.99):
        path.write_bytes(content[: int(share * len(content))])
        with refused("copy|download|export"):
            read_series(path)


def test_documents_that_are_zips_by_kind_are_no_scans(tmp_path, truth) -> None:
    """Arrays and texts beside a scan, damaged or as small as a bomb, say nothing of it."""
    folder = tmp_path / "scan"
    write(folder, make_series(truth))
    np.savez_compressed(folder / "labels.npz", labels=np.zeros((400, 400, 40), dtype=np.uint16))
    (folder / "report.docx").write_bytes(b"PK\x03\x04" + bytes(300))
    assert read_series(folder).warnings == ()


def test_archives_within_archives_end(tmp_path, truth, refused) -> None:
    """A zip that holds itself, and one of gigabytes in a few bytes."""
    path = make_zip(tmp_path / "a.zip", write(tmp_path / "scan", make_series(truth))[0].parent)
    for level in range(5):
        outer = tmp_path / f"level-{level}.zip"
        with zipfile.ZipFile(outer, "w") as target:
            target.write(path, "inner.zip")
        path = outer
    with refused("holds another one, inner.zip, that cannot be read; unpack it first"):
        list_series(path)
    bomb = tmp_path / "bomb.dcm.gz"
    with gzip.open(bomb, "wb") as target:
        for _ in range(200):
            target.write(bytes(2**20))
    with refused():
        list_series(bomb)
