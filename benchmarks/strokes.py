"""Drawing in a real window: what a stroke costs the window, and when it is on the disk.

Run under a display: ``xvfb-run -a python benchmarks/strokes.py``. On a case of 13 slices of
512 x 512 a hundred strokes are painted one after the other. Our own work is what runs in the
window's thread after a stroke: finding what changed, and telling area and state. A stroke
is saved once the widget says so. Beside it: writing the whole case anew, uncompressed. With
``--import`` scans of 26 slices of 512 x 512, each its own series, are copied into the study
one after the other all the while.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe_machine, median_seconds

from napari_spinemet.dicom import read_series
from napari_spinemet.gui.application import open_workspace
from napari_spinemet.gui.viewer.session import Session
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.jobs import JobContext
from napari_spinemet.phantom import PhantomImage
from napari_spinemet.phantom.writing import write_case
from napari_spinemet.study import Study

SHAPE = (13, 512, 512)
IMPORTED_SHAPE = (26, 512, 512)
IMPORTED_SCANS = 120
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) * (3, 0.66, 0.66)


def write_scans(folder: Path) -> list[Path]:
    """As many DICOM series of one geometry, each with a UID of its own."""
    pixels = np.random.default_rng(1).normal(100, 10, IMPORTED_SHAPE).astype(np.int16)
    series = SagittalSeries(pixels.astype(np.float32), AFFINE)
    labels = np.zeros(IMPORTED_SHAPE, dtype=np.int32)
    labels[13, 200:260, 200:260] = 1
    contours = Annotation(np.zeros_like(labels), labels)
    paths = [folder / f"patient-{k}" for k in range(IMPORTED_SCANS)]
    for path in paths:
        image = PhantomImage("stir", series, pixels)
        write_case(path, [image], contours, {}, identity=path.name, name=path.name)
    return [path / "scan" for path in paths]


def import_scans(
    session: Session, scans: list[tuple[Path, SagittalSeries]], durations: list[float]
) -> None:
    """Copy one that is open into the study in the background, as the Load tab does; and so on."""
    study = session.study
    if study is None or not scans:
        return
    (source, series), *others = scans
    start_time = time.perf_counter()

    def copy(job: JobContext) -> None:
        study.import_scan(source, series)

    def on_imported(_: object) -> None:
        durations.append(time.perf_counter() - start_time)
        import_scans(session, others, durations)

    session.jobs.storage.start("The import", copy, on_imported)


def record_time(run: Callable[[], object], times: list[float]) -> Callable[[], None]:
    """The same, with its duration written down."""

    def run_and_record() -> None:
        start_time = time.perf_counter()
        run()
        times.append(time.perf_counter() - start_time)

    return run_and_record


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strokes", type=int, default=100)
    parser.add_argument("--kind", choices=("lesions", "vertebrae"), default="lesions")
    parser.add_argument("--import", dest="with_import", action="store_true")
    arguments = parser.parse_args()
    strokes = arguments.strokes
    print(describe_machine())
    voxels = np.random.default_rng(0).normal(100, 10, SHAPE).astype(np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "study"
        paths = write_scans(Path(temporary)) if arguments.with_import else []
        scans = [(path, read_series(path)) for path in paths]  # as a person has them open
        (folder / "case-001" / "scan").mkdir(parents=True)
        viewer = napari.Viewer()
        viewer.window._qt_window.resize(1440, 900)
        workspace = open_workspace(viewer)
        session, study = workspace.session, Study(folder, write=True)
        session.open_study(study)
        series = SagittalSeries(voxels, AFFINE, series_uid="1.2.3")
        session.open_series(series, folder, study.cases()[0])
        workspace.show_tab("Annotate")
        save: list[float] = []
        tell: list[float] = []
        for timer, run, times in (
            (session.autosave._stroke_end, session.autosave.save, save),
            (workspace.annotate._stroke_end, workspace.annotate.refresh, tell),
        ):
            timer.triggered.disconnect(run)
            timer.triggered.connect(record_time(run, times))
        application, layer = QApplication.instance(), getattr(session.layers, arguments.kind)
        assert application is not None
        layer.brush_size = 12
        until_saved: list[float] = []
        copies: list[float] = []
        import_scans(session, scans, copies)
        for k in range(strokes):
            if arguments.with_import and not session.jobs.storage.is_busy:
                break
            session.layers.go_to(k % SHAPE[0])
            pause = time.monotonic() + 0.15
            while time.monotonic() < pause:
                application.processEvents()
            start_time = time.perf_counter()
            layer.paint(np.array([k % SHAPE[0], 100 + 2 * k, 100 + k]), 1 + k % 3)
            while session.autosave.is_pending:
                application.processEvents()
            until_saved.append(time.perf_counter() - start_time)
        find_ms, tell_ms, save_ms = (np.percentile(v, 95) * 1e3 for v in (save, tell, until_saved))
        print(
            f"own work after a stroke, p95: {find_ms:.1f} ms to find it, {tell_ms:.1f} ms to tell"
        )
        if arguments.with_import:
            print(f"{len(until_saved)} strokes while scans were copied, {len(copies)} wholly,")
            print(f"a copy in {np.median(copies):.2f} s")
        whole = median_seconds(lambda: np.save(folder / "whole.npy", layer.data), 10) * 1e3
        median_ms = np.median(until_saved) * 1e3
        print(
            f"from the end of a stroke to saved: median {median_ms:.0f} ms, p95: {save_ms:.0f} ms"
        )
        print(f"(ratio to writing all labels without a sync: {save_ms / whole:.1f})")
        session.stop()
        viewer.close()


if __name__ == "__main__":
    main()
