"""Load: choose a scan, see what is in it, open it, keep it in a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QLineEdit,
    QWidget,
)
from superqt import QElidingLabel

from ...dicom import list_series, read_series
from ...errors import SpinemetError
from ...imaging import Annotation, SagittalSeries, SeriesSummary
from ...imaging.scan_warnings import has_grave
from ...phantom.sample import sample_study
from ...study import Case, CaseState, Study
from ..viewer.common_widgets import (
    JobBar,
    button,
    disclaimer_label,
    fill_spare_height,
    group,
    row,
    text,
)
from ..viewer.controls.scrolling_tab import ScrollingTab
from ..viewer.controls.wheel_guard import guard_from_wheel
from ..viewer.jobs import Work
from ..viewer.session import session_of
from ..viewer.shortcuts import bind_help
from ..viewer.tables import Cell, Table, uncertainty_cell
from .case_examinations import CaseExaminations
from .opening import TASK, open_scan

if TYPE_CHECKING:
    import napari

_PATIENT = 5
"""Column of the series; seen where there are several patients."""
_CASE_PATIENT, _DATE, _DOUBT = 2, 3, 4
"""Columns of the cases; seen where there is something in them."""


class LoadWidget(ScrollingTab):
    """Choose or drop a folder, file or zip; open one of its series; work on a study."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.session = session_of(napari_viewer)
        self.summaries: list[SeriesSummary] = []
        self.cases: list[Case] = []
        self._listed_scan: tuple[SagittalSeries | None, Case | None] = None, None
        """The open scan, and the case that it is, when the cases were listed last."""
        self.examinations = CaseExaminations(self.session)
        self.examinations.examinations_arrived.connect(self.refresh_cases)
        self.setAcceptDrops(True)
        layout = self.column
        layout.addWidget(self._create_scan_box(), 1)
        layout.addWidget(self._create_study_box(), 1)
        self.status = text()
        layout.addWidget(self.status)
        self.progress = JobBar(self.session.jobs.storage, TASK)
        layout.addWidget(self.progress)
        layout.addWidget(disclaimer_label())
        guard_from_wheel(self)
        bind_help(self)
        self.session.study_changed.connect(self.refresh_cases)
        self.session.series_changed.connect(self.refresh_cases)
        self.session.ranking_changed.connect(self.refresh_cases)
        self.session.identity.identity_changed.connect(self._on_identity)
        self.session.jobs.storage.job_failed.connect(self._on_failed)
        self.session.case_requested.connect(self._on_case_requested)
        self._update_buttons()

    def _create_scan_box(self) -> QWidget:
        box, layout = group("Scan")
        self.path = QLineEdit(str(self.session.preferences.get("places", "scan")))
        self.path.setPlaceholderText("Folder, DICOM file or zip; or drop it here")
        self.path.setToolTip("The scan: a folder of DICOM files, one file, a zip or a CD.")
        self.path.returnPressed.connect(self.look)
        layout.addWidget(self.path)
        layout.addWidget(
            row(
                button("Folder…", "Choose a folder of DICOM files.", self._choose_folder),
                button("File or zip…", "Choose a DICOM file or a zip.", self._choose_file),
                button("Look", "List the series that are there.", self.look),
            )
        )
        self.table = Table(
            ("Series", "Plane", "Contrast", "Slices", "Usable", "Patient"),
            "The series found. One that cannot be used says why.",
            stretch=4,
        )
        self.table.setColumnHidden(_PATIENT, True)
        self.table.row_selected.connect(self._update_buttons)
        self.table.row_opened.connect(self.open)
        fill_spare_height(self.table, 110)
        layout.addWidget(self.table, 1)
        self.reason = text()
        layout.addWidget(self.reason)
        self.open_button = button("Open series", "Show the chosen series.", self.open)
        layout.addWidget(self.open_button)
        return box

    def _create_study_box(self) -> QWidget:
        box, layout = group("Study")
        self.study_label = QElidingLabel("no study open")
        self.study_label.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.study_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.study_label)
        self.study_choose_button = button(
            "Study…", "Open the folder of a study, or make one.", self._choose_study
        )
        layout.addWidget(
            row(
                self.study_choose_button,
                button("Sample study", "Open the synthetic study to try things.", self.open_sample),
            )
        )
        self.case_table = Table(
            ("Case", "State", "Patient", "Date", "Doubt"),
            "Cases of the study, the open one in bold letters; double click opens one. Doubt is "
            "how unsure a model is of a scan without contours, once it has ranked them under "
            "Train.",
            stretch=_CASE_PATIENT,
        )
        self.case_table.setColumnHidden(_DOUBT, True)
        self.case_table.row_opened.connect(self.open_case)
        self.case_table.row_selected.connect(self._update_buttons)
        fill_spare_height(self.case_table, 100)
        layout.addWidget(self.case_table, 1)
        self.open_case_button = button(
            "Open case", "Show the chosen case with its contours.", self.open_case
        )
        self.import_button = button(
            "Add open scan to study", "Copy the open scan into the study.", self.import_scan
        )
        layout.addWidget(row(self.open_case_button, self.import_button))
        self.refer = QCheckBox("leave its files where they are")
        self.refer.setToolTip(
            "The study then remembers their place and a hash of their content instead of a copy."
        )
        layout.addWidget(self.refer, alignment=Qt.AlignmentFlag.AlignRight)
        return box

    def _update_buttons(self) -> None:
        number = self.table.selected_row
        summary = self.summaries[number] if 0 <= number < len(self.summaries) else None
        self.open_button.setEnabled(summary is not None)
        whose = (
            ""
            if summary is None
            else self.session.identity.shown_examination(summary.examination).text
        )
        verdict = "" if summary is None else _verdict_on(summary)
        self.reason.setText("\n".join(filter(None, (whose, verdict))))
        self.open_case_button.setEnabled(self.case_table.selected_row >= 0)
        session = self.session
        self.import_button.setEnabled(
            session.series is not None and session.study is not None and session.case is None
        )

    def _on_failed(self, task: str, sentence: str) -> None:
        if task == TASK:
            self.status.setText(sentence)

    # Scans -------------------------------------------------------------------------------

    def look(self) -> None:
        """List the series at the path."""
        path = self.path.text().strip()
        if not path:
            self.session.warn("Choose a folder, file or zip first.")
            return
        self._run(lambda job: list_series(path), self._on_listed)

    def _on_listed(self, summaries: list[SeriesSummary]) -> None:
        self.summaries = summaries
        self.session.preferences.store("places", scan=self.path.text().strip())
        self._fill_series()
        usable = [k for k, s in enumerate(summaries) if s.detectable]
        if usable:
            self.table.select_row(usable[0])
        self.status.setText(f"{len(summaries)} series, {len(usable)} of them usable for detection.")

    def _fill_series(self) -> None:
        self.table.fill(
            [
                (
                    ", ".join(filter(None, (s.description or s.series_uid, s.stack_name))),
                    s.plane,
                    s.contrast,
                    Cell(str(s.slices), value=s.slices),
                    _usability(s),
                    self.session.identity.shown_examination(s.examination).text,
                )
                for s in self.summaries
            ]
        )
        examinations = [s.examination for s in self.summaries]
        patients = {(each.patient_id, each.name, each.date) for each in examinations}
        self.table.setColumnHidden(_PATIENT, len(patients) < 2)

    def open(self) -> None:
        """Open the chosen series."""
        number = self.table.selected_row
        if not 0 <= number < len(self.summaries):
            self.session.warn("Choose a series in the table first.")
            return
        path, summary = Path(self.path.text().strip()), self.summaries[number]
        uid, stack = summary.series_uid, summary.stack
        open_scan(self.session, self, lambda: (read_series(path, uid, stack), None), path, None)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of the scan", self.path.text())
        if folder:
            self.path.setText(folder)
            self.look()

    def _choose_file(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, "DICOM file or zip", self.path.text())
        if file:
            self.path.setText(file)
            self.look()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """List what was dropped."""
        paths = [u.toLocalFile() for u in event.mimeData().urls() if u.isLocalFile()]
        if paths:
            self.path.setText(paths[0])
            self.look()

    # Study -------------------------------------------------------------------------------

    def _choose_study(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self, "Folder of the study", str(self.session.preferences.get("places", "study"))
        )
        if folder:
            self.open_study(Path(folder))

    def open_study(self, path: Path) -> None:
        """Open the study in a folder."""
        former_study = self.session.study
        if former_study is not None and former_study.path.resolve() == path.resolve():
            self.refresh_cases()
            return
        try:
            self.session.open_study(Study(path, write=True))
        except SpinemetError as error:
            self.session.warn(str(error))
            return
        self.session.preferences.store("places", study=str(path))

    def open_sample(self) -> None:
        """Open the sample study; an installed program makes it first."""
        self._run(lambda job: sample_study(writable=True), self.open_study)

    def refresh_cases(self) -> None:
        """List the cases of the open study."""
        study = self.session.study
        number = self.case_table.selected_row
        former_case = self.cases[number] if 0 <= number < len(self.cases) else None
        states = study.states() if study is not None else []
        self.cases = [case for case, _ in states]
        self.study_label.setText(str(study.path) if study is not None else "no study open")
        self.study_label.setToolTip(self.study_label.text())
        self._fill_cases(states)
        series, open_case = self.session.series, self.session.case
        is_other_open = (series, open_case) != self._listed_scan
        self._listed_scan = series, open_case
        if open_case in self.cases and is_other_open:
            self.case_table.select_row(self.cases.index(open_case))
        elif former_case in self.cases and not is_other_open:
            self.case_table.select_row(self.cases.index(former_case))
        elif is_other_open and series is not None:
            self.case_table.clearSelection()  # what is open is none of them
        elif self.cases:
            self.case_table.select_row(0)
        self.examinations.look_up(self.cases)
        self._update_buttons()

    def _fill_cases(self, states: Sequence[tuple[Case, CaseState]]) -> None:
        session = self.session
        rows = []
        for case, state in states:
            whose = self.examinations.of(case)
            cells = (case.name, str(state), whose.patient, whose.date)
            is_open = case == session.case
            rows.append(
                [
                    *(Cell(text, is_strong=is_open) for text in cells),
                    uncertainty_cell(session.ranking.get(case.name)),
                ]
            )
        self.case_table.fill(rows)
        for column in (_CASE_PATIENT, _DATE):
            is_empty = not any(row[column].text for row in rows)
            self.case_table.setColumnHidden(column, is_empty or session.identity.is_hidden)
        self.case_table.setColumnHidden(_DOUBT, not session.ranking)

    def _on_identity(self) -> None:
        """Names are to be shown now, or hidden."""
        if self.summaries:
            self._fill_series()
        self.refresh_cases()

    def _on_case_requested(self, name: str) -> None:
        """Open a case that was chosen under another tab."""
        names = [case.name for case in self.cases]
        if name not in names:
            self.session.warn(f"{name} is not in the study that is open; open its study first.")
            return
        self.case_table.select_row(names.index(name))
        self.open_case()

    def open_case(self) -> None:
        """Open the chosen case with its contours."""
        number = self.case_table.selected_row
        if not 0 <= number < len(self.cases):
            self.session.warn("Choose a case in the table first.")
            return
        case = self.cases[number]

        def read_case() -> tuple[SagittalSeries, Annotation | None]:
            series = case.series()
            return series, case.annotation(series) if case.has_contours else None

        open_scan(self.session, self, read_case, case.path, case)

    def import_scan(self) -> None:
        """Copy the open scan into the study."""
        session = self.session
        study, scan = session.study, session.scan
        if study is None or scan is None or scan.source is None:
            session.warn("Open a scan and a study first.")
            return
        source, series = scan.source, scan.series

        def on_imported(case: Case) -> None:
            if case.has_contours:
                # Its contours are not the ones on the screen, and must not be saved over.
                session.warn(f"This scan is in the study as {case.name}; open it there.")
                return
            if session.scan is not None and session.series is series:
                session.set_scan(session.scan.with_case(case))
            else:
                session.study_changed.emit()
            self.status.setText(f"The scan is in the study as {case.name}.")

        copy = not self.refer.isChecked()
        self._run(lambda job: study.import_scan(source, series, copy=copy), on_imported)

    def _run(self, work: Work, on_result: Callable[[Any], None]) -> None:
        self.session.jobs.storage.start(TASK, work, on_result)


def _usability(summary: SeriesSummary) -> str:
    """Whether a series can be detected on, as its cell in the table says."""
    if not summary.detectable:
        return f"no: {summary.reason}"
    return "doubtful" if has_grave(summary.warnings) else "yes"


def _verdict_on(summary: SeriesSummary) -> str:
    """What one must know of the chosen series before it is opened."""
    reason = "" if summary.detectable else f"Not usable: {summary.reason}."
    rule = f"{summary.contrast}, by {summary.contrast_rule}." if summary.detectable else ""
    return " ".join(filter(None, (reason or rule, *(w.text for w in summary.warnings))))
