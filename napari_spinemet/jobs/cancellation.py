"""Cooperative cancellation."""

from __future__ import annotations

import math
import threading
import time

from ..errors import Cancelled


class CancelToken:
    """A flag that one thread raises and a long computation polls.

    A computation calls :meth:`raise_if_cancelled` at least once per batch, outside any
    write that must not be left half done.
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the computation to stop; safe from any thread, any number of times."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether someone asked to stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise :class:`~napari_spinemet.errors.Cancelled` once someone asked to stop."""
        if self.is_cancelled:
            raise Cancelled("The run was cancelled; what was there before is as it was.")


class _SharedToken(CancelToken):
    """The token of a computation that nobody can stop."""

    def cancel(self) -> None:
        """Refuse: many computations share this token."""
        raise RuntimeError("This token is shared and cannot be raised; make one of your own.")


NEVER_CANCELLED = _SharedToken()
"""In place of None: code that polls a token need not ask whether there is one."""


class Deadline(CancelToken):
    """A token that is raised by itself after some time, or with another one.

    Parameters
    ----------
    seconds : float or None
        None for never.
    other : CancelToken, optional
    """

    def __init__(self, seconds: float | None, other: CancelToken | None = None) -> None:
        super().__init__()
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        self._other = other

    @property
    def _is_requested(self) -> bool:
        return self._event.is_set() or (self._other is not None and self._other.is_cancelled)

    @property
    def is_expired(self) -> bool:
        """Whether it was the time, and nobody, who asked to stop."""
        return not self._is_requested and time.monotonic() >= self._end

    @property
    def is_cancelled(self) -> bool:
        """Whether someone asked to stop, or the time is over."""
        return self._is_requested or time.monotonic() >= self._end
