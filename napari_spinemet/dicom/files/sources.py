"""One DICOM file on disk or inside an archive, parsed with its size in mind."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from ...errors import SpinemetError
from ..headers import plain_text
from ..library_messages import silence_libraries
from .archives import archive_of, growth_limit
from .bounds import BoundedStream, TooMuchError

_PREAMBLE_BYTES = 128
_HEAD_BYTES = 4096
_CHUNK_BYTES = 64 * 2**20
_HEADER_BYTES = (2 * 2**20, _CHUNK_BYTES)
"""Of a deflated header; the second only where the first does not reach to the pixels."""
_SLACK_BYTES = 4 * 2**20
"""What a deflated file may hold beside twice its pixels."""
_PIXELS = 0x7FE00000
"""From this tag on there are pixels."""
_FIRST_TAGS = (
    b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00",
    b"\x08\x00\x00\x00", b"\x08\x00\x01\x00", b"\x08\x00\x05\x00",
    b"\x08\x00\x08\x00", b"\x08\x00\x16\x00",
)  # fmt: skip
"""What a data set without preamble may begin with: low elements of groups 2 and 8."""

NOT_DICOM = "is not a DICOM file"


class NotDicomError(Exception):
    """A file is not DICOM, or is damaged; it is skipped and named."""


@dataclass(frozen=True)
class Source:
    """One file, on disk or inside an archive.

    Attributes
    ----------
    path : Path
        The file, or the archive that holds it.
    member : str
        Name inside the archive, else empty.
    outer : tuple of str
        Names of the archives inside the first that lead to the one that holds it.
    """

    path: Path
    member: str = ""
    outer: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name for messages."""
        return plain_text(self.member or self.path.name)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The file as it is stored, to be read from its beginning."""
        if not self.member:
            with self.path.open("rb") as stream:
                yield stream
            return
        with archive_of(self.path, self.outer) as archive, archive.open(self.member) as content:
            yield content

    def content(self) -> bytes:
        """All of the file as it is stored."""
        with self.open() as stream:
            return stream.read()

    def parse(self, headers_only: bool = False, pixel_bytes: int | None = None) -> FileDataset:
        """Parse the file.

        Parameters
        ----------
        headers_only : bool
            Stop before the pixels, which is all that a listing needs.
        pixel_bytes : int, optional
            What its pixels take unpacked, by its header: a file that announces far more is
            refused before that is read.

        Raises
        ------
        NotDicomError
            If it is no DICOM object or is damaged, with the reason.
        """
        try:
            with silence_libraries():
                return self._parse(headers_only, pixel_bytes)
        except (NotDicomError, SpinemetError):
            raise
        except TooMuchError as error:
            raise NotDicomError(f"{self.name} {error} and is refused") from error
        except Exception as error:  # pydicom raises eight kinds for damaged files
            # Their words are of programs, and no help to who reads them.
            raise NotDicomError(f"{self.name} is damaged (it was cut off or changed)") from error

    def _parse(self, headers_only: bool, pixel_bytes: int | None) -> FileDataset:
        with self.open() as stored_stream:
            # A member is unpacked in memory; a file on disk is read no further than needed.
            stream = (
                stored_stream
                if headers_only or not self.member
                else io.BytesIO(stored_stream.read())
            )
            head = stream.read(_HEAD_BYTES)
            has_preamble = begins_as_dicom(head)
            if not has_preamble and not _begins_as_dataset(head):
                raise NotDicomError(f"{self.name} {NOT_DICOM}")
            start = 132 if has_preamble else 0
            bounded_stream: Any = BoundedStream(stream, headers_only, pixel_bytes)
            if has_preamble or head[0:2] == b"\x02\x00":
                if headers_only:
                    header = _deflated_header(self.name, bounded_stream, start)
                    if header is not None:
                        return header
                else:
                    _refuse_inflated(self.name, bounded_stream, start, pixel_bytes)
            bounded_stream.seek(0)
            try:
                dataset = pydicom.dcmread(
                    bounded_stream, stop_before_pixels=headers_only, force=not has_preamble
                )
            except InvalidDicomError as error:
                raise NotDicomError(f"{self.name} {NOT_DICOM}") from error
            if not has_preamble and "TransferSyntaxUID" not in dataset.file_meta:
                # As ACR-NEMA, DICOM's forerunner, wrote all its files.
                dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            if not headers_only:
                len(dataset)  # deferred values are read before the stream closes
            return dataset


def begins_as_dicom(head: bytes) -> bool:
    """Whether the first bytes of a file are a preamble with DICOM's mark behind it."""
    return head[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4] == b"DICM"


