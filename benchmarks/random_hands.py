"""The window in random hands: clicks, keys, strokes, wheel, drops, closing, as a seed orders them.

Run under a display: ``python benchmarks/random_hands.py STUDY [--seed N] [--minutes M]``. STUDY is
a folder of cases, which is worked on in a copy. Told at the end: exceptions that no slot caught,
strokes on the screen that the study does not hold, memory every two minutes, and how many of the
slots of the interface were reached.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent, QKeyEvent, QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QMenu,
    QPushButton,
    QTabBar,
    QWidget,
)
from random_dialogs import answer_dialogs
from reached_slots import slots_of_interface, watch_slots

from napari_spinemet.gui.application import open_workspace
from napari_spinemet.gui.viewer.tables import Table
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.study import Case, Study

MARK = "SPINEMET_RANDOM_HANDS"
KEYS = "ALBNPDEFGTWRXCIMUHJK,.[]"
TEXTS = ("0", "1", "2,5", "2.5", "0.73", "99999", "-3", "abc", "", "1,5,2")
NO_KEY = Qt.KeyboardModifier.NoModifier
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


class Hands:
    """Do one random thing after the other.

    Parameters
    ----------
    study : Path
        A copy that may be spoilt.
    scans : list of Path
        What may be dropped.
    seed : int
    """

    def __init__(self, study: Path, scans: list[Path], seed: int) -> None:
        self.rng = random.Random(seed)
        self._study, self._scans = study, scans
        answer_dialogs(self.rng, study, scans)
        self.losses: list[str] = []
        self._open_window()
        self.counts: collections.Counter[str] = collections.Counter()
        self.actions: list[tuple[float, Callable[[], None]]] = [
            (30, self.press_button),
            (14, self.turn_tab),
            (16, self.choose),
            (12, self.type_number),
            (20, self.press_key),
            (20, self.draw),
            (10, self.turn_wheel),
            (8, self.click_row),
            (6, self.scroll),
            (2, self.drop),
            (3, self.open_case),
            (2, self.change_view),
            (2, self.close_dialogs),
            (0.4, self.close_window),
        ]

    def _open_window(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.window = self.viewer.window._qt_window
        self.window.resize(1366, 768)
        self.workspace = open_workspace(self.viewer)
        self.session = self.workspace.session
        self.session.open_study(Study(self._study, write=True))

    def act(self) -> None:
        """One thing."""
        weights = [weight for weight, _ in self.actions]
        action = self.rng.choices([each for _, each in self.actions], weights)[0]
        self.counts[action.__name__] += 1
        action()
        QApplication.processEvents()

    def _visible(self, kind: type, parent: QWidget | None = None) -> list[Any]:
        parents = [self.workspace, self.workspace.froc_dock] if parent is None else [parent]
        return [
            widget
            for each in parents
            for widget in each.findChildren(kind)
            if widget.isVisible() and widget.isEnabled()
        ]

    def press_button(self) -> None:
        """Or choose from the menu behind it."""
        buttons = self._visible(QAbstractButton)
        if not buttons:
            return
        chosen = self.rng.choice(buttons)
        menu = chosen.menu() if isinstance(chosen, QPushButton) else None
        if isinstance(menu, QMenu):
            actions = [a for a in menu.actions() if a.isEnabled() and not a.isSeparator()]
            if actions:
                self.rng.choice(actions).trigger()
            return
        chosen.click()

    def turn_tab(self) -> None:
        """To any of them."""
        for bar in self._visible(QTabBar)[:1]:
            bar.setCurrentIndex(self.rng.randrange(bar.count()))

    def choose(self) -> None:
        """Of a list."""
        boxes = [box for box in self._visible(QComboBox) if box.count()]
        if boxes:
            box = self.rng.choice(boxes)
            box.setCurrentIndex(self.rng.randrange(box.count()))

    def type_number(self) -> None:
        """Into any field, as it comes."""
        fields = self._visible(QAbstractSpinBox) + self._visible(QLineEdit)
        sliders = self._visible(QAbstractSlider)
        if sliders and self.rng.random() < 0.3:
            slider = self.rng.choice(sliders)
            low, high = slider.minimum(), slider.maximum()
            value = self.rng.uniform(low, high)
            slider.setValue(value if isinstance(low, float) else round(value))
            return
        if not fields:
            return
        field = self.rng.choice(fields)
        field.setFocus()
        field.selectAll()
        for character in self.rng.choice(TEXTS):
            self._key(field, ord(character) if ord(character) < 128 else 0, character)
        self._key(field, Qt.Key.Key_Return, "")

    @staticmethod
    def _key(widget: QWidget, code: Any, text: str, modifiers: Any = NO_KEY) -> None:
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            QApplication.sendEvent(widget, QKeyEvent(kind, code, modifiers, text))

    def press_key(self) -> None:
        """As a shortcut: over the picture."""
        QApplication.setActiveWindow(self.window)
        canvas = self.canvas
        canvas.setFocus()
        keys, control = Qt.Key, Qt.KeyboardModifier.ControlModifier
        plain_keys = (keys.Key_Escape, keys.Key_Backspace, keys.Key_F6, keys.Key_F1)
        special = [
            *((key, NO_KEY) for key in plain_keys),
            *((key, control) for key in (keys.Key_Z, keys.Key_Return)),
            (keys.Key_Z, control | Qt.KeyboardModifier.ShiftModifier),
        ]
        if self.rng.random() < 0.3:
            QTest.keyClick(canvas, *self.rng.choice(special))
        else:
            QTest.keyClick(canvas, self.rng.choice(KEYS))

    @property
    def canvas(self) -> QWidget:
        """What shows the picture."""
        widget: QWidget = self.viewer.window._qt_viewer.canvas.native
        return widget

    def _place(self) -> QPoint:
        canvas = self.canvas
        return QPoint(self.rng.randrange(canvas.width()), self.rng.randrange(canvas.height()))

    def _mouse(self, kind: Any, at: QPoint, button: Any, buttons: Any) -> None:
        canvas = self.canvas
        place, far = QPointF(at), QPointF(canvas.mapToGlobal(at))
        QApplication.sendEvent(canvas, QMouseEvent(kind, place, far, button, buttons, NO_KEY))

    def draw(self) -> None:
        """A click, a double click or a stroke."""
        at, button = self._place(), self.rng.choice((LEFT, LEFT, LEFT, RIGHT))
        none = Qt.MouseButton.NoButton
        self._mouse(QEvent.Type.MouseMove, at, none, none)
        self._mouse(QEvent.Type.MouseButtonPress, at, button, button)
        for _ in range(self.rng.choice((0, 0, 3, 8))):
            at = at + QPoint(self.rng.randint(-25, 25), self.rng.randint(-25, 25))
            self._mouse(QEvent.Type.MouseMove, at, button, button)
            QApplication.processEvents()
            time.sleep(0.012)
        self._mouse(QEvent.Type.MouseButtonRelease, at, button, none)
        if self.rng.random() < 0.1:
            self._mouse(QEvent.Type.MouseButtonDblClick, at, LEFT, LEFT)
            self._mouse(QEvent.Type.MouseButtonRelease, at, LEFT, none)

    def turn_wheel(self) -> None:
        """Over the picture, or over any control."""
        widgets = [self.canvas, *self._visible(QAbstractSpinBox), *self._visible(QComboBox)]
        widget = self.rng.choice(widgets)
        centre = widget.rect().center()
        control = Qt.KeyboardModifier.ControlModifier
        event = QWheelEvent(
            QPointF(centre),
            QPointF(widget.mapToGlobal(centre)),
            QPoint(),
            QPoint(0, self.rng.choice((120, -120, 40))),
            Qt.MouseButton.NoButton,
            self.rng.choice((NO_KEY, NO_KEY, control)),
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)

    def click_row(self) -> None:
        """Of a table; twice opens it."""
        views = [view for view in self._visible(Table) if view.row_count]
        if not views:
            return
        view = self.rng.choice(views)
        index = view.model().index(self.rng.randrange(view.model().rowCount()), 0)
        place = view.visualRect(index).center()
        QTest.mouseClick(view.viewport(), LEFT, NO_KEY, place)
        if self.rng.random() < 0.3:
            QTest.mouseDClick(view.viewport(), LEFT, NO_KEY, place)

    def scroll(self) -> None:
        """To another slice, by napari's slider."""
        steps = self.viewer.dims.nsteps[0]
        self.viewer.dims.set_current_step(0, self.rng.randrange(max(1, steps)))

    def drop(self) -> None:
        """A folder onto the tab, or onto the picture."""
        path = self.rng.choice(self._scans)
        if self.rng.random() < 0.5:
            mime = QMimeData()
            mime.setUrls([QUrl.fromLocalFile(str(path))])
            at = QPointF(5, 5) if hasattr(QDropEvent, "position") else QPoint(5, 5)
            event = QDropEvent(at, Qt.DropAction.CopyAction, mime, LEFT, NO_KEY)
            self.workspace.load.dropEvent(event)
        else:
            self.viewer.open(str(path), plugin="napari-spinemet")

    def open_case(self) -> None:
        """Of the study, if it has any."""
        count = len(self.workspace.load.cases)
        if count:
            self.workspace.load.case_table.select_row(self.rng.randrange(count))
            self.workspace.load.open_case()

    def change_view(self) -> None:
        """Three dimensions, rolled axes, and back."""
        dims = self.viewer.dims
        choice = self.rng.randrange(4)
        if choice == 0:
            dims.ndisplay = 3
        elif choice == 1:
            dims.order = tuple(np.roll(dims.order, 1))
        else:
            dims.ndisplay, dims.order = 2, tuple(range(dims.ndim))

    def close_dialogs(self) -> None:
        """Lists of keys, windows by scanner."""
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, QDialog) and widget.isVisible():
                widget.close()

    def close_window(self) -> None:
        """By its own button; if it closes, what was drawn is in the study, and a new one opens."""
        session = self.session
        case, series, contours = session.writable_case, session.series, session.contours()
        is_saved, study = session.autosave.is_active, session.study
        self.window.close()
        QApplication.processEvents()
        if self.window.isVisible():  # the answer was to stay
            return
        session.stop()  # as at the end of the program
        try:
            if case and series and contours and study and is_saved:
                again = Study(study.path)
                loss = _difference(contours, again.case(case.name), series)
                again.close()
                if loss:
                    self.losses.append(f"{loss} after closing")
        finally:
            self._open_window()

    def check_strokes(self) -> str:
        """Whether all on the screen is in the study; a sentence, which is kept if it is not."""
        session = self.session
        session.autosave.save()
        self.wait()
        case, series, contours = session.writable_case, session.series, session.contours()
        if case is None or series is None or contours is None or not session.autosave.is_active:
            return ""
        loss = _difference(contours, case, series)
        if loss:
            self.losses.append(loss)
        return loss

    def wait(self, seconds: float = 300) -> None:
        """Until nothing runs."""
        end = time.monotonic() + seconds
        while self.session.jobs.is_busy and time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.01)


