"""A real mouse on the real canvas."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication


def canvas_of(session: object) -> object:
    """The widget that shows the picture."""
    return session.viewer.window._qt_viewer.canvas.native


def canvas_point(session: object, row: float, column: float) -> QPoint:
    """Where a pixel of the slice on the screen is on the canvas."""
    camera, canvas = session.viewer.scene.camera, canvas_of(session)
    spacing = session.series.spacing_mm
    return QPoint(
        round(canvas.width() / 2 + (column * spacing[2] - camera.center[2]) * camera.zoom),
        round(canvas.height() / 2 + (row * spacing[1] - camera.center[1]) * camera.zoom),
    )


def click(qtbot: object, session: object, row: float, column: float) -> None:
    """Click a pixel with the left button."""
    click_point(qtbot, session, canvas_point(session, row, column))


def click_point(qtbot: object, session: object, point: QPoint) -> None:
    """Click a place on the canvas."""
    canvas = canvas_of(session)
    qtbot.mouseMove(canvas, point)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=point)
    QApplication.processEvents()


def stroke(
    qtbot: object,
    session: object,
    path: list[tuple[float, float]],
    button: Qt.MouseButton = Qt.MouseButton.LeftButton,
) -> None:
    """Move along (row, column) pixels with a button held."""
    canvas = canvas_of(session)
    points = [canvas_point(session, *at) for at in path]
    qtbot.mouseMove(canvas, points[0])
    qtbot.mousePress(canvas, button, pos=points[0])
    for point in points[1:]:
        # A move with a button held is an event of its own, which the test library does not make;
        # the canvas looks at one every ten milliseconds.
        qtbot.wait(20)
        _move(canvas, point, button)
    qtbot.wait(20)
    qtbot.mouseRelease(canvas, button, pos=points[-1])
    QApplication.processEvents()


def _move(canvas: object, point: QPoint, button: Qt.MouseButton) -> None:
    no_key = Qt.KeyboardModifier.NoModifier
    local_point = QPointF(point)
    global_point = QPointF(canvas.mapToGlobal(point))
    event = QMouseEvent(QEvent.Type.MouseMove, local_point, global_point, button, button, no_key)
    QApplication.sendEvent(canvas, event)


def turn_wheel(
    session: object,
    row: float,
    column: float,
    notches: int,
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """Turn the wheel over a pixel: towards the user is negative."""
    canvas, point = canvas_of(session), canvas_point(session, row, column)
    for _ in range(abs(notches)):
        event = QWheelEvent(
            QPointF(point),
            QPointF(canvas.mapToGlobal(point)),
            QPoint(),
            QPoint(0, 120 if notches > 0 else -120),
            Qt.MouseButton.NoButton,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)
    QApplication.processEvents()


def picture(session: object) -> np.ndarray:
    """What the canvas shows, (row, column, channel)."""
    return session.viewer.screenshot(canvas_only=True, flash=False)
