"""A drawing session in the real window that is killed at random moments."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from napari_spinemet.study import Study

from .drawing_session import place as place_of

KILLS = int(os.environ.get("SPINEMET_KILLS", "3"))


def drawing(study: Path, number: int) -> subprocess.Popen[str]:
    """The program of a person who draws, from a stroke on."""
    program = Path(__file__).with_name("drawing_session.py")
    return subprocess.Popen(
        [sys.executable, program, str(study), str(number)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_no_stroke_that_was_shown_as_saved_is_lost(study_copy: Path) -> None:
    """By three kills, or as many as SPINEMET_KILLS says.

    After each the study opens for writing, verifies, and every stroke that was shown as
    saved in that session is where it was drawn.
    """
    rng, number, shown = random.Random(1), 0, 0
    for _ in range(KILLS):
        session = drawing(study_copy, number)
        assert session.stdout is not None
        # napari has something to say first.
        told = [next(line for line in session.stdout if line.strip().isdigit())]
        time.sleep(rng.uniform(0, 0.7))
        session.send_signal(signal.SIGKILL)
        told += session.stdout.read().split()
        session.wait()
        study = Study(study_copy, write=True)
        assert study.read_only_reason == ""
        assert study.database is not None
        assert study.database.verify() == []
        held = study.database.contours.slices(study.cases()[0].name, "lesions")
        rows, columns = held[0].shape
        for stroke in map(int, told):
            index, row, column = place_of(
                stroke, (study.database.cases()[0].shape[0], rows, columns)
            )
            assert held[index][row, column] == 1 + stroke % 60_000, stroke
        shown += len(told)
        number = int(told[-1]) + 2
        study.close()
    print(f"{KILLS} kills, {shown} strokes shown as saved, none lost")
    assert shown >= KILLS


def test_a_kill_at_the_first_stroke_leaves_what_the_case_came_with(
    study_copy: Path, tmp_path: Path
) -> None:
    """The study takes all contours over with the first stroke: whole, or not at all.

    Killed at any moment from before that stroke to after it; each time on a fresh study.
    """
    rng, before, after = random.Random(2), 0, 0
    came = Study(study_copy).cases()[0]
    series = came.series()
    wanted = came.annotation(series)
    for number in range(max(2, KILLS // 4)):
        place = shutil.copytree(study_copy, tmp_path / f"fresh-{number}")
        session = drawing(place, 0)
        assert session.stdout is not None
        next(line for line in session.stdout if line.strip() == "ready")
        time.sleep(rng.uniform(0, 0.12))
        session.send_signal(signal.SIGKILL)
        told = [int(line) for line in session.stdout.read().split()]
        session.wait()
        study = Study(place, write=True)
        assert study.read_only_reason == ""
        assert study.verify() == []
        case = study.cases()[0]
        held = case.annotation(series)
        np.testing.assert_array_equal(held.vertebrae, wanted.vertebrae)
        assert dict(held.levels) == dict(wanted.levels)
        drawn = held.lesions != wanted.lesions
        assert held.lesions[drawn].astype(bool).all()  # added to, nothing gone
        for stroke in told:
            assert held.lesions[place_of(stroke, series.shape)] == 1 + stroke
        before, after = before + (not drawn.any()), after + bool(drawn.any())
        study.close()
        shutil.rmtree(place)
    print(f"{before} kills before the first stroke was stored, {after} after")
