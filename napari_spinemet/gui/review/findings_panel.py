"""Review's findings: the table, the way through it, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHeaderView, QMenu, QPushButton, QVBoxLayout, QWidget
from superqt.utils import signals_blocked

from ...errors import SpinemetError
from ...imaging import Finding, ScanWarning
from ...study.result_rows import REASONS
from ...study.verdicts import Verdict
from ..viewer.common_widgets import (
    WarningsLabel,
    button,
    fill_spare_height,
    group,
    provenance_label,
    row,
    text,
)
from ..viewer.drawing import Drawing
from ..viewer.shortcuts import Key, bind, show_help
from ..viewer.tables import Cell, Table

if TYPE_CHECKING:
    from ..viewer.session import Session

HEADINGS = (
    (
        "Level",
        "The contoured vertebra that most of it lies in; with ? a guess, counted by the model.",
    ),
    ("Verdict", "What was decided."),
    ("Slices", "First and last slice, from 1."),
    ("cm²", "Area in the slice in which it is largest."),
    ("cm³", "Areas times the distance of the slices."),
    ("Peak", "Largest likelihood; its mean in the slice where it is largest under the mouse."),
    (
        "Beside",
        "Brightness over that of healthy marrow beside it: 1.5 is half as bright again.",
    ),
    (
        "T1",
        "The same in the other series: what is bright in the T1 as well holds fat.",
    ),
)
WIDTHS = 42, 0, 46, 42, 42, 44, 50, 48
"""Of the columns; the verdict takes what is left."""
VERDICT, VOLUME, OTHER_CONTRAST = 1, 4, 7
VERDICTS = (("Accept", "accepted", "A"), ("Reject", "rejected", "R"), ("Unsure", "unsure", "U"))
NO_REASON = "Reject the chosen finding, and say why."


class FindingsPanel(QWidget):
    """Fly from finding to finding and judge each; a verdict can be undone.

    An outline that does not fit, or a lesion that was missed, is drawn under Annotate.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.findings: list[Finding] = []
        self._selected_key: tuple[int, int, int] | None = None
        box, inner = group("Findings")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(box)
        self.count = text()
        self._inner = inner
        inner.addWidget(self.count)
        self.learned_from = provenance_label()
        inner.addWidget(self.learned_from)
        self.warnings = WarningsLabel()
        inner.addWidget(self.warnings)
        self.table = Table(
            tuple(name for name, _ in HEADINGS),
            "Findings across slices; a click shows one, a click on a heading sorts.",
            stretch=VERDICT,
            heading_tips=tuple(meaning for _, meaning in HEADINGS),
            is_sortable=True,
        )
        # By content, each heading would keep room for a sort mark, and the last be cut off.
        header = self.table.horizontalHeader()
        header.setStyleSheet("QHeaderView::section { padding: 1px; font-size: 8pt; }")
        for column, width in enumerate(WIDTHS):
            if column == VERDICT:
                continue
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
            header.resizeSection(column, width)
        self.table.setColumnHidden(OTHER_CONTRAST, True)
        session.beside_series.contrasts_changed.connect(self._fill)
        fill_spare_height(self.table, 92)
        self.table.row_selected.connect(self._on_selected)
        self.table.clicked.connect(lambda _: self._on_selected())  # back to it, too
        inner.addWidget(self.table, 1)
        self.verdict_buttons = [
            button(
                name, f"Mark the chosen finding as {verdict} ({key}).", partial(self.judge, verdict)
            )
            for name, verdict, key in VERDICTS
        ]
        self.undo_button = button("Undo", "Take the last verdict back (Ctrl+Z).", self.undo)
        self.previous_button = button("◀", "Previous finding (Shift+N).", partial(self.go, -1))
        self.next_button = button("▶", "Next finding (N).", partial(self.go, 1))
        self.reason = self._create_reason_button()
        accept, reject, unsure = self.verdict_buttons
        inner.addWidget(row(accept, reject, self.reason, unsure, self.undo_button))
        self.edit_button = button(
            "Edit outline",
            "Make the chosen finding a lesion contour, and change it (E).",
            self.edit,
        )
        self.missed_button = button(
            "Draw missed", "Contour a lesion that was not found (M).", self.draw_missed
        )
        inner.addWidget(
            row(self.previous_button, self.next_button, self.edit_button, self.missed_button)
        )
        self.keys = [
            Key("N", "Next finding, in the order of the table.", partial(self.go, 1)),
            Key("Shift+N", "Previous finding.", partial(self.go, -1)),
            *(
                Key(
                    key,
                    f"The chosen finding is {verdict}; again: it is not.",
                    partial(self.judge, verdict),
                )
                for _, verdict, key in VERDICTS
            ),
            Key("Ctrl+Z", "Take the last verdict back.", self.undo),
            Key("E", "Edit the outline of the chosen finding, as a contour.", self.edit),
            Key("M", "Draw a lesion that was missed.", self.draw_missed),
            Key("F1", "This list.", self.show_keys),
        ]
        bind(self, self.keys)
        self.update_buttons()

    def _create_reason_button(self) -> QPushButton:
        """A menu: a list would give verdicts by the wheel, and by each arrow key."""
        reason_button = QPushButton()
        reason_button.setMaximumWidth(30)
        reason_button.setAccessibleName("Reject because of")
        reason_button.setToolTip(NO_REASON)
        menu = QMenu(reason_button)
        menu.addSection("Reject because of")
        for reason in REASONS:
            menu.addAction(reason, partial(self.reject_because, reason))
        reason_button.setMenu(menu)
        return reason_button

    def add(self, widget: QWidget) -> None:
        """Put something below the verdicts."""
        self._inner.addWidget(widget)

    def fill(
        self,
        findings: Sequence[Finding],
        summary: str,
        warnings: Sequence[ScanWarning] = (),
        learned_from: str = "",
    ) -> None:
        """Show findings; the one that was selected stays so where it has gone to.

        Parameters
        ----------
        findings : sequence of Finding
        summary : str
            What stands over the table.
        warnings : sequence of ScanWarning
            Of the result; they stand below it.
        learned_from : str
            What the model of the result has learned from; hidden if it is empty.
        """
        self.learned_from.setText(learned_from)
        self.learned_from.setVisible(bool(learned_from))
        self.warnings.show_warnings(warnings)
        self.findings = list(findings)
        self.count.setText(summary)
        self._fill()

    def judge(self, verdict: str) -> None:
        """Mark the chosen finding; the same again takes the mark away."""
        number = self.table.selected_row
        if 0 <= number < len(self.findings) and self._verdicts()[number].verdict == verdict:
            verdict = ""
        self._give(Verdict(verdict))

    def reject_because(self, reason: str) -> None:
        """Reject the chosen finding, and say why.

        Parameters
        ----------
        reason : str
            One of :data:`.REASONS`.
        """
        number, verdict = self.table.selected_row, Verdict("rejected", reason)
        if not (0 <= number < len(self.findings) and self._verdicts()[number] == verdict):
            self._give(verdict)

    def _give(self, verdict: Verdict) -> None:
        session, number = self._session, self.table.selected_row
        if not 0 <= number < len(self.findings):
            session.warn("Choose a finding in the table first.")
            return
        session.verdicts.judge(
            self.findings,
            number,
            verdict.verdict,
            reason=verdict.reason,
            model=session.result_identity,
        )
        self._fill()

    def undo(self) -> None:
        """Take the last verdict on this scan back."""
        session = self._session
        if not session.verdicts.undo(self.findings, model=session.result_identity):
            session.say("There is no verdict to take back.")
        self._fill()

    def edit(self) -> None:
        """Turn the chosen finding into a contour, for the tools of Annotate."""
        number = self.table.selected_row
        if not 0 <= number < len(self.findings):
            self._session.warn("Choose a finding in the table first.")
            return
        try:
            label, is_new = Drawing(self._session).add_finding(self.findings[number])
        except SpinemetError as error:
            self._session.warn(str(error))
            return
        self._session.say(
            f"The outline is lesion {label} now: paint or erase, Ctrl+Z takes it back."
            if is_new
            else f"Lesion {label} is contoured there already, and stays as it was drawn: paint or "
            "erase to change it."
        )
        self._session.drawing_requested.emit(label)

    def draw_missed(self) -> None:
        """Go to where a lesion is drawn."""
        if self._session.series is None:
            self._session.warn("Open a scan first.")
            return
        self._session.say("Click the corners of the missed lesion; a double click closes it.")
        self._session.drawing_requested.emit(0)

    def go(self, step: int) -> None:
        """Choose the next or previous finding, as the table is sorted; beyond an end, the other."""
        order = self.table.row_order
        if not order:
            return
        number = self.table.selected_row
        position = order.index(number) + step if number in order else (0 if step > 0 else -1)
        next_number = order[position % len(order)]
        self.table.select_row(next_number)
        if next_number == number:  # the only one: nothing was chosen anew
            self._on_selected()

    def update_buttons(self) -> None:
        """Offer what can be done now."""
        is_one_selected = 0 <= self.table.selected_row < len(self.findings)
        for widget in (*self.verdict_buttons, self.reason, self.edit_button):
            widget.setEnabled(is_one_selected)
        self.missed_button.setEnabled(self._session.series is not None)
        for widget in (self.previous_button, self.next_button):
            widget.setEnabled(bool(self.findings))
        self.undo_button.setEnabled(self._session.verdicts.can_undo)

    def _fill(self) -> None:
        # Another finding never takes the place of the selected one.
        rows = [k for k, f in enumerate(self.findings) if _key(f) == self._selected_key]
        beside_series = self._session.beside_series
        self.table.setColumnHidden(OTHER_CONTRAST, not beside_series.has_contrasts)
        # There is no room for both and a verdict with its reason; it stands in the area's tooltip.
        self.table.setColumnHidden(VOLUME, beside_series.has_contrasts)
        self.table.set_heading(OTHER_CONTRAST, beside_series.contrast_name)
        with signals_blocked(self.table):
            self.table.fill(
                [
                    [*_cells(f, v), _contrast_cell(beside_series.contrast_of(f))]
                    for f, v in zip(self.findings, self._verdicts(), strict=True)
                ]
            )
            if rows:
                self.table.select_row(rows[0])
            else:
                self.table.clearSelection()
        self._mark_chosen()
        self.update_buttons()

    def _on_selected(self) -> None:
        self.update_buttons()
        number = self.table.selected_row
        if 0 <= number < len(self.findings):
            self._selected_key = _key(self.findings[number])
            largest = self.findings[number].largest
            self._session.layers.centre_on(largest.slice, *largest.centre_working)
        self._mark_chosen()

    def _mark_chosen(self) -> None:
        """A thick line around the chosen finding, as it is at this threshold."""
        number = self.table.selected_row
        is_chosen = 0 <= number < len(self.findings)
        self._session.layers.mark_finding(self.findings[number] if is_chosen else None)

    def _verdicts(self) -> list[Verdict]:
        return self._session.verdicts.with_reasons(self.findings)

    def show_keys(self) -> None:
        """Show the list of shortcuts."""
        self.help = show_help(self.keys, self)


