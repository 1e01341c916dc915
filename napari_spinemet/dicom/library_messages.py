"""What the DICOM libraries say: kept off the terminal, and put in words that help."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import SpinemetError

# Without a handler of its own, what a library logs would land on the user's terminal.
logging.getLogger("highdicom").addHandler(logging.NullHandler())

_MAX_CLAUSE = 200
"""Characters of a library's words that go into a sentence."""
_log = logging.getLogger(__name__)
_FILTERS_LOCK = threading.RLock()


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Silence the libraries' remarks on the form of files; faults are exceptions."""
    # Warning filters are the whole process's: two threads at a time would leave them changed.
    with _FILTERS_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def first_clause(error: BaseException) -> str:
    """The first line of an error of a library, without its full stop, for use in a sentence."""
    lines = str(error).strip().splitlines()
    text = " ".join(lines[0].split()).split(". ")[0].rstrip(".:;, ") if lines else ""
    return text[:_MAX_CLAUSE] or type(error).__name__


def why_unreadable(
    error: BaseException, syntax_name: str = "", can_unpack: bool = False
) -> tuple[str, str]:
    """Why pixels could not be read, and what to do, in words that are no program's.

    Parameters
    ----------
    error : BaseException
        Of our own, or of a library.
    syntax_name : str
        Name of the transfer syntax of the files, where it is a compressed one.
    can_unpack : bool
        Whether there is anything that unpacks it.

    Returns
    -------
    tuple of str
        Two clauses.
    """
    again = "copy or export the scan again"
    if isinstance(error, SpinemetError):
        return str(error), again
    if isinstance(error, MemoryError):
        return "there is not enough memory for it", "close other programs"
    text = str(error)
    if "Unable to decompress" in text or "no available" in text or "plugin" in text:
        if can_unpack:
            return "its pixels are damaged", again
        packing = f" as {syntax_name}" if syntax_name else ""
        return f"its pixels are packed{packing}, and there is nothing here that unpacks them", (
            "export it uncompressed"
        )
    _log.info("A series cannot be read.", exc_info=error)
    return "its files were cut off or changed, or what they say does not fit together", again
