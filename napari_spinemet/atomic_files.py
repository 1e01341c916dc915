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
    """Give a temporary path beside ``target`` that takes its place once the block succeeds.

    A killed program leaves the former file as it was. A file that need not be ``durable`` is not
    waited for until the disk has it, so that the last of it may be lost with the power.

    Raises
    ------
    SpinemetError
        If the folder cannot be written to or the disk is full.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise SpinemetError(_reason(target, error)) from error
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except OSError as error:
        raise SpinemetError(_reason(target, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file whole or not at all, as UTF-8; see :func:`replace_atomically`."""
    with replace_atomically(target, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


_UMASK = os.umask(0o022)
os.umask(_UMASK)


def _mode(target: Path) -> int:
    """Who may read a file: as before, else as the user wants it of new files."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        return 0o666 & ~_UMASK


def _reason(target: Path, error: OSError) -> str:
    return f"{target} cannot be written ({error.strerror or error}); choose another place."