def _cells(finding: Finding, verdict: Verdict) -> list[Cell]:
    largest = finding.largest
    verdict_text = f"{verdict.verdict} ({verdict.reason})" if verdict.reason else verdict.verdict
    evidence = finding.evidence
    contrast = 0.0 if evidence is None else evidence.contrast or 0.0
    return [
        Cell(_level(finding)),
        Cell(verdict_text, tooltip=verdict_text),
        Cell(_range(*finding.slices), value=finding.slices[0], tooltip=_place_text(finding)),
        Cell(
            f"{largest.area_cm2:.1f}",
            value=largest.area_cm2,
            tooltip=f"Volume: {finding.volume_cm3:.1f} cm³.",
        ),
        Cell(f"{finding.volume_cm3:.1f}", value=finding.volume_cm3),
        Cell(
            f"{finding.peak:.2f}",
            value=finding.peak,
            tooltip=f"Mean in the slice where it is largest: {largest.mean:.2f}.",
        ),
        Cell("–" if evidence is None else evidence.contrast_text, value=contrast),
    ]


def _level(finding: Finding) -> str:
    """Contoured, or guessed with a question mark."""
    return finding.level or (f"{finding.guessed_level}?" if finding.guessed_level else "–")


def _contrast_cell(contrast: float | None) -> Cell:
    return Cell("–") if contrast is None else Cell(f"{contrast:.2g} x", value=contrast)


def _place_text(finding: Finding) -> str:
    left_mm, posterior_mm, superior_mm = finding.centre_mm
    return (
        f"Its centre lies {left_mm:.0f} mm to the left, {posterior_mm:.0f} mm behind and "
        f"{superior_mm:.0f} mm above the scanner's centre."
    )


def _range(first: int, last: int) -> str:
    return str(first + 1) if first == last else f"{first + 1}–{last + 1}"


def _key(finding: Finding) -> tuple[int, int, int]:
    """Where a finding is, so that it stays chosen when the threshold moves a little."""
    x, y, z = (round(v / 10) for v in finding.centre_mm)
    return x, y, z
