"""What the DICOM libraries say: kept off the terminal, and cut down to a clause for a sentence."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Without a handler of its own, what a library logs would land on the user's terminal.
logging.getLogger("highdicom").addHandler(logging.NullHandler())

_FILTERS_LOCK = threading.RLock()
_MAX_CLAUSE = 200
"""Characters of a library's words that go into a sentence."""


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
