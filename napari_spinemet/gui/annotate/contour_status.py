"""How far the contours of the open case are: areas, what is missing, what is saved, agreement."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtWidgets import QComboBox, QGroupBox, QLabel, QVBoxLayout
from superqt.utils import signals_blocked

from ...contouring.label_counts import LabelCounts
from ...counts import count_of
from ...errors import SpinemetError
from ...evaluation.agreement import Agreement, compare_readers
from ...study.database import CONTOURS_APPROVED
from ..viewer.common_widgets import button, row, text

if TYPE_CHECKING:
    from ...study import Case
    from ..viewer.session import Session

NOBODY = "nobody"
_DRAWING_MODES = ("paint", "erase", "fill", "polygon")


class ContourStatusPanel(QGroupBox):
    """The state of the case, and the button that approves it."""

    def __init__(self, session: Session) -> None:
        super().__init__("State")
        self._session = session
        self.lesions, self.bodies = LabelCounts(), LabelCounts()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        self.area_label, self.missing_label, self.save_label = text(), text(), text()
        for label in (self.area_label, self.missing_label, self.save_label):
            layout.addWidget(label)
        self.restore_button = button(
            "Restore the removed layer",
            "Show the removed layer again, with its contours.",
            self.restore,
        )
        layout.addWidget(self.restore_button)
        self.reader = QComboBox()
        self.reader.setToolTip("Another reader's contours of this case, shown in yellow.")
        self.reader.currentIndexChanged.connect(lambda _: self.compare())
        self.compare_row = row(QLabel("Compare with"), self.reader)
        layout.addWidget(self.compare_row)
        self.agreement = text()
        self.agreement.hide()
        layout.addWidget(self.agreement)
        self.approve_button = button(
            "Approve contours",
            "Say that the contours of this case are right; another stroke takes that back "
            "(Ctrl+Return).",
            self.approve,
        )
        layout.addWidget(self.approve_button)
        session.autosave.state_changed.connect(self._show_save_state)
        self._is_approved = False
        self._last_case: Case | None = None
        session.series_changed.connect(self._on_case)
        session.study_changed.connect(self._on_case)
        self._on_case()

    def refresh(self) -> None:
        """Tell areas, and what is missing before a model can learn from the case."""
        session = self._session
        self._show_save_state()
        self.restore_button.setVisible(bool(session.layers.removed_kinds))
        if session.series is None:
            self.area_label.setText("No scan is open.")
            self.missing_label.setText("")
            return
        _, row_mm, column_mm = session.series.spacing_mm
        index = session.layers.current_slice
        for kind, tally in (("lesions", self.lesions), ("vertebrae", self.bodies)):
            tally.update(session.layers.labels_on_screen(kind, session.series, session.annotation))
        pixels, slices = self.lesions.pixels(index), self.lesions.slices
        lesions = count_of(list(self.lesions.labels), "lesion")
        self.area_label.setText(
            f"Lesion in this slice: {pixels * row_mm * column_mm / 100:.2f} cm². "
            f"{lesions} on {count_of(list(slices), 'slice')}, "
            f"{len(self.bodies.labels)} vertebrae."
        )
        gaps = self._gaps_before_training()
        note = "" if slices else " Without a lesion the case counts as normal."
        self.missing_label.setText(
            (f"Missing before training: {'; '.join(gaps)}." if gaps else "Ready for training.")
            + note
        )

    def _gaps_before_training(self) -> list[str]:
        """What a model needs before it can learn from the case."""
        session, bodies = self._session, self.bodies.slices
        gaps = []
        if not bodies:
            gaps.append("vertebrae")
        slices = [k + 1 for k in self.lesions.slices if k not in bodies]
        if bodies and slices:
            gaps.append(f"vertebrae on slice {', '.join(map(str, slices))}")
        nameless = self.bodies.labels - set(session.layers.levels(session.annotation))
        if nameless:
            gaps.append(f"the level of {len(nameless)} vertebra{'e' if len(nameless) > 1 else ''}")
        if session.case is None:
            gaps.append("a place in a study (Load: Add open scan to study)")
        return gaps

    def approve(self) -> None:
        """Approve the contours of the open case, once all of them are on the disk."""
        session = self._session
        case, series = session.case, session.series
        if case is None or series is None or not session.autosave.is_active:
            session.warn("Open a case of a study first, then approve its contours.")
            return
        session.autosave.save()

        def on_approved(_: object) -> None:
            session.study_changed.emit()
            session.say(f"The contours of {case.name} are approved.")

        session.jobs.saving.start("approve", lambda job: case.approve(series), on_approved)

    def restore(self) -> None:
        """Show layers that were removed again: what the study holds, else what they held."""
        session = self._session
        autosave = session.autosave
        is_stored = autosave.is_active and not autosave.is_pending
        session.layers.restore(session.annotation if is_stored else None)
        self.refresh()

    def _show_save_state(self) -> None:
        """Say what of the drawing is on the disk."""
        autosave = self._session.autosave
        # A stroke takes the approval back once it is stored; until then the word goes, but there
        # is nothing to approve anew.
        is_approved = self._is_approved and not autosave.is_pending
        self.approve_button.setText("Approved" if is_approved else "Approve contours")
        self.approve_button.setEnabled(
            autosave.is_active and not autosave.failure and not self._is_approved
        )
        self.save_label.setText(self._save_state())

    def _save_state(self) -> str:
        session, autosave = self._session, self._session.autosave
        foreign_layer = self._foreign_layer_in_use()
        if session.series is None:
            return ""
        if foreign_layer:
            return (
                f"Not saved: '{foreign_layer}' is not one of the two layers of contours; choose "
                "Lesion or Vertebra above to draw on those."
            )
        if not autosave.is_active:
            return self._why_nothing_is_saved()
        if autosave.failure:
            return f"Not saved: {autosave.failure}"
        if autosave.is_pending:
            return "Saving."
        if autosave.saved_at:
            return f"All strokes are saved, the last at {autosave.saved_at}."
        return "Every stroke is saved as it is drawn."

    def _foreign_layer_in_use(self) -> str:
        """Name of a layer of somebody else's that is being drawn on; empty if none is."""
        session = self._session
        active = session.viewer.layers.selection.active if session.viewer is not None else None
        if (
            isinstance(active, Labels)
            and active not in (session.layers.lesions, session.layers.vertebrae)
            and str(active.mode) in _DRAWING_MODES
        ):
            return str(active.name)
        return ""

    def _why_nothing_is_saved(self) -> str:
        study, case = self._session.study, self._session.case
        if study is not None and study.read_only_reason and case is not None:
            return study.read_only_reason
        return "Not saved: this scan is in no study yet (Load: Add open scan to study)."

    # Readers -----------------------------------------------------------------------------

    def _on_case(self) -> None:
        """Look at what the study says of the case."""
        case = self._session.case
        self._is_approved = case is not None and case.state.contours == CONTOURS_APPROVED
        self._show_save_state()
        readers = case.readers() if case is not None else []
        # The list is filled anew only where it differs: that drops the choice of a reader.
        is_another_case, self._last_case = case != self._last_case, case
        if is_another_case or readers != [
            self.reader.itemText(k) for k in range(1, self.reader.count())
        ]:
            with signals_blocked(self.reader):
                self.reader.clear()
                self.reader.addItems([NOBODY, *readers])
            self.compare()
        self.compare_row.setVisible(bool(readers))

    def compare(self) -> None:
        """Show another reader's contours and how far they agree with those on the screen."""
        session = self._session
        case, series, reader = session.case, session.series, self.reader.currentText()
        contours = session.contours()
        if case is None or series is None or contours is None or self.reader.currentIndex() < 1:
            session.layers.show_other(None)
            self.agreement.setText("")
            self.agreement.hide()
            return
        try:
            other = case.annotation(series, reader)
        except SpinemetError as error:
            session.warn(str(error))
            return
        session.layers.show_other(other)
        agreements = compare_readers(contours, other, series)
        sentences = [_agreement_text(kind, agreement) for kind, agreement in agreements.items()]
        self.agreement.setText(" ".join(sentences))
        self.agreement.show()


def _agreement_text(kind: str, agreement: Agreement) -> str:
    """Agreement on one kind of contour in a sentence."""
    if isnan(agreement.dice):
        return f"No {kind} by either."
    one_sided = len(agreement.only_one) + len(agreement.only_other)
    centres = (
        "" if isnan(agreement.distance_mm) else f", centres {agreement.distance_mm:.1f} mm apart"
    )
    rest = f", {one_sided} by one reader only" if one_sided else ""
    return f"{kind.capitalize()}: Dice {agreement.dice:.2f}{centres}{rest}."
