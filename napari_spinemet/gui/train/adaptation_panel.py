"""Adapt a model to one's own scanner: which scans, how long, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QLineEdit, QSpinBox, QVBoxLayout, QWidget

from ...errors import SpinemetError
from ...jobs import JobContext
from ...jobs.process import run_in_process
from ...network.card import ModelCard
from ...study import Case, CaseState, Study
from ...study.run_files import has_adaptation_state
from ..viewer.common_widgets import JobBar, button, form, row, text
from ..viewer.drawing import Drawing
from ..viewer.session import Session
from ..viewer.tables import Cell, Table

TASK = "adaptation"
ADAPT_FUNCTION = "napari_spinemet.workflows.worker_entry:adapt_study_job"
_JUDGED = ("reviewed", "signed")


class AdaptationPanel(QWidget):
    """Scans that are held to be free of lesions, or were reviewed, and what a model learns of them.

    Parameters
    ----------
    session : Session
    models : callable
        Gives the name of each model that can be started from, and what it is loaded by.
    """

    def __init__(self, session: Session, models: Callable[[], Sequence[tuple[str, str]]]) -> None:
        super().__init__()
        self._session, self._models = session, models
        self._cases: list[tuple[Case, CaseState]] = []
        self._ticked: set[str] = set()
        self._known: set[str] = set()
        self._stands_out: list[Mapping[str, Any]] = []
        self._normal: set[int] = set()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(
            text(
                "Tick a few scans of your scanner that are free of lesions, or whose findings you "
                "have judged. No contour is needed.",
                is_quiet=True,
            )
        )
        self.table = Table(
            ("", "Case", "State"),
            "Ticked scans are learned from: as normal, but for contours and accepted findings.",
            stretch=2,
        )
        self.table.setMinimumHeight(96)
        self.table.setMaximumHeight(150)
        self.table.cell_checked.connect(self._on_ticked)
        layout.addWidget(self.table)
        layout.addWidget(self._create_form())
        self.start_button = button(
            "Adapt", "Learn what is normal in the ticked scans, in the background.", self.start
        )
        self.review_button = button(
            "Learn from my review",
            "Learn from all scans whose findings you have judged: what you rejected is normal, "
            "what you accepted or drew is a lesion.",
            self.learn_from_review,
        )
        self.resume_button = button(
            "Resume",
            "Go on with the adaptation of this name that was cancelled or cut short.",
            lambda: self.start(resume=True),
        )
        layout.addWidget(row(self.start_button, self.review_button, self.resume_button))
        layout.addWidget(JobBar(session.jobs.training, TASK))
        self.outcome = text()
        layout.addWidget(self.outcome)
        self.scores = Table(
            ("", "False, own", "Implants", "Phantoms", "False"),
            "At the model's own operating point: false findings in the scans as they are, and "
            "lesions found that were put into copies of them, judged by networks that had not "
            "learned from them; the same in phantoms.",
            stretch=0,
        )
        self.scores.setFixedHeight(126)
        layout.addWidget(self.scores)
        self._create_named_part(layout)
        jobs = session.jobs.training
        session.study_changed.connect(self.refresh)
        for signal in (jobs.job_queued, jobs.job_started):
            signal.connect(lambda _: self._update())
        jobs.idle.connect(self._update)
        jobs.job_failed.connect(self._on_failed)
        jobs.job_cancelled.connect(self._on_cancelled)
        self._show_answer(None)
        self.refresh()

    def _create_form(self) -> QWidget:
        holder, fields = form()
        preferences = self._session.preferences
        self.model = QComboBox()
        self.model.setToolTip("The model that is adapted; it stays as it is.")
        fields.addRow("Starts from", self.model)
        self.name = QLineEdit(str(preferences.get("adaptation", "name")))
        self.name.setToolTip("Name of the model that is made.")
        self.name.textChanged.connect(lambda _: self._update())
        fields.addRow("Name", self.name)
        self.minutes = QSpinBox()
        self.minutes.setRange(1, 10_000)
        self.minutes.setValue(int(preferences.get("adaptation", "minutes")))
        self.minutes.setToolTip("How long all of it may take, with judging before and after.")
        fields.addRow("Minutes", self.minutes)
        return holder

    def _create_named_part(self, layout: QVBoxLayout) -> None:
        self.named = Table(
            ("Normal", "What stands out"),
            "What is marked by a network that has learned from the other scans may be a lesion. It "
            "was not learned as normal. A double click opens its scan. Tick what is normal.",
            stretch=1,
        )
        self.named.setMaximumHeight(110)
        self.named.cell_checked.connect(self._on_normal)
        self.named.row_opened.connect(self._open_named)
        layout.addWidget(self.named)
        self.again_button = button(
            "Adapt again, with these as normal",
            "Learn anew, and the ticked ones as normal too.",
            self.adapt_again,
        )
        layout.addWidget(self.again_button)

    def refresh(self) -> None:
        """Show the cases of the study, and the models to start from."""
        study = self._session.study
        self._cases = [] if study is None else study.states()
        names = {case.name for case, _ in self._cases}
        # What was reviewed is of one's own scanner, and was looked at.
        self._ticked |= {
            case.name
            for case, state in self._cases
            if case.name not in self._known and state.findings in _JUDGED
        }
        self._known, self._ticked = names, self._ticked & names
        former = self.model.currentData()
        self.model.clear()
        for title, value in self._models():
            self.model.addItem(title, value)
        self.model.setCurrentIndex(max(0, self.model.findData(former)))
        self._fill()

    def _fill(self) -> None:
        self.table.fill(
            [
                [
                    Cell("", is_checked=case.name in self._ticked, tooltip="Learn from this scan."),
                    Cell(case.name),
                    Cell(str(state)),
                ]
                for case, state in self._cases
            ]
        )
        self._update()

    def _update(self) -> None:
        study = self._session.study
        is_idle = study is not None and not self._session.jobs.training.has(TASK)
        self.start_button.setEnabled(is_idle and bool(self._ticked))
        self.review_button.setEnabled(is_idle and bool(self._reviewed_cases()))
        self.resume_button.setEnabled(
            study is not None and is_idle and bool(self._ticked) and self._was_cut_short(study)
        )
        self.again_button.setEnabled(is_idle and bool(self._normal))

    def _was_cut_short(self, study: Study) -> bool:
        return has_adaptation_state(study.models / f"{self.name.text()}.safetensors")

    def _reviewed_cases(self) -> list[str]:
        return [case.name for case, state in self._cases if state.findings in _JUDGED]

    def _on_ticked(self, row_number: int, _: int, is_ticked: bool) -> None:
        name = self._cases[row_number][0].name
        (self._ticked.add if is_ticked else self._ticked.discard)(name)
        self._update()

    def learn_from_review(self) -> None:
        """Learn from all cases whose findings were judged, and from no other."""
        session, study = self._session, self._session.study
        if study is None:
            session.warn("Open a study under Load first.")
            return
        self._ticked = set(self._reviewed_cases())
        self._fill()
        names = sorted(self._ticked)
        if session.case is not None and session.case.name in self._ticked:
            # On the screen, where it can be undone and is saved as any stroke.
            names.remove(session.case.name)
            self._draw_accepted()

        def work(job: JobContext) -> int:
            from ...workflows.adaptation.reviewed_case import contour_accepted

            count = 0
            for number, name in enumerate(names, 1):
                job.raise_if_cancelled()
                count += contour_accepted(study, study.case(name))
                job.progress("contours", number, len(names), f"drawing what was accepted in {name}")
            return count

        session.jobs.start_after_saving("contours", work, lambda _: self.start())

    def _draw_accepted(self) -> None:
        session, result = self._session, self._session.result
        if result is None:
            return
        verdicts = session.verdicts.verdicts_on(result.findings)
        for finding, verdict in zip(result.findings, verdicts, strict=True):
            if verdict == "accepted":
                with suppress(SpinemetError):  # one of less than a pixel, or the layer is gone
                    Drawing(session).add_finding(finding)

    def adapt_again(self) -> None:
        """Learn anew, with what a person has called normal."""
        self.start(confirmed=sorted({str(self._stands_out[k]["case"]) for k in self._normal}))

    def start(self, *, resume: bool = False, confirmed: Sequence[str] = ()) -> None:
        """Adapt in a process of its own.

        Parameters
        ----------
        resume : bool
            Go on with one that was cut short.
        confirmed : sequence of str
            Cases in which what stands out is normal.
        """
        session, study = self._session, self._session.study
        if study is None:
            session.warn("Open a study under Load first.")
            return
        session.preferences.store("adaptation", name=self.name.text(), minutes=self.minutes.value())
        arguments = {
            "study": str(study.path),
            "name": self.name.text().strip(),
            "model": self.model.currentData() or "default",
            "only_cases": [case.name for case, _ in self._cases if case.name in self._ticked],
            "confirmed": list(confirmed),
            "minutes": float(self.minutes.value()),
            "resume": resume,
            "command": "the Train widget",
        }

        def work(job: JobContext) -> Any:
            return run_in_process(ADAPT_FUNCTION, arguments, job=job)

        self._show_answer(None)
        self.outcome.setText("The former model stays as it is.")
        session.jobs.training.start(TASK, work, self._on_adapted)

    def _on_adapted(self, answer: Mapping[str, Any]) -> None:
        card = ModelCard.from_json(answer["card"])
        self._show_answer(answer)
        self.outcome.setText(
            " ".join([f"The model '{card.name}' is in the study.", *card.training["notes"]])
        )
        session, study = self._session, self._session.study
        if study is not None and Path(answer["path"]).parent == study.models:
            if not study.read_only_reason:
                model = (card.identity, card.name, card.to_json())
                session.jobs.storage.start("model", lambda job: study.keep_model(*model))
            session.study_changed.emit()
        session.say(f"'{card.name}' is adapted and can be chosen under Detect.")

    def _show_answer(self, answer: Mapping[str, Any] | None) -> None:
        rows, self._stands_out, self._normal = [], [], set()
        if answer is not None:
            self._stands_out = list(answer["stands_out"])
            rows = ModelCard.from_json(answer["card"]).metrics["adaptation"]
        self.scores.fill([_score_cells(each) for each in rows])
        self.scores.setVisible(bool(rows))
        self.named.fill(
            [[Cell("", is_checked=False), Cell(str(s["sentence"]))] for s in self._stands_out]
        )
        for widget in (self.named, self.again_button):
            widget.setVisible(bool(self._stands_out))

    def _on_normal(self, row_number: int, _: int, is_ticked: bool) -> None:
        (self._normal.add if is_ticked else self._normal.discard)(row_number)
        self._update()

    def _open_named(self) -> None:
        number = self.named.selected_row
        if 0 <= number < len(self._stands_out):
            self._session.case_requested.emit(str(self._stands_out[number]["case"]))

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self.outcome.setText(f"{sentence} The former model is as it was.")

    def _on_cancelled(self, task: str) -> None:
        if task == TASK:
            self.outcome.setText("Cancelled; the former model is as it was. Resume goes on.")


def _score_cells(score: Mapping[str, Any]) -> list[str]:
    implants, lesions = score["implants"], score["lesions"]
    return [
        str(score["name"]),
        f"{score['own_false']} in {score['own_scans']}",
        f"{implants['hits']} of {implants['of']}",
        f"{lesions['hits']} of {lesions['of']}",
        f"{score['phantoms_false']:.2f}",
    ]
