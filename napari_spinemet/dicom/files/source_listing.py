"""Every file of a folder or an archive, whatever the files are called; nothing is parsed here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import SpinemetError
from .archives import (
    ARCHIVE_ERRORS,
    MAX_MEMBER_BYTES,
    MAX_NESTING,
    MAX_RATIO,
    UNREADABLE_KINDS,
    Member,
    archive_of,
    kind_of_archive,
    kind_of_file,
)
from .sources import NOT_DICOM, Source

MAX_FILES = 100_000
MAX_ARCHIVE_BYTES = 16 * 1024**3
_HEAD_BYTES = 512
_ARCHIVE_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def list_sources(path: Path, skip: Callable[[str], object] = lambda _: None) -> Iterator[Source]:
    """Walk through the files of a folder, the members of an archive, or the one file that it is.

    Archives in a folder or in an archive are looked into as well.

    Parameters
    ----------
    path : Path
        Of a folder or a file.
    skip : callable
        Gets a reason for each folder or archive below it that cannot be opened.

    Raises
    ------
    SpinemetError
        If there are more files than any scan has, or if the path is an archive that is damaged,
        locked, of another kind, or would unpack beyond reason.
    """
    if path.is_dir():
        for file in _files(path, skip):
            # Documents and arrays are zips as well, and hold no scans.
            may_hold_scans = file.suffix.lower() in ("", ".iso", ".img", *_ARCHIVE_SUFFIXES)
            kind = kind_of_file(file) if may_hold_scans else ""
            if not kind:
                yield Source(file)
                continue
            try:
                yield from _sources_in(file, kind)
            except SpinemetError as error:
                skip(str(error).rstrip("."))
        return
    kind = kind_of_file(path)
    if kind:
        yield from _sources_in(path, kind)
    else:
        yield Source(path)


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, of a kind that can be read or of another."""
    return bool(kind_of_file(path))


def _files(folder: Path, skip: Callable[[str], object]) -> Iterator[Path]:
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
                yield file


def _sources_in(path: Path, kind: str) -> Iterator[Source]:
    """The members of an archive; all of them are looked at before the first is given."""
    if kind in UNREADABLE_KINDS:
        raise SpinemetError(
            f"{path.name} {NOT_DICOM} but an archive of the kind {kind}; unpack it first."
        )
    try:
        sources = list(_members(path, (), [0, 0]))
    except SpinemetError:
        raise
    except ARCHIVE_ERRORS as error:
        raise SpinemetError(
            f"The archive {path.name} is damaged or incomplete; copy or download it again."
        ) from error
    yield from sources


def _members(path: Path, outer: tuple[str, ...], totals: list[int]) -> Iterator[Source]:
    """Members of an archive and of those in it; ``totals`` counts files and bytes."""
    with archive_of(path, outer) as archive:
        for member in archive.members():
            totals[0] += 1
            totals[1] += member.size
            if totals[0] > MAX_FILES or totals[1] > MAX_ARCHIVE_BYTES:
                raise SpinemetError(
                    f"The archive {path.name} is too large; unpack it and choose one scan."
                )
            _check_member(path, member)
            is_alone = not member.size  # a file that was compressed by itself
            kind = ""
            if is_alone or member.name.lower().endswith(_ARCHIVE_SUFFIXES):
                with archive.open(member.name) as content:
                    kind = kind_of_archive(content.read(_HEAD_BYTES))
            if kind in UNREADABLE_KINDS or (kind and len(outer) >= MAX_NESTING):
                raise SpinemetError(
                    f"The archive {path.name} holds another one, {Path(member.name).name}, that "
                    "cannot be read; unpack it first."
                )
            if kind:
                yield from _members(path, (*outer, member.name), totals)
            else:
                yield Source(path, member.name, outer)


def _check_member(path: Path, member: Member) -> None:
    if member.is_locked:
        raise SpinemetError(f"The archive {path.name} is locked with a password; unpack it first.")
    is_bomb = member.size > 2**20 and member.size > MAX_RATIO * max(member.packed_size, 1)
    if member.size > MAX_MEMBER_BYTES or is_bomb:
        raise SpinemetError(
            f"{member.name} in {path.name} would unpack to {member.size:,} bytes and is refused; "
            "ask for a fresh export."
        )
