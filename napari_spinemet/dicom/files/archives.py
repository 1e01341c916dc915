"""Archives that hold scans: zip, tar and gzip, also one inside another, read within bounds.

Nothing is written where the archive lies. An archive that lies inside another is unpacked to a
temporary file, since its members are not read in order.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from ...errors import SpinemetError

MAX_RATIO = 200
"""Largest expansion of a compressed member or data set; medical images stay below 20."""
MAX_MEMBER_BYTES = 2 * 1024**3
MAX_NESTING = 3
_FREE_BYTES = 64 * 2**20
"""As much may come of any archive, however small it is."""
_CHUNK_BYTES = 2**20
_HEAD_BYTES = 512

_MAGIC = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
)
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_TAR_BLOCK = 512
_ISO_MAGIC, _ISO_MAGIC_AT = b"CD001", 0x8001
UNREADABLE_KINDS = frozenset({"7z", "rar", "iso"})

ARCHIVE_ERRORS = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError, KeyError, IndexError,
)  # fmt: skip
"""What the libraries raise for archives that were cut off or changed."""


class Member(NamedTuple):
    """One file in an archive.

    Attributes
    ----------
    name : str
        Within the archive.
    size, packed_size : int
        In bytes as the archive tells them; 0 where it does not.
    is_locked : bool
        Whether it takes a password.
    """

    name: str
    size: int = 0
    packed_size: int = 0
    is_locked: bool = False


class Archive(Protocol):
    """One archive that is open for reading."""

    def members(self) -> list[Member]:
        """Its files, in their order; folders and links are left out."""

    def open(self, name: str) -> IO[bytes]:
        """The content of one of them, from its beginning."""

    def close(self) -> None:
        """Close it."""


class _Zip:
    def __init__(self, stream: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(stream)
        files = [info for info in self._archive.infolist() if not info.is_dir()]
        self._files = dict(zip(_distinct([info.filename for info in files]), files, strict=True))

    def members(self) -> list[Member]:
        return [
            Member(name, info.file_size, info.compress_size, bool(info.flag_bits & 1))
            for name, info in self._files.items()
        ]

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(self._files[name])

    def close(self) -> None:
        self._archive.close()


class _Tar:
    def __init__(self, stream: IO[bytes]) -> None:
        self._archive = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115  closed below
        files = [info for info in self._archive.getmembers() if info.isfile()]
        self._files = dict(zip(_distinct([info.name for info in files]), files, strict=True))
        stream.seek(self._archive.offset)
        end = stream.read(_TAR_BLOCK)
        if not end or end.strip(b"\0"):  # a whole one ends with an empty block
            raise tarfile.ReadError("files may have been cut off")

    def members(self) -> list[Member]:
        return [Member(name, info.size, info.size) for name, info in self._files.items()]

    def open(self, name: str) -> IO[bytes]:
        content = self._archive.extractfile(self._files[name])
        assert content is not None, "only files are members"
        return content

    def close(self) -> None:
        self._archive.close()


class _SingleFile:
    """One file that was compressed by itself, whose name lacks the suffix then."""

    def __init__(
        self, stream: IO[bytes], name: str, decompress: Callable[[IO[bytes]], IO[bytes]]
    ) -> None:
        self._stream, self._decompress = stream, decompress
        suffix = Path(name).suffix.lower()
        stem = name[: -len(suffix)] if suffix in (".gz", ".bz2", ".xz", ".tgz") else name
        self._name = f"{stem}.tar" if suffix == ".tgz" else stem

    def members(self) -> list[Member]:
        return [Member(self._name)]

    def open(self, name: str) -> IO[bytes]:
        self._stream.seek(0)
        return self._decompress(self._stream)

    def close(self) -> None:
        """Nothing is held open but the stream."""


def _distinct(names: Sequence[str]) -> list[str]:
    """The names with a number behind those that came before: an archive may repeat them."""
    counts: dict[str, int] = {}
    result = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        result.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return result


def _open_gzip(stream: IO[bytes]) -> IO[bytes]:
    return gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[return-value]  # it is read as any stream


def kind_of_archive(head: bytes) -> str:
    """Which kind of archive begins so; empty for none.

    Parameters
    ----------
    head : bytes
        The first of a file, at least 512 where it has as many.
    """
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + len(_TAR_MAGIC)] == _TAR_MAGIC:
        return "tar"
    if head[128:132] == b"DICM":
        return ""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def kind_of_file(path: Path) -> str:
    """Which kind of archive a file is; empty for none.

    A zip may have other bytes in front, and pixels may hold a zip's signature by chance: what
    begins as DICOM is none.

    Parameters
    ----------
    path : Path
        Of a file.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            kind = kind_of_archive(head)
            if kind or head[128:132] == b"DICM":
                return kind
            if path.suffix.lower() in (".iso", ".img"):
                stream.seek(_ISO_MAGIC_AT)
                return "iso" if stream.read(len(_ISO_MAGIC)) == _ISO_MAGIC else ""
        return "zip" if path.suffix.lower() in (".zip", ".exe") and zipfile.is_zipfile(path) else ""
    except OSError:
        return ""


