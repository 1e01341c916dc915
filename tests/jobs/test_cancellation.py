"""The cancel token."""

from __future__ import annotations

import threading

import pytest

from napari_spinemet.errors import Cancelled, SpinemetError
from napari_spinemet.jobs import CancelToken, Deadline


def test_a_token_stays_quiet_until_cancelled() -> None:
    """Polling does nothing before, raises every time after, and cancelling twice is fine."""
    token = CancelToken()
    token.raise_if_cancelled()
    assert not token.is_cancelled
    token.cancel()
    token.cancel()
    assert token.is_cancelled
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
    assert not other.is_cancelled


def test_a_deadline_is_raised_by_time_or_by_the_other_token() -> None:
    """It says which of the two it was."""
    other = CancelToken()
    assert not Deadline(None, other).is_cancelled
    expired = Deadline(0, other)
    assert expired.is_cancelled
    assert expired.is_expired
    other.cancel()
    assert Deadline(None, other).is_cancelled
    assert not expired.is_expired
