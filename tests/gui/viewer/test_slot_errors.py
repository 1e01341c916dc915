"""A fault in a slot is one sentence for the person, and all of it for the log."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from napari.utils.notifications import notification_manager

from napari_spinemet.errors import SpinemetError
from napari_spinemet.gui.viewer.session import session_of
from napari_spinemet.gui.viewer.slot_errors import tell_slot_errors


def raise_error(error: Exception, name: str) -> Any:
    """Through a function of a module."""
    code = compile("def fail():\n    raise error\nfail()", name, "exec")
    try:
        exec(code, {"__name__": name, "error": error})
    except Exception:  # noqa: BLE001
        return sys.exc_info()
    raise AssertionError


@pytest.fixture
def told(viewer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is told while napari handles errors; what it shows itself comes in its list."""
    session = session_of(viewer)
    sentences: list[str] = []
    monkeypatch.setattr(session, "warn", sentences.append)
    shown: list[Any] = []
    monkeypatch.setattr(notification_manager, "receive_error", shown.append)
    former = sys.excepthook
    with notification_manager:
        monkeypatch.setattr(
            sys,
            "excepthook",
            type(notification_manager).receive_error.__get__(notification_manager),
        )
        tell_slot_errors(session)
        yield sentences
    sys.excepthook = former


def test_a_fault_of_ours_is_told_in_a_sentence(
    told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Without a traceback on the screen; the log has it."""
    with caplog.at_level(logging.ERROR):
        sys.excepthook(*raise_error(IndexError("out of range"), "napari_spinemet.gui.some"))
        sys.excepthook(*raise_error(SpinemetError("Choose another."), "napari_spinemet.gui.some"))
    assert "this is its fault, please report it" in told[0]
    assert told[1] == "Choose another."
    assert any(record.exc_info for record in caplog.records)


def test_faults_of_others_stay_napari_s(told: list[str]) -> None:
    """As they were handled before."""
    sys.excepthook(*raise_error(ValueError("theirs"), "another_plugin.widget"))
    assert told == []


def test_without_napari_s_handling_nothing_is_changed(viewer: Any) -> None:
    """A test sees what fails."""
    former = sys.excepthook
    tell_slot_errors(session_of(viewer))
    assert sys.excepthook is former
