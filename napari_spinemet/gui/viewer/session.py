"""What is open in one viewer, shared by its widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.utils import notifications
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QApplication

from ...imaging import Annotation, Finding, OperatingPoint, SagittalSeries
from ...study import Case, Study
from ...study.verdicts import Place, VerdictBook
from .autosave import Autosave
from .close_guard import CloseGuard
from .drawing_history import DrawingHistory
from .job_runner import JobRunner
from .layer_style import CONTOURS, SERIES, SOURCE
from .layers import ViewerLayers
from .preferences import preference

if TYPE_CHECKING:
    import napari

    from ...detection import DetectionResult
    from ...evaluation import FrocCurve
    from ...workflows.study_froc import CachedForests
    from ...workflows.uncertainty import CaseUncertainty


@dataclass(frozen=True, eq=False)
class DisplayedFroc:
    """A FROC curve and what it was made of.

    Attributes
    ----------
    curve : FrocCurve
    name : str
        Of whom, for its title.
    point : OperatingPoint
        Its minimum area, weight and gate; the threshold does not matter.
    max_distance_mm : float
        Between the centres of a detection and of the region that it finds.
    validated : OperatingPoint or None
        Chosen on cases that the networks were validated on.
    model : str
        Identity of the model.
    study : Study or None
        None for the open scan alone.
    trees : CachedForests or None
        What the study's curve was drawn from.
    """

    curve: FrocCurve
    name: str
    point: OperatingPoint
    model: str
    study: Study | None = None
    trees: CachedForests | None = None
    max_distance_mm: float = 20.0
    validated: OperatingPoint | None = None


class Session(QObject):
    """The open series, its contours, the study, and what was detected.

    Widgets read it, change it by its methods, and follow its signals; they do not know of
    each other.
    """

    series_changed = Signal()
    study_changed = Signal()
    contours_changed = Signal()
    result_changed = Signal()
    curve_changed = Signal()
    ranking_changed = Signal()
    default_changed = Signal()
    case_wanted = Signal(str)
    """Name of a case of the study that somebody wants to see."""
    drawing_wanted = Signal(int)
    """Label of a lesion that somebody wants to change; 0 for a new one."""
    message = Signal(str)

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        # The registry below lives as long as the viewer: holding it here would be for ever.
        self._viewer = ref(viewer)
        self.layers = ViewerLayers(viewer)
        self.layers.contours_changed.connect(self.contours_changed)
        self.history = DrawingHistory(self.layers)
        self.layers.series_offered.connect(self._on_offered)
        # One training at a time, and beside it whatever else takes long; opening and saving go
        # on beside both, and so does drawing a curve again for other settings.
        self.trainer, self.runner = JobRunner(self), JobRunner(self)
        self.desk, self.redraw = JobRunner(self), JobRunner(self)
        self.runners = (self.trainer, self.runner, self.desk, self.redraw)
        for runner in self.runners:
            runner.failed.connect(lambda _, sentence: self.warn(sentence))
        self.series: SagittalSeries | None = None
        self.source: Path | None = None
        self.study: Study | None = None
        self.case: Case | None = None
        self.annotation: Annotation | None = None
        self.result: DetectionResult | None = None
        self.shown: DisplayedFroc | None = None
        self.model = ""
        """That made the map on the screen."""
        self.chosen: str = preference("detection", "model")
        """That the next detection will use."""
        self.ranking: dict[str, CaseUncertainty] = {}
        """Cases without contours, the most doubtful first, as far as they were ranked."""
        self._verdicts: dict[str, VerdictBook] = {}
        """By series; those of a case of a study are kept there too."""
        self._judged: list[tuple[Place, str]] = []
        """Verdicts on the open series, each as the place and what was said there before."""
        self.autosave = Autosave(self)
        offered = self.layers.offered()
        if offered is not None:  # opened before the first of our widgets
            self._on_offered(offered)
        self._closing = CloseGuard(
            viewer.window._qt_window, (self.trainer, self.runner), self._stop_computing, self
        )
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.stop)

    @property
    def viewer(self) -> Any:
        """The viewer."""
        return self._viewer()

    def stop(self) -> None:
        """End all jobs, for the end of the program; what is being saved is saved."""
        self._stop_computing()
        self.autosave.save()
        self.desk.finish()
        if self.study is not None:
            self.study.close()

    def _stop_computing(self) -> None:
        computing = (self.trainer, self.runner, self.redraw)
        for runner in computing:
            runner.cancel()  # all at once
        for runner in computing:
            runner.stop()

    @property
    def busy(self) -> bool:
        """Whether any job is running."""
        return any(runner.busy for runner in self.runners)

    @property
    def curve(self) -> FrocCurve | None:
        """The FROC curve that is shown."""
        return self.shown.curve if self.shown is not None else None

    def say(self, sentence: str) -> None:
        """Tell the user something in passing."""
        self.message.emit(sentence)
        notifications.show_info(sentence)

    def warn(self, sentence: str) -> None:
        """Tell the user what went wrong and how to mend it."""
        self.message.emit(sentence)
        notifications.show_warning(sentence)

    def open_series(
        self,
        series: SagittalSeries,
        source: Path | None = None,
        case: Case | None = None,
        annotation: Annotation | None = None,
    ) -> None:
        """Show a series and its contours in place of the former one."""
        self.autosave.save()  # what was drawn on the former one a moment ago
        self.series, self.source, self.case = series, source, case
        self.annotation = annotation
        self.result = None
        self._judged.clear()
        if self.shown is not None and self.shown.study is None:
            self.shown = None
        self._verdicts.pop(series.series_uid if case is not None else "", None)  # read anew
        self.layers.show_series(series, annotation)
        for warning in series.warnings:
            self.warn(warning)
        self.series_changed.emit()
        self.contours_changed.emit()
        self.result_changed.emit()
        self.curve_changed.emit()

    def _on_offered(self, layer: Any) -> None:
        """Take over a series that came by File > Open or as sample data."""
        if self.viewer is None or layer not in self.viewer.layers:
            return
        if self.unsaved() or self.desk.busy:
            self.warn(
                f"'{layer.name}' is shown as a picture only: save the contours of the "
                "other scan, then open it under Load."
            )
            return
        facts = dict(layer.metadata)
        drawn = self.layers.take_out(layer)
        self.open_series(facts[SERIES], facts.get(SOURCE), annotation=facts.get(CONTOURS))
        if drawn:  # perhaps painted on before it was taken over
            self.layers.replace_contours(drawn)
            self.contours_changed.emit()

    def open_study(self, study: Study) -> None:
        """Make a study the open one; the former one is left once all is saved."""
        former, self.study = self.study, study
        if former is not None and former is not study:
            self.autosave.save()
            self.case = None
            self.ranking = {}
            self.desk.start("close", lambda *_: former.close())
        shown = self.shown
        if shown is not None and shown.study is not None and shown.study.path != study.path:
            self.show_curve(None)
        if study.notice:
            self.warn(study.notice)
        if study.recovery_message:
            self.say(study.recovery_message)
        self.study_changed.emit()
        self.default_changed.emit()

    def contours(self) -> Annotation | None:
        """The contours as they are on the screen; None without a series."""
        if self.series is None:
            return None
        return self.layers.annotation(self.series, self.annotation)

    def unsaved(self) -> bool:
        """Whether contours on the screen would be lost."""
        return self.autosave.pending if self.autosave.active else self.unsaved_since_opened()

    def unsaved_since_opened(self) -> bool:
        """Whether the contours on the screen differ from those that were opened or saved."""
        now, then = self.contours(), self.annotation
        if now is None:
            return False
        if then is None or (self.case is not None and not self.case.has_contours):
            return not now.empty
        return not same_contours(now, then)

    def verdicts(self) -> VerdictBook:
        """Verdicts on findings of the open series, by place; they outlive a new detection."""
        uid = self.series.series_uid if self.series is not None else ""
        if uid not in self._verdicts:
            self._verdicts[uid] = VerdictBook() if self.case is None else self.case.verdicts()
        return self._verdicts[uid]

    @property
    def recorded(self) -> Case | None:
        """The open case, if its study takes what is found and said of it."""
        case = self.case
        return case if case is not None and case.database and case.database.writable else None

    def judge(self, findings: Sequence[Finding], chosen: int, verdict: str) -> None:
        """Give a verdict on one of the findings on the screen, and store it in the study."""
        book, centres = self.verdicts(), [f.centre_mm for f in findings]
        place, former = book.place_of(centres, chosen), book.of(centres)[chosen]
        self._judged.append((place, former))
        self._give(place, verdict, findings)

    @property
    def can_undo_verdict(self) -> bool:
        """Whether a verdict was given on the open series since it was opened."""
        return bool(self._judged)

    def undo_verdict(self, findings: Sequence[Finding]) -> bool:
        """Take the last verdict back, which the study records as well; False if there is none."""
        if not self._judged:
            return False
        self._give(*self._judged.pop(), findings)
        return True

    def _give(self, place: Place, verdict: str, findings: Sequence[Finding]) -> None:
        book = self.verdicts()
        book.give(place, verdict)
        all_judged = all(book.of([f.centre_mm for f in findings]))
        case, series, result = self.recorded, self.series, self.result
        model = result.plain.model if result is not None else ""
        if case is not None and series is not None:
            self.desk.start(
                "verdict",
                lambda *_: case.judge(series, place, verdict, all_judged=all_judged, model=model),
                lambda _: self.study_changed.emit(),
            )

    def rank(self, ranking: dict[str, CaseUncertainty]) -> None:
        """Show which scan to contour next."""
        self.ranking = ranking
        self.ranking_changed.emit()

    def set_result(self, result: DetectionResult, model: str) -> None:
        """Show what a model, given by name or path, detected in the open series."""
        if self.shown is not None and self.shown.model != result.plain.model:
            self.show_curve(None)
        self.result, self.model = result, model
        self.layers.show_likelihood(result)
        self.result_changed.emit()

    def show_curve(self, shown: DisplayedFroc | None) -> None:
        """Show a FROC curve in review: of a study, of the open scan, or none."""
        self.shown = shown
        self.curve_changed.emit()


THIS_SCAN = "this scan alone"


def same_contours(one: Annotation | None, other: Annotation | None) -> bool:
    """Whether two annotations hold the same labels."""
    if one is None or other is None:
        return one is other
    return np.array_equal(one.lesions, other.lesions) and np.array_equal(
        one.vertebrae, other.vertebrae
    )


_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_of(viewer: Any) -> Session:
    """The session of a viewer, made on first use."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _sessions:
        _sessions[viewer] = Session(viewer)
    return _sessions[viewer]
