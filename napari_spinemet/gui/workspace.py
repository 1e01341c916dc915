"""Workspace: the widgets as tabs, in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QScrollArea, QStyle, QTabWidget, QVBoxLayout, QWidget

from .annotate import AnnotateWidget
from .detect import DetectWidget
from .load import LoadWidget
from .review import ReviewWidget
from .session import session_of
from .train import TrainWidget

if TYPE_CHECKING:
    import napari


class Workspace(QWidget):
    """Load, Annotate, Train, Detect and Review beside the picture."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.load = LoadWidget(napari_viewer)
        self.annotate = AnnotateWidget(napari_viewer)
        self.train = TrainWidget(napari_viewer)
        self.detect = DetectWidget(napari_viewer)
        self.review = ReviewWidget(napari_viewer)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setUsesScrollButtons(False)
        for name, widget in (
            ("Load", self.load),
            ("Annotate", self.annotate),
            ("Train", self.train),
            ("Detect", self.detect),
            ("Review", self.review),
        ):
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            area.setWidget(widget)
            self.tabs.addTab(area, name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addWidget(self.tabs)
        # A tab that is cut off on the right hides its values.
        widest = max(
            widget.minimumSizeHint().width()
            for widget in (self.load, self.annotate, self.train, self.detect, self.review)
        )
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        self.setMinimumWidth(widest + bar + 8)

    def sizeHint(self) -> QSize:
        """Leave most of the window to the picture."""
        return QSize(440, 860)

    def show_tab(self, name: str) -> None:
        """Bring a tab to the front."""
        for index in range(self.tabs.count()):
            if self.tabs.tabText(index) == name:
                self.tabs.setCurrentIndex(index)
