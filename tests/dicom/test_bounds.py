"""Hostile and absurd files: an answer within bounds of work and memory, in one sentence."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from dicom_builder import (
    assert_exact,
    make_enhanced,
    make_series,
    make_zip,
    save,
    write,
)
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.dicom.files.bounds import MAX_ITEMS
from napari_spinemet.dicom.pixel_checks import MAX_VOXELS

PIXELS = struct.pack("<HH", 0x7FE0, 0x0010)


def peak_of(run) -> int:
    """Most bytes that Python's own objects and arrays took meanwhile."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_run_lengths_without_end_are_refused_before_they_are_unpacked(scan, truth, refused) -> None:
    """Of images that no scanner makes, and of some that are small on the disk only."""
    for side, words in ((16384, "no scanner makes such"), (4096, "would unpack to")):
        for image in (images := make_series(truth)):
            image.Rows = image.Columns = side
            image.PixelSpacing = [0.1, 0.1]
            image.file_meta.TransferSyntaxUID = RLELossless
            image.PixelData = encapsulate([struct.pack("<16I", 2, 64, 128, *[0] * 13) + bytes(900)])
            image["PixelData"].VR = "OB"
        write(scan, images)

        def read(words: str = words) -> None:
            with refused(words):
                read_series(scan)

        assert peak_of(read) < 64 * 2**20


def test_a_scan_of_many_small_bombs_is_refused(scan, truth, refused) -> None:
    """Each slice may be packed as far as an empty one; all of them may not."""
    images = make_series(truth)
    data = encapsulate([struct.pack("<16I", 2, 64, 128, *[0] * 13) + bytes(400_000)])
    for image in images:
        image.Rows = image.Columns = 4096
        image.PixelSpacing = [0.1, 0.1]
        image.file_meta.TransferSyntaxUID = RLELossless
        image.PixelData = data
        image["PixelData"].VR = "OB"
    write(scan, images)
    with refused("would unpack to 301,989,888 bytes and is refused"):
        read_series(scan)


def test_more_voxels_than_any_scan_has_are_refused(scan, truth, refused, monkeypatch) -> None:
    monkeypatch.setattr("napari_spinemet.dicom.pixel_checks.MAX_VOXELS", truth.voxels.size - 1)
    write(scan, make_series(truth))
    with refused("would have 6,912 voxels, which no scan of a spine has"):
        read_series(scan)
    assert MAX_VOXELS > 1024 * 1024 * 200  # what the finest scans have


def test_a_forged_length_of_pixels_reads_no_more_than_there_can_be(scan, truth, refused) -> None:
    """A sparse file of a few blocks that announces gigabytes."""
    paths = write(scan, make_series(truth))
    content = paths[8].read_bytes()
    at = content.rindex(PIXELS)
    length = 2**32 - 2
    paths[8].write_bytes(content[: at + 8] + struct.pack("<I", length))
    os.truncate(paths[8], at + 12 + length)

    def read() -> None:
        assert list_series(scan)[0].slices == 9
        with refused("announces a part of 4,294,967,294 bytes and is refused"):
            read_series(scan)

    assert peak_of(read) < 64 * 2**20


def test_a_header_without_end_is_refused(scan, truth) -> None:
    """By its items, and by the length of one attribute; the others are read, with a warning."""
    paths = write(scan, make_series(truth))
    content = paths[8].read_bytes()
    at = content.rindex(PIXELS)
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * (MAX_ITEMS + 1)
    sequence = struct.pack("<HH", 0x0040, 0x0275) + b"SQ\0\0\xff\xff\xff\xff" + items
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    blob = struct.pack("<HH", 0x0029, 0x1010) + b"OB\0\0" + struct.pack("<I", 2**31)
    for bomb in (sequence + end, blob + bytes(100)):
        paths[8].write_bytes(content[:at] + bomb + content[at:])
        if bomb.startswith(blob):
            os.truncate(paths[8], at + 2**31 + 4096)
        series = read_series(scan)
        assert_exact(series, truth.without(8))
        assert "files-damaged" in {warning.code for warning in series.warnings}


