"""Whose scan it is, as far as the screen and a report may say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from ....imaging import Examination
from ..preferences import Preferences

if TYPE_CHECKING:
    from .open_scan import OpenScan

HIDDEN_NAME = "name hidden"


class ShownIdentity(QObject):
    """Names, numbers and dates are shown, or hidden while others look on.

    Names of cases and of folders are the reader's own, and stay.

    Parameters
    ----------
    preferences : Preferences
        Keep the choice from one run to the next.
    parent : QObject

    Signals
    -------
    identity_changed()
        Identities are to be shown now, or hidden.
    """

    identity_changed = Signal()

    def __init__(self, preferences: Preferences, parent: QObject) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._is_hidden = bool(preferences.get("privacy", "hide_names"))

    @property
    def is_hidden(self) -> bool:
        """Whether nobody is named."""
        return self._is_hidden

    def hide(self, is_hidden: bool) -> None:
        """Hide identities from now on, or show them again."""
        if is_hidden != self._is_hidden:
            self._is_hidden = is_hidden
            self._preferences.store("privacy", hide_names=is_hidden)
            self.identity_changed.emit()

    def shown_examination(self, examination: Examination, pseudonym: str = "") -> Examination:
        """What may be shown of an examination.

        Parameters
        ----------
        examination : Examination
        pseudonym : str
            Stands for the name where that is hidden: the name of a case.
        """
        if not self._is_hidden:
            return examination
        return examination.without_identity(pseudonym or HIDDEN_NAME)

    def of_scan(self, scan: OpenScan) -> Examination:
        """What may be shown of the open scan."""
        return self.shown_examination(
            scan.series.examination, scan.case.name if scan.case is not None else ""
        )

    def line_of(self, scan: OpenScan) -> str:
        """Whose the open scan is, when and what it is, in a line."""
        # Where the name is hidden that of the case stands in its place.
        case = scan.case.name if scan.case is not None and not self._is_hidden else ""
        what = scan.series.description or scan.series.contrast
        return " · ".join(filter(None, (self.of_scan(scan).text, what, case)))
