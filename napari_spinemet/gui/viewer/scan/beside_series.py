"""The other series of the examination, such as the T1: found, read, compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import ref

from qtpy.QtCore import QObject, Signal

from ....detection.comparison.other_contrast import contrasts_in
from ....dicom.companions import Companion, find_companions
from ....imaging import Finding, SagittalSeries
from ....imaging.comparison import Evidence
from ....jobs import JobContext

if TYPE_CHECKING:
    from ..session import Session

FIND_TASK, READ_TASK, COMPARE_TASK = "companions", "companion", "compare contrasts"


class BesideSeries(QObject):
    """Knows which other series there are, and how bright the findings are in the chosen one.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    companions : list of Companion
        Of the open scan, the most useful first.
    chosen_companion : Companion or None
    series : SagittalSeries or None
        The chosen one, once it is read.
    contrasts : mapping of Evidence to float
        Brightness in it over that of healthy marrow, by what a finding was compared by.

    Signals
    -------
    selection_changed()
        There are others, or another one is chosen, or it is read.
    contrasts_changed()
        How bright the findings are in it is known, or not any more.
    """

    selection_changed = Signal()
    contrasts_changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session_ref = ref(session)
        self.companions: list[Companion] = []
        self.chosen_companion: Companion | None = None
        self.series: SagittalSeries | None = None
        self.contrasts: Mapping[Evidence, float] = {}
        session.series_changed.connect(self._on_series)
        session.result_changed.connect(self._compare)

    @property
    def contrast_name(self) -> str:
        """What the chosen series shows, in a word."""
        return self.series.contrast if self.series is not None else ""

    def contrast_of(self, finding: Finding) -> float | None:
        """Brightness of a finding over that of healthy marrow beside it, in the chosen series.

        Parameters
        ----------
        finding : Finding
            Of the shown result.
        """
        return None if finding.evidence is None else self.contrasts.get(finding.evidence)

    @property
    def has_contrasts(self) -> bool:
        """Whether any finding was compared."""
        return bool(self.contrasts)

    def choose(self, number: int) -> None:
        """Read one of the companions.

        Parameters
        ----------
        number : int
            From 0.
        """
        session = self._session_ref()
        if session is None or not 0 <= number < len(self.companions):
            return
        companion, series = self.companions[number], session.series
        if companion == self.chosen_companion:
            return
        self.chosen_companion, self.series, self.contrasts = companion, None, {}
        self.contrasts_changed.emit()

        def keep(other: SagittalSeries) -> None:
            if session.series is series and self.chosen_companion == companion:
                self.series = other
                self.selection_changed.emit()
                self._compare()

        session.jobs.storage.start(READ_TASK, lambda job: companion.read_series(), keep)
        self.selection_changed.emit()

    def _on_series(self) -> None:
        session = self._session_ref()
        self.companions, self.chosen_companion, self.series, self.contrasts = [], None, None, {}
        self.selection_changed.emit()
        scan = session.scan if session is not None else None
        if session is None or scan is None:
            return
        series = scan.series
        case, source = scan.case, scan.source

        def work(job: JobContext) -> list[Companion]:
            places: list[Path] = [] if source is None else [source]
            if case is not None:
                places = case.companion_places
            return find_companions(places, series)

        def keep(companions: list[Companion]) -> None:
            if session.series is series and companions:
                self.companions = companions
                self.choose(0)

        session.jobs.storage.start(FIND_TASK, work, keep)

    def _compare(self) -> None:
        session = self._session_ref()
        other = self.series
        if session is None or session.series is None or session.result is None or other is None:
            if self.contrasts:
                self.contrasts = {}
                self.contrasts_changed.emit()
            return
        series, plain = session.series, session.result.plain

        def keep(contrasts: dict[Evidence, float]) -> None:
            if self.series is other and session.series is series:
                self.contrasts = contrasts
                self.contrasts_changed.emit()

        session.jobs.display.start(
            COMPARE_TASK, lambda job: contrasts_in(other, series, plain), keep
        )