def test_deflated_headers_are_inflated_no_further_than_they_go(scan, truth) -> None:
    """Forty files of 60 MB each are listed as quickly as small ones."""
    images = make_series(truth)
    for k in range(4):
        image = images[k]
        image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        stream = io.BytesIO()
        image.save_as(stream, enforce_file_format=True)
        content = stream.getvalue()
        start = 144 + int.from_bytes(content[140:144], "little")
        dataset = zlib.decompressobj(-15).decompress(content[start:])
        at = dataset.rindex(PIXELS)
        noise = np.random.default_rng(k).bytes(2**20) + bytes(60 * 2**20)
        dataset = dataset[: at + 8] + struct.pack("<I", len(noise)) + noise
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        (scan / f"{k}").write_bytes(content[:start] + packer.compress(dataset) + packer.flush())

    def look() -> None:
        assert list_series(scan)[0].slices == 4

    assert peak_of(look) < 32 * 2**20
    archive = make_zip(scan.parent / "scan.zip", scan)

    def look_into_archive() -> None:
        assert list_series(archive)[0].slices == 4

    assert peak_of(look_into_archive) < 32 * 2**20


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_packed_images_of_another_size_than_their_header_says_are_refused(
    scan, truth, syntax, refused
) -> None:
    """A decoder would take as much memory as the packed data claim."""
    images = make_series(truth)
    for image in images:
        image.compress(JPEGLSLossless, generate_instance_uid=False)
        if syntax == JPEG2000Lossless:
            size = struct.pack(">II", 2**20, 2**20)
            image.PixelData = encapsulate([b"\xff\x4f\xff\x51\0\x29\0\0" + size + bytes(200)])
            image.file_meta.TransferSyntaxUID = syntax
        else:
            data = bytearray(image.PixelData)
            at = data.index(b"\xff\xf7")
            data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
            image.PixelData = bytes(data)
    write(scan, images)
    with refused("of another size than its header says"):
        read_series(scan)


def test_what_has_no_codec_asks_for_an_uncompressed_export(scan, truth, refused) -> None:
    images = make_series(truth)
    for image in images:
        image.file_meta.TransferSyntaxUID = HTJ2KLossless
        image.PixelData = encapsulate([bytes(400)])
        image["PixelData"].VR = "OB"
    write(scan, images)
    with refused("packed as High-Throughput JPEG 2000.*; export it uncompressed"):
        read_series(scan)


def test_numbers_that_lie_elsewhere_in_their_words_are_refused(scan, truth, refused) -> None:
    images = make_series(truth)
    for image in images:
        image.HighBit = 15
    write(scan, images)
    with refused("12 bits a pixel and names the one of number 15 the highest"):
        read_series(scan)


def test_a_slope_that_one_slice_lacks_is_refused(scan, truth, refused) -> None:
    images = make_series(truth)
    for image in images[:8]:
        image.RescaleSlope, image.RescaleIntercept = "2", "0"
    write(scan, images)
    with refused("RescaleSlope is missing in 1 of its 9 images and not in the others"):
        read_series(scan)


def test_bytes_behind_the_pixels_are_told(scan, truth) -> None:
    images = make_series(truth)
    for count in (1, 5):
        for image in images[:count]:
            image.PixelData = image.PixelData[: 32 * 24 * 2] + bytes(2000)
            image["PixelData"].VR = "OW"
        write(scan, images)
        series = read_series(scan)
        assert_exact(series, truth)
        (warning,) = series.warnings
        assert warning.code == "pixels-too-long"
        assert "is 2,000 bytes longer than its pixels" in warning
        assert ("and so are 4 others" in warning) == (count == 5)


def test_exchanged_positions_are_told_where_slice_location_knows_better(scan, truth) -> None:
    """Whichever way it counts, and from wherever; where it says nothing, nothing is told."""
    for sign in (1, -1):
        images = make_series(truth)
        for k, image in enumerate(images):
            image.SliceLocation = f"{sign * 4.4 * k - 33:.4f}"
        write(scan, images)
        assert read_series(scan).warnings == ()
        first, second = images[2].ImagePositionPatient, images[6].ImagePositionPatient
        images[2].ImagePositionPatient, images[6].ImagePositionPatient = second, first
        write(scan, images)
        (warning,) = read_series(scan).warnings
        assert (warning.code, warning.is_grave) == ("slice-order", True)
    for image, location in zip(images, np.random.default_rng(1).permutation(9)):
        image.SliceLocation = str(location)
    write(scan, images)
    assert read_series(scan).warnings == ()


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("TransferSyntaxUID", "does not say how its pixels are stored"),
        ("SeriesInstanceUID", "9 of its 9 images have no SeriesInstanceUID"),
        ("SOPClassUID", "9 of its 9 images have no SOPClassUID"),
    ],
)
def test_an_identifier_that_all_files_lack_is_no_matter_of_programs(
    scan, truth, keyword, words, refused
) -> None:
    """The words are not those of a library."""
    images = make_series(truth)
    for path, image in zip(write(scan, images), images):
        owner = image.file_meta if keyword == "TransferSyntaxUID" else image
        delattr(owner, keyword)
        image.save_as(path, implicit_vr=False, little_endian=True)
    with refused(words):
        read_series(scan)


def test_a_gap_beyond_all_reason_counts_no_slices(scan, truth, refused) -> None:
    images = make_series(truth)
    images[8].ImagePositionPatient = [1e30, 0, 0]
    write(scan, images)
    with refused("unevenly spaced|do not form one volume|shifted"):
        read_series(scan)


def test_an_enhanced_object_of_many_frames_stays_within_bounds(tmp_path) -> None:
    """Two thousand frames are no bomb."""
    from dicom_builder import make_truth

    truth = make_truth(shape=(4, 8, 8))
    image = make_enhanced(truth, order=[0, 1, 2, 3] * 500)
    save(image, tmp_path / "one")
    summaries = list_series(tmp_path)
    assert sum(summary.slices for summary in summaries) == 2000
