"""Keys, and their list; they are bound in code, since napari 0.9 ignores a manifest's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDialog, QShortcut, QVBoxLayout, QWidget

from .controls.mouse_habits import NOTES
from .tables import Table


@dataclass(frozen=True)
class Key:
    """One shortcut.

    Attributes
    ----------
    keys : str
        As Qt writes them, such as ``"Ctrl+Z"``.
    description : str
        What it does, for the help.
    do : callable
    """

    keys: str
    description: str
    do: Callable[[], object]


def bind(widget: QWidget, keys: Sequence[Key]) -> list[QShortcut]:
    """Let keys work wherever the focus is in the window while a widget is in sight.

    They are Qt's, not the viewer's: a click on a button takes the focus away from the picture,
    and a text field that is typed into keeps its letters.

    Parameters
    ----------
    widget : QWidget
    keys : sequence of Key
        None of them twice.
    """
    shortcuts = []
    for key in keys:
        shortcut = QShortcut(QKeySequence(key.keys), widget)
        shortcut.activated.connect(lambda do=key.do: do())
        shortcuts.append(shortcut)
    return shortcuts


WINDOW_NOTES = (
    ("H", "Hide all that lies over the scan; again: show it."),
    ("J", "The T1, or another series, in place of the scan; again: the scan."),
    ("K", "The other series in a second picture beside it."),
    ("F6", "From the picture to the tab, and back."),
    ("Ctrl+PageDown", "The next tab; Ctrl+PageUp the one before."),
)
"""What works under every tab."""


class KeyHelp(QDialog):
    """The list of shortcuts, and of what the mouse does over the picture."""

    def __init__(self, keys: Sequence[Key], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Shortcuts")
        layout = QVBoxLayout(self)
        self.table = Table(("Key", "What it does"), "Keys work while this tab is shown.", stretch=1)
        rows = [*((key.keys, key.description) for key in keys), *WINDOW_NOTES, *NOTES]
        self.table.fill(rows)
        self.table.resizeRowsToContents()
        layout.addWidget(self.table)
        self.resize(600, min(70 + 28 * len(rows), 720))


def bind_help(widget: QWidget) -> None:
    """Let F1 show the list in a tab that has no keys of its own.

    Parameters
    ----------
    widget : QWidget
    """
    keys = [Key("F1", "This list.", lambda: show_help(keys, widget))]
    bind(widget, keys)


def show_help(keys: Sequence[Key], widget: QWidget) -> KeyHelp:
    """Show the list of shortcuts over a widget.

    Parameters
    ----------
    keys : sequence of Key
        Of that widget.
    widget : QWidget
    """
    dialog = KeyHelp(keys, widget)
    dialog.show()
    return dialog