def open_archive(stream: IO[bytes], name: str) -> Archive:
    """Open what was recognised as an archive.

    Parameters
    ----------
    stream : file
        From its beginning.
    name : str
        Of the file; a single compressed one is called by it.
    """
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    kind = kind_of_archive(head)
    if kind == "tar":
        return _Tar(stream)
    if kind == "gzip":
        return _SingleFile(stream, name, _open_gzip)
    if kind == "bzip2":
        return _SingleFile(stream, name, bz2.BZ2File)
    if kind == "xz":
        return _SingleFile(stream, name, lzma.LZMAFile)
    return _Zip(stream)


class _OpenArchives:
    """Archives that are open, by their file and what they lie in."""

    def __init__(self) -> None:
        self._archives: dict[tuple[Path, tuple[str, ...]], Archive] = {}
        self._streams: list[IO[bytes]] = []

    def get(self, path: Path, outer: tuple[str, ...]) -> Archive:
        key = (path, outer)
        if key not in self._archives:
            stream: IO[bytes]
            if outer:
                with self.get(path, outer[:-1]).open(outer[-1]) as content:
                    stream = _unpack(content, outer[-1], path.stat().st_size)
            else:
                stream = path.open("rb")
            self._streams.append(stream)
            self._archives[key] = open_archive(stream, outer[-1] if outer else path.name)
        return self._archives[key]

    def close(self) -> None:
        for archive in self._archives.values():
            archive.close()
        for stream in self._streams:
            stream.close()


_open_archives: ContextVar[_OpenArchives | None] = ContextVar("archives", default=None)


@contextmanager
def keep_archives_open() -> Iterator[None]:
    """Open each archive once for all of its members: to open one reads its whole directory."""
    if _open_archives.get() is not None:
        yield
        return
    archives = _OpenArchives()
    token = _open_archives.set(archives)
    try:
        yield
    finally:
        _open_archives.reset(token)
        archives.close()


@contextmanager
def archive_of(path: Path, outer: tuple[str, ...] = ()) -> Iterator[Archive]:
    """An archive, open; it stays so within :func:`keep_archives_open`.

    Parameters
    ----------
    path : Path
        Of the file.
    outer : tuple of str
        Names of the archives within it that lead to the one that is meant.
    """
    with keep_archives_open():
        archives = _open_archives.get()
        assert archives is not None
        yield archives.get(path, outer)


def _unpack(content: IO[bytes], name: str, packed_size: int) -> IO[bytes]:
    """A copy that can be read in any order, in memory or in a temporary file."""
    limit = growth_limit(packed_size)
    target = tempfile.SpooledTemporaryFile(max_size=_FREE_BYTES)  # noqa: SIM115  kept open
    total = 0
    while chunk := content.read(_CHUNK_BYTES):
        total += len(chunk)
        if total > limit:
            target.close()
            raise SpinemetError(
                f"{name} would unpack to more than {limit:,} bytes and is refused; ask for a fresh "
                "export."
            )
        target.write(chunk)
    target.seek(0)
    return target


def growth_limit(packed_size: int) -> int:
    """How many bytes may come of so many compressed ones."""
    return min(max(MAX_RATIO * packed_size, _FREE_BYTES), MAX_MEMBER_BYTES)
