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
import pytest

from napari_spinemet.study import Study

from .drawing_session import stroke_centre

pytestmark = [pytest.mark.slow, pytest.mark.one_binding]
KILLS = int(os.environ.get("SPINEMET_KILLS", "2"))


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
    """By two kills, or as many as SPINEMET_KILLS says.

    After each the study opens for writing, verifies, and every stroke that was shown as
    saved in that session is where it was drawn.
    """
    rng, number, shown_count = random.Random(1), 0, 0
    for _ in range(KILLS):
        session = drawing(study_copy, number)
        assert session.stdout is not None
        # napari has something to say first.
        shown_numbers = [next(line for line in session.stdout if line.strip().isdigit())]
        time.sleep(rng.uniform(0, 0.7))
        session.send_signal(signal.SIGKILL)
        shown_numbers += session.stdout.read().split()
        session.wait()
        study = Study(study_copy, write=True)
        assert study.read_only_reason == ""
        assert study.database is not None
        assert study.database.verify() == []
        stored_slices = study.database.contours.slices(study.cases()[0].name, "lesions")
        rows, columns = stored_slices[0].shape
        for stroke in map(int, shown_numbers):
            index, row, column = stroke_centre(
                stroke, (study.database.cases()[0].shape[0], rows, columns)
            )
            assert stored_slices[index][row, column] == 1 + stroke % 60_000, stroke
        shown_count += len(shown_numbers)
        number = int(shown_numbers[-1]) + 2
        study.close()
    print(f"{KILLS} kills, {shown_count} strokes shown as saved, none lost")
    assert shown_count >= KILLS


def test_a_kill_at_the_first_stroke_leaves_what_the_case_came_with(
    study_copy: Path, tmp_path: Path
) -> None:
    """The study takes all contours over with the first stroke: whole, or not at all.

    Killed at any moment from before that stroke to after it; each time on a fresh study.
    """
    rng, untouched_count, changed_count = random.Random(2), 0, 0
    first_case = Study(study_copy).cases()[0]
    series = first_case.series()
    first_annotation = first_case.annotation(series)
    for number in range(max(2, KILLS // 4)):
        path = shutil.copytree(study_copy, tmp_path / f"fresh-{number}")
        session = drawing(path, 0)
        assert session.stdout is not None
        next(line for line in session.stdout if line.strip() == "ready")
        time.sleep(rng.uniform(0, 0.12))
        session.send_signal(signal.SIGKILL)
        shown_numbers = [int(line) for line in session.stdout.read().split()]
        session.wait()
        study = Study(path, write=True)
        assert study.read_only_reason == ""
        assert study.verify() == []
        case = study.cases()[0]
        annotation = case.annotation(series)
        np.testing.assert_array_equal(annotation.vertebrae, first_annotation.vertebrae)
        assert dict(annotation.levels) == dict(first_annotation.levels)
        drawn_mask = annotation.lesions != first_annotation.lesions
        assert annotation.lesions[drawn_mask].astype(bool).all()  # added to, nothing gone
        for stroke in shown_numbers:
            assert annotation.lesions[stroke_centre(stroke, series.shape)] == 1 + stroke
        untouched_count, changed_count = (
            untouched_count + (not drawn_mask.any()),
            changed_count + bool(drawn_mask.any()),
        )
        study.close()
        shutil.rmtree(path)
    print(f"{untouched_count} kills before the first stroke was stored, {changed_count} after")
