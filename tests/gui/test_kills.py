"""A drawing session in the real window that is killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from napari_spinemet.study import Study

from .drawing_session import place

KILLS = int(os.environ.get("SPINEMET_KILLS", "3"))


def test_no_stroke_that_was_shown_as_saved_is_lost(study_copy: Path) -> None:
    """By three kills, or as many as SPINEMET_KILLS says.

    After each the study opens for writing, verifies, and every stroke that was shown as
    saved in that session is where it was drawn.
    """
    rng, number, shown = random.Random(1), 0, 0
    program = Path(__file__).with_name("drawing_session.py")
    for _ in range(KILLS):
        session = subprocess.Popen(
            [sys.executable, program, str(study_copy), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert session.stdout is not None
        # napari has something to say first.
        told = [next(line for line in session.stdout if line.strip().isdigit())]
        time.sleep(rng.uniform(0, 0.7))
        session.send_signal(signal.SIGKILL)
        told += session.stdout.read().split()
        session.wait()
        study = Study(study_copy, write=True)
        assert study.notice == ""
        assert study.memory is not None
        assert study.memory.verify() == []
        held = study.memory.contours.slices(study.cases()[0].name, "lesions")
        rows, columns = held[0].shape
        for stroke in map(int, told):
            index, row, column = place(stroke, (study.memory.cases()[0].shape[0], rows, columns))
            assert held[index][row, column] == 1 + stroke % 60_000, stroke
        shown += len(told)
        number = int(told[-1]) + 2
        study.close()
    print(f"{KILLS} kills, {shown} strokes shown as saved, none lost")
    assert shown >= KILLS
