"""What fails in a slot is told in a sentence, and goes to the log in full."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING
from weakref import ref

from napari.utils.notifications import notification_manager

from .jobs.job_runner import to_user_error

if TYPE_CHECKING:
    from .session import Session

PACKAGE = __name__.partition(".")[0]


def tell_slot_errors(session: Session) -> None:
    """Tell of errors in this package's slots in place of napari, which shows their traceback.

    Only where napari handles them: not under another program, nor a test that wants to see them.

    Parameters
    ----------
    session : Session
        Held weakly.
    """
    former_hook = sys.excepthook
    if getattr(former_hook, "__self__", None) is not notification_manager:
        return
    session_ref = ref(session)

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        own_session = session_ref()
        if own_session is None or not issubclass(kind, Exception) or not _is_ours(trace):
            former_hook(kind, error, trace)
            return
        own_session.warn(str(to_user_error(error)))

    sys.excepthook = tell


def _is_ours(trace: TracebackType | None) -> bool:
    """Whether an error came through a function of this package."""
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == PACKAGE:
            return True
        trace = trace.tb_next
    return False
