"""A real mouse on the real canvas."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication


def canvas_of(session: object) -> object:
    """The widget that shows the picture."""
    return session.viewer.window._qt_viewer.canvas.native


def place_of(session: object, row: float, column: float) -> QPoint:
    """Where a pixel of the slice on the screen is on the canvas."""
    camera, canvas = session.viewer.scene.camera, canvas_of(session)
    spacing = session.series.spacing_mm
    return QPoint(
        round(canvas.width() / 2 + (column * spacing[2] - camera.center[2]) * camera.zoom),
        round(canvas.height() / 2 + (row * spacing[1] - camera.center[1]) * camera.zoom),
    )


def click(qtbot: object, session: object, row: float, column: float) -> None:
    """Click a pixel with the left button."""
    click_place(qtbot, session, place_of(session, row, column))


def click_place(qtbot: object, session: object, place: QPoint) -> None:
    """Click a place on the canvas."""
    canvas = canvas_of(session)
    qtbot.mouseMove(canvas, place)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place)
    QApplication.processEvents()


def stroke(qtbot: object, session: object, path: list[tuple[float, float]]) -> None:
    """Draw along (row, column) pixels with the left button held."""
    canvas = canvas_of(session)
    places = [place_of(session, *at) for at in path]
    qtbot.mouseMove(canvas, places[0])
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        # A move with a button held is an event of its own, which the test library does not make;
        # the canvas looks at one every ten milliseconds.
        qtbot.wait(20)
        _move(canvas, place)
    qtbot.wait(20)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=places[-1])
    QApplication.processEvents()


def _move(canvas: object, place: QPoint) -> None:
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent

    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    at = QPointF(place)
    across = QPointF(canvas.mapToGlobal(place))
    event = QMouseEvent(QEvent.Type.MouseMove, at, across, left, left, none)
    QApplication.sendEvent(canvas, event)


def picture(session: object) -> np.ndarray:
    """What the canvas shows, (row, column, channel)."""
    return session.viewer.screenshot(canvas_only=True, flash=False)
