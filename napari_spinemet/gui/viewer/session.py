"""What is open in one viewer, shared by its widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from napari.utils import notifications
from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication

from ...imaging import Annotation, SagittalSeries
from ...study import Case, Study
from .autosave import Autosave
from .displayed_froc import DisplayedFroc
from .jobs import ViewerJobs
from .layers import ViewerLayers
from .preferences import NapariPreferences, Preferences
from .scan.beside_series import BesideSeries
from .scan.offered_series import OfferedSeries
from .scan.open_scan import OpenScan
from .scan.picture_text import PictureText
from .scan.shown_identity import ShownIdentity
from .slot_errors import tell_slot_errors
from .strokes.history import DrawingHistory
from .strokes.open_outlines import OpenOutlines
from .verdict_log import VerdictLog

if TYPE_CHECKING:
    import napari

    from ...detection import DetectionResult
    from ...evaluation import FrocCurve
    from ...workflows.uncertainty import CaseUncertainty


class Session(QObject):
    """The open scan, the study, and what was detected.

    Widgets read it, change it by its methods, and follow its signals; they do not know of
    each other.

    Parameters
    ----------
    viewer : napari.Viewer
        Held weakly: the registry of sessions lives as long as the viewer.
    preferences : Preferences
        What is remembered from one run to the next.

    Attributes
    ----------
    layers : ViewerLayers
    jobs : ViewerJobs
    open_outlines : OpenOutlines
    history : DrawingHistory
        Undo and redo over both layers of contours.
    autosave : Autosave
    verdicts : VerdictLog
    identity : ShownIdentity
    beside_series : BesideSeries
    preferences : Preferences

    Signals
    -------
    series_changed(), study_changed(), contours_changed(), result_changed(), froc_changed(),
    ranking_changed(), default_model_changed()
        Each after the property of that name is another one.
    case_requested(str)
        Name of a case of the study that somebody wants to see.
    drawing_requested(int)
        Label of a lesion that somebody wants to change; 0 for a new one.
    message(str)
        What the user was told last; empty where that no longer holds.
    jobs_stopped()
        All jobs have ended, for the end of the program.
    """

    series_changed = Signal()
    study_changed = Signal()
    contours_changed = Signal()
    result_changed = Signal()
    froc_changed = Signal()
    ranking_changed = Signal()
    default_model_changed = Signal()
    case_requested = Signal(str)
    drawing_requested = Signal(int)
    message = Signal(str)
    jobs_stopped = Signal()

    def __init__(self, viewer: napari.Viewer, *, preferences: Preferences) -> None:
        super().__init__()
        self._viewer = ref(viewer)
        self.preferences = preferences
        self.identity = ShownIdentity(preferences, self)
        self.layers = ViewerLayers(viewer)
        self.open_outlines = OpenOutlines(self.layers, viewer)
        self.history = DrawingHistory(self.layers, self.open_outlines)
        self.jobs = ViewerJobs(viewer.window._qt_window, self)
        self.verdicts = VerdictLog(self.jobs.saving, self)
        self.autosave = Autosave(self.layers, self.jobs.saving, self)
        self._scan: OpenScan | None = None
        self._study: Study | None = None
        self._former_studies: list[Study] = []
        """Those that are not closed yet, since something of them is still being saved."""
        self._result: DetectionResult | None = None
        self._froc: DisplayedFroc | None = None
        self._result_model = ""
        self._selected_model: str = preferences.get("detection", "model")
        self._ranking: Mapping[str, CaseUncertainty] = {}
        self._connect()
        session_ref = ref(self)
        self.jobs.close_guard.why_loss = lambda: getattr(session_ref(), "why_loss", "")
        self.beside_series = BesideSeries(self)
        self._picture_text = PictureText(self)
        self._offered_series = OfferedSeries(self)
        QTimer.singleShot(0, partial(tell_slot_errors, self))  # once napari runs

    def _connect(self) -> None:
        self.jobs.job_failed.connect(self.warn)
        self.layers.contours_changed.connect(self.contours_changed)
        self.verdicts.verdict_stored.connect(self.study_changed)
        self.autosave.contours_stored.connect(self._on_contours_stored)
        self.autosave.case_state_changed.connect(self.study_changed)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.stop)

    def stop(self) -> None:
        """End all jobs, for the end of the program; what is being saved is saved."""
        self.jobs.stop_computing()
        self.autosave.save()
        self.jobs.finish()
        for study in (*self._former_studies, self._study):
            if study is not None:
                study.close()
        self.jobs_stopped.emit()

    # What is open --------------------------------------------------------------------------

    @property
    def viewer(self) -> Any:
        """The viewer; None once it is gone."""
        return self._viewer()

    @property
    def scan(self) -> OpenScan | None:
        """What is on the screen."""
        return self._scan

    @property
    def series(self) -> SagittalSeries | None:
        """The series on the screen."""
        return self._scan.series if self._scan is not None else None

    @property
    def case(self) -> Case | None:
        """The open scan as a case of the study, if it is one."""
        return self._scan.case if self._scan is not None else None

    @property
    def writable_case(self) -> Case | None:
        """The open case, if its study takes what is drawn, found and said of it."""
        return self._scan.writable_case if self._scan is not None else None

    @property
    def annotation(self) -> Annotation | None:
        """The contours as they were opened or last saved."""
        return self._scan.annotation if self._scan is not None else None

    @property
    def study(self) -> Study | None:
        """The open study."""
        return self._study

    @property
    def result(self) -> DetectionResult | None:
        """What was detected in the open series."""
        return self._result

    @property
    def result_identity(self) -> str:
        """Identity of the model that made the map on the screen; empty without one."""
        return self._result.plain.model if self._result is not None else ""

    @property
    def result_model(self) -> str:
        """Name or path of the model that made the map on the screen."""
        return self._result_model

    @property
    def selected_model(self) -> str:
        """Name or path of the model that the next detection will use."""
        return self._selected_model

    @property
    def froc(self) -> DisplayedFroc | None:
        """The FROC curve that is shown, with what it was made of."""
        return self._froc

    @property
    def study_froc(self) -> DisplayedFroc | None:
        """The same, if it is one of a study and not of the open scan alone."""
        return self._froc if self._froc is not None and self._froc.study is not None else None

    @property
    def curve(self) -> FrocCurve | None:
        """The FROC curve that is shown."""
        return self._froc.curve if self._froc is not None else None

    @property
    def ranking(self) -> Mapping[str, CaseUncertainty]:
        """Cases without contours, the most doubtful first, as far as they were ranked."""
        return self._ranking

    def contours(self) -> Annotation | None:
        """The contours as they are on the screen; None without a series."""
        if self._scan is None:
            return None
        return self.layers.annotation(self._scan.series, self._scan.annotation)

    @property
    def is_unsaved(self) -> bool:
        """Whether contours on the screen would be lost."""
        if self.autosave.is_active:
            return self.autosave.is_pending
        contours = self.contours()
        return (
            contours is not None and self._scan is not None and self._scan.is_changed_in(contours)
        )

    # For the user --------------------------------------------------------------------------

    def say(self, sentence: str) -> None:
        """Tell the user something in passing."""
        self.message.emit(sentence)
        notifications.show_info(sentence)

    def warn(self, sentence: str) -> None:
        """Tell the user what went wrong and how to mend it."""
        self.message.emit(sentence)
        notifications.show_warning(sentence)

    # Changes -------------------------------------------------------------------------------

    def open_series(
        self,
        series: SagittalSeries,
        source: Path | None = None,
        case: Case | None = None,
        annotation: Annotation | None = None,
    ) -> None:
        """Show a series and its contours in place of the former one.

        Parameters
        ----------
        series : SagittalSeries
        source : Path, optional
            Where it was read from.
        case : Case, optional
            Of the open study.
        annotation : Annotation, optional
            Its contours as the study holds them.
        """
        self.autosave.save()  # what was drawn on the former one a moment ago
        scan = self._scan = OpenScan(series, source, case, annotation)
        self._result = None
        if self._froc is not None and self._froc.study is None:
            self._froc = None
        self.verdicts.open(scan)
        self.message.emit("")  # what was said is of the former one
        self.layers.show_series(series, annotation)
        for warning in series.warnings:
            self.warn(warning.text)
        self.autosave.follow(scan)
        self.series_changed.emit()
        self.contours_changed.emit()
        self.result_changed.emit()
        self.froc_changed.emit()

    @property
    def why_loss(self) -> str:
        """What leaving the open scan would lose, in a sentence; empty for nothing."""
        if self.autosave.is_active:
            if not self.autosave.failure:
                return ""
            return f"The last strokes could not be saved: {self.autosave.failure}"
        if not self.is_unsaved:
            return ""
        if self.case is not None:
            return f"The contours of {self.case.name} have changed, and its study is read-only."
        return "The contours of this scan are in no study and will be lost."

    def open_study(self, study: Study) -> None:
        """Make a study the open one; the former one is closed once all is saved."""
        former, self._study = self._study, study
        if former is not None and former is not study:
            self._leave_study(former)
        froc_study = self._froc.study if self._froc is not None else None
        if froc_study is not None and froc_study.path != study.path:
            self.show_froc(None)
        if study.read_only_reason:
            self.warn(study.read_only_reason)
        if study.recovery_message:
            self.say(study.recovery_message)
        self.study_changed.emit()
        self.default_model_changed.emit()

    def _leave_study(self, study: Study) -> None:
        self.autosave.save()
        if self._scan is not None:
            self._replace_scan(self._scan.with_case(None))
        self._ranking = {}
        self._former_studies.append(study)
        self.jobs.start_after_saving(
            "close",
            lambda job: study.close(),
            lambda _: self._former_studies.remove(study),
        )

    def set_scan(self, scan: OpenScan) -> None:
        """Say that the open series is in a study now, or in none any more.

        Parameters
        ----------
        scan : OpenScan
            Of the series on the screen, which stays as it is; another series is ignored.
        """
        if scan.series is self.series:
            self._replace_scan(scan)
            self.study_changed.emit()

    def _replace_scan(self, scan: OpenScan) -> None:
        self._scan = scan
        self.verdicts.follow(scan)
        self.autosave.follow(scan)

    def _on_contours_stored(self, series: SagittalSeries, annotation: Annotation) -> None:
        if self._scan is not None and self._scan.series is series:
            self._replace_scan(self._scan.with_annotation(annotation))

    def choose_model(self, model: str) -> None:
        """Say by name or path which model the next detection will use."""
        self._selected_model = model

    def set_ranking(self, ranking: Mapping[str, CaseUncertainty]) -> None:
        """Show which scan to contour next: cases by name, the most doubtful first."""
        self._ranking = ranking
        self.ranking_changed.emit()

    def set_result(self, result: DetectionResult, model: str) -> None:
        """Show what was detected in the open series.

        Parameters
        ----------
        result : DetectionResult
        model : str
            Name or path of the model that made it.
        """
        if self._froc is not None and str(self._froc.identity) != result.plain.model:
            self.show_froc(None)
        self._result, self._result_model = result, model
        self.layers.show_likelihood(result)
        self.result_changed.emit()

    def move_result(self, result: DetectionResult) -> None:
        """Show the same map at another operating point; nobody is told, for it is on the way."""
        former, self._result = self._result, result
        if former is None or result.likelihood is not former.likelihood:
            self.layers.update_likelihood(result.likelihood.values)
        former_warnings = () if former is None else former.warnings
        for warning in result.warnings:
            if warning not in former_warnings:
                self.warn(warning.text)

    def show_froc(self, froc: DisplayedFroc | None) -> None:
        """Show a FROC curve in review: of a study, of the open scan, or none."""
        self._froc = froc
        self.froc_changed.emit()


_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()
_preferences: Callable[[], Preferences] = NapariPreferences


def session_of(viewer: napari.Viewer) -> Session:
    """The session of a viewer, made on first use."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _sessions:
        _sessions[viewer] = Session(viewer, preferences=_preferences())
    return _sessions[viewer]


def use_preferences(make_preferences: Callable[[], Preferences]) -> None:
    """Say what sessions that are made from now on remember their settings by."""
    global _preferences
    _preferences = make_preferences
