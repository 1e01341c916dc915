"""The cancel token and the events."""

from __future__ import annotations

import threading
from dataclasses import FrozenInstanceError

import pytest

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.jobs import CancelToken, Evaluated, Finished, Progressed, Started
from napari_spinemet.jobs.events import ignore


def test_a_token_stays_quiet_until_cancelled() -> None:
    """Polling does nothing before, raises every time after, and cancelling twice is fine."""
    token = CancelToken()
    token.raise_if_cancelled()
    assert not token.cancelled
    token.cancel()
    token.cancel()
    assert token.cancelled
    for _ in range(2):
        with pytest.raises(Cancelled, match="cancelled"):
            token.raise_if_cancelled()


def test_a_cancelled_run_is_something_the_user_asked_for() -> None:
    """It is a SpinemetError, so nobody shows a traceback for it."""
    assert issubclass(Cancelled, SpinemetError)


def test_a_token_stops_a_loop_in_another_thread() -> None:
    """The loop ends by the exception, at the next poll."""
    token, polling, ended = CancelToken(), threading.Event(), []

    def work() -> None:
        try:
            while True:
                token.raise_if_cancelled()
                polling.set()
        except Cancelled as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert polling.wait(5)
    token.cancel()
    thread.join(5)
    assert len(ended) == 1


def test_tokens_know_nothing_of_each_other() -> None:
    """Cancelling one run leaves the other alone."""
    one, other = CancelToken(), CancelToken()
    one.cancel()
    assert not other.cancelled


@pytest.mark.parametrize(
    "event",
    [
        Started("train", 10),
        Progressed("train", 3, 10, "epoch 1", {"loss": 0.5}),
        Evaluated("train", 1, {"validation_error": 0.1}),
        Finished("train", 2.5),
    ],
)
def test_events_are_values(event: object) -> None:
    """Equal to one with the same content, not to be changed, and fit for any listener."""
    fields = vars(event)
    assert type(event)(**fields) == event
    with pytest.raises(FrozenInstanceError):
        event.task = "other"  # type: ignore[attr-defined]
    ignore(event)  # type: ignore[arg-type]


def test_progress_needs_no_message() -> None:
    """Message and values are empty unless given."""
    event = Progressed("detect", 1, 2)
    assert event.message == ""
    assert dict(event.values) == {}
