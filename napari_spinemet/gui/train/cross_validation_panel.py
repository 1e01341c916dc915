"""Cross-validation from the widget: every case judged by a network that never saw it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from ...errors import SpinemetError
from ...jobs import JobContext
from ...jobs.process import run_in_process
from ..viewer.common_widgets import JobBar, button, form, text
from ..viewer.controls.number_entry import WholeNumberBox
from ..viewer.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from .training_form import TrainingForm

TASK = "cross-validation"
CROSS_VALIDATION_FUNCTION = "napari_spinemet.workflows.worker_entry:cross_validate_study_job"


class CrossValidationPanel(QWidget):
    """Folds, where they are computed, and what came of it.

    Parameters
    ----------
    session : Session
    settings : TrainingForm
        Each network is trained by these, for the epochs that stand there.
    selected_cases : callable
        Gives the names of the cases.
    """

    def __init__(
        self, session: Session, settings: TrainingForm, selected_cases: Callable[[], list[str]]
    ) -> None:
        super().__init__()
        self._session, self._settings = session, settings
        self._selected_cases = selected_cases
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        holder, fields = form()
        self.folds = WholeNumberBox()
        self.folds.setRange(2, 100)
        self.folds.setValue(int(session.preferences.get("training", "folds")))
        self.folds.setToolTip(
            "Parts of the cases. Each part is judged by a network that learned from the others."
        )
        fields.addRow("Folds", self.folds)
        self.scheduler = QLineEdit(str(session.preferences.get("training", "scheduler")))
        self.scheduler.setPlaceholderText("this computer")
        self.scheduler.setToolTip(
            "Address of a dask scheduler whose workers train the folds, such as tcp://host:8786; "
            "empty for this computer."
        )
        fields.addRow("Computed on", self.scheduler)
        layout.addWidget(holder)
        self.start_button = button(
            "Cross-validate",
            "Train one network a fold with the settings and the number of epochs above. What is "
            "finished is kept: a run of the same name that was cancelled goes on.",
            self.start,
        )
        layout.addWidget(self.start_button)
        layout.addWidget(JobBar(session.jobs.training, TASK))
        self.outcome = text()
        layout.addWidget(self.outcome)
        session.study_changed.connect(self._update)
        for signal in (session.jobs.training.job_queued, session.jobs.training.job_started):
            signal.connect(lambda _: self._update())
        session.jobs.training.idle.connect(self._update)
        session.jobs.training.job_failed.connect(self._on_failed)
        session.jobs.training.job_cancelled.connect(self._on_cancelled)
        self._update()

    def _update(self) -> None:
        session = self._session
        self.start_button.setEnabled(
            session.study is not None and not session.jobs.training.has(TASK)
        )

    def start(self) -> None:
        """Cross-validate in processes of their own."""
        session, study = self._session, self._session.study
        if study is None:
            session.warn("Open a study under Load first.")
            return
        scheduler = self.scheduler.text().strip()
        try:
            config, decays = self._settings.config()
        except SpinemetError as error:
            session.warn(str(error))
            return
        session.preferences.store("training", folds=self.folds.value(), scheduler=scheduler)
        self._settings.store()
        arguments = {
            "study": str(study.path),
            "config": config.to_dict(),
            "name": self._settings.values()["name"],
            "only_cases": self._selected_cases(),
            "folds": self.folds.value(),
            "weight_decays": list(decays),
            "scheduler": scheduler or None,
            # With one thread a fold has the same numbers whichever computer trains it.
            "threads": 1 if scheduler else None,
        }

        def work(job: JobContext) -> Any:
            return run_in_process(CROSS_VALIDATION_FUNCTION, arguments, job=job)

        self.outcome.setText("")
        session.jobs.training.start(TASK, work, self._on_done)

    def _on_done(self, report: dict[str, Any]) -> None:
        # All folds were run, so some case has a lesion and there is a curve.
        tp_rate = report["froc"]["aggregated"]["tp_rate_at_1_fp_per_scan"]
        self.outcome.setText(
            f"{len(report['folds'])} folds: TP rate {tp_rate:.2f} at 1 false positive per scan, "
            "over all cases, each judged by a network that never saw it. Review draws its curve "
            "from these maps."
        )
        self._session.study_changed.emit()

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self.outcome.setText(sentence)

    def _on_cancelled(self, task: str) -> None:
        if task == TASK:
            self.outcome.setText("Cancelled; the folds that are finished are kept.")
