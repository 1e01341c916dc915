"""The table of a study's cases that training chooses from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QTableWidgetItem, QVBoxLayout, QWidget

from ...study import Case, CaseState
from ..viewer.common_widgets import Table, button, row, text

if TYPE_CHECKING:
    from ...workflows.uncertainty import CaseUncertainty

_TICK, _CASE, _STATE, _DOUBT = range(4)


class TrainingCases(QWidget):
    """Contoured cases with a tick each; the others with how much a model is in doubt of them.

    Signals
    -------
    changed()
        Other cases are chosen.
    rank_wanted()
        The button was pressed that lets a model rank the cases without contours.
    """

    changed = Signal()
    rank_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.table = Table(
            ("", "Case", "State", "Doubt"),
            "Ticked cases are trained and validated on. Doubt is how unsure the model is of a scan "
            "that has no contours yet: the higher, the more there is to learn from it.",
            stretch=_STATE,
        )
        self.table.setMinimumHeight(120)
        self.table.setMaximumHeight(190)
        self.table.itemChanged.connect(self._on_item)
        layout.addWidget(self.table)
        self.all_button = button(
            "All contoured", "Tick every case with contours.", lambda: self._tick(_contoured)
        )
        self.approved_button = button(
            "Approved only", "Tick the cases whose contours were approved.", self._tick_approved
        )
        self.rank_button = button(
            "Rank the others",
            "Let the model chosen under Detect say which scan without contours it is least sure "
            "of: contour that one next.",
            self.rank_wanted.emit,
        )
        layout.addWidget(row(self.all_button, self.approved_button, self.rank_button))
        self.summary = text()
        layout.addWidget(self.summary)
        self._states: list[tuple[Case, CaseState]] = []
        self._unticked: set[str] = set()
        self._doubt: Mapping[str, CaseUncertainty] = {}

    def show_cases(
        self, states: list[tuple[Case, CaseState]], doubt: Mapping[str, CaseUncertainty]
    ) -> None:
        """Show the cases of a study; a case that was unticked stays so."""
        self._states, self._doubt = states, doubt
        order = {name: k for k, name in enumerate(doubt)}
        # First what can be trained on, then what to contour next.
        self._states = sorted(
            states,
            key=lambda s: (not s[1].has_contours, order.get(s[0].name, len(order)), s[0].name),
        )
        self.table.blockSignals(True)
        self.table.fill(
            [
                ("", case.name, str(state), words_of(doubt.get(case.name)))
                for case, state in self._states
            ]
        )
        for index, (case, state) in enumerate(self._states):
            item = QTableWidgetItem()
            flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            if state.has_contours:
                item.setFlags(flags | Qt.ItemFlag.ItemIsUserCheckable)
                ticked = case.name not in self._unticked
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            else:
                item.setFlags(flags)
                for column in (_CASE, _STATE, _DOUBT):
                    self.table.item(index, column).setForeground(Qt.GlobalColor.gray)
            item.setToolTip("Train on this case." if state.has_contours else "Contour it first.")
            self.table.setItem(index, _TICK, item)
        self.table.setColumnHidden(_DOUBT, not doubt)
        self.table.blockSignals(False)
        bare = sum(not state.has_contours for _, state in self._states)
        self.rank_button.setEnabled(bare > 0)
        self.approved_button.setEnabled(any(_approved(state) for _, state in self._states))
        self.all_button.setEnabled(bare < len(self._states))
        self._summarise()

    def chosen(self) -> list[str]:
        """Names of the ticked cases."""
        return [
            case.name
            for case, state in self._states
            if state.has_contours and case.name not in self._unticked
        ]

    def _on_item(self, item: QTableWidgetItem) -> None:
        if item.column() != _TICK:
            return
        name = self._states[item.row()][0].name
        if item.checkState() == Qt.CheckState.Checked:
            self._unticked.discard(name)
        else:
            self._unticked.add(name)
        self._summarise()

    def _tick_approved(self) -> None:
        self._tick(_approved)

    def _tick(self, wanted: Callable[[CaseState], bool]) -> None:
        self._unticked = {case.name for case, state in self._states if not wanted(state)}
        self.show_cases(self._states, self._doubt)

    def _summarise(self) -> None:
        contoured = sum(state.has_contours for _, state in self._states)
        bare = [case.name for case, state in self._states if not state.has_contours]
        said = f"{len(self.chosen())} of {contoured} contoured cases are chosen."
        first = next((n for n in bare if n in self._doubt and self._doubt[n].bits is not None), "")
        if first:
            said += f" Contour {first} next: the model is least sure of it."
        self.summary.setText(said)
        self.changed.emit()


def _contoured(state: CaseState) -> bool:
    return state.has_contours


def _approved(state: CaseState) -> bool:
    return state.contours == "approved"


def words_of(doubt: CaseUncertainty | None) -> str:
    """How much a model is in doubt of a scan, for a table."""
    if doubt is None:
        return ""
    return "unreadable" if doubt.bits is None else f"{100 * doubt.bits:.1f} %"
