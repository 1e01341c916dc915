"""What every long computation speaks: a cancel token and typed events."""

from .events import Evaluated, Event, EventCallback, Finished, Progressed, Started
from .token import CancelToken

__all__ = [
    "CancelToken",
    "Evaluated",
    "Event",
    "EventCallback",
    "Finished",
    "Progressed",
    "Started",
]