def _begins_as_dataset(head: bytes) -> bool:
    """Whether a file without preamble starts with a low group, as data sets do."""
    return len(head) >= 8 and head[0:4] in _FIRST_TAGS


def _read_meta(stream: IO[bytes], start: int) -> Any:
    """The file meta group, found as pydicom finds it: the length that it states may be forged."""
    stream.seek(start)
    return read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)


def _is_deflated(meta: Any) -> bool:
    syntax = str(meta.get("TransferSyntaxUID", "")).strip("\0 ")
    return bool(syntax == DeflatedExplicitVRLittleEndian)


def _deflated_header(name: str, stream: IO[bytes], start: int) -> FileDataset | None:
    """The header of a deflated data set, of which no more is inflated than it takes."""
    meta = _read_meta(stream, start)
    if not _is_deflated(meta):
        return None
    at = stream.tell()
    for size in _HEADER_BYTES:
        stream.seek(at)
        inflated_bytes, is_whole = _inflate(stream, size)
        pixel_tags: list[int] = []

        def is_pixel(tag: Any, vr: Any, length: int, pixel_tags: list[int] = pixel_tags) -> bool:
            if tag >= _PIXELS:
                pixel_tags.append(tag)
            return bool(pixel_tags)

        content: Any = BoundedStream(io.BytesIO(inflated_bytes), True, None)
        try:
            dataset = read_dataset(content, False, True, stop_when=is_pixel)
        except Exception:
            if is_whole or size == _HEADER_BYTES[-1]:
                raise
            continue
        if pixel_tags or is_whole:
            return FileDataset(name, dataset, b"\0" * 128, meta, False, True)
    raise NotDicomError(f"{name} has a header of more than {size:,} bytes and is refused")


def _inflate(stream: IO[bytes], size: int) -> tuple[bytes, bool]:
    """The first bytes of a deflated stream, and whether they are all."""
    inflater, parts, total = zlib.decompressobj(-15), [], 0
    while total < size and not inflater.eof:
        packed_bytes = inflater.unconsumed_tail or stream.read(_HEAD_BYTES)
        if not packed_bytes:
            break
        part = inflater.decompress(packed_bytes, size - total)
        parts.append(part)
        total += len(part)
    return b"".join(parts), total < size


def _refuse_inflated(name: str, stream: IO[bytes], start: int, pixel_bytes: int | None) -> None:
    """Refuse a deflated data set that would grow beyond reason before pydicom inflates it."""
    if not _is_deflated(_read_meta(stream, start)):
        return
    data = stream.read()
    limit = growth_limit(len(data))
    if pixel_bytes is not None:  # one that holds far more than its pixels takes long all the same
        limit = min(limit, 2 * pixel_bytes + _SLACK_BYTES)
    inflater, total = zlib.decompressobj(-15), 0
    # Chunk by chunk and thrown away, so that a bomb never fills more than one chunk of memory.
    while data and total <= limit:
        total += len(inflater.decompress(data, _CHUNK_BYTES))
        data = inflater.unconsumed_tail
    if total > limit:
        raise NotDicomError(f"{name} inflates to more than {limit:,} bytes and is refused")
