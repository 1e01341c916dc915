"""Contours from and to files: DICOM SEG, NIfTI, TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from ...exchange.formats import format_named, read_annotations
from ...exchange.label_names import stem_of
from ...study.import_contours import keep_beside
from ..viewer.common_widgets import button
from ..viewer.drawing import change
from ..viewer.layer_style import LEVELS_OF

if TYPE_CHECKING:
    from ...imaging import Annotation
    from ...jobs import JobContext
    from ..viewer.session import Session

FILTERS = {
    "DICOM Segmentation (*.dcm)": "seg",
    "NIfTI (*.nii.gz)": "nifti",
    "TIFF labels (*.tif)": "tiff",
}
_ALL = "Contours (*.dcm *.nii *.nii.gz *.tif *.tiff *.zip);;All files (*)"


class ContourFiles(QWidget):
    """Two buttons: read contours of the open scan, and write those on the screen."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.import_button = button(
            "Import contours…",
            "Read contours of this scan from a DICOM Segmentation, NIfTI or TIFF file.",
            self._choose,
        )
        self.export_button = button(
            "Export contours…",
            "Write the contours on the screen as DICOM Segmentation, NIfTI or TIFF.",
            self._choose_target,
        )
        layout.addWidget(self.import_button)
        layout.addWidget(self.export_button)
        session.series_changed.connect(self._update_buttons)
        self._update_buttons()

    def _update_buttons(self) -> None:
        for push_button in (self.import_button, self.export_button):
            push_button.setEnabled(self._session.series is not None)

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Contours of this scan", "", _ALL)
        if path:
            self.import_from(Path(path))

    def import_from(self, path: Path) -> None:
        """Read contours onto layers that are empty, else beside them as another reader's."""
        session = self._session
        series = session.series
        if series is None:
            session.warn("Open a scan first.")
            return

        def show(annotations: list[Annotation]) -> None:
            if session.series is not series:
                return
            for annotation in annotations:
                for warning in annotation.warnings:
                    session.warn(warning)
            contours = session.contours()
            if (
                len(annotations) == 1
                and contours is not None
                and not any(getattr(contours, layer).any() for layer in annotations[0].holds)
            ):
                self._show(annotations[0])
                session.say(f"The contours of {path.name} are on the screen.")
            else:
                self._keep_as_readers(annotations, path)

        session.jobs.storage.start("import", lambda job: read_annotations(path, series), show)

    def _show(self, annotation: Annotation) -> None:
        layers = self._session.layers
        if layers.vertebrae is not None and "vertebrae" in annotation.holds:
            layers.vertebrae.metadata[LEVELS_OF] = dict(annotation.levels)
            change(layers.vertebrae, dict(enumerate(annotation.vertebrae)))
        if layers.lesions is not None and "lesions" in annotation.holds:
            change(layers.lesions, dict(enumerate(annotation.lesions)))

    def _keep_as_readers(self, annotations: list[Annotation], path: Path) -> None:
        """Contours that would overwrite those on the screen become another reader's."""
        session = self._session
        case, series = session.writable_case, session.series
        if case is None or series is None:
            session.warn(
                "There are contours on the screen already, so these were not read; add the scan "
                "to a study, then both are kept."
            )
            return

        def on_stored(readers: list[str]) -> None:
            session.study_changed.emit()
            session.say(
                f"Kept beside those on the screen, as contours by {', '.join(readers)}; choose "
                "them under 'Compare with'."
            )

        def work(job: JobContext) -> list[str]:
            return [keep_beside(case, a, series, a.reader or stem_of(path)) for a in annotations]

        session.jobs.storage.start("import", work, on_stored)

    def _choose_target(self) -> None:
        name = self._session.case.name if self._session.case is not None else "contours"
        path, file_type = QFileDialog.getSaveFileName(
            self, "Write contours", f"{name}.dcm", ";;".join(FILTERS)
        )
        if path:
            self.export_to(Path(path), FILTERS[file_type])

    def export_to(self, path: Path, file_format: str) -> None:
        """Write the contours on the screen.

        Parameters
        ----------
        path : Path
            Any suffix gives way to the format's own; some formats write several files, whose
            names begin alike. Its folder is made if need be.
        file_format : {"seg", "nifti", "tiff"}
        """
        session = self._session
        series, contours = session.series, session.contours()
        if series is None or contours is None:
            session.warn("Open a scan first.")
            return
        stem = path.name
        for suffix in (".gz", ".nii", ".dcm", ".tif", ".tiff"):
            stem = stem.removesuffix(suffix)

        def work(job: JobContext) -> list[Path]:
            contour_format = format_named(file_format)
            return contour_format.write_files(contours, series, path.parent, stem)

        def on_written(paths: list[Path]) -> None:
            session.say(f"Written: {', '.join(str(p) for p in paths)}.")

        session.jobs.storage.start("export", work, on_written)
