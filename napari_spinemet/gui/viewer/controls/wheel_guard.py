"""The wheel scrolls the panel, and changes a control only where that has the focus."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QScrollBar,
    QTabBar,
    QWidget,
)

_KINDS = (QAbstractSpinBox, QComboBox, QAbstractSlider, QTabBar)


class _WheelGuard(QObject):
    """Lets the wheel pass by whatever has no focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the wheel to what lies around the control."""
        if event.type() != QEvent.Type.Wheel or not isinstance(watched, QWidget):
            return False
        if watched.hasFocus() and not isinstance(watched, QTabBar):
            return False
        event.ignore()  # so that it goes on to the panel, which scrolls
        return True


def guard_from_wheel(widget: QWidget) -> None:
    """Let the wheel change no control of a widget that has no focus.

    Parameters
    ----------
    widget : QWidget
        With all that it will hold.
    """
    guard = _WheelGuard(widget)
    for kind in _KINDS:
        for control in widget.findChildren(kind):
            if isinstance(control, QScrollBar):
                continue
            control.installEventFilter(guard)
            # Not by the wheel, or it would have the focus before it is asked.
            if control.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
