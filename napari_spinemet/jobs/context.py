"""What a long computation is handed: where its events go, and by what it is asked to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .cancellation import NEVER_CANCELLED, CancelToken
from .events import Event, EventCallback, Progressed, ignore


@dataclass(frozen=True, eq=False)
class JobContext:
    """A listener and a cancel token, handed on as one value.

    Attributes
    ----------
    on_event : callable
        Hears every event, in the thread of the computation.
    cancel : CancelToken
        Polled at least once a batch.
    """

    on_event: EventCallback = ignore
    cancel: CancelToken = NEVER_CANCELLED

    @classmethod
    def of(cls, on_event: EventCallback | None, cancel: CancelToken | None) -> JobContext:
        """What a caller of the public API gave; None is nobody.

        Parameters
        ----------
        on_event : callable, optional
        cancel : CancelToken, optional
        """
        return cls(on_event or ignore, cancel or NEVER_CANCELLED)

    def report(self, event: Event) -> None:
        """Tell the listener."""
        self.on_event(event)

    def progress(
        self,
        task: str,
        done: int,
        total: int,
        message: str = "",
        values: Mapping[str, float] | None = None,
    ) -> None:
        """Tell the listener how far the work is.

        Parameters
        ----------
        task : str
            Name of the work.
        done, total : int
            Steps that are over, and steps in all.
        message : str
            For people.
        values : mapping of str to float, optional
            Figures that go along.
        """
        self.on_event(Progressed(task, done, total, message, values or {}))

    def raise_if_cancelled(self) -> None:
        """Raise :class:`~napari_spinemet.errors.Cancelled` once someone asked to stop."""
        self.cancel.raise_if_cancelled()

    def without_events(self) -> JobContext:
        """The same token with nobody listening: for a part that reports by itself."""
        return JobContext(cancel=self.cancel)


UNATTENDED = JobContext()
"""Nobody listens, and nobody will ask to stop."""
