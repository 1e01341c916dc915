"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import SpinemetError


@contextmanager
def replace_atomically(target: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path beside ``target`` that replaces it once the block succeeds.

    A killed program leaves the former file as it was.

    Parameters
    ----------
    target : pathlib.Path
        The file; folders that it needs are made.
    durable : bool
        Whether to wait until the disk has the file. If not, the last of it may be lost with the
        power.

    Yields
    ------
    pathlib.Path
        An empty file in the folder of ``target``. The caller writes and closes it, and must not
        keep the path.

    Raises
    ------
    SpinemetError
        If the folder cannot be written to or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)  # the caller opens it anew, by a library that wants a path
    except OSError as error:
        raise SpinemetError(_write_failure(target, error)) from error
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            # Before the rename, or else a power cut may leave the new name without its data.
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
        temporary.chmod(_file_mode(target))
        temporary.replace(target)
    except OSError as error:
        raise SpinemetError(_write_failure(target, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file whole or not at all, as UTF-8.

    Parameters
    ----------
    target : pathlib.Path
        The file; folders that it needs are made.
    text : str
        Line ends become those of the system.
    durable : bool
        Whether to wait until the disk has the file, see :func:`replace_atomically`.

    Raises
    ------
    SpinemetError
        If the folder cannot be written to or the disk is full.
    """
    with replace_atomically(target, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


# The mask can only be read by setting it, which is for the whole process: once, at import.
_UMASK = os.umask(0o022)
os.umask(_UMASK)


def _file_mode(target: Path) -> int:
    """Who may read a file: as before, else as the user wants it of new files."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        return 0o666 & ~_UMASK


def _write_failure(target: Path, error: OSError) -> str:
    """The sentence for a file that cannot be written."""
    return f"{target} cannot be written ({error.strerror or error}); choose another place."
