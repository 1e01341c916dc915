"""What was found in a scan before is on the screen again when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from ...detection.pipeline import evaluate
from ...imaging import OperatingPoint
from ...jobs import CancelToken, EventCallback
from ...study.likelihood_maps import map_identity
from ...workflows.model_lookup import model_file
from ..viewer.session import THIS_SCAN, DisplayedFroc

if TYPE_CHECKING:
    from ...detection import DetectionResult
    from ...evaluation import FrocCurve
    from ...imaging import LikelihoodMap
    from ...study import Case, Study
    from ..viewer.session import Session

TASK = "recall"


class StoredResults(QObject):
    """Show the likelihood that a study keeps of the case that was opened.

    Beside the curve of a study it is the map that the curve was made of, at the operating point
    on the screen: who opens a case from the curve wants to see why it stands there. Else it is
    what was detected last, as it was.

    Parameters
    ----------
    session : Session
    point : callable
        Gives the operating point on the screen.

    Signals
    -------
    ended()
        What is known of the case is on the screen; perhaps nothing was.
    """

    ended = Signal()

    def __init__(self, session: Session, point: Callable[[], OperatingPoint]) -> None:
        super().__init__()
        self._session, self._point = session, point
        session.series_changed.connect(self._on_series)

    def _on_series(self) -> None:
        session = self._session
        case, study, series, shown = session.case, session.study, session.series, session.shown
        if case is None or study is None or series is None:
            self.ended.emit()
            return
        of_curve = shown.model if shown is not None and shown.study is not None else ""
        point, contours = self._point(), session.contours()

        def work(on_event: EventCallback, cancel: CancelToken) -> Any:
            from ...workflows.study_froc import scan_curve

            found = _kept(study, case, of_curve, point)
            if found is None or found[0].series_uid != series.series_uid:
                return None
            plain, at, model = found
            return evaluate(plain, at), scan_curve(plain, contours, at), model

        def done(got: Any) -> None:
            if session.series is not series:
                return  # what was opened since is looked up next
            if got is not None and session.result is None:
                show(*got)
            self.ended.emit()

        def show(result: DetectionResult, curve: FrocCurve | None, model: str) -> None:
            session.set_result(result, model or session.model)
            if session.shown is None and curve is not None:
                at, identity = result.operating_point, result.plain.model
                session.show_curve(DisplayedFroc(curve, THIS_SCAN, at, identity))

        session.desk.start(TASK, work, done)


def _kept(
    study: Study, case: Case, of_curve: str, point: OperatingPoint
) -> tuple[LikelihoodMap, OperatingPoint, str] | None:
    """A map of a case, the operating point to show it at, and the file of its model."""
    if of_curve:
        plain = study.likelihood(case, of_curve)
        if plain is not None:
            # Of a cross-validation each map names its fold.
            return replace(plain, model=of_curve), point, model_file(study, of_curve)
    run = case.last_run
    if run is None:
        return None
    plain = study.likelihood(case, map_identity(run.model, str(run.settings.get("columns", ""))))
    if plain is None:
        return None
    return plain, run.operating_point, model_file(study, run.model)
