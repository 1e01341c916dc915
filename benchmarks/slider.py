"""The threshold slider in a real window: what a tick costs, and whether memory stays flat.

Run under a display: ``xvfb-run -a python benchmarks/slider.py``. The slider is dragged over
its range on a case with a detected lesion, with a study's FROC curve in the plot. A tick is
the slider's signal up to the outlines of the visible slice and the marker on the curve. Our
own work is a tick less napari's refresh of the outline layer; painting comes after and is
napari's and Qt's.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parent))

from cohort import synthetic_cohort
from machine import describe_machine, median_seconds
from scipy import ndimage

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.evaluation.froc import froc_curve
from napari_spinemet.gui.application import open_workspace
from napari_spinemet.gui.viewer.displayed_froc import DisplayedFroc
from napari_spinemet.gui.workspace import Workspace
from napari_spinemet.imaging import OperatingPoint, SagittalSeries
from napari_spinemet.study.map_identity import MapIdentity


def resident_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def prepare(viewer: napari.Viewer) -> Workspace:
    """The review of a detected case, with the curve of a cohort of 26."""
    workspace = open_workspace(viewer)
    cases = synthetic_cohort(26)
    plain, annotation = cases[0].sequences[0]
    voxels = (1000 * plain.values).astype(np.float32)
    series = SagittalSeries(voxels, plain.affine, series_uid="1.2.3")
    point = OperatingPoint(0.6, 1.0, 0.4)
    session = workspace.session
    session.open_series(series, annotation=annotation)
    session.set_result(evaluate(plain, point), "default")
    curve = froc_curve(cases, point)
    session.show_froc(DisplayedFroc(curve, "a cohort", point, MapIdentity("default")))
    workspace.show_tab("Review")
    return workspace


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--ticks", type=int, default=10_000)
    arguments = parser.parse_args()
    print(describe_machine())
    viewer = napari.Viewer()
    viewer.window._qt_window.resize(1440, 900)
    review = prepare(viewer).review
    layer, refresh_seconds = review.session.layers.detections, []
    assert layer is not None
    refresh = layer.refresh

    def timed_refresh(*args: object, **kwargs: object) -> None:
        start_time = time.perf_counter()
        refresh(*args, **kwargs)
        refresh_seconds.append(time.perf_counter() - start_time)

    layer.refresh = timed_refresh
    slider, application = review.controls.threshold, QApplication.instance()
    assert application is not None
    for _ in range(20):
        application.processEvents()

    def drag(steps: int) -> tuple[list[float], list[float], list[float]]:
        own, ticks, whole = [], [], []
        for value in 0.5 + 0.45 * np.sin(np.linspace(0, 2 * np.pi * steps / 200, steps)):
            refresh_seconds.clear()
            start_time = time.perf_counter()
            slider.setValue(float(value))
            tick = time.perf_counter() - start_time
            own.append(tick - sum(refresh_seconds))
            application.processEvents()
            ticks.append(tick)
            whole.append(time.perf_counter() - start_time)
        return own, ticks, whole

    drag(20)
    own, ticks, whole = (np.percentile(values, 95) * 1e3 for values in drag(arguments.steps))
    values = review.session.result.likelihood.values[review.session.layers.current_slice]
    plain = median_seconds(lambda: ndimage.label(values >= 0.6, np.ones((3, 3))), 50) * 1e3
    steps = f"tick, p95 over {arguments.steps} steps"
    print(f"{steps}: own work {own:.2f} ms, with refresh {ticks:.2f} ms")
    print(f"with painting {whole:.1f} ms; relabelling one slice {plain:.2f} ms")
    print(f"ratio of own work to relabelling: {own / plain:.2f}")
    start_mb = resident_mb()
    for k in range(arguments.ticks):
        slider.setValue(0.5 + 0.45 * np.sin(k / 30))
        if k % 50 == 0:
            application.processEvents()
        if k == arguments.ticks // 10:
            gc.collect()
            start_mb = resident_mb()
    gc.collect()
    print(f"memory over {arguments.ticks} ticks: {start_mb:.0f} MB, then {resident_mb():.0f} MB")
    viewer.close()


if __name__ == "__main__":
    main()
