"""A widget that scrolls where the window is too low for it."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QStyle, QVBoxLayout, QWidget


class ScrollingTab(QScrollArea):
    """Holds a column of widgets; alone in a dock, or as a tab of the workspace.

    Attributes
    ----------
    content : QWidget
        What is scrolled.
    column : QVBoxLayout
        Its layout.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.content = QWidget()
        self.column = QVBoxLayout(self.content)
        self.setWidget(self.content)

    def minimumSizeHint(self) -> QSize:
        """As wide as its content needs: what is cut off on the right hides its values."""
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        return QSize(self.content.minimumSizeHint().width() + bar, 120)
