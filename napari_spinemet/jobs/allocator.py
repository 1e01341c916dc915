"""What the C library does with memory that was freed: keep it, or give it back."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

# Parameters of mallopt, from glibc's malloc.h, and the variables that say the same to a process
# yet to begin.
_OPTIONS = (
    (-4, "MALLOC_MMAP_MAX_", 0),
    (-1, "MALLOC_TRIM_THRESHOLD_", 2**31 - 1),
    (-2, "MALLOC_TOP_PAD_", 256 * 2**20),
    (-8, "MALLOC_ARENA_MAX", 1),
)
ALLOCATOR_VARIABLES = {name: str(value) for _, name, value in _OPTIONS}
"""Environment of a process that is to keep what it frees, see :func:`keep_freed_memory`."""


def keep_freed_memory() -> None:
    """Let this process keep what it frees, for its next step.

    glibc hands every large array back to the system as it is freed, and the next one of its
    size comes in empty pages that must each be faulted in: sixty thousand of them in a step
    of training. To be called before there are other threads, in a process that computes and
    then ends. Other C libraries than glibc are left alone.
    """
    library = _glibc("mallopt")
    if library is not None:
        for parameter, _, value in _OPTIONS:
            library.mallopt(parameter, value)


def give_memory_back() -> None:
    """Give the system what ended jobs have freed; threads may have held it.

    Each job is a thread of its own, and what one has freed glibc keeps in that thread's arena
    until it is told that nobody will come back for it.
    """
    library = _glibc("malloc_trim")
    if library is not None:
        library.malloc_trim(0)


def _glibc(function: str) -> Any:
    """The C library, if it has that function of glibc's."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, function) else None
