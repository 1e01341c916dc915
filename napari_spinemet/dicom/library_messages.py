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


def why_unreadable(error: BaseException) -> str:
    """Why a series could not be read, in words that are no program's.

    Parameters
    ----------
    error : BaseException
        Of our own, which says so itself, or of a library.
    """
    if isinstance(error, SpinemetError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    _log.info("A series cannot be read.", exc_info=error)
    return "its files were cut off or changed, or what they say does not fit together"
