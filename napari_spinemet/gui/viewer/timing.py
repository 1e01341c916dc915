"""Signals that come in bursts, and work that waits for their end."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject
from superqt.utils import QSignalDebouncer, QSignalThrottler


class _TrailingEmission:
    """What both have in common: one signal at the end, and whether it is still to come."""

    _is_pending = False

    @property
    def is_pending(self) -> bool:
        """Whether ``triggered`` will be emitted."""
        return self._is_pending

    def throttle(self) -> None:
        """Ask for ``triggered``."""
        self._is_pending = True
        super().throttle()  # type: ignore[misc]

    def cancel(self) -> None:
        """Do not emit what is waited for."""
        self._is_pending = False
        super().cancel()  # type: ignore[misc]

    def _set_up(self, interval_ms: int) -> None:
        throttler: Any = self
        throttler.setTimeout(interval_ms)
        # First of all that hear of it: whoever asks meanwhile is told that it is over.
        throttler.triggered.connect(self._on_triggered)

    def _on_triggered(self) -> None:
        self._is_pending = False


class Debouncer(_TrailingEmission, QSignalDebouncer):
    """Emit ``triggered`` once ``throttle`` has not been called for a while.

    Parameters
    ----------
    interval_ms : int
        How long nothing must have come.
    parent : QObject
    """

    def __init__(self, interval_ms: int, parent: QObject) -> None:
        super().__init__(self.EmissionPolicy.Trailing, parent)
        self._set_up(interval_ms)


class Throttler(_TrailingEmission, QSignalThrottler):
    """Emit ``triggered`` at most once in a while; the first call of ``throttle`` begins it.

    Parameters
    ----------
    interval_ms : int
        From the first call to the signal.
    parent : QObject
    """

    def __init__(self, interval_ms: int, parent: QObject) -> None:
        super().__init__(self.EmissionPolicy.Trailing, parent)
        self._set_up(interval_ms)
