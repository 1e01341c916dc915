"""The T1, or another series of the examination: which, and where it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QComboBox, QDockWidget, QHBoxLayout, QWidget
from superqt.utils import signals_blocked

from ..imaging.geometry import MOST_TURNED, placement_in, turn_degrees
from .viewer.scan.linked_view import LinkedView

if TYPE_CHECKING:
    from .surroundings import Surroundings
    from .viewer.session import Session


class BesideBar(QWidget):
    """Seen where there are other series; one of them is shown beside the scan, or in its place.

    Parameters
    ----------
    session : Session
    surroundings : Surroundings
        Have room for a second picture.
    """

    def __init__(self, session: Session, surroundings: Surroundings) -> None:
        super().__init__()
        self._session, self._surroundings = session, surroundings
        self.view: LinkedView | None = None
        self._dock: QDockWidget | None = None
        self.choice = QComboBox()
        self.choice.setToolTip("Other series of this examination, in the same space.")
        self.choice.currentIndexChanged.connect(session.beside_series.choose)
        self.beside_box = QCheckBox("beside (K)")
        self.beside_box.setToolTip("Show it in a second picture; slice, zoom and mouse follow.")
        self.beside_box.toggled.connect(lambda _: self._show())
        self.in_place_box = QCheckBox("in place (J)")
        self.in_place_box.setToolTip("Show it where the scan is, below the same outlines.")
        self.in_place_box.toggled.connect(self._show_in_place)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 0)
        layout.addWidget(self.choice, 1)
        layout.addWidget(self.beside_box)
        layout.addWidget(self.in_place_box)
        session.beside_series.selection_changed.connect(self._on_changed)
        self._on_changed()

    def switch_beside(self) -> None:
        """Show it beside the scan, or not any more."""
        self._switch(self.beside_box)

    def switch_in_place(self) -> None:
        """Show it in place of the scan, or the scan again."""
        self._switch(self.in_place_box)

    def _switch(self, box: QCheckBox) -> None:
        if not self._session.beside_series.companions:
            self._session.say("No other series of this examination was found with the scan.")
        else:
            box.setChecked(not box.isChecked())

    def _on_changed(self) -> None:
        beside_series = self._session.beside_series
        self.setVisible(bool(beside_series.companions))
        with signals_blocked(self.choice):
            self.choice.clear()
            self.choice.addItems([companion.name for companion in beside_series.companions])
            if beside_series.chosen_companion in beside_series.companions:
                self.choice.setCurrentIndex(
                    beside_series.companions.index(beside_series.chosen_companion)
                )
        if not beside_series.companions:
            self.in_place_box.setChecked(False)  # the next patient's scan is seen as it is
        self._show()
        self._show_in_place(self.in_place_box.isChecked())

    def _show(self) -> None:
        series = self._session.beside_series.series
        is_shown = self.beside_box.isChecked() and bool(self._session.beside_series.companions)
        if self.view is None or self._dock is None:
            if not is_shown:
                return
            self.view = LinkedView(self._session)  # a canvas takes a while, and memory
            self._dock = self._surroundings.add_dock(
                self.view, "Other series", self.view.close_view
            )
        self._dock.setVisible(is_shown)
        if is_shown:
            self._dock.raise_()
        self.view.show_series(series if is_shown else None)

    def _show_in_place(self, is_shown: bool) -> None:
        session, other = self._session, self._session.beside_series.series
        if session.series is None or other is None or not is_shown:
            session.layers.show_in_place(None, None)
            return
        turn = turn_degrees(session.series.affine, other.affine)
        if turn > MOST_TURNED:
            session.warn(
                f"This series is turned by {turn:.1f} degrees against the scan, so that it would "
                "not fit below the outlines; look at it beside the scan instead."
            )
            self.in_place_box.setChecked(False)
            return
        session.layers.show_in_place(other, placement_in(other.affine, session.series.affine))
