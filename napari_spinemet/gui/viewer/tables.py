"""Read-only tables whose rows are selected whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, Signal
from qtpy.QtGui import QBrush, QFont
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView
from superqt.utils import signals_blocked

if TYPE_CHECKING:
    from ...workflows.uncertainty import CaseUncertainty

VALUE_ROLE = Qt.ItemDataRole.UserRole
"""What a cell is sorted by."""


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
    value : float or None
        What it is sorted by: numbers by their size, before all cells that have none; those by
        their text.
    tooltip : str or None
        None for the text, which may be cut off.
    is_checked : bool or None
        None where there is nothing to tick.
    is_dimmed, is_strong : bool
        Grey, or in bold letters.
    """

    text: str
    value: float | None = None
    tooltip: str | None = None
    is_checked: bool | None = None
    is_dimmed: bool = False
    is_strong: bool = False

    @property
    def sort_key(self) -> tuple[bool, float, str]:
        """Cells in this order are in that of the table."""
        return self.value is None, self.value or 0.0, self.text


class TableModel(QAbstractTableModel):
    """Rows of cells under headings.

    Parameters
    ----------
    headings, heading_tips : sequence of str
        One of each for a column; no tips where there are fewer.
    parent : QObject

    Signals
    -------
    cell_checked(int, int, bool)
        Row and column of a cell that was ticked, or not any more.
    """

    cell_checked = Signal(int, int, bool)

    def __init__(
        self, headings: Sequence[str], heading_tips: Sequence[str], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._headings, self._heading_tips = list(headings), heading_tips
        self._rows: list[list[Cell]] = []

    def set_heading(self, column: int, heading: str) -> None:
        """Let a column be called something else.

        Parameters
        ----------
        column : int
        heading : str
        """
        self._headings[column] = heading
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, column, column)

    def set_rows(self, rows: list[list[Cell]]) -> None:
        """Replace the content."""
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """As Qt asks for it."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """As Qt asks for it."""
        return 0 if parent is not None and parent.isValid() else len(self._headings)

    def cell(self, index: QModelIndex) -> Cell:
        """The cell at an index."""
        cell: Cell = self._rows[index.row()][index.column()]
        return cell

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What of a cell a view shows, or a proxy sorts by.

        Parameters
        ----------
        index : QModelIndex
            Of this model.
        role : int
            Another role than those of a cell gives None.
        """
        cell = self.cell(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return cell.text
        if role == Qt.ItemDataRole.ToolTipRole:
            return cell.text if cell.tooltip is None else cell.tooltip
        if role == Qt.ItemDataRole.CheckStateRole and cell.is_checked is not None:
            return Qt.CheckState.Checked if cell.is_checked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.ForegroundRole and cell.is_dimmed:
            return QBrush(Qt.GlobalColor.gray)
        if role == Qt.ItemDataRole.FontRole and cell.is_strong:
            font = QFont()
            font.setBold(True)
            return font
        return cell.sort_key if role == VALUE_ROLE else None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Tick a cell, or take its tick away.

        Parameters
        ----------
        index : QModelIndex
            Of this model.
        value : Qt.CheckState or int
        role : int
            Only check states can be set.
        """
        if role != Qt.ItemDataRole.CheckStateRole or self.cell(index).is_checked is None:
            return False
        is_checked = Qt.CheckState(value) == Qt.CheckState.Checked
        cell = replace(self.cell(index), is_checked=is_checked)
        self._rows[index.row()][index.column()] = cell
        self.dataChanged.emit(index, index, [role])
        self.cell_checked.emit(index.row(), index.column(), is_checked)
        return True

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """What can be done with a cell."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.isValid() and self.cell(index).is_checked is not None:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """What the header shows over a column.

        Parameters
        ----------
        section : int
        orientation : Qt.Orientation
            Rows have no headings.
        role : int
        """
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        if role == Qt.ItemDataRole.ToolTipRole and section < len(self._heading_tips):
            return self._heading_tips[section]
        return None


class _SortedRows(QSortFilterProxyModel):
    """Rows by the values of one column."""

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Whether one cell comes before another.

        Parameters
        ----------
        left, right : QModelIndex
            Of the model below; Qt itself cannot compare numbers with words.
        """
        keys = [self.sourceModel().data(index, self.sortRole()) for index in (left, right)]
        return bool(keys[0] < keys[1])


class Table(QTableView):
    """A view of rows that are filled in all at once.

    Rows are numbered as they were filled in, wherever they are sorted to.

    Parameters
    ----------
    headings : sequence of str
    help_text : str
    stretch : int
        The column that takes the spare width.
    heading_tips : sequence of str
    is_sortable : bool
        A click on a heading sorts by it.

    Signals
    -------
    row_selected()
        Another row is selected, or none.
    row_opened()
        A row was clicked twice; it is selected.
    cell_checked(int, int, bool)
        Row and column of a cell that was ticked, or not any more.
    """

    row_selected = Signal()
    row_opened = Signal()
    cell_checked = Signal(int, int, bool)

    def __init__(
        self,
        headings: Sequence[str],
        help_text: str,
        stretch: int,
        *,
        heading_tips: Sequence[str] = (),
        is_sortable: bool = False,
    ) -> None:
        super().__init__()
        self._rows = TableModel(headings, heading_tips, self)
        self._rows.cell_checked.connect(self.cell_checked)
        self._sorted_rows = _SortedRows(self)
        self._sorted_rows.setSortRole(VALUE_ROLE)
        self._sorted_rows.setSourceModel(self._rows)
        self.setModel(self._sorted_rows)
        self.setToolTip(help_text)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        for column in range(len(headings)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
        self.setWordWrap(True)
        if is_sortable:
            header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # as filled, until a click
            self.setSortingEnabled(True)
        self.selectionModel().selectionChanged.connect(lambda *_: self.row_selected.emit())
        self.doubleClicked.connect(lambda _: self.row_opened.emit())

    def set_heading(self, column: int, heading: str) -> None:
        """Let a column be called something else.

        Parameters
        ----------
        column : int
        heading : str
        """
        self._rows.set_heading(column, heading)

    def fill(self, rows: Sequence[Sequence[Cell | str]]) -> None:
        """Replace the content; the row of the same number stays selected, if there is one."""
        former_selection = self.selected_row
        self._rows.set_rows(
            [[Cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        )
        if 0 <= former_selection < len(rows):
            with signals_blocked(self):
                self.select_row(former_selection)
        elif former_selection >= 0:
            self.row_selected.emit()

    @property
    def selected_row(self) -> int:
        """Which of the rows that were filled in is selected, -1 for none."""
        indexes = self.selectionModel().selectedRows()
        return int(self._sorted_rows.mapToSource(indexes[0]).row()) if indexes else -1

    def select_row(self, number: int) -> None:
        """Select one of the rows that were filled in."""
        self.selectRow(self._sorted_rows.mapFromSource(self._rows.index(number, 0)).row())

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return self._rows.rowCount()

    @property
    def row_order(self) -> list[int]:
        """The rows that were filled in, from top to bottom."""
        rows = self._sorted_rows
        return [rows.mapToSource(rows.index(k, 0)).row() for k in range(self.row_count)]

    def texts(self) -> list[list[str]]:
        """What stands in the cells, from top to bottom."""
        return [
            [
                self._rows.cell(self._rows.index(row, column)).text
                for column in range(self._rows.columnCount())
            ]
            for row in self.row_order
        ]


def uncertainty_cell(uncertainty: CaseUncertainty | None) -> Cell:
    """How much a model is in doubt of a scan; empty where it was not asked."""
    if uncertainty is None:
        return Cell("")
    if uncertainty.bits is None:
        return Cell("unreadable")
    return Cell(f"{100 * uncertainty.bits:.1f} %", value=uncertainty.bits)
