"""How many threads torch computes with: one place chooses, and what was before comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..jobs.openmp import are_threads_set_by_user, usable_cores

_lock = threading.Lock()
_depth = 0
_former_count = 0


def choose_threads(spare_cores: int = 0) -> int:
    """Threads for a computation, never more than torch has already been given.

    By the cores alone and not by what else runs: a sum depends on the number of threads in its
    last digits, and the same computer should give the same numbers on a busy day.

    Parameters
    ----------
    spare_cores : int
        Cores that are left to others, such as the window.

    Returns
    -------
    int
        At least 1. What the user set by ``OMP_NUM_THREADS`` stands as it is.
    """
    count = torch.get_num_threads()
    if are_threads_set_by_user():
        return count
    return max(1, min(count, usable_cores() - spare_cores))


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Compute with so many threads, and with as many as before afterwards.

    Parameters
    ----------
    count : int or None
        At least 1; None leaves everything as it is.
    """
    if count is None:
        yield
        return
    global _depth, _former_count
    former = torch.get_num_threads()
    with _lock:
        if _depth == 0:
            _former_count = former
        _depth += 1
    torch.set_num_threads(count)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            # What is set holds for this thread and for all that are yet to start. Jobs of
            # several threads may end in any order: the last one brings back what was at first.
            torch.set_num_threads(former if _depth else _former_count)
