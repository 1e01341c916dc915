"""Review: the threshold, the outlines, the table of findings, the live FROC."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QVBoxLayout, QWidget

from ...detection.findings import level_of
from ...errors import SpinemetError
from ...evaluation.bands import Bands, froc_bands
from ...imaging import Finding, OperatingPoint
from ...jobs import CancelToken, EventCallback
from ...network.card import load_card
from ...study.likelihood_maps import CROSSVAL, is_crossval
from ..viewer.common_widgets import JobBar, button, group, notice, row
from ..viewer.job_runner import leave_a_core_to_the_interface
from ..viewer.layer_style import LABELLED
from ..viewer.session import THIS_SCAN, DisplayedFroc, session_of
from .findings_panel import FindingsPanel
from .froc_panel import FrocPanel
from .operating_point_panel import OperatingPointPanel
from .outlines import REFINE, Outlines
from .sign_off import SignOff
from .stored_results import StoredResults

if TYPE_CHECKING:
    import napari

TASK, RECOMPUTE, BANDS = "evaluation", "recompute", "bands"


class ReviewWidget(QWidget):
    """Move the threshold and judge what is found."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._stale = False
        """Whether contours changed since the curve of this scan was drawn."""
        layout = QVBoxLayout(self)
        self.controls = OperatingPointPanel()
        self.controls.threshold_changed.connect(self._on_threshold)
        self.controls.changed.connect(self._on_setting)
        self.outlines = Outlines(self.session)
        self.recall = StoredResults(self.session, self.controls.point)
        self.controls.refined_changed.connect(self._on_refined)
        self.outlines.fitted.connect(self._draw_all)
        layout.addWidget(self.controls)
        self.box = FindingsPanel(self.session)
        self.end = SignOff(
            self.session,
            self.outlines.current,
            self.controls.point,
            self.controls.refined.isChecked,
        )
        self.table, self.judge = self.box.table, self.box.judge
        self.box.add(self.end)
        layout.addWidget(self.box, 1)
        box, inner = group("FROC")
        self.froc_box = FrocPanel(self.session)
        self.froc = self.froc_box.plot
        self.froc_box.threshold_chosen.connect(self.controls.threshold.setValue)
        self.froc_box.point_chosen.connect(self.controls.set_point)
        self.froc_box.case_chosen.connect(self.session.case_wanted)
        inner.addWidget(self.froc_box)
        self.source = QComboBox()
        self.source.setToolTip(
            "Whose answers the study's curve is drawn from: those of the model, which it may have "
            "learned by heart on cases it was trained on, or those of a cross-validation, in which "
            "each case is judged by a network that never saw it."
        )
        self.study_button = button(
            "Evaluate the study",
            "Judge every contoured case of the study and draw the curve.",
            self.evaluate_study,
        )
        self.distance = QDoubleSpinBox()
        self.distance.setRange(1, 100)
        self.distance.setDecimals(0)
        self.distance.setPrefix("within ")
        self.distance.setSuffix(" mm")
        self.distance.setValue(20)
        self.distance.setKeyboardTracking(False)
        self.distance.setToolTip(
            "A region counts as found if the centre of a detection lies this close to its own."
        )
        self.distance.valueChanged.connect(lambda _: self._on_distance())
        inner.addWidget(row(self.source, self.distance))
        inner.addWidget(self.study_button)
        layout.addWidget(box, 2)
        self.progress = JobBar(self.session.runner, TASK)
        layout.addWidget(self.progress)
        for task in (RECOMPUTE, REFINE):
            layout.addWidget(JobBar(self.session.redraw, task, delay_ms=800))
        layout.addWidget(notice())
        # Outlines of slices that nobody looks at may wait until the slider rests.
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(120)
        self._rest.timeout.connect(self._draw_all)
        self._rest.timeout.connect(self.outlines.settle)
        self._rest.timeout.connect(self.froc_box.settle)
        # A new weight means new trees, and another area a new curve: after the typing.
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(300)
        self._settle.timeout.connect(self._recompute)
        session = self.session
        session.result_changed.connect(self._on_result)
        session.curve_changed.connect(self._on_curve)
        session.study_changed.connect(self._update_buttons)
        session.study_changed.connect(self._list_sources)
        session.series_changed.connect(self._update_buttons)
        session.runner.started.connect(self._update_buttons)
        session.runner.idle.connect(self._update_buttons)
        session.redraw.cancelled.connect(self._on_abandoned)
        session.redraw.failed.connect(self._on_abandoned)
        session.contours_changed.connect(self._on_contours)
        session.viewer.dims.events.current_step.connect(self._on_step)
        self._list_sources()
        self._on_result()
        self._on_curve()

    def _list_sources(self) -> None:
        """The model, and the cross-validations whose maps the study holds."""
        study, chosen = self.session.study, self.source.currentData()
        sets = study.likelihood_sets() if study is not None else []
        self.source.clear()
        self.source.addItem("by the model", "")
        for name in filter(is_crossval, sets):
            self.source.addItem(f"by {name}", name)
        self.source.setCurrentIndex(max(0, self.source.findData(chosen)))

    def _on_result(self) -> None:
        result = self.session.result
        self._stale = False
        self.controls.allow_gate(result is None or result.curve is not None)
        if result is not None:
            self.controls.own = result.operating_point
            self.controls.set_point(result.operating_point)
        self._refresh()

    def _on_curve(self) -> None:
        shown = self.session.shown
        self.froc_box.set_threshold(self.controls.point().threshold)
        self._tell_truth()
        if shown is None:
            self.froc_box.set_curve(None, "")
        else:
            self.froc_box.set_curve(shown.curve, shown.name, shown.validated)
            if not self._fits(shown):
                self._settle.start()  # drawn while the controls were moved
        if shown is not None and len(shown.curve.cases) > 1:
            self._draw_bands(shown)

    def _draw_bands(self, shown: DisplayedFroc) -> None:
        """Shade how far the curve would move with other cases, once it is on the screen."""
        session = self.session

        def work(*_: Any) -> Bands:
            return froc_bands(shown.curve)

        def done(bands: Bands) -> None:
            if session.shown is shown:
                self.froc.set_bands(bands)

        session.redraw.start(BANDS, work, done)

    def _on_contours(self) -> None:
        """A curve of this scan is drawn anew after an edit, once somebody looks at it."""
        self._tell_truth()
        if self.session.result is not None and not self._of_study():
            self._stale = True
            if self.isVisible():
                self._settle.start()

    def _tell_truth(self) -> None:
        """Say that the curve on the screen is not of the scan on the screen."""
        session, series = self.session, self.session.series
        bare = (
            self._of_study()
            and series is not None
            and not any(
                session.layers.shown(kind, series, session.annotation).any() for kind in LABELLED
            )
        )
        self.froc_box.truth.setVisible(bare)

    def _of_study(self) -> bool:
        shown = self.session.shown
        return shown is not None and shown.study is not None

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with contours that were edited under another tab."""
        super().showEvent(event)
        if self._stale:
            self._settle.start()

    def _on_threshold(self, value: float) -> None:
        self.outlines.set_point(self.controls.point())
        self._draw_current()
        self.froc_box.set_threshold(value)
        self._rest.start()

    def _on_setting(self) -> None:
        self._refresh()
        self._settle.start()

    def _on_distance(self) -> None:
        self._settle.start()

    def _on_refined(self, refined: bool) -> None:
        self.outlines.set_refined(refined)
        self.outlines.settle()
        self._draw_all()

    def _refresh(self) -> None:
        self.outlines.set_point(self.controls.point())
        self.outlines.settle()
        self._draw_current()
        self.froc_box.set_threshold(self.controls.point().threshold)
        self.froc_box.settle()
        self._draw_all()
        self._update_buttons()

    # Outlines and table --------------------------------------------------------------------

    def _draw_current(self) -> None:
        layers = self.session.layers
        if self.session.result is not None and layers.detections is not None:
            layers.draw_detections([layers.current_slice], self.outlines.labels)

    def _draw_all(self) -> None:
        result, layers = self.session.result, self.session.layers
        if result is None:
            self.box.fill([], "Nothing has been detected yet; press the button under Detect.")
            return
        layers.draw_detections(list(range(len(result.forest.trees))), self.outlines.labels)
        shown = self.outlines.current()
        findings, outside = shown.findings, self.outlines.outside()
        annotation, series = self.session.annotation, self.session.series
        if annotation is not None and series is not None:
            findings = [replace(f, level=level_of(f, series, annotation)) for f in findings]
        self.box.fill(
            findings,
            f"{_count(len(findings), 'finding')}, {_count(len(shown.detections), 'detection')} in "
            f"slices{f'; {outside} outside the spine, dimmed' if outside else ''}.",
        )

    @property
    def findings(self) -> list[Finding]:
        """As in the table before it was sorted."""
        return self.box.findings

    def _on_step(self, event: Any = None) -> None:
        if self._rest.isActive():
            self._draw_current()

    # Long work -----------------------------------------------------------------------------

    def _update_buttons(self, task: str = "") -> None:
        session = self.session
        self.box.update_buttons()
        self.study_button.setEnabled(session.study is not None and not session.runner.has(TASK))

    def _on_abandoned(self, task: str, sentence: str = "") -> None:
        """A recomputation that did not end well: back to the settings of the picture."""
        if task != RECOMPUTE:
            return
        session = self.session
        self._stale = False
        if session.result is not None:
            former = session.result.operating_point
            self.controls.set_point(replace(former, threshold=self.controls.threshold.value()))
        if session.shown is not None and not self._fits(session.shown):
            session.show_curve(None)

    def _fits(self, shown: DisplayedFroc) -> bool:
        """Whether a curve is one of the settings on the screen."""
        same = _same_settings(shown.point, self.controls.point())
        return same and shown.max_distance_mm == self.distance.value()

    def _recompute(self) -> None:
        """New trees for a new weight, and the curve for the settings as they are."""
        session = self.session
        result, shown, point = session.result, session.shown, self.controls.point()
        if session.redraw.busy:
            self._settle.start()
            return
        moved = result is not None and not _same_settings(point, result.operating_point)
        behind = shown is not None and not self._fits(shown)
        distance = self.distance.value()
        if not (moved or behind or self._stale):
            return
        self._stale = False
        contours = session.contours()

        def work(on_event: EventCallback, cancel: CancelToken) -> Any:
            from ...workflows.study_froc import redrawn, scan_curve

            new = result.at(point) if result is not None and moved else result
            if shown is not None and shown.study is not None:
                drawn = redrawn(
                    shown.study,
                    shown.model,
                    point,
                    shown.trees,
                    max_distance_mm=distance,
                    on_event=on_event,
                    cancel=cancel,
                )
                return new, drawn and replace(
                    shown,
                    curve=drawn.curve,
                    point=point,
                    trees=drawn.trees,
                    max_distance_mm=distance,
                )
            if result is None:
                return new, None
            curve = scan_curve(result.plain, contours, point, max_distance_mm=distance)
            model = result.plain.model
            return new, curve and DisplayedFroc(
                curve, THIS_SCAN, point, model, max_distance_mm=distance
            )

        def done(got: Any) -> None:
            new, curve = got
            if session.result is not result or session.shown is not shown:
                self._stale = True  # what it was made for is gone
                self._settle.start()
                return
            if new is not result and result is not None:
                session.result = new
                if new.likelihood is not result.likelihood:
                    session.layers.update_likelihood(new.likelihood.values)
                for warning in new.warnings:
                    session.warn(warning)
            # A curve of other settings than shown would mislead: none is better.
            session.show_curve(curve)
            self._refresh()

        session.redraw.start(RECOMPUTE, work, done)

    def evaluate_study(self) -> None:
        """Draw the curve of the study with the model that made the shown map."""
        session = self.session
        study, point = session.study, self.controls.point()
        if study is None:
            session.warn("Open a study under Load first.")
            return
        model = session.model or session.chosen
        folds, distance = self.source.currentData(), self.distance.value()
        try:
            card = None if folds else load_card(model)
        except SpinemetError as error:
            session.warn(str(error))
            return

        identity = folds if card is None else card.identity

        def work(on_event: EventCallback, cancel: CancelToken) -> Any:
            from ...network import load_model
            from ...workflows import study_curve
            from ...workflows.cross_validation.study import validated_point
            from ...workflows.study_froc import crossval_curve

            leave_a_core_to_the_interface()
            how: Any = {"max_distance_mm": distance, "on_event": on_event, "cancel": cancel}
            if card is None:
                found = validated_point(study, folds.removeprefix(CROSSVAL))
                return crossval_curve(study, folds, point, **how), found
            made = study_curve(study, load_model(model), identity, point, standing=True, **how)
            return made, card.operating_point

        def done(got: Any) -> None:
            made, validated = got
            name = f"{study.path.name} by {folds or Path(model).stem}"
            session.show_curve(
                DisplayedFroc(
                    made.curve, name, point, identity, study, made.trees, distance, validated
                )
            )

        session.runner.start(TASK, work, done)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _same_settings(one: OperatingPoint, other: OperatingPoint) -> bool:
    """Whether two points share a curve: all but the threshold is alike."""
    return one == replace(other, threshold=one.threshold)
