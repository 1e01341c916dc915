"""Detect: run a model on the open series into image layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QFileDialog, QVBoxLayout, QWidget

from ... import __version__
from ...errors import SpinemetError
from ...jobs import CancelToken, EventCallback
from ...network.card import ModelCard, load_card, model_names
from ...study.likelihood_maps import map_identity
from ..viewer.common_widgets import JobBar, button, form, group, notice, row, text
from ..viewer.job_runner import leave_a_core_to_the_interface
from ..viewer.preferences import keep, preference
from ..viewer.session import THIS_SCAN, DisplayedFroc, same_contours, session_of

if TYPE_CHECKING:
    import napari

    from ...detection import DetectionResult
    from ...evaluation import FrocCurve
    from ...imaging import Annotation, SagittalSeries
    from ...study import Case

TASK = "detection"


class DetectWidget(QWidget):
    """Choose a model and press one button."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        layout = QVBoxLayout(self)
        box, inner = group("Series")
        self.series = text()
        inner.addWidget(self.series)
        layout.addWidget(box)
        layout.addWidget(self._create_model_box())
        self.detect_button = button(
            "Detect lesions", "Run the model on the open series.", self.detect
        )
        self.detect_button.setMinimumHeight(36)
        layout.addWidget(self.detect_button)
        self.progress = JobBar(self.session.runner, TASK)
        layout.addWidget(self.progress)
        self.status = text()
        layout.addWidget(self.status)
        layout.addStretch(1)
        layout.addWidget(notice())
        session = self.session
        session.series_changed.connect(self.refresh)
        session.study_changed.connect(self.refresh_models)
        session.default_changed.connect(self._choose_default)
        session.runner.started.connect(self.refresh)
        session.runner.idle.connect(self.refresh)
        session.runner.cancelled.connect(self._on_cancelled)
        session.runner.failed.connect(self._on_failed)
        session.result_changed.connect(self._on_result)
        self.refresh_models()
        self.refresh()

    def _create_model_box(self) -> QWidget:
        box, layout = group("Model")
        self.model = QComboBox()
        self.model.setToolTip("Models that ship with the program, and those of the study.")
        self.model.currentIndexChanged.connect(lambda _: self._describe())
        more = button("File…", "Choose a .safetensors file.", self._choose_file)
        layout.addWidget(row(self.model, more))
        self.card = text(muted=True)
        layout.addWidget(self.card)
        holder, fields = form()
        self.columns = QComboBox()
        self.columns.addItem("central half (as in the paper)", "centre")
        self.columns.addItem("whole width", "all")
        self.columns.setToolTip("Which columns of the picture are evaluated.")
        self.columns.setCurrentIndex(
            max(0, self.columns.findData(preference("detection", "columns")))
        )
        fields.addRow("Evaluate", self.columns)
        layout.addWidget(holder)
        return box

    def refresh_models(self) -> None:
        """List the shipped models and those of the study; keep the choice."""
        chosen = self.model.currentData() or preference("detection", "model")
        self.model.blockSignals(True)
        self.model.clear()
        for name in model_names():
            self.model.addItem(f"{name} (shipped)", name)
        if self.session.study is not None:
            for path in self.session.study.model_files():
                self.model.addItem(f"{path.stem} (study)", str(path))
        self._select(chosen)
        self.model.blockSignals(False)
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
        chosen, _ = QFileDialog.getOpenFileName(self, "Model", "", "Models (*.safetensors)")
        if chosen:
            self._select(chosen)

    def _describe(self) -> None:
        """Say what the model's card says."""
        self.session.chosen = self.model.currentData() or "default"
        try:
            card = load_card(self.session.chosen)
        except SpinemetError as error:
            self.card.setText(str(error))
            return
        point = card.operating_point
        self.card.setText(
            f"{card.configuration.get('form', '?')} form, trained on "
            f"{card.training.get('cases', '?')} cases on {card.training.get('date', '?')}. "
            f"Operating point: threshold {point.threshold:.2f}, from {point.min_area_cm2:g} cm²"
            f"{', within the spine' if point.gate else ''}."
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
        self.detect_button.setEnabled(series is not None and not self.session.runner.has(TASK))

    def detect(self) -> None:
        """Run the model in the background."""
        session = self.session
        series = session.series
        if series is None:
            session.warn("Open a series under Load first.")
            return
        model, columns = self.model.currentData(), self.columns.currentData()
        keep("detection", model=model, columns=columns)
        contours, case = session.contours(), session.recorded

        def work(on_event: EventCallback, cancel: CancelToken) -> Any:
            from ...detection import detect
            from ...network import load_model
            from ...workflows.study_froc import scan_curve

            leave_a_core_to_the_interface()
            network, card = load_model(model), load_card(model)
            point = card.operating_point
            result = detect(
                series,
                network,
                point,
                columns=columns,
                identity=card.identity,
                on_event=on_event,
                cancel=cancel,
            )
            return result, scan_curve(result.plain, contours, point), card

        def done(got: tuple[DetectionResult, FrocCurve | None, ModelCard]) -> None:
            result, curve, card = got
            self._on_detected(result, curve, model=model, contours=contours)
            if case is not None:
                self._record(case, series, result, card, columns)

        session.runner.start(TASK, work, done)

    def _on_detected(
        self,
        result: DetectionResult,
        curve: FrocCurve | None,
        *,
        model: str,
        contours: Annotation | None,
    ) -> None:
        session = self.session
        series = session.series
        if series is None or series.series_uid != result.plain.series_uid:
            session.warn("Another scan was opened meanwhile; its detection was dropped.")
            return
        session.set_result(result, model)
        if session.shown is None or session.shown.study is None:
            point, identity = result.operating_point, result.plain.model
            session.show_curve(
                None if curve is None else DisplayedFroc(curve, THIS_SCAN, point, identity)
            )
        if not same_contours(session.contours(), contours):
            session.contours_changed.emit()  # the curve is of those at the click
        for warning in result.warnings:
            session.warn(warning)

    def _record(
        self,
        case: Case,
        series: SagittalSeries,
        result: DetectionResult,
        card: ModelCard,
        columns: str,
    ) -> None:
        """Let the study know what was found; it is shown, whether that can be written or not."""
        session = self.session
        settings = {
            **result.operating_point.to_dict(),
            "columns": columns,
            "version": __version__,
        }
        model = (card.identity, card.name, card.to_json())
        study = session.study

        def work(*_: object) -> None:
            case.save_run(series, model, settings, result.findings, result.seconds)
            if study is not None and study.database is case.database:
                # To be shown again with the case; made anew if it is lost.
                study.save_likelihood(case, map_identity(card.identity, columns), result.plain)

        session.desk.start("record", work, lambda _: session.study_changed.emit())

    def _on_result(self) -> None:
        result = self.session.result
        self.status.setText(
            ""
            if result is None
            else f"{len(result.findings)} findings in {result.seconds:.1f} s. Go on with Review."
        )

    def _on_cancelled(self, task: str) -> None:
        if task == TASK:
            self.status.setText("Detection was cancelled; nothing was changed.")

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self.status.setText(sentence)
