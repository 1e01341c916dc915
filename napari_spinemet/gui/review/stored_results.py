"""What was found in a scan before is on the screen again when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from ...detection.pipeline import evaluate
from ...imaging import OperatingPoint
from ...jobs import JobContext
from ...study.map_identity import MapIdentity
from ...workflows.model_lookup import learned_from, model_file
from ..viewer.displayed_froc import DisplayedFroc, draw_scan_froc

if TYPE_CHECKING:
    from ...detection import DetectionResult
    from ...imaging import LikelihoodMap, SagittalSeries
    from ...study import Case, Study
    from ..viewer.session import Session

TASK = "recall"
MOST_LOOSE = 4
"""Their maps take memory: results of so many scans without a study are loose_result."""


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
    looked_up()
        What is known of the case is on the screen; perhaps nothing was.
    """

    looked_up = Signal()

    def __init__(self, session: Session, point: Callable[[], OperatingPoint]) -> None:
        super().__init__()
        self._session, self._point = session, point
        self._loose: dict[tuple[str, int], _LooseResult] = {}
        """Of scans that are in no study, the oldest first."""
        session.series_changed.connect(self._on_series)
        session.result_changed.connect(self._remember)

    def _remember(self) -> None:
        """Keep what was detected in a scan that no study keeps it of."""
        session = self._session
        series, result = session.series, session.result
        if series is None or result is None or session.case is not None:
            return
        self._loose.pop(series.identity, None)
        self._loose[series.identity] = _LooseResult(series, result, session.result_model)
        while len(self._loose) > MOST_LOOSE:
            self._loose.pop(next(iter(self._loose)))

    def _bring_back(self, series: SagittalSeries) -> None:
        loose_result = self._loose.get(series.identity)
        if loose_result is not None and np.array_equal(loose_result.series.voxels, series.voxels):
            self._session.set_result(loose_result.result, loose_result.model)

    def _on_series(self) -> None:
        session = self._session
        study, scan, froc = session.study, session.scan, session.study_froc
        if study is None or scan is None or scan.case is None:
            if scan is not None and scan.case is None:
                self._bring_back(scan.series)
            self.looked_up.emit()
            return
        case, series = scan.case, scan.series
        curve_identity = froc.identity if froc is not None else None
        point, contours = self._point(), session.contours()

        def work(job: JobContext) -> _StoredResult | None:
            stored_map = _find_stored_map(study, case, curve_identity, point)
            if stored_map is None or stored_map.plain.series_uid != series.series_uid:
                return None
            # The warnings of the scan as it was read just now; former versions kept none.
            plain = replace(stored_map.plain, warnings=series.warnings)
            result = evaluate(plain, stored_map.point)
            scan_froc = draw_scan_froc(result, contours, stored_map.point)
            return _StoredResult(result, scan_froc, stored_map.model)

        def show(stored_result: _StoredResult | None) -> None:
            if session.series is not series:
                return  # what was opened since is looked up next
            if stored_result is not None and session.result is None:
                session.set_result(
                    stored_result.result, stored_result.model or session.result_model
                )
                if session.froc is None and stored_result.froc is not None:
                    session.show_froc(stored_result.froc)
            self.looked_up.emit()

        session.jobs.storage.start(TASK, work, show)


@dataclass(frozen=True, eq=False)
class _LooseResult:
    """What was detected in a scan without a study, and by what model."""

    series: SagittalSeries
    result: DetectionResult
    model: str


@dataclass(frozen=True, eq=False)
class _StoredMap:
    """A map, the operating point to show it at, and the file of its model."""

    plain: LikelihoodMap
    point: OperatingPoint
    model: str


@dataclass(frozen=True, eq=False)
class _StoredResult:
    """What is shown of a stored map."""

    result: DetectionResult
    froc: DisplayedFroc | None
    model: str


def _find_stored_map(
    study: Study, case: Case, curve_identity: MapIdentity | None, point: OperatingPoint
) -> _StoredMap | None:
    """The map of a case that a curve was made of, else the one that was detected in last."""
    if curve_identity is not None:
        plain = study.likelihood_map(case, curve_identity)
        if plain is not None:
            # Of a cross-validation each map names its fold.
            plain = replace(plain, model=str(curve_identity))
            plain = _with_provenance(plain, study, curve_identity)
            return _StoredMap(plain, point, model_file(study, str(curve_identity)))
    run = case.last_run
    if run is None:
        return None
    identity = MapIdentity.of_model(run.model, str(run.settings.get("columns", "")))
    plain = study.likelihood_map(case, identity)
    if plain is None:
        return None
    plain = _with_provenance(plain, study, identity)
    return _StoredMap(plain, run.operating_point, model_file(study, run.model))


def _with_provenance(plain: LikelihoodMap, study: Study, identity: MapIdentity) -> LikelihoodMap:
    """Maps of former versions do not say what their model has learned from."""
    if plain.learned_from:
        return plain
    return replace(plain, learned_from=learned_from(study, identity))
