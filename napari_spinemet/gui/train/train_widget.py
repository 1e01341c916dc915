"""Train: from the study's contoured cases to a model, in the background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QWidget
from superqt import QCollapsible

from ...errors import OutOfMemory, SpinemetError
from ...jobs import Event, JobContext
from ...jobs.process import run_in_process
from ...network.card import ModelCard, model_names
from ...study.run_files import has_training_state
from ..viewer.common_widgets import JobBar, button, disclaimer_label, group, row, text
from ..viewer.controls.scrolling_tab import ScrollingTab
from ..viewer.controls.wheel_guard import guard_from_wheel
from ..viewer.jobs import leave_a_core_to_the_interface
from ..viewer.session import session_of
from ..viewer.shortcuts import bind_help
from .adaptation_panel import AdaptationPanel
from .cross_validation_panel import CrossValidationPanel
from .models_panel import ModelsPanel
from .training_cases import TrainingCases
from .training_form import TrainingForm
from .training_plots import TrainingPlots

if TYPE_CHECKING:
    import napari

    from ...study import Study
    from ...workflows.uncertainty import CaseUncertainty

TASK, RANK = "training", "ranking"
_SMALLEST_BATCH = 8
"""Fewer samples a batch are not offered where memory is short."""
TRAIN_FUNCTION = "napari_spinemet.workflows.worker_entry:train_study_job"


class TrainWidget(ScrollingTab):
    """Train on the open study; loss, validation error and FROC are drawn as they come."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        layout = self.column
        layout.addWidget(self._create_cases_box())
        layout.addWidget(self._create_run_box())
        self.crossval = CrossValidationPanel(self.session, self.form, self.cases.ticked_cases)
        self.models = ModelsPanel(self.session)
        self.adaptation = AdaptationPanel(self.session, self._models)
        for title, tip, part in (
            (
                "Adapt to my scanner",
                "From scans free of lesions, or from what you have judged, without a contour.",
                self.adaptation,
            ),
            ("Cross-validation", "How good such a model is on cases it never saw.", self.crossval),
            ("Models of the study", "Choose the default, compare two.", self.models),
        ):
            fold = QCollapsible(title, expandedIcon="▾", collapsedIcon="▸")
            fold.setToolTip(tip)
            fold.addWidget(part)
            layout.addWidget(fold)
        layout.addStretch(1)
        layout.addWidget(disclaimer_label())
        guard_from_wheel(self)
        bind_help(self)
        session = self.session
        session.study_changed.connect(self.refresh)
        session.ranking_changed.connect(self.refresh)
        trainer = session.jobs.training
        trainer.event_reported.connect(self._on_reported)
        for signal in (trainer.job_queued, trainer.job_started, session.jobs.computing.job_started):
            signal.connect(lambda _: self._update())
        for runner in (trainer, session.jobs.computing):
            runner.idle.connect(self._update)
        trainer.job_started.connect(self._on_started)
        trainer.job_failed.connect(self._on_failed)
        trainer.job_cancelled.connect(self._on_cancelled)
        self.form.value_changed.connect(self._update)
        self.cases.selection_changed.connect(self._update)
        self._has_listed_devices = False
        self.refresh()

    def _create_cases_box(self) -> QWidget:
        box, layout = group("Cases")
        self.cases = TrainingCases()
        self.cases.rank_requested.connect(self.rank)
        layout.addWidget(self.cases)
        layout.addWidget(JobBar(self.session.jobs.computing, RANK))
        return box

    def _create_run_box(self) -> QWidget:
        box, layout = group("Training")
        self.form = TrainingForm(self.session.preferences)
        layout.addWidget(self.form)
        self.start_button = button("Start training", "Train in the background.", self.start)
        self.resume_button = button(
            "Resume",
            "Go on with the run of this name that was cancelled or cut short, as if nothing had "
            "stopped it.",
            lambda: self.start(resume=True),
        )
        layout.addWidget(row(self.start_button, self.resume_button))
        self.progress = JobBar(self.session.jobs.training, TASK)
        layout.addWidget(self.progress)
        self.status = text("The finished model is kept in the study, with its card.")
        layout.addWidget(self.status)
        self.smaller_button = button(
            "Again with half the batch", "Start again with fewer samples a batch.", self._smaller
        )
        self.processor_button = button(
            "Again on the processor", "Start again without the graphics card.", self._on_processor
        )
        self.retry_row = row(self.smaller_button, self.processor_button)
        self.retry_row.hide()
        layout.addWidget(self.retry_row)
        self.plots = TrainingPlots()
        layout.addWidget(self.plots)
        return box

    def showEvent(self, event: QShowEvent) -> None:
        """Ask once what the computer has: that takes torch a second."""
        super().showEvent(event)
        if not self._has_listed_devices:
            self._has_listed_devices = True

            def work(job: JobContext) -> list[tuple[str, str]]:
                from ...network.devices import list_devices

                return list_devices()

            self.session.jobs.storage.start("devices", work, self.form.offer_devices)

    def refresh(self) -> None:
        """Show the cases of the study."""
        study = self.session.study
        self.form.offer_models(self._models())
        self.cases.show_cases(study.states() if study is not None else [], self.session.ranking)
        self._update()

    def _models(self) -> list[tuple[str, str]]:
        """What each model to start from is called, and loaded by."""
        return [
            (f"{card.name} ({'shipped' if model in model_names() else 'study'})", model)
            for model, card in self.models.models
        ]

    def _update(self) -> None:
        session, study = self.session, self.session.study
        if study is None:
            self.cases.summary.setText("No study is open; open one under Load.")
        is_idle = study is not None and not session.jobs.training.has(TASK)
        self.start_button.setEnabled(is_idle and bool(self.cases.ticked_cases()))
        self.resume_button.setEnabled(
            study is not None and is_idle and has_training_state(self._target(study))
        )
        if study is None or session.jobs.computing.has(RANK):
            self.cases.rank_button.setEnabled(False)

    def _target(self, study: Study) -> Path:
        name: str = self.form.values()["name"]
        return study.models / f"{name}.safetensors"

    # Training ------------------------------------------------------------------------------

    def start(self, resume: bool = False) -> None:
        """Start a training run, or go on with one that was cut short."""
        study = self.session.study
        if study is None:
            self.session.warn("Open a study under Load first.")
            return
        try:
            config, decays = self.form.config()
        except SpinemetError as error:
            self.session.warn(str(error))
            return
        self.form.store()
        values = self.form.values()
        arguments = {
            "study": str(study.path),
            "config": config.to_dict(),
            "name": values["name"],
            "only_cases": self.cases.ticked_cases(),
            "start": values["start"] or None,
            "weight_decays": list(decays),
            "minutes": self.form.minutes,
            "resume": resume,
            "command": "the Train widget",
        }

        def work(job: JobContext) -> tuple[Path, ModelCard]:
            if values["process"]:
                answer = run_in_process(TRAIN_FUNCTION, arguments, job=job)
            else:
                from ...workflows.worker_entry import train_study_job

                with leave_a_core_to_the_interface():
                    answer = train_study_job(**arguments, job=job)
            return Path(answer["path"]), ModelCard.from_json(answer["card"])

        self.retry_row.hide()
        self.session.jobs.training.start(TASK, work, self._on_trained)

    def _on_started(self, task: str) -> None:
        if task == TASK:
            self.plots.clear()
            self.status.setText("Reading the cases.")

    def _on_reported(self, task: str, event: Event) -> None:
        if task == TASK:
            self.plots.take(event)
            if self.plots.losses and self.status.text() == "Reading the cases.":
                self.status.setText("The former model stays as it is until this one is finished.")

    def _on_trained(self, trained_model: tuple[Path, ModelCard]) -> None:
        path, card = trained_model
        self.plots.rest()
        validation = card.metrics["validation"]
        summary = f"The model '{card.name}' is in the study."
        if validation.get("tp_rate") is not None:
            summary += (
                f" On the validation cases it finds {validation['tp_rate']:.0%} at "
                f"{validation['fp_per_scan']:.1f} false positives per scan."
            )
        if validation.get("tp_rate") == 0:
            summary += " Do not detect with it: it found no lesion. Train longer, or on more cases."
        self.status.setText(" ".join([summary, *card.training["notes"]]))
        session, study = self.session, self.session.study
        if study is not None and path.parent == study.models and not study.read_only_reason:
            model = (card.identity, card.name, card.to_json())
            session.jobs.storage.start("model", lambda job: study.keep_model(*model))
        session.study_changed.emit()
        if validation.get("tp_rate") == 0:
            session.warn(f"Training is finished, but '{card.name}' found no lesion when tried.")
        else:
            session.say(f"Training is finished; '{card.name}' can be chosen under Detect.")

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self.plots.rest()
            self.status.setText(f"{sentence} The former model is as it was.")
            self.retry_row.setVisible(isinstance(self.session.jobs.training.failure, OutOfMemory))
            self.processor_button.setVisible(self.form.values()["device"] != "cpu")
            self.smaller_button.setEnabled(self.form.values()["batch_size"] > _SMALLEST_BATCH)

    def _on_cancelled(self, task: str) -> None:
        if task == TASK:
            self.plots.rest()
            study = self.session.study
            is_kept = study is not None and has_training_state(self._target(study))
            self.status.setText(
                "Training was cancelled; the former model is as it was."
                + (" Resume goes on from here." if is_kept else "")
            )

    def _smaller(self) -> None:
        self.form.set(batch_size=max(_SMALLEST_BATCH, self.form.values()["batch_size"] // 2))
        self.start()

    def _on_processor(self) -> None:
        self.form.set(device="cpu")
        self.start()

    # What to contour next ------------------------------------------------------------------

    def rank(self) -> None:
        """Let the model that is chosen under Detect rank the cases without contours."""
        session, study = self.session, self.session.study
        if study is None:
            return
        model = session.selected_model

        @leave_a_core_to_the_interface()
        def work(job: JobContext) -> list[CaseUncertainty]:
            from ...workflows.map_source import MapSource
            from ...workflows.uncertainty import rank_cases

            return rank_cases(study, MapSource.of_model(model), job=job)

        def on_ranked(uncertainties: list[CaseUncertainty]) -> None:
            if session.study is study:
                session.set_ranking({u.case: u for u in uncertainties})

        session.jobs.computing.start(RANK, work, on_ranked)
