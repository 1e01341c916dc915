"""Adapt a model to one's own scanner: which scans, how long, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from ...errors import SpinemetError
from ...jobs import JobContext
from ...jobs.process import run_in_process
from ...network.card import ModelCard
from ...study import Case, CaseState, Study
from ...study.run_files import has_adaptation_state
from ..viewer.common_widgets import JobBar, button, form, row, text
from ..viewer.controls.number_entry import WholeNumberBox
from ..viewer.drawing import Drawing
from ..viewer.session import Session
from ..viewer.tables import Cell, Table

TASK = "adaptation"
ADAPT_FUNCTION = "napari_spinemet.workflows.worker_entry:adapt_study_job"
_JUDGED_STATES = ("reviewed", "signed")


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
        self._study_path: Path | None = None
        self._cases: list[tuple[Case, CaseState]] = []
        self._ticked_cases: set[str] = set()
        self._known_cases: set[str] = set()
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
            "Go on with the adaptation of this name that was cancelled or cut short, with the "
            "scans and minutes that it had.",
            lambda: self.start(resume=True),
        )
        layout.addWidget(row(self.start_button, self.review_button, self.resume_button))
        layout.addWidget(JobBar(session.jobs.training, TASK))
        self.outcome = text()
        layout.addWidget(self.outcome)
        self.scores = Table(
            ("", "False, own", "Implants", "Phantoms", "False"),
            "False findings in the scans as they are, and lesions found that were put into copies "
            "of them, judged by networks that had not learned from them; the same in phantoms. "
            "'Before' is at the model's own operating point; those of the other rows were chosen "
            "on these very scans, so that others may fare a little worse.",
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
        self.minutes = WholeNumberBox()
        self.minutes.setRange(1, 10_000)
        self.minutes.setValue(int(preferences.get("adaptation", "minutes")))
        self.minutes.setToolTip("How long all of it may take, with judging before and after.")
        fields.addRow("Minutes", self.minutes)
        return holder

    def _create_named_part(self, layout: QVBoxLayout) -> None:
        self.named_table = Table(
            ("Normal", "What stands out"),
            "What is marked by a network that has learned from the other scans may be a lesion. It "
            "was not learned as normal. A double click opens its scan. Tick what is normal.",
            stretch=1,
        )
        self.named_table.setMaximumHeight(110)
        self.named_table.cell_checked.connect(self._on_normal)
        self.named_table.row_opened.connect(self._open_named)
        layout.addWidget(self.named_table)
        self.again_button = button(
            "Adapt again, with these as normal",
            "Learn anew, and the ticked ones as normal too.",
            self.adapt_again,
        )
        layout.addWidget(self.again_button)

    def refresh(self) -> None:
        """Show the cases of the study, and the models to start from."""
        study = self._session.study
        path = None if study is None else study.path
        if path != self._study_path:  # its cases have the same names as those of another
            self._study_path = path
            self._ticked_cases, self._known_cases = set(), set()
            self._show_answer(None)
            self.outcome.setText("")
        self._cases = [] if study is None else study.states()
        names = {case.name for case, _ in self._cases}
        # What was reviewed is of one's own scanner, and was looked at.
        self._ticked_cases |= {
            case.name
            for case, state in self._cases
            if case.name not in self._known_cases and _is_judged(case, state)
        }
        self._known_cases, self._ticked_cases = names, self._ticked_cases & names
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
                    Cell(
                        "",
                        is_checked=case.name in self._ticked_cases,
                        tooltip="Learn from this scan.",
                    ),
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
        self.start_button.setEnabled(is_idle and bool(self._ticked_cases))
        self.review_button.setEnabled(is_idle and bool(self._reviewed_cases()))
        self.resume_button.setEnabled(study is not None and is_idle and self._was_cut_short(study))
        self.again_button.setEnabled(is_idle and bool(self._normal))

    def _was_cut_short(self, study: Study) -> bool:
        return has_adaptation_state(study.models / f"{self.name.text()}.safetensors")

    def _reviewed_cases(self) -> list[str]:
        return [case.name for case, state in self._cases if _is_judged(case, state)]

    def _on_ticked(self, row_number: int, _: int, is_ticked: bool) -> None:
        name = self._cases[row_number][0].name
        (self._ticked_cases.add if is_ticked else self._ticked_cases.discard)(name)
        self._update()

    def learn_from_review(self) -> None:
        """Learn from all cases whose findings were judged, and from no other."""
        session, study = self._session, self._session.study
        if study is None:
            session.warn("Open a study under Load first.")
            return
        names, on_screen = self._reviewed_cases(), []
        if session.case is not None and session.case.name in names:
            # On the screen, where it can be undone and is saved as any stroke.
            names.remove(session.case.name)
            on_screen = [session.case.name]
            self._draw_accepted()

        def work(job: JobContext) -> int:
            from ...workflows.adaptation.reviewed_case import contour_accepted

            count = 0
            for number, name in enumerate(names, 1):
                job.raise_if_cancelled()
                count += contour_accepted(study, study.case(name))
                job.progress("contours", number, len(names), f"drawing what was accepted in {name}")
            return count

        def learn(_: int) -> None:
            if session.study is study:  # or another was opened meanwhile
                self._ticked_cases = {*names, *on_screen}
                self._fill()
                self.start()

        session.jobs.start_after_saving("contours", work, learn)

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
        """Learn anew, with what a person has called normal: it is rejected, as under Review."""
        session, study = self._session, self._session.study
        if study is None:
            return
        normal = [self._stands_out[k] for k in sorted(self._normal)]

        def work(job: JobContext) -> None:
            from ...workflows.adaptation.study import reject_place

            for each in normal:
                job.raise_if_cancelled()
                reject_place(study, study.case(str(each["case"])), each["centre_mm"])

        def go_on(_: None) -> None:
            if session.study is study:
                session.verdicts.reread()
                self.start()

        # In the order of all verdicts.
        session.jobs.saving.start("verdict", work, go_on)

    def start(self, *, resume: bool = False) -> None:
        """Adapt in a process of its own.

        Parameters
        ----------
        resume : bool
            Go on with one that was cut short.
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
            "only_cases": [case.name for case, _ in self._cases if case.name in self._ticked_cases],
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
        named_sentences = {str(each["sentence"]) for each in self._stands_out}  # in their own table
        other_sentences = [
            sentence for sentence in answer["sentences"] if sentence not in named_sentences
        ]
        self.outcome.setText(
            " ".join([f"The model '{card.name}' is in the study.", *other_sentences])
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
        self.named_table.fill(
            [
                [
                    Cell("", is_checked=False),
                    Cell(f"{each['case']}: {each['place']}", tooltip=str(each["sentence"])),
                ]
                for each in self._stands_out
            ]
        )
        for widget in (self.named_table, self.again_button):
            widget.setVisible(bool(self._stands_out))

    def _on_normal(self, row_number: int, _: int, is_ticked: bool) -> None:
        (self._normal.add if is_ticked else self._normal.discard)(row_number)
        self._update()

    def _open_named(self) -> None:
        number = self.named_table.selected_row
        if 0 <= number < len(self._stands_out):
            self._session.case_requested.emit(str(self._stands_out[number]["case"]))

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self.outcome.setText(f"{sentence} The former model is as it was.")

    def _on_cancelled(self, task: str) -> None:
        if task == TASK:
            study = self._session.study
            goes_on = study is not None and self._was_cut_short(study)
            again_sentence = "Resume goes on." if goes_on else "Nothing was learned yet."
            self.outcome.setText(f"Cancelled; the former model is as it was. {again_sentence}")


def _is_judged(case: Case, state: CaseState) -> bool:
    """Whether a person has judged all findings, or drawn what was missed where there are none."""
    if state.findings in _JUDGED_STATES:
        return True
    run = case.last_run if state.findings and state.has_contours else None
    if run is None or case.database is None:
        return False
    return not case.database.results.detections(run.number)


def _score_cells(score: Mapping[str, Any]) -> list[str]:
    implants, lesions = score["implants"], score["lesions"]
    return [
        str(score["name"]),
        f"{score['own_false']} in {score['own_scans']}",
        f"{implants['hits']} of {implants['of']}",
        f"{lesions['hits']} of {lesions['of']}",
        f"{score['phantoms_false']:.2f}",
    ]
