"""What every long computation speaks: a cancel token and typed events."""

from .cancellation import CancelToken, Deadline
from .events import Charted, Evaluated, Event, EventCallback, Finished, Progressed, Started

__all__ = [
    "CancelToken",
    "Charted",
    "Deadline",
    "Evaluated",
    "Event",
    "EventCallback",
    "Finished",
    "Progressed",
    "Started",
]
