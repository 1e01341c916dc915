"""What every long computation speaks: a cancel token and typed events."""

from .events import Charted, Evaluated, Event, EventCallback, Finished, Progressed, Started
from .token import CancelToken, Deadline

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
