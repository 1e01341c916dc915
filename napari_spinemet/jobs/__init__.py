"""What every long computation speaks: a cancel token and typed events."""

from .cancellation import NEVER_CANCELLED, CancelToken, Deadline
from .context import UNATTENDED, JobContext
from .events import Charted, Evaluated, Event, EventCallback, Finished, Progressed, Started

__all__ = [
    "NEVER_CANCELLED",
    "UNATTENDED",
    "CancelToken",
    "Charted",
    "Deadline",
    "Evaluated",
    "Event",
    "EventCallback",
    "Finished",
    "JobContext",
    "Progressed",
    "Started",
]
