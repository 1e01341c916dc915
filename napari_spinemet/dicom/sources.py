"""Every DICOM object in a folder, a file or a zip, whatever the files are called."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import SpinemetError

MAX_FILES = 100_000
MAX_MEMBER_BYTES = 2 * 1024**3
MAX_ARCHIVE_BYTES = 16 * 1024**3
MAX_RATIO = 200
"""Largest expansion of a compressed member or data set; medical images stay below 20."""

_DIRECTORY_SOP_CLASS = "1.2.840.10008.1.3.10"


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
        return self.member or self.path.name

    def read(self, headers_only: bool = False) -> FileDataset:
        """Parse the file.

        Raises
        ------
        NotDicomError
            If it is no DICOM object or is damaged, with the reason.
        """
        try:
            return self._parse(headers_only)
        except (NotDicomError, SpinemetError):
            raise
        except Exception as error:  # pydicom raises eight kinds for damaged files
            raise NotDicomError(f"{self.name} cannot be read: {error}") from error

    def _parse(self, headers_only: bool) -> FileDataset:
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                stream: io.BufferedIOBase = io.BytesIO(archive.read(self.member))
        else:
            stream = self.path.open("rb")
        with stream:
            head = stream.read(4096)
            preamble = head[128:132] == b"DICM"
            if not preamble and not _looks_like_dicom(head):
                raise NotDicomError(f"{self.name} is not a DICOM file")
            if DeflatedExplicitVRLittleEndian.encode() in head:
                _refuse_inflated(self.name, stream)
            stream.seek(0)
            try:
                dataset = pydicom.dcmread(
                    stream, stop_before_pixels=headers_only, force=not preamble
                )
            except InvalidDicomError as error:
                raise NotDicomError(f"{self.name} is not a DICOM file") from error
            if not preamble and "TransferSyntaxUID" not in dataset.file_meta:
                dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            if not headers_only:
                len(dataset)  # deferred values are read before the stream closes
            return dataset


class NotDicomError(Exception):
    """A file is not DICOM, or is damaged; it is skipped and named."""


@dataclass
class Found:
    """What a place holds.

    Attributes
    ----------
    headers : list
        (source, header without pixels) of each DICOM object that is not a directory.
    skipped : list of str
        One reason for each file that was passed over.
    """

    headers: list[tuple[Source, FileDataset]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def scan(path: str | os.PathLike[str]) -> Found:
    """Read the headers of everything in a folder, file, zip or DICOMDIR.

    A DICOMDIR stands for the folder that it lies in: its references are not followed, so
    that nothing outside is opened, and files that it forgot are found all the same.

    Raises
    ------
    SpinemetError
        If the place does not exist, is empty, or holds no DICOM object at all.
    """
    place = Path(path)
    if not place.exists():
        raise SpinemetError(f"There is nothing at {place}; check the path.")
    found = Found()
    alone = place.is_file() and not zipfile.is_zipfile(place)
    if alone and place.name.upper() == "DICOMDIR":
        place, alone = place.parent, False
    for source in _sources(place):
        try:
            header = source.read(headers_only=True)
        except NotDicomError as error:
            found.skipped.append(str(error))
            continue
        if header.get("MediaStorageDirectorySOPClass") or (
            header.file_meta.get("MediaStorageSOPClassUID") == _DIRECTORY_SOP_CLASS
        ):
            continue
        found.headers.append((source, header))
    if not found.headers:
        if alone:
            reason = found.skipped[0] if found.skipped else f"{place.name} is not a DICOM file"
            raise SpinemetError(f"{reason}; choose a DICOM file, folder or zip.")
        if found.skipped:
            raise SpinemetError(
                f"None of the {len(found.skipped)} files in {place} is DICOM; choose the folder "
                "that holds the scan."
            )
        raise SpinemetError(f"The folder {place} is empty; choose the folder that holds the scan.")
    return found


def _sources(place: Path) -> Iterator[Source]:
    if place.is_dir():
        count = 0
        # Links to folders are not followed: they may run in a circle or leave the place.
        for folder, folders, files in os.walk(place):
            folders.sort()
            for name in sorted(files):
                count += 1
                if count > MAX_FILES:
                    raise SpinemetError(
                        f"{place} holds more than {MAX_FILES:,} files; choose the folder of one scan."
                    )
                file = Path(folder) / name
                if file.is_file():
                    yield Source(file)
    elif zipfile.is_zipfile(place):
        try:
            yield from _members(place)
        except zipfile.BadZipFile as error:
            raise SpinemetError(f"The archive {place.name} is damaged; copy it again.") from error
    else:
        yield Source(place)


def _members(place: Path) -> Iterator[Source]:
    with zipfile.ZipFile(place) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
    total = sum(m.file_size for m in members)
    if len(members) > MAX_FILES or total > MAX_ARCHIVE_BYTES:
        raise SpinemetError(
            f"The archive {place.name} is too large; unpack it and choose one scan."
        )
    for member in members:
        if member.flag_bits & 1:
            raise SpinemetError(
                f"The archive {place.name} is locked with a password; unpack it first."
            )
        ratio = member.file_size / max(member.compress_size, 1)
        if member.file_size > MAX_MEMBER_BYTES or (ratio > MAX_RATIO and member.file_size > 2**20):
            raise SpinemetError(
                f"{member.filename} in {place.name} would unpack to {member.file_size:,} bytes "
                "and is refused; ask for a fresh export."
            )
        yield Source(place, member.filename)


def _looks_like_dicom(head: bytes) -> bool:
    """Whether a file without preamble starts with a low group, as data sets do."""
    return len(head) >= 8 and head[0:4] in (
        b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00",
        b"\x08\x00\x00\x00", b"\x08\x00\x01\x00", b"\x08\x00\x05\x00",
        b"\x08\x00\x08\x00", b"\x08\x00\x16\x00",
    )  # fmt: skip


def _refuse_inflated(name: str, stream: io.BufferedIOBase) -> None:
    """Refuse a deflated data set that would grow beyond reason before pydicom inflates it."""
    stream.seek(0)
    data = stream.read()
    # The deflated part follows the file meta group, whose length stands at byte 140.
    start = 144 + int.from_bytes(data[140:144], "little")
    limit = max(MAX_RATIO * len(data), 64 * 2**20)
    inflated = zlib.decompressobj(-15).decompress(data[start:], limit + 1)
    if len(inflated) > limit:
        raise NotDicomError(f"{name} inflates to more than {limit:,} bytes and is refused")
