"""Workspace: the widgets as tabs, in the order of the work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSize
from qtpy.QtWidgets import (
    QApplication,
    QStyle,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from .annotate.annotate_widget import AnnotateWidget
from .beside_bar import BesideBar
from .detect.detect_widget import DetectWidget
from .load.load_widget import LoadWidget
from .review.review_widget import ReviewWidget
from .scan_header import ScanHeader
from .status_line import StatusLine
from .surroundings import Surroundings
from .train.train_widget import TrainWidget
from .view_state import ViewState, ViewStateStore
from .viewer.jobs.garbage_collection import leave_out_of_collections
from .viewer.scan.overlay_switch import OverlaySwitch
from .viewer.session import session_of
from .viewer.shortcuts import Key, bind
from .viewer.timing import Debouncer

if TYPE_CHECKING:
    import napari

ROOM_FOR_CURVE = 1200
"""So wide is a window, in its own pixels, that has room for a curve beside the picture."""


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
        self.session.drawing_requested.connect(lambda _: self.show_tab("Annotate"))
        self._style_end = Debouncer(0, self)
        self._style_end.triggered.connect(self._keep_wide_enough)
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
            self.tabs.addTab(widget, name)
        self.header = ScanHeader(self.session)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addWidget(self.header)
        self.surroundings = Surroundings(napari_viewer, self.session)
        self.beside_bar = BesideBar(self.session, self.surroundings)
        layout.addWidget(self.beside_bar)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(StatusLine(self.session))
        self.destroyed.connect(
            lambda _=None, surroundings=self.surroundings: surroundings.take_back()
        )
        self.header.layers_box.toggled.connect(self.surroundings.show_layer_panels)
        self.froc_dock = self.surroundings.add_dock(self.review.take_froc_box(), "FROC")
        self._had_curve = False
        self.overlays = OverlaySwitch(self.session.layers)
        self._bind_keys()
        self._keep_wide_enough()
        self._watch_view_state()
        self.session.froc_changed.connect(self._on_froc)
        self.review.curve_box.toggled.connect(self._show_froc)
        self.tabs.currentChanged.connect(lambda _: self._show_froc())
        leave_out_of_collections(napari_viewer)

    def _bind_keys(self) -> None:
        """Those that work under every tab; :data:`.WINDOW_NOTES` tells of them."""
        bind(
            self,
            [
                Key("H", "", self.overlays.switch),
                Key("F6", "", self._cross_over),
                Key("J", "", self.beside_bar.switch_in_place),
                Key("K", "", self.beside_bar.switch_beside),
                *(Key(keys, "", partial(self._turn, 1)) for keys in ("Ctrl+PgDown", "Ctrl+Tab")),
                *(
                    Key(keys, "", partial(self._turn, -1))
                    for keys in ("Ctrl+PgUp", "Ctrl+Shift+Tab")
                ),
            ],
        )

    def _turn(self, step: int) -> None:
        """Bring the next tab to the front; beyond an end, the other."""
        self.tabs.setCurrentIndex((self.tabs.currentIndex() + step) % self.tabs.count())

    def _cross_over(self) -> None:
        """From the picture to the tab in front, and back."""
        widget = QApplication.focusWidget()
        if widget is not None and (widget is self or self.isAncestorOf(widget)):
            self.session.viewer.window._qt_viewer.canvas.native.setFocus()
        else:
            self.tabs.setFocus()
            self.focusNextChild()

    def _on_froc(self) -> None:
        """The first curve comes into sight by itself if there is room, and goes with the last."""
        has_curve = self.session.froc is not None
        if has_curve != self._had_curve:
            self._had_curve = has_curve
            has_room = self.session.viewer.window._qt_window.width() >= ROOM_FOR_CURVE
            self.review.curve_box.setChecked(has_curve and has_room)
        self._show_froc()

    def _show_froc(self, *_: object) -> None:
        is_review = self.tabs.tabText(self.tabs.currentIndex()) == "Review"
        self.froc_dock.setVisible(is_review and self.review.curve_box.isChecked())

    def changeEvent(self, event: QEvent) -> None:
        """Follow the viewer's style, which has its own margins and letters."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._style_end.throttle()  # the style of the parts changes after that of the whole

    def _keep_wide_enough(self) -> None:
        """A tab that is cut off on the right hides its values."""
        widgets = (self.load, self.annotate, self.train, self.detect, self.review)
        widest = max(widget.content.minimumSizeHint().width() for widget in widgets)
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        self.setMinimumWidth(widest + bar + 8)

    def sizeHint(self) -> QSize:
        """Leave most of the window to the picture."""
        return QSize(440, 860)

    def _watch_view_state(self) -> None:
        self.view_states = ViewStateStore(self, self)
        review = self.review
        review.stored_results.looked_up.connect(self.view_states.bring_back)
        for signal in (
            self.tabs.currentChanged,
            review.controls.threshold_changed,
            review.controls.setting_changed,
            review.controls.refined_changed,
            review.evaluation.distance_changed,
            self.session.series_changed,
        ):
            signal.connect(self.view_states.note_change)

    def case_names(self) -> list[str]:
        """Cases of the open study, as they are listed under Load."""
        return [case.name for case in self.load.cases]

    def view_state(self, case: str) -> ViewState:
        """What is on the screen now, of a case."""
        controls = self.review.controls
        return ViewState(
            case=case,
            slice=self.session.layers.current_slice,
            tab=self.tabs.tabText(self.tabs.currentIndex()),
            point=controls.point(),
            refined=controls.refine_box.isChecked(),
            distance_mm=self.review.evaluation.distance.value(),
        )

    def show_view_state(self, state: ViewState) -> None:
        """Bring back how the case that is open was looked at."""
        review = self.review
        review.evaluation.distance.setValue(state.distance_mm)
        review.controls.refine_box.setChecked(state.refined)
        if self.session.result is not None:
            review.controls.set_point(state.point)
        self.session.layers.go_to(state.slice)
        self.show_tab(state.tab)

    def show_tab(self, name: str) -> None:
        """Bring a tab to the front."""
        for index in range(self.tabs.count()):
            if self.tabs.tabText(index) == name:
                self.tabs.setCurrentIndex(index)
