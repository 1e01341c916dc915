"""Detect: run a model on the open series into image layers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QFileDialog, QMessageBox, QWidget
from superqt.utils import signals_blocked

from ...counts import count_of
from ...errors import SpinemetError
from ...imaging.evaluated_region import CENTRE, SPINE, WHOLE_WIDTH
from ...jobs import JobContext
from ...network.card import ModelCard, load_card, model_names
from ...network.provenance import NOTHING_KNOWN, provenance_sentence
from ...study.database import FINDINGS_SIGNED
from ...study.map_identity import MapIdentity
from ...version import __version__
from ..viewer.common_widgets import (
    JobBar,
    WarningsLabel,
    button,
    disclaimer_label,
    form,
    group,
    provenance_label,
    row,
    text,
)
from ..viewer.controls.scrolling_tab import ScrollingTab
from ..viewer.controls.wheel_guard import guard_from_wheel
from ..viewer.displayed_froc import DisplayedFroc, draw_scan_froc
from ..viewer.jobs import leave_a_core_to_the_interface
from ..viewer.scan.open_scan import have_same_labels
from ..viewer.session import session_of
from ..viewer.shortcuts import bind_help
from .growing_likelihood import GrowingLikelihood

if TYPE_CHECKING:
    import napari

    from ...detection import DetectionResult
    from ...imaging import Annotation, SagittalSeries
    from ...study import Case

TASK = "detection"


@dataclass(frozen=True, eq=False)
class _ModelAnswer:
    """What a model gives for a scan; no curve where the scan has no lesion contours."""

    result: DetectionResult
    froc: DisplayedFroc | None
    card: ModelCard


class DetectWidget(ScrollingTab):
    """Choose a model and press one button."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._growing_likelihood = GrowingLikelihood(self.session)
        layout = self.column
        box, inner = group("Series")
        self.series = text()
        inner.addWidget(self.series)
        self.warnings = WarningsLabel()
        inner.addWidget(self.warnings)
        layout.addWidget(box)
        layout.addWidget(self._create_model_box())
        self.detect_button = button(
            "Detect lesions", "Run the model on the open series.", self.detect
        )
        self.detect_button.setMinimumHeight(36)
        layout.addWidget(self.detect_button)
        self.progress = JobBar(self.session.jobs.computing, TASK)
        layout.addWidget(self.progress)
        self.status = text()
        layout.addWidget(self.status)
        layout.addStretch(1)
        layout.addWidget(disclaimer_label())
        guard_from_wheel(self)
        bind_help(self)
        session = self.session
        session.series_changed.connect(self.refresh)
        session.study_changed.connect(self.refresh_models)
        session.default_model_changed.connect(self._choose_default)
        session.jobs.computing.job_started.connect(self.refresh)
        session.jobs.computing.idle.connect(self.refresh)
        session.jobs.computing.job_cancelled.connect(self._on_cancelled)
        session.jobs.computing.job_failed.connect(self._on_failed)
        session.result_changed.connect(self._on_result)
        self.refresh_models()
        self.refresh()

    def _create_model_box(self) -> QWidget:
        box, layout = group("Model")
        self.model = QComboBox()
        self.model.setToolTip("Models that ship with the program, and those of the study.")
        self.model.currentIndexChanged.connect(lambda _: self._describe())
        file_button = button("File…", "Choose a .safetensors file.", self._choose_file)
        layout.addWidget(row(self.model, file_button))
        self.learned_from = provenance_label()
        layout.addWidget(self.learned_from)
        self.card = text(is_quiet=True)
        layout.addWidget(self.card)
        holder, fields = form()
        self.columns = QComboBox()
        self.columns.addItem("along the spine", SPINE)
        self.columns.addItem("central half (as in the paper)", CENTRE)
        self.columns.addItem("whole width", WHOLE_WIDTH)
        self.columns.setToolTip(
            "Which part of the picture is evaluated. Along the spine: a corridor that a first look "
            "over the whole width finds."
        )
        self.columns.setCurrentIndex(
            max(0, self.columns.findData(self.session.preferences.get("detection", "region")))
        )
        fields.addRow("Evaluate", self.columns)
        layout.addWidget(holder)
        return box

    def refresh_models(self) -> None:
        """List the shipped models and those of the study; keep the choice."""
        former_choice = self.model.currentData() or self.session.preferences.get(
            "detection", "model"
        )
        # An empty list would choose another model for a moment, and others would hear of it.
        with signals_blocked(self.model):
            self.model.clear()
            for name in model_names():
                self.model.addItem(f"{name} (shipped)", name)
            if self.session.study is not None:
                for path in self.session.study.model_files():
                    self.model.addItem(f"{path.stem} (study)", str(path))
            self._select(former_choice)
        self._describe()

    def _choose_default(self) -> None:
        """Begin with the study's default, where it has one."""
        study = self.session.study
        identity = study.default_model if study is not None else ""
        for index in range(self.model.count() if identity else 0):
            try:
                if load_card(self.model.itemData(index)).identity == identity:
                    self.model.setCurrentIndex(index)
                    return
            except SpinemetError:
                continue

    def _select(self, model: str) -> None:
        index = self.model.findData(model)
        if index < 0 and Path(model).is_file():
            self.model.addItem(f"{Path(model).stem} (file)", model)
            index = self.model.count() - 1
        self.model.setCurrentIndex(max(index, 0))

    def _choose_file(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, "Model", "", "Models (*.safetensors)")
        if file:
            self._select(file)

    def _describe(self) -> None:
        """Say what the model's card says."""
        self.session.choose_model(self.model.currentData() or "default")
        try:
            card = load_card(self.session.selected_model)
        except SpinemetError as error:
            self.learned_from.setText(NOTHING_KNOWN)
            self.card.setText(str(error))
            return
        self.learned_from.setText(provenance_sentence(card))
        point = card.operating_point
        self.card.setText(
            f"{card.configuration.get('form', '?')} form, trained on "
            f"{card.training.get('date', 'an unknown date')}. "
            f"Operating point: threshold {point.threshold:.2f}, {point.label}."
        )

    def refresh(self, task: str = "") -> None:
        """Say what will be detected on."""
        series = self.session.series
        if series is None:
            self.series.setText("No series is open; open one under Load.")
        else:
            spacing = " x ".join(f"{v:.2f}" for v in series.spacing_mm)
            self.series.setText(
                f"{series.description or 'series'}: {series.contrast}, {series.shape[0]} slices, "
                f"{spacing} mm."
            )
        self.detect_button.setEnabled(
            series is not None and not self.session.jobs.computing.has(TASK)
        )

    def detect(self) -> None:
        """Run the model in the background."""
        session = self.session
        series = session.series
        if series is None:
            session.warn("Open a series under Load first.")
            return
        if not self._may_take_signature_off():
            return
        model, columns = self.model.currentData(), self.columns.currentData()
        self.session.preferences.store("detection", model=model, region=columns)
        contours, case = session.contours(), session.writable_case
        on_slice = self._growing_likelihood.begin(series)

        @leave_a_core_to_the_interface()
        def work(job: JobContext) -> _ModelAnswer:
            from ...detection.map_settings import MapSettings
            from ...detection.pipeline import detect_in_series
            from ...network import load_model

            network, card = load_model(model), load_card(model)
            result = detect_in_series(
                series,
                network,
                card.operating_point,
                MapSettings(columns=columns),
                identity=card.identity,
                on_slice=on_slice,
                job=job,
            )
            point = card.operating_point
            return _ModelAnswer(result, draw_scan_froc(result, contours, point), card)

        def on_detected(answer: _ModelAnswer) -> None:
            self._growing_likelihood.end()
            if session.series is None or session.series.identity != series.identity:
                session.warn(
                    "Another scan was opened while the detection ran. What it found is in the "
                    "study with its own case; open that to see it."
                    if case is not None
                    else "Another scan was opened while the detection ran, which was dropped."
                )
            else:
                self._show(answer, model, contours, series)
            if case is not None:
                self._record(case, series, answer.result, answer.card, columns)

        session.jobs.computing.start(TASK, work, on_detected)

    def _may_take_signature_off(self) -> bool:
        """Whether the case is not signed, or a person says that it is to be detected on anew."""
        case = self.session.writable_case
        record = None if case is None else case.record
        if case is None or record is None or record.findings != FINDINGS_SIGNED:
            return True
        answers = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self,
            "Signed verdicts",
            f"The verdicts on {case.name} are signed. A new detection keeps them and takes the "
            "signature off. Detect anew?",
            answers.Yes | answers.Cancel,
            answers.Cancel,
        )
        return bool(answer == answers.Yes)

    def _show(
        self,
        answer: _ModelAnswer,
        model: str,
        contours: Annotation | None,
        series: SagittalSeries,
    ) -> None:
        session, result = self.session, answer.result
        session.set_result(result, model)
        if session.study_froc is None:
            session.show_froc(answer.froc)
        if not have_same_labels(session.contours(), contours):
            session.contours_changed.emit()  # the curve is of those at the click
        for warning in result.warnings:
            if warning not in series.warnings:  # which were told as it was opened
                session.warn(warning.text)

    def _record(
        self,
        case: Case,
        series: SagittalSeries,
        result: DetectionResult,
        card: ModelCard,
        columns: str,
    ) -> None:
        """Let the study know what was found; it is shown, whether that can be written or not."""
        from ...workflows.scanner_statistics import FAMILIARITY, SCAN_FACTS, scan_facts

        session = self.session
        run_settings = {
            **result.operating_point.to_dict(),
            "columns": columns,
            "version": __version__,
            "warnings": [warning.to_dict() for warning in result.warnings],
            SCAN_FACTS: scan_facts(series),
            FAMILIARITY: None if result.familiarity is None else result.familiarity.to_dict(),
        }
        model = (card.identity, card.name, card.to_json())
        study = session.study

        def save_run(job: JobContext) -> None:
            case.save_run(series, model, run_settings, result.findings, result.seconds)

        session.jobs.saving.start("record", save_run, lambda _: session.study_changed.emit())
        if study is not None and study.database is case.database:
            # To be shown again with the case; made anew if it is lost, so it may come later.
            identity = MapIdentity.of_model(card.identity, columns)
            session.jobs.storage.start(
                "record map", lambda job: study.save_likelihood_map(case, identity, result.plain)
            )

    def _on_result(self) -> None:
        session, result = self.session, self.session.result
        if result is not None:
            self.warnings.show_warnings(result.warnings)
            doubt = ", doubtful," if result.is_doubtful else ""
            familiarity = result.familiarity
            known = "" if familiarity is None else f"Familiarity: {familiarity.text}. "
            # Of one that was brought back from the study nobody has timed anything.
            duration = f" in {result.seconds:.1f} s" if result.seconds else ""
            self.status.setText(
                f"{count_of(result.findings, 'finding')}{doubt}{duration}. "
                f"Evaluated: {result.plain.region.description}. {known}Go on with Review."
            )
            return
        self.warnings.show_warnings(() if session.series is None else session.series.warnings)
        self.status.setText("")

    def _on_cancelled(self, task: str) -> None:
        if task == TASK:
            self._growing_likelihood.end()
            self.status.setText("Detection was cancelled; nothing was changed.")

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self._growing_likelihood.end()
            self.status.setText(sentence)
