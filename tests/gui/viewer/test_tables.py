"""Tables: what is sorted, what stays selected, what is ticked."""

from __future__ import annotations

from typing import Any

import pytest
from qtpy.QtCore import Qt

from napari_spinemet.gui.viewer.tables import Cell, Table, uncertainty_cell
from napari_spinemet.workflows.uncertainty import CaseUncertainty

ROWS = [
    ["b", Cell("10.0", value=10)],
    ["a", Cell("no lesion")],
    ["c", Cell("9.5", value=9.5)],
]


@pytest.fixture
def table(qtbot: Any) -> Table:
    """Three rows that can be sorted by a name and by a number that one of them lacks."""
    table = Table(("Name", "Number"), "Help.", 0, heading_tips=("Tip.",), is_sortable=True)
    qtbot.addWidget(table)
    table.fill(ROWS)
    return table


def test_numbers_are_sorted_by_their_size_and_before_words(table: Table) -> None:
    """As filled in until a heading is clicked; 9.5 comes before 10."""
    assert table.row_order == [0, 1, 2]
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert [texts[1] for texts in table.texts()] == ["9.5", "10.0", "no lesion"]
    assert table.row_order == [2, 0, 1]
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert [texts[0] for texts in table.texts()] == ["c", "b", "a"]


def test_a_row_is_selected_by_the_number_it_was_filled_in_with(table: Table) -> None:
    """Wherever it is sorted to; it stays selected when the table is filled anew."""
    selections: list[int] = []
    table.row_selected.connect(lambda: selections.append(table.selected_row))
    assert table.selected_row == -1
    table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    table.select_row(1)
    assert table.currentIndex().row() == 2
    assert selections == [1]
    table.fill(ROWS)
    assert table.selected_row == 1
    assert selections == [1], "the same row is no news"
    table.fill(ROWS[:1])
    assert table.selected_row == -1
    assert selections == [1, -1]


def test_a_cell_can_be_ticked_if_it_has_a_box(qtbot: Any) -> None:
    """Whoever hears of it is told row, column and state."""
    table = Table(("", "Name"), "Help.", 1)
    qtbot.addWidget(table)
    table.fill([[Cell("", is_checked=True), "a"], [Cell("", tooltip="Not this one."), "b"]])
    ticks: list[tuple[int, int, bool]] = []
    table.cell_checked.connect(lambda *tick: ticks.append(tick))
    rows, role = table.model(), Qt.ItemDataRole.CheckStateRole
    assert rows.setData(rows.index(0, 0), Qt.CheckState.Unchecked, role)
    assert not rows.setData(rows.index(1, 0), Qt.CheckState.Checked, role)
    assert ticks == [(0, 0, False)]
    assert Qt.CheckState(rows.data(rows.index(0, 0), role)) == Qt.CheckState.Unchecked
    assert rows.data(rows.index(1, 0), role) is None
    assert rows.data(rows.index(1, 0), Qt.ItemDataRole.ToolTipRole) == "Not this one."
    assert rows.data(rows.index(1, 1), Qt.ItemDataRole.ToolTipRole) == "b"


def test_headings_have_their_tips(table: Table) -> None:
    """Where there are any."""
    across, tip = Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
    assert table.model().headerData(0, across, tip) == "Tip."
    assert table.model().headerData(1, across, tip) is None


def test_doubt_is_told_in_percent() -> None:
    """And sorted by its size; a scan that cannot be read comes last."""
    cells = [
        uncertainty_cell(CaseUncertainty("a", 0.25)),
        uncertainty_cell(CaseUncertainty("b", None)),
        uncertainty_cell(None),
    ]
    assert [cell.text for cell in cells] == ["25.0 %", "unreadable", ""]
    assert [cell.value for cell in cells] == [0.25, None, None]
