"""Review's FROC: the curve, the cases behind it, and the answer for a case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QTabWidget, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from ...evaluation.case_level import Proportion, called_diseased, case_level
from ...evaluation.curve import MEAN, SUM
from ..viewer.common_widgets import button, row, text
from ..viewer.controls.number_entry import NumberBox
from ..viewer.tables import Cell, Table
from .froc_plot import FrocPlot
from .reference_curves import ReferenceButton

if TYPE_CHECKING:
    from ...evaluation import FrocCurve
    from ...imaging import OperatingPoint
    from ..viewer.session import Session

TP, BEST_VALIDATED = "tp", "validated"
WISHES = (
    ("FP per scan at most", SUM, 1.0, 0.0, 99.0, 0.1),
    ("FP, mean of slices, at most", MEAN, 0.2, 0.0, 9.0, 0.05),
    ("TP rate at least", TP, 0.9, 0.0, 1.0, 0.05),
    ("best on validation cases", BEST_VALIDATED, 0.0, 0.0, 0.0, 0.0),
)


class FrocPanel(QWidget):
    """A curve in three views; the threshold is set from it, and a case opened.

    Signals
    -------
    threshold_chosen(float)
    point_chosen(OperatingPoint)
        With minimum area, weight and gate.
    case_chosen(str)
        Name of a case.
    """

    threshold_chosen = Signal(float)
    point_chosen = Signal(object)
    case_chosen = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._curve: FrocCurve | None = None
        self._validated_point: OperatingPoint | None = None
        self._threshold = 0.5
        self.plot = FrocPlot()
        self.plot.threshold_chosen.connect(self.threshold_chosen)
        self.truth = text("This scan has no contours: the point is where its threshold stands.")
        self.truth.setToolTip("What the threshold gives on the cases of the study, not here.")
        self.truth.hide()
        self.compare = ReferenceButton(session, self.plot)
        self.cases = Table(
            ("Case", "TP rate", "FP per scan", "Called"),
            "What each case has at this threshold; a double click opens it. A click on a heading "
            "sorts: the lowest TP rates are the lesions missed.",
            stretch=0,
            is_sortable=True,
        )
        self.cases.row_opened.connect(self._choose_case)
        self.cases.row_selected.connect(self._update_open)
        self.open_button = button(
            "Open case", "Show the chosen case and its contours.", self._choose_case
        )
        self.answers = text()
        self.answers.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self._create_curve_page(), "Curve")
        self.tabs.addTab(_page(self.cases, self.open_button), "Cases")
        self.tabs.addTab(_page(self.answers), "Answer for a case")
        self.tabs.currentChanged.connect(lambda _: self.settle())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        self.set_curve(None, "")

    def _create_curve_page(self) -> QWidget:
        self.wish = QComboBox()
        for label, key, *_ in WISHES:
            self.wish.addItem(label, key)
        self.wish.setToolTip("What the threshold should give on this curve.")
        self.wish_value = NumberBox()
        self.wish_value.setDecimals(2)
        self.wish_value.setToolTip("How much of it.")
        self.wish.currentIndexChanged.connect(self._on_wish)
        self._on_wish(0)
        self.suggest_button = button(
            "Set threshold", "Move the threshold to the best point with that.", self.suggest
        )
        self.suggestion = text()
        self.suggestion.hide()
        for combo in (self.wish, self.plot.reading):  # cut off rather than wide: a dock is narrow
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            combo.setMinimumContentsLength(5)
        return _page(
            self.plot,
            self.truth,
            self.plot.reading,
            self.wish,
            row(self.wish_value, self.suggest_button, self.compare),
            self.suggestion,
        )

    def set_curve(
        self, curve: FrocCurve | None, name: str, validated_point: OperatingPoint | None = None
    ) -> None:
        """Show a curve.

        Parameters
        ----------
        curve : FrocCurve or None
            None says that there is no truth to judge by.
        name : str
            Of whom, for the title.
        validated_point : OperatingPoint or None
            Chosen on other cases than the curve's.
        """
        self._curve, self._validated_point = curve, validated_point
        self.plot.set_curve(curve, name)
        self.suggestion.hide()
        for widget in (self.suggest_button, self.wish, self.wish_value):
            widget.setEnabled(curve is not None)
        for tab in (1, 2):
            self.tabs.setTabEnabled(tab, curve is not None and len(curve.cases) > 1)
        self.settle()

    def set_threshold(self, threshold: float) -> None:
        """Move the operating point; :meth:`settle` follows once the threshold rests."""
        self._threshold = threshold
        self.plot.set_threshold(threshold)

    def settle(self) -> None:
        """Bring the cases and their answers to the threshold."""
        self.plot.show_cases()
        if self._curve is None:
            self.cases.fill([])
            self.answers.setText("")
        elif self.tabs.currentIndex() == 1:
            self._fill_cases()
        elif self.tabs.currentIndex() == 2:
            self._say_answers()

    def suggest(self) -> None:
        """Move the threshold to what is wished for."""
        curve, wish, value = self._curve, self.wish.currentData(), self.wish_value.value()
        if curve is None:
            return
        if wish == BEST_VALIDATED:
            self._suggest_validated()
            return
        point = curve.cheapest_at(value) if wish == TP else curve.best_within(value, reading=wish)
        self.suggestion.setVisible(point is None)
        if point is None:
            self.suggestion.setText(
                f"No threshold gives that: the TP rate is {curve.tp_rate.max(initial=0):.0%} at "
                "most with this minimum area and weight."
                if wish == TP
                else "No threshold gives so few false positives; allow more."
            )
            return
        self.threshold_chosen.emit(curve.threshold_of(point))

    def _suggest_validated(self) -> None:
        point = self._validated_point
        self.suggestion.show()
        if point is None:
            self.suggestion.setText(
                "Nothing was chosen on validation cases for this curve; evaluate the study with a "
                "model or a cross-validation that was."
            )
            return
        self.point_chosen.emit(point)
        self.suggestion.setText(
            f"Chosen on the validation cases: threshold {point.threshold:.3f}, {point.label}."
        )

    def _on_wish(self, index: int) -> None:
        _, key, value, low, high, step = WISHES[index]
        self.wish_value.setVisible(key != BEST_VALIDATED)
        self.wish_value.setRange(low, high)
        self.wish_value.setSingleStep(step)
        self.wish_value.setValue(value)

    def _fill_cases(self) -> None:
        curve = self._curve
        assert curve is not None
        # In the curve's own precision, or a threshold that is one of its points would miss it.
        thresholds = np.array([curve.thresholds.dtype.type(self._threshold)])
        rows = []
        for case, is_called in zip(
            curve.cases, called_diseased(curve, self._threshold), strict=True
        ):
            tp_rate, _, fp_sum = (float(v[0]) for v in case.at(thresholds))
            answer = "diseased" if is_called else "normal"
            wrong = "" if is_called == case.has_regions else ", wrong"
            rows.append(
                [
                    Cell(case.case_id),
                    Cell(f"{tp_rate:.2f}", value=tp_rate)
                    if case.has_regions
                    else Cell("no lesion"),
                    Cell(f"{fp_sum:.1f}", value=fp_sum),
                    Cell(answer + wrong),
                ]
            )
        with signals_blocked(self.cases):
            self.cases.fill(rows)  # the selected case stays so
        self._update_open()

    def _say_answers(self) -> None:
        curve = self._curve
        assert curve is not None
        level = case_level(curve, self._threshold)
        lines = [
            ("Sensitivity", level.sensitivity, "diseased cases called diseased"),
            ("Specificity", level.specificity, "normal cases called normal"),
            ("PPV", level.ppv, "cases called diseased that are"),
            ("NPV", level.npv, "cases called normal that are"),
        ]
        table = "".join(
            f"<tr><td><b>{name}</b></td><td style='padding-left:10px'>{_share_text(share)}</td>"
            f"<td style='padding-left:10px'>{meaning}</td></tr>"
            for name, share, meaning in lines
        )
        self.answers.setText(
            f"<p>At threshold {self._threshold:.3f} a case is called diseased if anything is left "
            f"in it.</p><table>{table}</table><p>Wilson's 95 % intervals. PPV and NPV hold for "
            "this study's share of diseased cases only.</p>"
        )

    def _update_open(self) -> None:
        self.open_button.setEnabled(self.cases.selected_row >= 0)

    def _choose_case(self) -> None:
        number, curve = self.cases.selected_row, self._curve
        if curve is not None and 0 <= number < len(curve.cases):
            self.case_chosen.emit(curve.cases[number].case_id)


def _share_text(share: Proportion) -> str:
    if not share.of:
        return "no such case"
    low, high = share.interval()
    return f"{share.value:.0%} ({share.hits} of {share.of}; {low:.0%} to {high:.0%})"


def _page(*widgets: QWidget) -> QWidget:
    """Widgets below each other, the first of which takes the spare height."""
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 4, 0, 0)
    for number, widget in enumerate(widgets):
        layout.addWidget(widget, 0 if number else 1)
    return page
