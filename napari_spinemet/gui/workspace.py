"""Workspace: the widgets as tabs, in the order of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import QScrollArea, QStyle, QTabWidget, QVBoxLayout, QWidget

from .annotate.annotate_widget import AnnotateWidget
from .detect.detect_widget import DetectWidget
from .load.load_widget import LoadWidget
from .review.review_widget import ReviewWidget
from .train.train_widget import TrainWidget
from .view_state import ViewStateStore
from .viewer.session import session_of

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
        self.session.drawing_wanted.connect(lambda _: self.show_tab("Annotate"))
        self._restyled = QTimer(self)
        self._restyled.setSingleShot(True)
        self._restyled.timeout.connect(self._keep_wide_enough)
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
        self._keep_wide_enough()
        self.screen = ViewStateStore(self)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the viewer's style, which has its own margins and letters."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._restyled.start()  # the style of the parts changes after that of the whole

    def _keep_wide_enough(self) -> None:
        """A tab that is cut off on the right hides its values."""
        widgets = (self.load, self.annotate, self.train, self.detect, self.review)
        widest = max(widget.minimumSizeHint().width() for widget in widgets)
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
