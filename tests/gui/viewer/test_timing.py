"""One signal at the end of many, or one in a while."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import QObject

from napari_spinemet.gui.viewer.timing import Debouncer, Throttler


@pytest.mark.parametrize("kind", [Debouncer, Throttler])
def test_many_calls_give_one_signal(qtbot: Any, kind: Any) -> None:
    """While it is heard, none is awaited any more."""
    parent, states = QObject(), []
    timer = kind(20, parent)
    timer.triggered.connect(lambda: states.append(timer.is_pending))
    assert not timer.is_pending
    for _ in range(5):
        timer.throttle()
    assert timer.is_pending
    qtbot.waitUntil(lambda: bool(states), timeout=2_000)
    qtbot.wait(60)
    assert states == [False]


@pytest.mark.parametrize("kind", [Debouncer, Throttler])
def test_a_cancelled_signal_does_not_come(qtbot: Any, kind: Any) -> None:
    """The next one does."""
    parent, signals = QObject(), []
    timer = kind(20, parent)
    timer.triggered.connect(lambda: signals.append(1))
    timer.throttle()
    timer.cancel()
    assert not timer.is_pending
    qtbot.wait(60)
    assert signals == []
    timer.throttle()
    qtbot.waitUntil(lambda: signals == [1], timeout=2_000)
