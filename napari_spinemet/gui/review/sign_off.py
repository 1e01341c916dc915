"""Review's end: sign the verdicts, and write the report."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QVBoxLayout, QWidget

from ... import __version__
from ...errors import SpinemetError
from ...imaging import OperatingPoint
from ...imaging.grids import central_columns
from ...jobs import CancelToken, EventCallback
from ...network.card import ModelCard, load_card
from ...study.database import SIGNED
from ...study.likelihood_maps import is_crossval
from ..viewer.common_widgets import JobBar, button, row, text
from ..viewer.job_runner import leave_a_core_to_the_interface

if TYPE_CHECKING:
    from ...detection import DetectionResult
    from ...study import Study
    from ..viewer.session import DisplayedFroc, Session

SIGN, REPORT = "sign", "report"


class SignOff(QWidget):
    """Sign what is on the screen, and report it.

    Parameters
    ----------
    session : Session
    shown : callable
        Gives the result as it is outlined, at the operating point on the screen.
    point : callable
        Gives that operating point.
    refined : callable
        Whether the outlines are fitted to the picture.
    """

    def __init__(
        self,
        session: Session,
        shown: Callable[[], DetectionResult],
        point: Callable[[], OperatingPoint],
        refined: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._session, self._shown, self._point, self._refined = session, shown, point, refined
        self.state = text()
        self.sign_button = button(
            "Sign verdicts",
            "Say that the verdicts on these findings are yours; another verdict takes it back.",
            self.sign,
        )
        self.report_button = QPushButton("Report")
        self.report_button.setToolTip("One file to read, print or send, with tables and figures.")
        menu = QMenu(self.report_button)
        self.case_action = menu.addAction("of this scan")
        self.case_action.triggered.connect(lambda _=False: self.report_case())
        self.study_action = menu.addAction("of the study")
        self.study_action.triggered.connect(lambda _=False: self.report_study())
        self.report_button.setMenu(menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.state)
        layout.addWidget(row(self.sign_button, self.report_button))
        layout.addWidget(JobBar(session.runner, REPORT))
        for signal in (session.study_changed, session.series_changed, session.result_changed):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say whether the verdicts are signed, and offer what can be done."""
        session = self._session
        case, result = session.case, session.result
        record = case.record if case is not None else None
        signed = record is not None and record.findings == SIGNED
        self.sign_button.setEnabled(session.recorded is not None and result is not None)
        self.sign_button.setText("Signed" if signed else "Sign verdicts")
        self.case_action.setEnabled(result is not None)
        self.study_action.setEnabled(session.study is not None)
        self.report_button.setEnabled(result is not None or session.study is not None)
        if signed and record is not None:
            at = record.findings_at[:16].replace("T", " ")
            self.state.setText(f"Signed by {record.findings_by} on {at} UTC.")
        elif result is not None and session.recorded is None:
            self.state.setText(
                "Verdicts are signed in a study; add the scan to one under Load to keep them."
            )
        else:
            self.state.setText("")
        self.state.setVisible(bool(self.state.text()))

    def sign(self) -> None:
        """Store the findings as they are on the screen, and sign the verdicts on them."""
        session = self._session
        case, series, result = session.recorded, session.series, session.result
        if case is None or series is None or result is None:
            session.warn("Open a case of a study and detect first.")
            return
        card = self._card(result.plain.model)
        if card is None:
            session.warn(
                f"The findings are by {result.plain.model}, which is no model that is at hand; "
                "detect with a model first."
            )
            return
        shown = self._shown()
        plain = result.plain
        centre = plain.columns == central_columns(plain.values.shape[2])
        settings = {
            **shown.operating_point.to_dict(),
            "columns": "centre" if centre else "all",
            "refined": self._refined(),
            "version": __version__,
        }
        model = (card.identity, card.name, card.to_json())

        def done(_: object) -> None:
            session.study_changed.emit()
            session.say(f"The verdicts on {case.name} are signed.")

        session.desk.start(
            SIGN, lambda *_: case.sign(series, model, settings, shown.findings), done
        )

    def _card(self, identity: str) -> ModelCard | None:
        """The card of the model that made the map."""
        session = self._session
        files = map(str, session.study.model_files()) if session.study is not None else ()
        for name in (session.model, session.chosen, "default", *files):
            try:
                card = load_card(name)
            except SpinemetError:
                continue
            if card.identity == identity:
                return card
        return None

    def report_case(self) -> None:
        """Write the report of the open scan, and show it."""
        session = self._session
        series, case, study, result = session.series, session.case, session.study, session.result
        if series is None or result is None:
            session.warn("Open a scan and detect first.")
            return
        name = case.name if case is not None else (series.description or "scan")
        folder = self._folder(name, study if case is not None else None)
        if folder is None:
            return
        shown, refined, annotation = self._shown(), self._refined(), session.contours()
        card = self._card(result.plain.model)
        curve = session.shown
        of_study = (
            (curve.name, curve.curve) if curve is not None and curve.study is not None else None
        )
        said = session.verdicts().of([f.centre_mm for f in shown.findings])

        def work(*_: Any) -> Path:
            from ...reports import CaseEvidence, case_evidence, write_case_report

            drawn = annotation is not None and not annotation.empty
            contours = annotation if drawn else None
            if case is not None and study is not None:
                evidence = case_evidence(study, case, series, shown, contours)
            else:
                evidence = CaseEvidence(name, series, shown, annotation=contours)
            evidence = replace(evidence, refined=refined, card=card, curve=of_study, verdicts=said)
            return write_case_report(evidence, folder)

        session.runner.start(REPORT, work, self._on_written)

    def report_study(self) -> None:
        """Write the report of the study, by whatever drew its curve, and show it."""
        session = self._session
        study = session.study
        if study is None:
            session.warn("Open a study under Load first.")
            return
        folder = self._folder(study.path.resolve().name, study)
        if folder is None:
            return
        shown = self._of_study()
        file = session.model or session.chosen
        point, distance = self._point(), 20.0
        try:
            identity = load_card(file).identity if shown is None else shown.model
        except SpinemetError as error:
            session.warn(str(error))
            return
        if shown is not None:
            point = replace(shown.point, threshold=point.threshold)
            distance = shown.max_distance_mm
        card = self._card(identity)

        def work(on_event: EventCallback, cancel: CancelToken) -> Path:
            from ...network import load_model
            from ...reports import write_study_report

            leave_a_core_to_the_interface()
            return write_study_report(
                study,
                identity,
                point,
                folder,
                model=None if is_crossval(identity) else load_model(file),
                card=card,
                max_distance_mm=distance,
                on_event=on_event,
                cancel=cancel,
            )

        session.runner.start(REPORT, work, self._on_written)

    def _of_study(self) -> DisplayedFroc | None:
        """The curve on the screen, if it is one of a study."""
        shown = self._session.shown
        return shown if shown is not None and shown.study is not None else None

    def _folder(self, name: str, study: Study | None) -> Path | None:
        """A new folder for a report: within its study, else where the user wants it."""
        if study is not None and not study.notice:
            place = study.path / "reports"
        else:
            chosen = QFileDialog.getExistingDirectory(self, "Folder for the report")
            if not chosen:
                return None
            place = Path(chosen)
        return place / f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"

    def _on_written(self, page: Path) -> None:
        self._session.say(f"The report is {page}.")
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))
