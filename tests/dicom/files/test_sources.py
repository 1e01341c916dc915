from __future__ import annotations

import io
import struct
import zlib

import pytest
from dicom_builder import Truth, make_series
from pydicom.uid import DeflatedExplicitVRLittleEndian

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.dicom.files import sources


def deflate_bomb(truth: Truth, at: int, *, forged_length: int = 0, padding: int = 0) -> bytes:
    """A valid deflated image whose pixels would fill 128 MiB, from about as many KiB."""
    image = make_series(truth)[at]
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
    end = dataset.rindex(struct.pack("<HH", 0x7FE0, 0x0010))
    size = 128 * 2**20
    dataset = dataset[: end + 8] + struct.pack("<I", size) + bytes(size)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated_bytes = packer.compress(dataset) + packer.flush()
    head = bytearray(content[:start])
    if forged_length:
        # The group claims to reach up to a harmless stream behind the real one.
        harmless = zlib.compressobj(9, zlib.DEFLATED, -15)
        deflated_bytes += harmless.compress(b"x") + harmless.flush()
        head[140:144] = (start - 144 + len(deflated_bytes) - 3).to_bytes(4, "little")
    return bytes(head) + deflated_bytes


@pytest.mark.parametrize(
    "trick", [{}, {"forged_length": 1}, {"padding": 6000}], ids=["plain", "forged", "padded"]
)
def test_a_deflate_bomb_is_refused_before_it_is_inflated(
    trick, tmp_path, truth, refused, monkeypatch
) -> None:
    """A data set that grows beyond reason never reaches the parser, however it is dressed up.

    Of its header no more is inflated than a header takes.
    """
    for at in range(2):
        (tmp_path / f"bomb-{at}").write_bytes(deflate_bomb(truth, at, **trick))

    def parse(*_: object, **__: object) -> None:
        raise AssertionError("a bomb was inflated")

    monkeypatch.setattr(sources.pydicom, "dcmread", parse)
    monkeypatch.setattr(sources, "_HEADER_BYTES", (2**16,))
    (summary,) = list_series(tmp_path)
    assert summary.slices == 2
    with refused("bomb-0 inflates to more than 4,197,376 bytes and is refused"):
        read_series(tmp_path)
