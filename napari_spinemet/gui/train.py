"""Train: from the study's contoured cases to a model, in the background."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from magicgui.widgets import Container, create_widget
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..errors import SpinemetError
from ..jobs import CancelToken, Evaluated, Event, EventCallback, Progressed
from .parts import JobBar, button, group, notice, row, take_what_is_left, text
from .runner import leave_a_core_to_the_interface
from .session import session_of
from .settings import keep, preference

if TYPE_CHECKING:
    import napari

TASK = "train"


class TrainWidget(QWidget):
    """Train on the open study; loss and validation error are drawn as they come."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        layout = QVBoxLayout(self)
        box, inner = group("Model")
        self.cases = text()
        inner.addWidget(self.cases)
        self.form = self._create_form()
        inner.addWidget(self.form.native)
        self.start_button = button("Start training", "Train in the background.", self.start)
        self.resume_button = button(
            "Resume",
            "Go on with the run of this name that was cancelled or cut short, as if nothing had "
            "stopped it.",
            lambda: self.start(resume=True),
        )
        inner.addWidget(row(self.start_button, self.resume_button))
        layout.addWidget(box)
        self.progress = JobBar(self.session.runner, TASK)
        layout.addWidget(self.progress)
        self.status = text("The finished model is kept in the study, with its card.")
        layout.addWidget(self.status)
        layout.addWidget(self._create_plot(), 1)
        layout.addWidget(notice())
        session = self.session
        session.study_changed.connect(self.refresh)
        session.runner.reported.connect(self._on_reported)
        session.runner.started.connect(self.refresh)
        session.runner.idle.connect(self.refresh)
        session.runner.failed.connect(self._on_failed)
        session.runner.cancelled.connect(self._on_cancelled)
        self.form.changed.connect(lambda *_: self.refresh())
        self._started = 0.0
        self._losses: list[float] = []
        self._errors: list[tuple[int, float]] = []
        self.refresh()

    def _create_form(self) -> Container[Any]:
        def field(name: str, label: str, tip: str, **options: Any) -> Any:
            value = preference("training", name)
            return create_widget(
                value=value, name=name, label=label, options={"tooltip": tip, **options}
            )

        return Container(
            widgets=[
                field("name", "Name", "Name of the model that is made."),
                field("epochs", "Epochs", "Measurements of the validation error.", min=1, max=1000),
                field("batches", "Batches an epoch", "Training steps each.", min=1, max=100_000),
                field(
                    "form",
                    "Form",
                    "Dense is hundreds of times faster; patch is the paper's.",
                    choices=["dense", "patch"],
                ),
                field("device", "Device", "auto takes a graphics card where there is one."),
            ],
            labels=True,
        )

    def _create_plot(self) -> QWidget:
        self.plot = pg.PlotWidget()
        self.plot.setToolTip("Training loss by batch, and error on validation samples by epoch.")
        self.plot.setLabel("bottom", "batch")
        self.plot.addLegend(offset=(-10, 10))
        take_what_is_left(self.plot, 180)
        self._loss_line = self.plot.plot(pen=pg.mkPen("#8fa3b8"), name="loss")
        self._error_line = self.plot.plot(
            pen=pg.mkPen("#ffb000", width=2), symbol="o", symbolSize=6, name="validation error"
        )
        return self.plot

    def refresh(self, task: str = "") -> None:
        """Say what there is to train on."""
        study = self.session.study
        if study is None:
            self.cases.setText("No study is open; open one under Load.")
        else:
            cases = study.cases()
            drawn = sum(c.contoured for c in cases)
            self.cases.setText(f"{study.path.name}: {drawn} of {len(cases)} cases are contoured.")
        self.start_button.setEnabled(study is not None and not self.session.runner.busy)
        self.resume_button.setEnabled(self._resumable() and not self.session.runner.busy)

    def _resumable(self) -> bool:
        """Whether a run of the name in the form was cut short."""
        study = self.session.study
        if study is None:
            return False
        name = self.form.asdict()["name"]
        return (study.models / "unfinished" / f"{name}.state").is_file()

    def start(self, resume: bool = False) -> None:
        """Start a training run, or go on with one that was cut short."""
        study = self.session.study
        if study is None:
            self.session.warn("Open a study under Load first.")
            return
        values = self.form.asdict()
        keep("training", **values)

        def work(on_event: EventCallback, cancel: CancelToken) -> Any:
            from ..experiments.train_study import train_study
            from ..training import TrainingConfig

            leave_a_core_to_the_interface()
            config = TrainingConfig(
                form=values["form"],
                epochs=values["epochs"],
                batches_per_epoch=values["batches"],
                device=values["device"],
            )
            return train_study(
                study.path,
                config,
                name=values["name"],
                resume=resume,
                on_event=on_event,
                cancel=cancel,
            )

        self._losses, self._errors = [], []
        self._draw()
        self._started = time.monotonic()
        self.status.setText("Reading the cases.")
        try:
            self.session.runner.start(TASK, work, self._on_trained)
        except SpinemetError as error:
            self.session.warn(str(error))

    def _on_reported(self, task: str, event: Event) -> None:
        if task != TASK:
            return
        if isinstance(event, Progressed) and "loss" in event.values:
            if not self._losses:
                self._started = time.monotonic()
            self._losses.append(event.values["loss"])
            elapsed = time.monotonic() - self._started
            left = elapsed / max(event.done - 1, 1) * (event.total - event.done)
            self.status.setText(
                f"Loss {self._losses[-1]:.3f}; about {_duration(left)} left."
                if event.done > 1
                else "Training."
            )
            self._draw()
        elif isinstance(event, Evaluated) and "validation_error" in event.values:
            self._errors.append((len(self._losses), event.values["validation_error"]))
            self._draw()

    def _draw(self) -> None:
        self._loss_line.setData(self._losses)
        self._error_line.setData([x for x, _ in self._errors], [y for _, y in self._errors])

    def _on_trained(self, made: Any) -> None:
        path, card = made
        rate = card.metrics["validation"].get("tp_rate")
        worth = (
            f" On the validation cases: TP rate {rate:.2f} at "
            f"{card.metrics['validation']['fp_per_scan']:.1f} false positives per scan."
            if rate is not None
            else ""
        )
        self.status.setText(f"The model '{card.name}' is in the study.{worth}")
        self.session.study_changed.emit()
        self.session.say(f"Training is finished; {path.name} can be chosen under Detect.")

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self.status.setText(sentence)

    def _on_cancelled(self, task: str) -> None:
        if task == TASK:
            self.status.setText(
                "Training was cancelled; the former model is as it was. Resume goes on from here."
            )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
