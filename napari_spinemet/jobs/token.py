"""Cooperative cancellation."""

from __future__ import annotations

import threading

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
    def cancelled(self) -> bool:
        """Whether someone asked to stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise :class:`~napari_spinemet.errors.Cancelled` once someone asked to stop."""
        if self._event.is_set():
            raise Cancelled("The run was cancelled; what was there before is as it was.")
