"""Every file of a folder or a zip, whatever the files are called; nothing is parsed here."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import SpinemetError
from .sources import MAX_RATIO, Source, begins_as_dicom

MAX_FILES = 100_000
MAX_MEMBER_BYTES = 2 * 1024**3
MAX_ARCHIVE_BYTES = 16 * 1024**3


def list_sources(path: Path, skip: Callable[[str], object] = lambda _: None) -> Iterator[Source]:
    """Walk through the files of a folder, the members of a zip, or the one file that it is.

    Parameters
    ----------
    path : Path
        Of a folder or a file.
    skip : callable
        Gets a reason for each folder below it that cannot be opened.

    Raises
    ------
    SpinemetError
        If there are more files than any scan has, or if the zip is damaged, locked or would
        unpack beyond reason.
    """
    if path.is_dir():
        yield from _files(path, skip)
    elif is_zip(path):
        try:
            yield from _members(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise SpinemetError(f"The archive {path.name} is damaged; copy it again.") from error
    else:
        yield Source(path)


def is_zip(path: Path) -> bool:
    """Whether a file is an archive: pixels may hold an archive's signature by chance."""
    try:
        with path.open("rb") as stream:
            return not begins_as_dicom(stream.read(132)) and zipfile.is_zipfile(path)
    except OSError:
        return False


def _files(folder: Path, skip: Callable[[str], object]) -> Iterator[Source]:
    count = 0

    def on_error(error: OSError) -> None:
        name = Path(error.filename or folder).name
        skip(f"the folder {name} cannot be opened ({error.strerror})")

    # Links to folders are not followed: they may run in a circle or leave the folder.
    for parent, subfolders, names in os.walk(folder, onerror=on_error):
        subfolders.sort()  # in place, which is what the walk goes by
        for name in sorted(names):
            if name.startswith("."):  # another program's own, or a file still being written
                continue
            count += 1
            if count > MAX_FILES:
                raise SpinemetError(
                    f"{folder} holds more than {MAX_FILES:,} files; choose the folder of one scan."
                )
            file = Path(parent) / name
            if file.is_file():
                yield Source(file)


def _members(path: Path) -> Iterator[Source]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
    total = sum(m.file_size for m in members)
    if len(members) > MAX_FILES or total > MAX_ARCHIVE_BYTES:
        raise SpinemetError(f"The archive {path.name} is too large; unpack it and choose one scan.")
    for member in members:
        if member.flag_bits & 1:
            raise SpinemetError(
                f"The archive {path.name} is locked with a password; unpack it first."
            )
        ratio = member.file_size / max(member.compress_size, 1)
        if member.file_size > MAX_MEMBER_BYTES or (ratio > MAX_RATIO and member.file_size > 2**20):
            raise SpinemetError(
                f"{member.filename} in {path.name} would unpack to {member.file_size:,} bytes "
                "and is refused; ask for a fresh export."
            )
        yield Source(path, member.filename)
