"""Every DICOM object in a folder, a file or a zip, whatever the files are called."""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import SpinemetError
from .headers import value_of

MAX_FILES = 100_000
MAX_MEMBER_BYTES = 2 * 1024**3
MAX_ARCHIVE_BYTES = 16 * 1024**3
MAX_INFLATED_BYTES = 1024**3
MAX_RATIO = 200
"""Largest expansion of a compressed member or data set; medical images stay below 20."""

_DIRECTORY_SOP_CLASS = "1.2.840.10008.1.3.10"
_CHUNK_BYTES = 64 * 2**20

# Without a handler of its own, what a library logs would land on the user's terminal.
logging.getLogger("highdicom").addHandler(logging.NullHandler())


_QUIET = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries' remarks on the form of files; faults are exceptions."""
    # What is caught is the whole process's: two threads at a time would leave it changed.
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


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

    def raw(self) -> bytes:
        """The file as it is stored."""
        if not self.member:
            return self.path.read_bytes()
        with zipfile.ZipFile(self.path) as archive:
            return archive.read(self.member)

    def read(self, headers_only: bool = False) -> FileDataset:
        """Parse the file.

        Raises
        ------
        NotDicomError
            If it is no DICOM object or is damaged, with the reason.
        """
        try:
            with quiet():
                return self._parse(headers_only)
        except (NotDicomError, SpinemetError):
            raise
        except Exception as error:  # pydicom raises eight kinds for damaged files
            raise NotDicomError(f"{self.name} is damaged ({first_clause(error)})") from error

    def _parse(self, headers_only: bool) -> FileDataset:
        stream: io.BufferedIOBase = io.BytesIO(self.raw()) if self.member else self.path.open("rb")
        with stream:
            head = stream.read(4096)
            preamble = head[128:132] == b"DICM"
            if not preamble and not _looks_like_dicom(head):
                raise NotDicomError(f"{self.name} is not a DICOM file")
            if preamble or head[0:2] == b"\x02\x00":
                _refuse_inflated(self.name, stream, start=132 if preamble else 0)
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
    try:
        exists = place.exists()
    except OSError as error:  # a folder on the way may not be entered, or the name is too long
        raise SpinemetError(
            f"{place} cannot be opened ({error.strerror}); check the path and its permissions."
        ) from error
    if not exists:
        raise SpinemetError(f"There is nothing at {place}; check the path.")
    if not (place.is_dir() or place.is_file()):
        raise SpinemetError(
            f"{place} is neither a file nor a folder; choose a DICOM file, folder or zip."
        )
    found = Found()
    alone = place.is_file() and not _is_zip(place)
    if alone and place.name.upper() == "DICOMDIR":
        place, alone = place.parent, False
    for source in _sources(place):
        try:
            header = source.read(headers_only=True)
        except NotDicomError as error:
            found.skipped.append(str(error))
            continue
        if value_of(header.file_meta, "MediaStorageSOPClassUID") == _DIRECTORY_SOP_CLASS:
            continue
        found.headers.append((source, header))
    if not found.headers:
        if alone:
            reason = found.skipped[0] if found.skipped else f"{place.name} is not a DICOM file"
            raise SpinemetError(f"{reason}; choose a DICOM file, folder or zip.")
        if found.skipped:
            damaged = [reason for reason in found.skipped if "is not a DICOM file" not in reason]
            if damaged:
                raise SpinemetError(
                    f"No file in {place} can be read, the first one since {damaged[0]}; copy the "
                    "scan again."
                )
            raise SpinemetError(
                f"None of the {len(found.skipped)} files in {place} is DICOM; choose the folder "
                "that holds the scan."
            )
        raise SpinemetError(f"{place} holds no scan; choose the folder that holds one.")
    return found


def _sources(place: Path) -> Iterator[Source]:
    if place.is_dir():
        count = 0
        # Links to folders are not followed: they may run in a circle or leave the place.
        for folder, folders, files in os.walk(place):
            folders.sort()
            for name in sorted(files):
                if name.startswith("."):  # another program's own, or a file still being written
                    continue
                count += 1
                if count > MAX_FILES:
                    raise SpinemetError(
                        f"{place} holds more than {MAX_FILES:,} files; choose the folder of "
                        "one scan."
                    )
                file = Path(folder) / name
                if file.is_file():
                    yield Source(file)
    elif _is_zip(place):
        try:
            yield from _members(place)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise SpinemetError(f"The archive {place.name} is damaged; copy it again.") from error
    else:
        yield Source(place)


def _is_zip(place: Path) -> bool:
    """Whether a file is an archive: pixels may hold an archive's signature by chance."""
    try:
        with place.open("rb") as stream:
            return stream.read(132)[128:] != b"DICM" and zipfile.is_zipfile(place)
    except OSError:
        return False


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
    while data and total <= limit:
        total += len(inflater.decompress(data, _CHUNK_BYTES))
        data = inflater.unconsumed_tail
    if total > limit:
        raise NotDicomError(f"{name} inflates to more than {limit:,} bytes and is refused")


def first_clause(error: BaseException) -> str:
    """The first line of an error of a library, without its full stop, for use in a sentence."""
    lines = str(error).strip().splitlines()
    text = " ".join(lines[0].split()).split(". ")[0].rstrip(".:;, ") if lines else ""
    return text[:200] or type(error).__name__
