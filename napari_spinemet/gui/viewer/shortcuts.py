"""Keys of the drawing tools: bound in code, since napari 0.9 ignores those of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDialog, QShortcut, QVBoxLayout, QWidget

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


class KeyHelp(QDialog):
    """The list of shortcuts."""

    def __init__(self, keys: Sequence[Key], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Shortcuts")
        layout = QVBoxLayout(self)
        self.table = Table(("Key", "What it does"), "Keys work while this tab is shown.", stretch=1)
        self.table.fill([(key.keys, key.description) for key in keys])
        self.table.resizeRowsToContents()
        layout.addWidget(self.table)
        self.resize(560, min(70 + 26 * len(keys), 760))
