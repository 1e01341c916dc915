"""Whose scan is open and what is doubtful of it, above all tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QWidget
from superqt import QElidingLabel

if TYPE_CHECKING:
    from .viewer.session import Session


class ScanHeader(QWidget):
    """A line that is always in sight.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.whose = QElidingLabel()
        self.whose.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.whose.setTextFormat(Qt.TextFormat.PlainText)
        self.doubt = QLabel("doubtful scan")
        self.doubt.setStyleSheet("color: #ff8a80; font-weight: bold;")
        self.hide_box = QCheckBox("Hide names")
        self.hide_box.setToolTip(
            "No name, number or date of a patient on the screen and in reports, for when others "
            "look on. Names of cases and folders stay."
        )
        self.hide_box.setChecked(session.identity.is_hidden)
        self.hide_box.toggled.connect(session.identity.hide)
        self.layers_box = QCheckBox("Layers")
        self.layers_box.setToolTip("napari's own list of layers, and their controls.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 8, 0)
        layout.addWidget(self.whose, 1)
        for widget in (self.doubt, self.hide_box, self.layers_box):
            layout.addWidget(widget)
        for signal in (
            session.series_changed,
            session.study_changed,
            session.result_changed,
            session.identity.identity_changed,
        ):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say what is on the screen now."""
        session = self._session
        scan, result = session.scan, session.result
        line = "No scan is open." if scan is None else session.identity.line_of(scan)
        self.whose.setText(line)
        self.whose.setToolTip(line)
        self.hide_box.setChecked(session.identity.is_hidden)
        if result is not None:
            warnings = tuple(result.warnings)
        else:
            warnings = () if scan is None else scan.series.warnings
        grave = [warning.text for warning in warnings if warning.is_grave]
        self.doubt.setVisible(bool(grave))
        self.doubt.setToolTip("\n".join(grave))
