"""Whether the window stays alive while it trains, and how soon a training stops.

Run under a display: ``python benchmarks/liveness.py``. Two figures of one run each: the gaps
between ticks of a timer of 20 ms in the thread of the window during a minute of training, and
what a cancelled training takes until the window is idle, beside the time of its batches.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import napari
from qtpy.QtCore import QEventLoop, QTimer

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe_machine

from napari_spinemet.gui.application import open_workspace
from napari_spinemet.jobs import Event, Progressed
from napari_spinemet.phantom.cohort import make_cohort
from napari_spinemet.study import Study

TICK_MS = 20


def live(seconds: float) -> None:
    """Let the window live for so long."""
    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec_()


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--cancels", type=int, default=5)
    parser.add_argument("--thread", action="store_true", help="not in a process of its own")
    arguments = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        make_cohort(Path(folder), cases=arguments.cases, seed=8003, generator=2)
        viewer = napari.Viewer()
        workspace = open_workspace(viewer)
        session, train = workspace.session, workspace.train
        session.open_study(Study(folder, write=True))
        workspace.show_tab("Train")
        train.form.keep = lambda: None  # these settings are not the user's
        train.form.set(stop="epochs", epochs=100, batches=80, start="")
        train.form.set(process=not arguments.thread)
        batches: list[float] = []

        def note(_: str, event: Event) -> None:
            if isinstance(event, Progressed) and event.task == "train":
                batches.append(time.perf_counter())

        session.jobs.training.event_reported.connect(note)

        def begin() -> None:
            batches.clear()
            train.start()
            while len(batches) < 3:
                live(0.1)

        begin()
        ticks: list[float] = []
        timer = QTimer()
        timer.setInterval(TICK_MS)
        timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
        timer.start()
        live(arguments.seconds)
        timer.stop()
        gaps = sorted(1000 * (b - a) for a, b in pairwise(ticks))
        print(
            f"gaps between {len(ticks)} ticks of {TICK_MS} ms: median "
            f"{statistics.median(gaps):.0f}, 99th percentile {gaps[int(0.99 * len(gaps))]:.0f}, "
            f"longest {gaps[-1]:.0f} ms"
        )
        steps = [b - a for a, b in pairwise(batches)]
        took = []
        for number in range(arguments.cancels):
            if number:
                begin()
                live(1.3 * number)
            began = time.perf_counter()
            session.jobs.training.cancel()
            while session.jobs.training.is_busy:
                live(0.002)
            took.append(time.perf_counter() - began)
        print(
            f"batch: median {statistics.median(steps):.2f} s, longest {max(steps):.2f} s; cancel "
            f"to idle, {len(took)} times: median {statistics.median(took):.2f} s, longest "
            f"{max(took):.2f} s"
        )
        viewer.close()


if __name__ == "__main__":
    main()