def _difference(contours: Annotation, case: Case, series: SagittalSeries) -> str:
    """What is on the screen and not in the study, in a sentence; empty if nothing is."""
    stored = case.annotation(series) if case.has_contours else None
    for kind in ("lesions", "vertebrae"):
        seen = getattr(contours, kind)
        kept = np.zeros_like(seen) if stored is None else getattr(stored, kind)
        if not np.array_equal(seen, kept):
            return f"{(seen != kept).sum()} voxels of {kind} of {case.name} are not stored"
    return ""


def memory_mb() -> float:
    """Of this process, resident."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """Let random hands work, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=20)
    options = parser.parse_args()
    if MARK not in os.environ:  # once more, with preferences and cache of its own
        own = {name: tempfile.mkdtemp() for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **own, MARK: "1"})
    folder = Path(tempfile.mkdtemp())
    study = Path(shutil.copytree(options.study, folder / "study"))
    scans = []
    for case in sorted(study.iterdir()):
        if (case / "scan").is_dir():
            scans.append(Path(shutil.copytree(case / "scan", folder / "scans" / case.name)))
    faults: collections.Counter[str] = collections.Counter()

    def on_fault(kind: Any, error: BaseException, trace: Any) -> None:
        text = "".join(traceback.format_exception(kind, error, trace)[-4:])
        if not faults[text]:
            print("FAULT", text, flush=True)
        faults[text] += 1

    sys.excepthook = on_fault
    reached = watch_slots()
    hands = Hands(study, scans, options.seed)
    start, last_told = time.monotonic(), 0.0
    while time.monotonic() - start < 60 * options.minutes:
        try:
            hands.act()
        except Exception:  # noqa: BLE001 - what a direct call raises is a fault as well
            on_fault(*sys.exc_info())
        minute = (time.monotonic() - start) / 60
        if minute - last_told >= 2:
            last_told = minute
            loss = hands.check_strokes()
            print(
                f"{minute:.1f} min: {memory_mb():.0f} MB, {sum(hands.counts.values())} actions, "
                f"{len(faults)} kinds of faults, {loss or 'no stroke lost'}",
                flush=True,
            )
    slots = slots_of_interface()
    both = slots & reached
    print(f"{sum(hands.counts.values())} actions {dict(hands.counts)}")
    print(f"{len(both)} of {len(slots)} slots reached ({len(both) / len(slots):.0%})")
    print("not reached:", *sorted(f"{Path(f).name}:{name}" for f, name in slots - both))
    print(
        f"{sum(faults.values())} faults of {len(faults)} kinds; {len(hands.losses)} losses",
        flush=True,
    )
    os._exit(1 if faults or hands.losses else 0)


if __name__ == "__main__":
    main()
