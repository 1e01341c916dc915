"""Review's end: sign the verdicts, and write the report."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QInputDialog,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ...dicom.headers import plain_text
from ...errors import SpinemetError
from ...evaluation.matching import PAPER_MATCHING
from ...imaging import OperatingPoint
from ...jobs import JobContext
from ...network.card import ModelCard, load_card
from ...study.database import FINDINGS_SIGNED
from ...study.map_identity import MapIdentity
from ...version import __version__
from ..viewer.common_widgets import JobBar, button, row, text
from ..viewer.jobs import leave_a_core_to_the_interface

if TYPE_CHECKING:
    from ...detection import DetectionResult
    from ...study import Study
    from ..viewer.session import Session

SIGN, REPORT = "sign", "report"
_NAME_LETTERS = 20


class SignOffPanel(QWidget):
    """Sign what is on the screen, and report it.

    Parameters
    ----------
    session : Session
    outlined_result : callable
        Gives the result as it is outlined, at the operating point on the screen.
    point : callable
        Gives that operating point.
    is_refined : callable
        Whether the outlines are fitted to the picture.
    """

    def __init__(
        self,
        session: Session,
        outlined_result: Callable[[], DetectionResult],
        point: Callable[[], OperatingPoint],
        is_refined: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._session, self._point = session, point
        self._outlined_result, self._is_refined = outlined_result, is_refined
        self.state = text()
        self.sign_button = button(
            "Sign verdicts",
            "Say that the verdicts on these findings are yours; another verdict takes it back. "
            "Your name is asked for once; the menu under Report changes it.",
            self.sign,
        )
        self.report_button = QPushButton("Report")
        self.report_button.setToolTip("One file to read, print or send, with tables and figures.")
        menu = QMenu(self.report_button)
        self.case_action = menu.addAction("of this scan")
        self.case_action.triggered.connect(lambda _=False: self.report_case())
        self.study_action = menu.addAction("of the study")
        self.study_action.triggered.connect(lambda _=False: self.report_study())
        menu.addSeparator()
        menu.addAction("Name of the reader…", self.ask_reader)
        self.report_button.setMenu(menu)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.state)
        layout.addWidget(row(self.sign_button, self.report_button))
        layout.addWidget(JobBar(session.jobs.computing, REPORT))
        for signal in (session.study_changed, session.series_changed, session.result_changed):
            signal.connect(self.refresh)
        session.jobs.saving.job_failed.connect(self._on_failed)
        self.refresh()

    def refresh(self) -> None:
        """Say whether the verdicts are signed, and offer what can be done."""
        session = self._session
        case, result = session.case, session.result
        record = case.record if case is not None else None
        is_signed = record is not None and record.findings == FINDINGS_SIGNED
        self.sign_button.setEnabled(session.writable_case is not None and result is not None)
        reader = self._reader
        offer = f"Sign as {_short_name(reader)}" if reader else "Sign verdicts"
        self.sign_button.setText("Signed" if is_signed else offer)
        self.case_action.setEnabled(result is not None)
        self.study_action.setEnabled(session.study is not None)
        self.report_button.setEnabled(result is not None or session.study is not None)
        if is_signed and record is not None:
            at = record.findings_at[:16].replace("T", " ")
            self.state.setText(f"Signed by {record.findings_by} on {at} UTC.")
        elif result is not None and session.writable_case is None:
            self.state.setText(
                "Verdicts are signed in a study; add the scan to one under Load to keep them."
            )
        else:
            self.state.setText("")
        self.state.setVisible(bool(self.state.text()))

    def _on_failed(self, task: str, sentence: str) -> None:
        """Why the verdicts could not be signed, where the button is."""
        if task == SIGN:
            self.state.setText(sentence)
            self.state.show()

    @property
    def _reader(self) -> str:
        """Who signs, as it was said once."""
        return str(self._session.preferences.get("reader", "name")).strip()

    def ask_reader(self) -> str:
        """Ask for the name that verdicts are signed with; gives it, empty if none was said."""
        name, is_said = QInputDialog.getText(
            self,
            "Name of the reader",
            "Your name, as it stands below the verdicts and in reports:",
            text=self._reader,
        )
        name = plain_text(name)
        if not is_said or not name:
            return ""
        self._session.preferences.store("reader", name=name)
        self.refresh()
        return name

    def sign(self) -> None:
        """Store the findings as they are on the screen, and sign the verdicts on them."""
        session = self._session
        case, series, result = session.writable_case, session.series, session.result
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
        outlined_result, plain = self._outlined_result(), result.plain
        settings = {
            **outlined_result.operating_point.to_dict(),
            "columns": plain.region.kind,
            "refined": self._is_refined(),
            "version": __version__,
            "warnings": [warning.to_dict() for warning in outlined_result.warnings],
        }
        model = (card.identity, card.name, card.to_json())
        reader = self._reader or self.ask_reader()
        if not reader:
            session.say("Nothing was signed: a signature needs the name of the reader.")
            return

        def on_signed(_: object) -> None:
            session.study_changed.emit()
            session.say(f"The verdicts on {case.name} are signed.")

        session.jobs.saving.start(
            SIGN,
            lambda job: case.sign(series, model, settings, outlined_result.findings, reader),
            on_signed,
        )

    def _card(self, identity: str) -> ModelCard | None:
        """The card of the model that made the map."""
        session = self._session
        files = map(str, session.study.model_files()) if session.study is not None else ()
        for name in (session.result_model, session.selected_model, "default", *files):
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
        outlined_result, is_refined, annotation = (
            self._outlined_result(),
            self._is_refined(),
            session.contours(),
        )
        card = self._card(result.plain.model)
        froc = session.study_froc
        curve = (froc.name, froc.curve) if froc is not None else None
        verdicts = session.verdicts.with_reasons(outlined_result.findings)
        hides_names = session.identity.is_hidden
        other, other_contrasts = session.beside_series.series, session.beside_series.contrasts

        def work(job: JobContext) -> Path:
            from ...reports import CaseEvidence, case_evidence, write_case_report

            has_contours = annotation is not None and not annotation.empty
            contours = annotation if has_contours else None
            if case is not None and study is not None:
                evidence = case_evidence(study, case, series, outlined_result, contours)
            else:
                evidence = CaseEvidence(name, series, outlined_result, annotation=contours)
            evidence = replace(
                evidence,
                other=other,
                other_contrasts=other_contrasts,
                hides_names=hides_names,
                has_fitted_outlines=is_refined,
                card=card,
                curve=curve,
                verdicts=verdicts,
            )
            return write_case_report(evidence, folder)

        session.jobs.computing.start(REPORT, work, self._on_written)

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
        froc = session.study_froc
        model = session.result_model or session.selected_model
        point, matching = self._point(), PAPER_MATCHING
        try:
            identity = (
                froc.identity
                if froc is not None
                else MapIdentity.of_model(load_card(model).identity)
            )
        except SpinemetError as error:
            session.warn(str(error))
            return
        if froc is not None:
            point = replace(froc.point, threshold=point.threshold)
            matching = froc.matching
        card = self._card(str(identity))

        @leave_a_core_to_the_interface()
        def work(job: JobContext) -> Path:
            from ...reports import StudyEvidence, write_curve_report, write_study_report
            from ...workflows.map_source import MapSource
            from ...workflows.model_lookup import model_file
            from ...workflows.study_froc import cross_validation_curve

            if identity.is_cross_validation:
                system = cross_validation_curve(study, identity, point, matching, job=job)
                evidence = StudyEvidence(study, identity, system, matching, card)
                return write_curve_report(evidence, folder, job=job)
            source = MapSource.of_model(model_file(study, identity.source) or model)
            return write_study_report(study, source, point, folder, matching, job=job)

        session.jobs.computing.start(REPORT, work, self._on_written)

    def _folder(self, name: str, study: Study | None) -> Path | None:
        """A new folder for a report: within its study, else where the user wants it."""
        if study is not None and not study.read_only_reason:
            parent = study.path / "reports"
        else:
            answer = QFileDialog.getExistingDirectory(self, "Folder for the report")
            if not answer:
                return None
            parent = Path(answer)
        return parent / f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"

    def _on_written(self, page: Path) -> None:
        self._session.say(f"The report is {page}.")
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))


def _short_name(name: str) -> str:
    """As much of a name as a button has room for."""
    return name if len(name) <= _NAME_LETTERS else f"{name[: _NAME_LETTERS - 1]}…"
