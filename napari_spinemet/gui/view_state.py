"""What was on the screen when a study was left, however it was left, is there again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from ..atomic_files import write_text
from ..errors import SpinemetError
from ..imaging import OperatingPoint

if TYPE_CHECKING:
    from ..study import Study
    from .workspace import Workspace

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
    def read(cls, path: Path) -> ViewState | None:
        """What was written; None if there is nothing, or nothing that can be used."""
        try:
            held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                case=str(held["case"]),
                slice=int(held["slice"]),
                tab=str(held["tab"]),
                point=OperatingPoint(**held["point"]),
                refined=bool(held["refined"]),
                distance_mm=float(held["distance_mm"]),
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, SpinemetError):
            return None


class ViewStateStore(QObject):
    """Write down what is on the screen once it rests, and bring it back with its study.

    It is a convenience: where it cannot be written, nobody is told.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self._study: Study | None = None
        self._awaited: ViewState | None = None
        """What is being brought back; until it is there, nothing is written."""
        self._written = ""
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(400)
        self._soon.timeout.connect(self.write)
        session, review = workspace.session, workspace.review
        session.study_changed.connect(self._on_study)
        review.recall.ended.connect(self._on_recalled)
        for signal in (
            workspace.tabs.currentChanged,
            review.controls.threshold_changed,
            review.controls.changed,
            review.controls.refined_changed,
            review.distance.valueChanged,
            session.series_changed,
        ):
            signal.connect(lambda *_: self._soon.start())
        session.viewer.dims.events.current_step.connect(self._on_step)

    def _on_step(self, event: Any = None) -> None:
        self._soon.start()

    def _on_study(self) -> None:
        study = self._workspace.session.study
        if study is self._study:
            return
        self._study, self._written = study, ""
        self._awaited = ViewState.read(study.path / FILE) if study is not None else None
        if self._awaited is not None:
            # Once all who hear of the study have heard of it.
            QTimer.singleShot(0, self._ask)

    def _ask(self) -> None:
        session, awaited = self._workspace.session, self._awaited
        if awaited is None or session.study is not self._study:
            return
        known = [case.name for case in self._workspace.load.cases]
        if session.case is not None or session.unsaved() or awaited.case not in known:
            self._awaited = None  # another is open by now, or it is there no more
            return
        session.case_wanted.emit(awaited.case)

    def _on_recalled(self) -> None:
        awaited, workspace = self._awaited, self._workspace
        case = workspace.session.case
        self._awaited = None
        if awaited is None or case is None or case.name != awaited.case:
            return
        review = workspace.review
        review.distance.setValue(awaited.distance_mm)
        review.controls.refined.setChecked(awaited.refined)
        if workspace.session.result is not None:
            review.controls.set_point(awaited.point)
        workspace.session.layers.go_to(awaited.slice)
        workspace.show_tab(awaited.tab)

    def write(self) -> None:
        """Write down what is on the screen."""
        workspace, study = self._workspace, self._study
        session, review = workspace.session, workspace.review
        case = session.recorded
        if self._awaited is not None or case is None or study is None or session.study is not study:
            return
        screen = ViewState(
            case=case.name,
            slice=session.layers.current_slice,
            tab=workspace.tabs.tabText(workspace.tabs.currentIndex()),
            point=review.controls.point(),
            refined=review.controls.refined.isChecked(),
            distance_mm=review.distance.value(),
        ).to_json()
        if screen == self._written:
            return
        try:
            write_text(study.path / FILE, screen, durable=False)
        except SpinemetError:
            return
        self._written = screen
