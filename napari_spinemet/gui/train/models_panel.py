"""The models of a study: which is the default, and which of two is better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ...errors import SpinemetError
from ...jobs import CancelToken, EventCallback
from ...network.card import ModelCard, load_card, model_names
from ..viewer.common_widgets import JobBar, Table, button, row, text
from ..viewer.job_runner import leave_a_core_to_the_interface
from ..viewer.session import Session

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
            ("Model", "Made", "Cases", "TP rate", "FP", "Default"),
            "Models of the study and those that ship. TP rate and false positives per scan are "
            "those on the validation cases at the model's own operating point.",
            stretch=0,
        )
        self.table.setMinimumHeight(96)
        self.table.setMaximumHeight(150)
        self.table.itemSelectionChanged.connect(self._update)
        layout.addWidget(self.table)
        self.default_button = button(
            "Make default", "Begin with the chosen model under Detect.", self.make_default
        )
        layout.addWidget(self.default_button)
        self.one, self.other = QComboBox(), QComboBox()
        for box, tip in ((self.one, "The first model."), (self.other, "The model beside it.")):
            box.setToolTip(tip)
        self.compare_button = button(
            "Compare",
            "Compare the two on the contoured cases that neither was trained on.",
            self.compare,
        )
        layout.addWidget(row(self.one, self.other, self.compare_button))
        layout.addWidget(JobBar(session.runner, TASK))
        self.verdict = text()
        layout.addWidget(self.verdict)
        session.study_changed.connect(self.refresh)
        session.runner.started.connect(lambda _: self._update())
        session.runner.idle.connect(self._update)
        self.refresh()

    def refresh(self) -> None:
        """List the models as they are on disk."""
        study = self._session.study
        places = [str(p) for p in study.model_files()] if study is not None else []
        self.models = []
        for place in [*places, *model_names()]:
            try:
                self.models.append((place, load_card(place)))
            except SpinemetError:  # weights without a card are shown under Detect, with the reason
                continue
        default = study.default_model if study is not None else ""
        self.table.fill([_cells(card, default) for _, card in self.models])
        for box, first in ((self.one, 0), (self.other, 1)):
            chosen = box.currentData()
            box.clear()
            for place, card in self.models:
                box.addItem(card.name, place)
            known = box.findData(chosen)
            box.setCurrentIndex(known if known >= 0 else min(first, len(self.models) - 1))
        if len(self.models) > 1 and self.one.currentIndex() == self.other.currentIndex():
            self.other.setCurrentIndex(1 if self.one.currentIndex() == 0 else 0)
        self._update()

    def _update(self) -> None:
        session = self._session
        writable = session.study is not None and not session.study.notice
        self.default_button.setEnabled(writable and self.table.chosen >= 0)
        self.compare_button.setEnabled(
            session.study is not None and len(self.models) > 1 and not session.runner.has(TASK)
        )

    def make_default(self) -> None:
        """Make the chosen model the one that detection begins with in this study."""
        session, chosen = self._session, self.table.chosen
        study = session.study
        if study is None or not 0 <= chosen < len(self.models):
            return
        card = self.models[chosen][1]
        facts = (card.identity, card.name, card.to_json())

        def done(_: object) -> None:
            session.study_changed.emit()
            session.default_changed.emit()
            session.say(f"'{card.name}' is the default of this study.")

        session.desk.start("default model", lambda *_: study.keep_model(*facts, default=True), done)

    def compare(self) -> None:
        """Compare the two models in the background."""
        session = self._session
        study, places = session.study, (self.one.currentData(), self.other.currentData())
        if study is None:
            return
        if places[0] == places[1]:
            self.verdict.setText("Choose two different models.")
            return

        def work(on_event: EventCallback, cancel: CancelToken) -> Any:
            from ...network import load_model
            from ...workflows.model_comparison import compare_models

            leave_a_core_to_the_interface()
            one, other = ((load_model(place), load_card(place)) for place in places)
            return compare_models(study, (one, other), on_event=on_event, cancel=cancel)

        self.verdict.setText("")
        session.runner.start(TASK, work, lambda made: self.verdict.setText(_sentence(made)))


def _cells(card: ModelCard, default: str) -> tuple[str, ...]:
    found = card.metrics.get("validation", {})
    rate, false = found.get("tp_rate"), found.get("fp_per_scan")
    return (
        card.name,
        str(card.training.get("date", "")),
        str(card.training.get("cases", "")),
        "" if rate is None else f"{rate:.2f}",
        "" if false is None else f"{false:.1f}",
        "yes" if card.identity == default else "",
    )


def _sentence(made: ModelComparison) -> str:
    said = []
    for system in made.curves:
        rate, _, total = system.curve.at(system.point.threshold)
        said.append(f"{system.name} finds {rate:.0%} at {total:.1f} false positives per scan")
    text = f"On {len(made.cases)} case{'s' if len(made.cases) > 1 else ''} that neither was "
    text += f"trained on, each at its own operating point: {'; '.join(said)}."
    if made.left_out:
        text += f" {len(made.left_out)} cases were left out."
    difference = made.difference
    if difference is None:
        return f"{text} One case says nothing about chance."
    low, high = difference.interval
    return (
        f"{text} Area under FROC, first less second: {difference.difference:+.3f} (95 % from "
        f"{low:+.3f} to {high:+.3f}), p = {difference.p_two_sided:.2g} by bootstrap, "
        f"{difference.p_sign_flip_two_sided:.2g} by sign flips."
    )
