"""Review: the threshold, the outlines, the table of findings, the live FROC."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QWidget

from ...counts import count_of
from ...detection.findings import level_of
from ...evaluation.bands import Bands, froc_bands
from ...imaging import Finding
from ...imaging.annotation import LAYERS
from ...jobs import JobContext
from ...network.provenance import NOTHING_KNOWN
from ..viewer.common_widgets import JobBar, disclaimer_label, group
from ..viewer.controls.scrolling_tab import ScrollingTab
from ..viewer.controls.wheel_guard import guard_from_wheel
from ..viewer.displayed_froc import DisplayedFroc
from ..viewer.session import session_of
from ..viewer.timing import Debouncer
from .findings_panel import FindingsPanel
from .froc_jobs import Redrawing
from .froc_panel import FrocPanel
from .operating_point_panel import OperatingPointPanel
from .outlines import REFINE, Outlines
from .sign_off import SignOffPanel
from .stored_results import StoredResults
from .study_evaluation import TASK, StudyEvaluation

if TYPE_CHECKING:
    import napari

    from ...detection import DetectionResult

RECOMPUTE, BANDS = "recompute", "bands"


class ReviewWidget(ScrollingTab):
    """Move the threshold and judge what is found."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self._is_curve_stale = False
        """Whether contours changed since the curve of this scan was drawn."""
        self.controls = OperatingPointPanel(self.session.preferences)
        self.outlines = Outlines(self.session)
        self.stored_results = StoredResults(self.session, self.controls.point)
        self.findings_panel = FindingsPanel(self.session)
        self.sign_off = SignOffPanel(
            self.session,
            self.outlines.current,
            self.controls.point,
            self.controls.refine_box.isChecked,
        )
        self.findings_panel.add(self.sign_off)
        self.froc_panel = FrocPanel(self.session)
        self.evaluation = StudyEvaluation(self.session, self.controls.point)
        self._lay_out()
        # Outlines of slices that nobody looks at may wait until the slider rests.
        self._slider_pause = Debouncer(120, self)
        for slot in (self._draw_all, self.outlines.settle, self.froc_panel.settle):
            self._slider_pause.triggered.connect(slot)
        # A new weight means new trees, and another area a new curve: after the typing.
        self._typing_pause = Debouncer(300, self)
        self._typing_pause.triggered.connect(self._recompute)
        self._connect_panels()
        self._connect_session()
        self._on_result()
        self._on_froc()

    def _lay_out(self) -> None:
        layout = self.column
        layout.addWidget(self.controls)
        layout.addWidget(self.findings_panel, 1)
        layout.addWidget(self.evaluation)
        self.curve_box = self.evaluation.curve_box
        self._froc_box, box_layout = group("FROC")
        box_layout.addWidget(self.froc_panel)
        layout.addWidget(self._froc_box, 2)
        jobs = self.session.jobs
        self.progress = JobBar(jobs.computing, TASK)
        layout.addWidget(self.progress)
        for task in (RECOMPUTE, REFINE):
            layout.addWidget(JobBar(jobs.display, task, delay_ms=800))
        layout.addWidget(disclaimer_label())
        guard_from_wheel(self)

    def take_froc_box(self) -> QWidget:
        """Give the curve away, to a dock of its own."""
        self.curve_box.show()
        self.column.removeWidget(self._froc_box)
        self._froc_box.setTitle("")  # the dock has one
        return self._froc_box

    def _connect_panels(self) -> None:
        self.controls.threshold_changed.connect(self._on_threshold)
        self.controls.setting_changed.connect(self._on_setting)
        self.controls.refined_changed.connect(self._on_refined)
        self.outlines.fit_arrived.connect(self._draw_all)
        self.froc_panel.threshold_chosen.connect(self.controls.threshold.setValue)
        self.froc_panel.point_chosen.connect(self.controls.set_point)
        self.froc_panel.case_chosen.connect(self.session.case_requested)
        self.evaluation.distance_changed.connect(self._typing_pause.throttle)

    def _connect_session(self) -> None:
        session = self.session
        session.result_changed.connect(self._on_result)
        session.froc_changed.connect(self._on_froc)
        session.study_changed.connect(self._update_buttons)
        session.series_changed.connect(self._update_buttons)
        session.jobs.computing.job_started.connect(self._update_buttons)
        session.jobs.computing.idle.connect(self._update_buttons)
        session.jobs.display.job_cancelled.connect(self._on_abandoned)
        session.jobs.display.job_failed.connect(self._on_abandoned)
        session.contours_changed.connect(self._on_contours)
        session.viewer.dims.events.current_step.connect(self._on_step)

    def _on_result(self) -> None:
        result = self.session.result
        self._is_curve_stale = False
        self.controls.allow_gate(result is None or result.spine is not None)
        comparison = None if result is None else result.plain.comparison
        self.controls.allow_second_look(comparison, has_map=result is not None)
        if result is not None:
            self.controls.model_point = result.operating_point
            self.controls.set_point(result.operating_point)
        self._refresh()

    def _on_froc(self) -> None:
        froc = self.session.froc
        self.froc_panel.set_threshold(self.controls.point().threshold)
        self._show_whether_scan_has_truth()
        if froc is None:
            self.froc_panel.set_curve(None, "")
            return
        self.froc_panel.set_curve(froc.curve, froc.name, froc.validated_point)
        if not self._fits(froc):
            self._typing_pause.throttle()  # drawn while the controls were moved
        if len(froc.curve.cases) > 1:
            self._draw_bands(froc)

    def _draw_bands(self, froc: DisplayedFroc) -> None:
        """Shade how far the curve would move with other cases, once it is on the screen."""
        session = self.session

        def work(job: JobContext) -> Bands:
            return froc_bands(froc.curve)

        def show(bands: Bands) -> None:
            if session.froc is froc:
                self.froc_panel.plot.set_bands(bands)

        session.jobs.display.start(BANDS, work, show)

    def _on_contours(self) -> None:
        """A curve of this scan is drawn anew after an edit, once somebody looks at it."""
        self._show_whether_scan_has_truth()
        if self.session.result is not None and self.session.study_froc is None:
            self._is_curve_stale = True
            if self.isVisible():
                self._typing_pause.throttle()

    def _show_whether_scan_has_truth(self) -> None:
        """Say that the curve on the screen is not of the scan on the screen."""
        session = self.session
        scan = session.scan
        has_no_truth = (
            session.study_froc is not None
            and scan is not None
            and not any(
                session.layers.labels_on_screen(kind, scan.series, scan.annotation).any()
                for kind in LAYERS
            )
        )
        self.froc_panel.truth.setVisible(has_no_truth)

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with contours that were edited under another tab."""
        super().showEvent(event)
        if self._is_curve_stale:
            self._typing_pause.throttle()

    def _on_threshold(self, threshold: float) -> None:
        self.outlines.set_point(self.controls.point())
        self._draw_current()
        self.froc_panel.set_threshold(threshold)
        self._slider_pause.throttle()

    def _on_setting(self) -> None:
        self._refresh()
        self._typing_pause.throttle()

    def _on_refined(self, is_refined: bool) -> None:
        self.outlines.set_refined(is_refined)
        self.outlines.settle()
        self._draw_all()

    def _refresh(self) -> None:
        self.outlines.set_point(self.controls.point())
        self.outlines.settle()
        self._draw_current()
        self.froc_panel.set_threshold(self.controls.point().threshold)
        self.froc_panel.settle()
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
            self.findings_panel.fill(
                [], "Nothing has been detected yet; press the button under Detect."
            )
            return
        layers.draw_detections(list(range(len(result.forest.trees))), self.outlines.labels)
        result = self.outlines.current()
        findings, outside_count = result.findings, self.outlines.count_outside()
        annotation, series = self.session.annotation, self.session.series
        if annotation is not None and series is not None:
            findings = [replace(f, level=level_of(f, series, annotation)) for f in findings]
        self.findings_panel.fill(
            findings,
            f"{count_of(findings, 'finding')}, {count_of(result.detections, 'detection')} "
            f"in slices{f'; {outside_count} outside the spine, dimmed' if outside_count else ''}.",
            result.warnings,
            result.plain.learned_from or NOTHING_KNOWN,
        )

    @property
    def findings(self) -> list[Finding]:
        """As in the table before it was sorted."""
        return self.findings_panel.findings

    def _on_step(self, event: Any = None) -> None:
        if self._slider_pause.is_pending:
            self._draw_current()

    def _update_buttons(self, task: str = "") -> None:
        self.findings_panel.update_buttons()
        self.evaluation.update_buttons()

    # The curve at other settings -----------------------------------------------------------

    def _on_abandoned(self, task: str, sentence: str = "") -> None:
        """A recomputation that did not end well: back to the settings of the picture."""
        if task != RECOMPUTE:
            return
        session = self.session
        self._is_curve_stale = False
        if session.result is not None:
            former = session.result.operating_point
            self.controls.set_point(replace(former, threshold=self.controls.threshold.value()))
        if session.froc is not None and not self._fits(session.froc):
            session.show_froc(None)

    def _fits(self, froc: DisplayedFroc) -> bool:
        """Whether a curve is one of the settings on the screen."""
        return froc.has_settings(self.controls.point(), self.evaluation.matching)

    def _recompute(self) -> None:
        """New trees for a new weight, and the curve for the settings as they are."""
        session = self.session
        if session.jobs.display.is_busy:
            self._typing_pause.throttle()
            return
        # Contours are copied, which takes a while: only once it is sure that there is work.
        redrawing = Redrawing(
            session.result,
            session.froc,
            None,
            self.controls.point(),
            self.evaluation.matching,
        )
        if not (redrawing.moves_result or redrawing.moves_froc or self._is_curve_stale):
            return
        self._is_curve_stale = False
        redrawing = replace(redrawing, contours=session.contours())
        session.jobs.display.start(
            RECOMPUTE, redrawing.run, lambda pair: self._show_redrawn(redrawing, *pair)
        )

    def _show_redrawn(
        self, redrawing: Redrawing, result: DetectionResult | None, froc: DisplayedFroc | None
    ) -> None:
        session = self.session
        if session.result is not redrawing.result or session.froc is not redrawing.froc:
            self._is_curve_stale = True  # what it was made for is gone
            self._typing_pause.throttle()
            return
        if result is not None and result is not redrawing.result:
            session.move_result(result)
        # A curve of other settings than shown would mislead: none is better.
        session.show_froc(froc)
        self._refresh()
