"""One way of entering numbers: point and comma mean the same, whatever the computer's language.

Qt follows the language of the computer: in German "2.5" becomes 25, in English "2,5" does, and
nothing says so. Here both are two and a half. What is no number, or has a group separator, or lies
outside, is not taken: the former value stays, and a line beside the box says why.
"""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QSpinBox,
    QToolTip,
    QWidget,
)
from superqt import QDoubleSlider
from superqt.utils import signals_blocked

from ....number_lists import parse_number


class _PlainEntry:
    """What Qt asks a box of numbers."""

    def _prepare(self) -> None:
        box: Any = self
        box.setKeyboardTracking(False)
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # never by a passing wheel
        box.setCorrectionMode(QAbstractSpinBox.CorrectionMode.CorrectToPreviousValue)

    @property
    def _digits(self) -> int:
        """Behind the point."""
        raise NotImplementedError

    def _number(self, text: str) -> float:
        """Raises ValueError where it is none that the box can hold."""
        box: Any = self
        plain = text.strip().removeprefix(box.prefix().strip()).removesuffix(box.suffix().strip())
        value = parse_number(plain, decimals=self._digits)
        if not box.minimum() <= value <= box.maximum():
            raise ValueError(text)
        return value

    def validate(self, text: str, position: int) -> tuple[Any, str, int]:
        """Never invalid: Qt swallows such a key, and "2.5" without its point is another number."""
        try:
            self._number(text)
        except ValueError:
            return QValidator.State.Intermediate, text, position
        return QValidator.State.Acceptable, text, position

    def textFromValue(self, value: float) -> str:
        """With a point, in every language."""
        return f"{value:.{self._digits}f}"

    def fixup(self, text: str) -> str:
        """Say why what was typed is not taken; Qt brings the former value back."""
        box: Any = self
        low, high = (self.textFromValue(v) for v in (box.minimum(), box.maximum()))
        kind = (
            f"a number with {self._digits} decimals at most" if self._digits else "a whole number"
        )
        QToolTip.showText(
            box.mapToGlobal(QPoint(0, box.height())),
            f"'{text.strip()}' was not taken; write {kind}, from {low} to {high}.",
            box,
        )
        return text


class NumberBox(_PlainEntry, QDoubleSpinBox):
    """A number with decimals."""

    def __init__(self) -> None:
        super().__init__()
        self._prepare()

    @property
    def _digits(self) -> int:
        return int(self.decimals())

    def valueFromText(self, text: str) -> float:
        """Asked for what is acceptable alone."""
        return self._number(text)


class WholeNumberBox(_PlainEntry, QSpinBox):
    """A whole number: "2.5" is none, and not 25."""

    def __init__(self) -> None:
        super().__init__()
        self._prepare()

    @property
    def _digits(self) -> int:
        return 0

    def valueFromText(self, text: str) -> int:
        """Asked for what is acceptable alone."""
        return round(self._number(text))


class NumberSlider(QWidget):
    """A slider with a box of numbers beside it.

    Parameters
    ----------
    low, high, step : float
    decimals : int
        That the box shows; values in between come from :meth:`setValue` alone.

    Signals
    -------
    valueChanged(float)
    """

    valueChanged = Signal(float)

    def __init__(self, low: float, high: float, step: float, decimals: int) -> None:
        super().__init__()
        self.slider = QDoubleSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(low, high)
        self.slider.setSingleStep(step)
        self.box = NumberBox()
        self.box.setDecimals(decimals)
        self.box.setRange(low, high)
        self.box.setSingleStep(step)
        self.box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.box)
        self.slider.valueChanged.connect(self._on_slider)
        self.box.valueChanged.connect(self.setValue)

    def value(self) -> float:
        """What the slider stands at, which may have more digits than the box shows."""
        return float(self.slider.value())

    def setValue(self, value: float) -> None:
        """Move to a value, within the range."""
        self.slider.setValue(value)

    def setToolTip(self, text: str) -> None:
        """Of both parts."""
        self.slider.setToolTip(text)
        self.box.setToolTip(text)

    def _on_slider(self, value: float) -> None:
        with signals_blocked(self.box):
            self.box.setValue(value)
        self.valueChanged.emit(float(value))
