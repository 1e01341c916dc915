"""One DICOM file on disk or inside a zip, parsed with its size in mind."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import SpinemetError
from .library_messages import first_clause, silence_libraries
from .plain_text import plain_text

MAX_INFLATED_BYTES = 1024**3
MAX_RATIO = 200
"""Largest expansion of a compressed member or data set; medical images stay below 20."""

_PREAMBLE_BYTES = 128
_HEAD_BYTES = 4096
_CHUNK_BYTES = 64 * 2**20
_FIRST_TAGS = (
    b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00",
    b"\x08\x00\x00\x00", b"\x08\x00\x01\x00", b"\x08\x00\x05\x00",
    b"\x08\x00\x08\x00", b"\x08\x00\x16\x00",
)  # fmt: skip
"""What a data set without preamble may begin with: low elements of groups 2 and 8."""


_archives: ContextVar[dict[Path, zipfile.ZipFile] | None] = ContextVar("archives", default=None)


@contextmanager
def keep_archives_open() -> Iterator[None]:
    """Open each archive once for all of its members: to open one reads its whole directory."""
    archives: dict[Path, zipfile.ZipFile] = {}
    token = _archives.set(archives)
    try:
        yield
    finally:
        _archives.reset(token)
        for archive in archives.values():
            archive.close()


NOT_DICOM = "is not a DICOM file"


class NotDicomError(Exception):
    """A file is not DICOM, or is damaged; it is skipped and named."""


@dataclass(frozen=True)
class Source:
    """One file, on disk or inside a zip.

    Attributes
    ----------
    path : Path
        The file, or the zip that holds it.
    member : str
        Name inside the zip, else empty.
    """

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """Name for messages."""
        return plain_text(self.member or self.path.name)

    def content(self) -> bytes:
        """The file as it is stored."""
        if not self.member:
            return self.path.read_bytes()
        archives = _archives.get()
        if archives is None:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self.member)
        if self.path not in archives:
            archives[self.path] = zipfile.ZipFile(self.path)
        return archives[self.path].read(self.member)

    def parse(self, headers_only: bool = False) -> FileDataset:
        """Parse the file.

        Parameters
        ----------
        headers_only : bool
            Stop before the pixels, which is all that a listing needs.

        Raises
        ------
        NotDicomError
            If it is no DICOM object or is damaged, with the reason.
        """
        try:
            with silence_libraries():
                return self._parse(headers_only)
        except (NotDicomError, SpinemetError):
            raise
        except Exception as error:  # pydicom raises eight kinds for damaged files
            raise NotDicomError(f"{self.name} is damaged ({first_clause(error)})") from error

    def _parse(self, headers_only: bool) -> FileDataset:
        # A member is unpacked in memory; a file on disk is read no further than needed.
        stream: io.BufferedIOBase = (
            io.BytesIO(self.content()) if self.member else self.path.open("rb")
        )
        with stream:
            head = stream.read(_HEAD_BYTES)
            has_preamble = begins_as_dicom(head)
            if not has_preamble and not _begins_as_dataset(head):
                raise NotDicomError(f"{self.name} {NOT_DICOM}")
            if has_preamble or head[0:2] == b"\x02\x00":
                _refuse_inflated(self.name, stream, start=132 if has_preamble else 0)
            stream.seek(0)
            try:
                dataset = pydicom.dcmread(
                    stream, stop_before_pixels=headers_only, force=not has_preamble
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


def _refuse_inflated(name: str, stream: io.BufferedIOBase, start: int) -> None:
    """Refuse a deflated data set that would grow beyond reason before pydicom inflates it.

    Where the deflated part starts is found as pydicom finds it, by reading the file meta
    group; the length that the group states about itself may be forged.
    """
    stream.seek(start)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    syntax = str(meta.get("TransferSyntaxUID", "")).strip("\0 ")
    if syntax != DeflatedExplicitVRLittleEndian:
        return
    data = stream.read()
    limit = min(max(MAX_RATIO * len(data), _CHUNK_BYTES), MAX_INFLATED_BYTES)
    inflater, total = zlib.decompressobj(-15), 0
    # Chunk by chunk and thrown away, so that a bomb never fills more than one chunk of memory.
    while data and total <= limit:
        total += len(inflater.decompress(data, _CHUNK_BYTES))
        data = inflater.unconsumed_tail
    if total > limit:
        raise NotDicomError(f"{name} inflates to more than {limit:,} bytes and is refused")
