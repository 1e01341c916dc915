"""The table of a study's cases that training chooses from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...study import Case, CaseState
from ..viewer.common_widgets import button, row, text
from ..viewer.tables import Cell, Table, uncertainty_cell

if TYPE_CHECKING:
    from ...workflows.uncertainty import CaseUncertainty

_STATE, _DOUBT = 2, 3


class TrainingCases(QWidget):
    """Contoured cases with a tick each; the others with how much a model is in doubt of them.

    Signals
    -------
    selection_changed()
        Other cases are chosen.
    rank_requested()
        The button was pressed that lets a model rank the cases without contours.
    """

    selection_changed = Signal()
    rank_requested = Signal()

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
        self.table.cell_checked.connect(self._on_ticked)
        layout.addWidget(self.table)
        self.all_button = button(
            "All contoured", "Tick every case with contours.", lambda: self._tick(_is_contoured)
        )
        self.approved_button = button(
            "Approved only",
            "Tick the cases whose contours were approved.",
            lambda: self._tick(_is_approved),
        )
        self.rank_button = button(
            "Rank the others",
            "Let the model chosen under Detect say which scan without contours it is least sure "
            "of: contour that one next.",
            self.rank_requested.emit,
        )
        layout.addWidget(row(self.all_button, self.approved_button, self.rank_button))
        self.summary = text()
        layout.addWidget(self.summary)
        self._states: list[tuple[Case, CaseState]] = []
        self._unticked_cases: set[str] = set()
        self._ranking: Mapping[str, CaseUncertainty] = {}

    def show_cases(
        self, states: list[tuple[Case, CaseState]], ranking: Mapping[str, CaseUncertainty]
    ) -> None:
        """Show the cases of a study; a case that was unticked stays so.

        Parameters
        ----------
        states : list of (Case, CaseState)
            All cases of the study.
        ranking : mapping of str to CaseUncertainty
            Those without contours by name, the most doubtful first, as far as they were ranked.
        """
        self._ranking = ranking
        order = {name: position for position, name in enumerate(ranking)}
        # First what can be trained on, then what to contour next.
        self._states = sorted(
            states,
            key=lambda s: (not s[1].has_contours, order.get(s[0].name, len(order)), s[0].name),
        )
        self.table.fill([self._cells(case, state) for case, state in self._states])
        self.table.setColumnHidden(_DOUBT, not ranking)
        uncontoured_count = sum(not state.has_contours for _, state in self._states)
        self.rank_button.setEnabled(uncontoured_count > 0)
        self.approved_button.setEnabled(any(_is_approved(state) for _, state in self._states))
        self.all_button.setEnabled(uncontoured_count < len(self._states))
        self._summarise()

    def _cells(self, case: Case, state: CaseState) -> list[Cell]:
        is_dimmed = not state.has_contours
        tick = Cell("", tooltip="Contour it first.")
        if state.has_contours:
            is_ticked = case.name not in self._unticked_cases
            tick = Cell("", tooltip="Train on this case.", is_checked=is_ticked)
        cells = (Cell(case.name), Cell(str(state)), uncertainty_cell(self._ranking.get(case.name)))
        return [tick, *(replace(cell, is_dimmed=is_dimmed) for cell in cells)]

    def ticked_cases(self) -> list[str]:
        """Names of the ticked cases."""
        return [
            case.name
            for case, state in self._states
            if state.has_contours and case.name not in self._unticked_cases
        ]

    def _on_ticked(self, row_number: int, column: int, is_ticked: bool) -> None:
        name = self._states[row_number][0].name
        if is_ticked:
            self._unticked_cases.discard(name)
        else:
            self._unticked_cases.add(name)
        self._summarise()

    def _tick(self, is_chosen: Callable[[CaseState], bool]) -> None:
        self._unticked_cases = {case.name for case, state in self._states if not is_chosen(state)}
        self.show_cases(self._states, self._ranking)

    def _summarise(self) -> None:
        contoured_count = sum(state.has_contours for _, state in self._states)
        summary = f"{len(self.ticked_cases())} of {contoured_count} contoured cases are chosen."
        most_doubtful = next(
            (
                case.name
                for case, state in self._states
                if not state.has_contours
                and case.name in self._ranking
                and self._ranking[case.name].bits is not None
            ),
            "",
        )
        if most_doubtful:
            summary += f" Contour {most_doubtful} next: the model is least sure of it."
        self.summary.setText(summary)
        self.selection_changed.emit()


def _is_contoured(state: CaseState) -> bool:
    return state.has_contours


def _is_approved(state: CaseState) -> bool:
    return state.contours == "approved"
