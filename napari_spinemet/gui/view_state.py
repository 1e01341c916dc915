"""What was on the screen when a study was left, however it was left, is there again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qtpy.QtCore import QObject, QTimer

from ..atomic_files import write_text
from ..errors import SpinemetError
from ..imaging import OperatingPoint
from .viewer.timing import Debouncer

if TYPE_CHECKING:
    from ..study import Study
    from .viewer.session import Session

FILE = "screen.json"


@dataclass(frozen=True)
class ViewState:
    """The open case and how it is looked at.

    Attributes
    ----------
    case : str
    slice : int
    tab : str
    point : OperatingPoint
    refined : bool
        Whether outlines are fitted to the picture.
    distance_mm : float
    """

    case: str
    slice: int
    tab: str
    point: OperatingPoint
    refined: bool
    distance_mm: float

    def to_json(self) -> str:
        """As it is written beside the study."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def read_from(cls, path: Path) -> ViewState | None:
        """What was written; None if there is nothing, or nothing that can be used."""
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                case=str(values["case"]),
                slice=int(values["slice"]),
                tab=str(values["tab"]),
                point=OperatingPoint(**values["point"]),
                refined=bool(values["refined"]),
                distance_mm=float(values["distance_mm"]),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, SpinemetError):
            return None


class Screen(Protocol):
    """What a view state is read from and brought back to: the workspace."""

    session: Session

    def case_names(self) -> list[str]:
        """Cases of the open study, as they are listed."""

    def view_state(self, case: str) -> ViewState:
        """What is on the screen now, of a case."""

    def show_view_state(self, state: ViewState) -> None:
        """Bring back how the case that is open was looked at."""


class ViewStateStore(QObject):
    """Write down what is on the screen once it rests, and bring it back with its study.

    It is a convenience: where it cannot be written, nobody is told.

    Parameters
    ----------
    screen : Screen
    parent : QObject
    """

    def __init__(self, screen: Screen, parent: QObject) -> None:
        super().__init__(parent)
        self._screen = screen
        self._study: Study | None = None
        self._recalled_state: ViewState | None = None
        """What is being brought back; until it is there, nothing is written."""
        self._last_written = ""
        self._pause = Debouncer(400, self)
        self._pause.triggered.connect(self.write)
        session = screen.session
        session.study_changed.connect(self._on_study)
        session.viewer.dims.events.current_step.connect(self.note_change)

    def note_change(self, *_: object) -> None:
        """Write down what is on the screen once it rests."""
        self._pause.throttle()

    def _on_study(self) -> None:
        study = self._screen.session.study
        if study is self._study:
            return
        self._study, self._last_written = study, ""
        self._recalled_state = ViewState.read_from(study.path / FILE) if study is not None else None
        if self._recalled_state is not None:
            # Once all who hear of the study have heard of it.
            QTimer.singleShot(0, self._request_case)

    def _request_case(self) -> None:
        session, recalled_state = self._screen.session, self._recalled_state
        if recalled_state is None or session.study is not self._study:
            return
        is_listed = recalled_state.case in self._screen.case_names()
        if session.case is not None or session.is_unsaved or not is_listed:
            self._recalled_state = None  # another is open by now, or it is there no more
            return
        session.case_requested.emit(recalled_state.case)

    def bring_back(self) -> None:
        """Look at the open case as it was looked at last, if it is the one that was asked for."""
        recalled_state, case = self._recalled_state, self._screen.session.case
        self._recalled_state = None
        if recalled_state is not None and case is not None and case.name == recalled_state.case:
            self._screen.show_view_state(recalled_state)

    def write(self) -> None:
        """Write down what is on the screen."""
        session, study = self._screen.session, self._study
        case = session.writable_case
        if (
            self._recalled_state is not None
            or case is None
            or study is None
            or session.study is not study
        ):
            return
        text = self._screen.view_state(case.name).to_json()
        if text == self._last_written:
            return
        try:
            write_text(study.path / FILE, text, durable=False)
        except SpinemetError:
            return
        self._last_written = text
