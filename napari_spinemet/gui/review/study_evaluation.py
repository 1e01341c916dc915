"""Review's long job: the curve of a whole study."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QVBoxLayout, QWidget

from ...errors import SpinemetError
from ...evaluation.matching import DEFAULT_DISTANCE_MM, Matching
from ...network.card import load_card
from ...study.map_identity import MapIdentity
from ..viewer.common_widgets import button, row
from ..viewer.controls.number_entry import NumberBox
from .froc_jobs import draw_study_froc
from .scanner_window import ScannerWindow

if TYPE_CHECKING:
    from ...imaging import OperatingPoint
    from ...jobs import JobContext
    from ...workflows.scanner_statistics import ScannerRow
    from ..viewer.session import Session

TASK = "evaluation"


class StudyEvaluation(QWidget):
    """By whom and how strictly a study is judged, and the button that does it.

    Parameters
    ----------
    session : Session
    point : callable
        Gives the operating point on the screen.

    Attributes
    ----------
    curve_box : QCheckBox
        Whether the curve is beside the picture, where it has a place there.

    Signals
    -------
    distance_changed()
        Detections are matched to regions within another distance.
    """

    distance_changed = Signal()

    def __init__(self, session: Session, point: Callable[[], OperatingPoint]) -> None:
        super().__init__()
        self._session, self._point = session, point
        self.source = QComboBox()
        self.source.setToolTip(
            "Whose answers the study's curve is drawn from: those of the model, which it may have "
            "learned by heart on cases it was trained on, or those of a cross-validation, in which "
            "each case is judged by a network that never saw it."
        )
        self.distance = NumberBox()
        self.distance.setRange(1, 100)
        self.distance.setDecimals(0)
        self.distance.setPrefix("within ")
        self.distance.setSuffix(" mm")
        self.distance.setValue(DEFAULT_DISTANCE_MM)
        self.distance.setToolTip(
            "A region counts as found if the centre of a detection lies this close to its own."
        )
        self.distance.valueChanged.connect(lambda _: self.distance_changed.emit())
        self.study_button = button(
            "Evaluate the study",
            "Judge every contoured case of the study and draw the curve.",
            self.evaluate,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(row(self.source, self.distance))
        self.scanner_button = button(
            "By scanner",
            "What was found and rejected by scanner, protocol, model and month: whether something "
            "has changed.",
            self.show_scanners,
        )
        self.curve_box = QCheckBox("FROC")
        self.curve_box.setToolTip("The curve beside the picture, its cases, and their answers.")
        self.curve_box.hide()
        layout.addWidget(row(self.study_button, self.scanner_button, self.curve_box))
        session.study_changed.connect(self._list_sources)
        self._list_sources()

    @property
    def matching(self) -> Matching:
        """When a detection finds a region."""
        return Matching(self.distance.value())

    def update_buttons(self) -> None:
        """Offer what can be done now."""
        session = self._session
        self.study_button.setEnabled(
            session.study is not None and not session.jobs.computing.has(TASK)
        )
        self.scanner_button.setEnabled(session.study is not None)

    def show_scanners(self) -> None:
        """Open the table and the plot by scanner and month, read in the background."""
        session, study = self._session, self._session.study
        if study is None:
            session.warn("Open a study under Load first.")
            return

        def work(job: JobContext) -> list[ScannerRow]:
            from ...workflows.scanner_statistics import scanner_rows

            return scanner_rows(study)

        def show(rows: list[ScannerRow]) -> None:
            self.scanner_window = ScannerWindow(rows, self)
            self.scanner_window.show()

        session.jobs.start_after_saving("scanners", work, show)

    def _list_sources(self) -> None:
        """The model, and the cross-validations whose maps the study holds."""
        study, former_source = self._session.study, self.source.currentData()
        identities = study.map_identities() if study is not None else []
        self.source.clear()
        self.source.addItem("by the model", "")
        for identity in identities:
            if identity.is_cross_validation:
                self.source.addItem(f"by {identity}", str(identity))
        self.source.setCurrentIndex(max(0, self.source.findData(former_source)))

    def evaluate(self) -> None:
        """Draw the curve of the study with the model that made the shown map."""
        session = self._session
        study, point, matching = session.study, self._point(), self.matching
        if study is None:
            session.warn("Open a study under Load first.")
            return
        model = session.result_model or session.selected_model
        source = self.source.currentData()
        cross_validation = MapIdentity.parse(source) if source else None
        try:
            if cross_validation is None:
                load_card(model)  # at once, and not after minutes
        except SpinemetError as error:
            session.warn(str(error))
            return
        session.jobs.computing.start(
            TASK,
            lambda job: draw_study_froc(study, model, cross_validation, point, matching, job),
            session.show_froc,
        )
