"""The models of a study: which is the default, and which of two is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QMessageBox, QVBoxLayout, QWidget

from ...errors import SpinemetError
from ...jobs import JobContext
from ...network.card import ModelCard, load_card, model_names
from ...network.provenance import scans_learned_from
from ..viewer.common_widgets import JobBar, button, row, text
from ..viewer.jobs import leave_a_core_to_the_interface
from ..viewer.session import Session
from ..viewer.tables import Cell, Table

if TYPE_CHECKING:
    from ...workflows.model_comparison import ModelComparison

TASK = "comparison"


class ModelsPanel(QWidget):
    """A table of the models that can be used in the open study."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.models: list[tuple[str, ModelCard]] = []
        """Path or shipped name of each, and its card."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.table = Table(
            ("Model", "Made", "Scans", "TP rate", "FP", "Default"),
            "Models of the study and those that ship. Scans are all that it has learned from, in "
            "all rounds of training. TP rate and false positives per scan are "
            "those on the validation cases at the model's own operating point.",
            stretch=0,
        )
        self.table.setMinimumHeight(96)
        self.table.setMaximumHeight(150)
        self.table.row_selected.connect(self._update)
        layout.addWidget(self.table)
        self.default_button = button(
            "Make default", "Begin with the chosen model under Detect.", self.make_default
        )
        layout.addWidget(self.default_button)
        self.first, self.second = QComboBox(), QComboBox()
        for box, tip in ((self.first, "The first model."), (self.second, "The model beside it.")):
            box.setToolTip(tip)
        self.compare_button = button(
            "Compare",
            "Compare the two on the contoured cases that neither was trained on.",
            self.compare,
        )
        layout.addWidget(row(self.first, self.second, self.compare_button))
        layout.addWidget(JobBar(session.jobs.computing, TASK))
        self.verdict = text()
        layout.addWidget(self.verdict)
        session.study_changed.connect(self.refresh)
        session.jobs.computing.job_started.connect(lambda _: self._update())
        session.jobs.computing.idle.connect(self._update)
        self.refresh()

    def refresh(self) -> None:
        """List the models as they are on disk."""
        study = self._session.study
        paths = [str(p) for p in study.model_files()] if study is not None else []
        self.models = []
        for model in [*paths, *model_names()]:
            try:
                self.models.append((model, load_card(model)))
            except SpinemetError:  # weights without a card are shown under Detect, with the reason
                continue
        default = study.default_model if study is not None else ""
        self.table.fill([_cells(card, default) for _, card in self.models])
        for box, first_choice in ((self.first, 0), (self.second, 1)):
            former = box.currentData()
            box.clear()
            for model, card in self.models:
                box.addItem(card.name, model)
            index = box.findData(former)
            box.setCurrentIndex(index if index >= 0 else min(first_choice, len(self.models) - 1))
        if len(self.models) > 1 and self.first.currentIndex() == self.second.currentIndex():
            self.second.setCurrentIndex(1 if self.first.currentIndex() == 0 else 0)
        self._update()

    def _update(self) -> None:
        session = self._session
        writable = session.study is not None and not session.study.read_only_reason
        self.default_button.setEnabled(writable and self.table.selected_row >= 0)
        self.compare_button.setEnabled(
            session.study is not None
            and len(self.models) > 1
            and not session.jobs.computing.has(TASK)
        )

    def make_default(self) -> None:
        """Make the chosen model the one that detection begins with in this study."""
        session, number = self._session, self.table.selected_row
        study = session.study
        if study is None or not 0 <= number < len(self.models):
            return
        card = self.models[number][1]
        if card.metrics.get("validation", {}).get("tp_rate") == 0 and not self._is_agreed(card):
            return
        model = (card.identity, card.name, card.to_json())

        def on_stored(_: object) -> None:
            session.study_changed.emit()
            session.default_model_changed.emit()
            session.say(f"'{card.name}' is the default of this study.")

        session.jobs.storage.start(
            "default model", lambda job: study.keep_model(*model, default=True), on_stored
        )

    def _is_agreed(self, card: ModelCard) -> bool:
        """Whether a model that finds nothing is to be the default all the same."""
        answers = QMessageBox.StandardButton
        question = (
            f"'{card.name}' found no lesion on the cases that it was tried on. Detect with it all "
            "the same?"
        )
        answer = QMessageBox.question(
            self, "Default model", question, answers.Yes | answers.Cancel, answers.Cancel
        )
        return bool(answer == answers.Yes)

    def compare(self) -> None:
        """Compare the two models in the background."""
        session = self._session
        study = session.study
        first, second = self.first.currentData(), self.second.currentData()
        if study is None:
            return
        if first == second:
            self.verdict.setText("Choose two different models.")
            return

        @leave_a_core_to_the_interface()
        def work(job: JobContext) -> ModelComparison:
            from ...workflows.map_source import MapSource
            from ...workflows.model_comparison import compare_models

            sources = (MapSource.of_model(first), MapSource.of_model(second))
            return compare_models(study, sources, job=job)

        self.verdict.setText("")
        session.jobs.computing.start(
            TASK, work, lambda comparison: self.verdict.setText(_sentence(comparison))
        )


def _cells(card: ModelCard, default: str) -> list[Cell | str]:
    scans = scans_learned_from(card.training)
    validation = card.metrics.get("validation", {})
    tp_rate, false_positives = validation.get("tp_rate"), validation.get("fp_per_scan")
    return [
        card.name,
        str(card.training.get("date", "")),
        "" if scans is None else str(scans),
        "" if tp_rate is None else f"{tp_rate:.2f}",
        "" if false_positives is None else f"{false_positives:.1f}",
        "yes" if card.identity == default else "",
    ]


def _sentence(comparison: ModelComparison) -> str:
    clauses = []
    for system in comparison.curves:
        rate, _, total = system.curve.at(system.point.threshold)
        clauses.append(f"{system.name} finds {rate:.0%} at {total:.1f} false positives per scan")
    count = len(comparison.cases)
    text = f"On {count} case{'s' if count > 1 else ''} that neither was trained on, each at its "
    text += f"own operating point: {'; '.join(clauses)}."
    if comparison.left_out:
        text += f" {len(comparison.left_out)} cases were left out."
    difference = comparison.difference
    if difference is None:
        return f"{text} One case says nothing about chance."
    low, high = difference.interval
    return (
        f"{text} Area under FROC, first less second: {difference.difference:+.3f} (95 % from "
        f"{low:+.3f} to {high:+.3f}), p = {difference.p_two_sided:.2g} by bootstrap, "
        f"{difference.p_sign_flip_two_sided:.2g} by sign flips."
    )
