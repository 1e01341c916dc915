"""The file of a study: one writer at a time, transactions that are whole, nothing lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from contour_images import CASE, image

from napari_spinemet.errors import SpinemetError
from napari_spinemet.study.database import (
    CONTOURS_APPROVED,
    CaseRecord,
    StudyDatabase,
)
from napari_spinemet.study.store import Transaction

KILLS = int(os.environ.get("SPINEMET_KILLS", "6"))


def test_a_second_program_reads_and_says_so(database: StudyDatabase, folder: Path) -> None:
    """It sees what the first saved, cannot write, and can once the first has closed."""
    database.contours.save("case-001", "lesions", {3: image(1)})
    other = StudyDatabase(folder)
    assert not other.writable
    assert "Another program" in other.read_only_reason
    np.testing.assert_array_equal(other.contours.slices("case-001", "lesions")[3], image(1))
    for write in (
        lambda: other.contours.save("case-001", "lesions", {3: image(2)}),
        lambda: other.set_state("case-001", CONTOURS_APPROVED),
        lambda: other.add_case(CASE),
        lambda: other.contours.save_levels("case-001", {}),
    ):
        with pytest.raises(SpinemetError):
            write()
    database.contours.save("case-001", "lesions", {5: image(5)})
    assert list(other.contours.slices("case-001", "lesions")) == [3, 5]
    assert other.verify() == []
    other.close()
    database.close()
    third = StudyDatabase(folder)
    assert third.writable
    third.close()


def test_a_study_that_was_closed_has_nothing_to_restore(
    database: StudyDatabase, folder: Path
) -> None:
    """Nor has one in which nothing was drawn; after a crash it says how much, once."""
    assert database.recovery_message == ""
    database.contours.save("case-001", "lesions", {3: image(1), 4: image(2)})
    database.contours.save("case-001", "lesions", {3: image(3)})
    database.read_only_reason = "killed"  # so that it writes no last line
    database.close()
    next_database = StudyDatabase(folder)
    assert "2 slices of case-001" in next_database.recovery_message
    next_database.close()
    third = StudyDatabase(folder)
    assert third.recovery_message == ""
    assert third.verify() == []
    third.close()


def test_a_full_disk_loses_nothing(database: StudyDatabase) -> None:
    """The stroke is refused in a sentence, what was saved stays, and then it goes on."""
    database.contours.save("case-001", "lesions", {3: image(1)})
    pages = database._writer.execute("PRAGMA page_count").fetchone()[0]
    database._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpinemetError, match=r"full.*free some space"):
        database.contours.save("case-001", "vertebrae", {k: image(k) for k in range(13)})
    assert database.contours.slices("case-001", "vertebrae") == {}
    assert database.verify() == []
    np.testing.assert_array_equal(database.contours.slices("case-001", "lesions")[3], image(1))
    database._writer.execute("PRAGMA max_page_count = 100000")
    database.contours.save("case-001", "vertebrae", {12: image(7)})
    assert database.verify() == []


def test_a_study_that_cannot_be_opened_for_writing_is_let_go(
    database: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full before the first line of the trail: another try is not locked out."""
    database.close()

    def fail(self: Transaction, *arguments: object) -> None:
        raise SpinemetError("The disk is full.")

    with monkeypatch.context() as full_disk:
        full_disk.setattr(Transaction, "note", fail)
        with pytest.raises(SpinemetError, match="full"):
            StudyDatabase(folder)
    next_database = StudyDatabase(folder)
    assert next_database.writable
    next_database.close()


def test_a_study_is_not_closed_within_its_own_transaction(database: StudyDatabase) -> None:
    """Which would be lost; afterwards it can be."""
    with pytest.raises(RuntimeError, match="own transaction"), database.transaction():
        database.close()
    assert database.verify() == []


def test_a_transaction_is_whole_or_not_at_all(database: StudyDatabase) -> None:
    """A slice of the wrong shape among right ones stores none of them."""
    with pytest.raises(ValueError, match="shape"):
        database.contours.save("case-001", "lesions", {1: image(1), 2: image(2, (4, 4))})
    assert database.contours.slices("case-001", "lesions") == {}
    assert database.verify() == []


def test_two_threads_do_not_share_a_transaction(tmp_path: Path) -> None:
    """Strokes and results saved at once: one fails, the other is whole."""
    database = StudyDatabase(tmp_path)
    database.add_case(CaseRecord("case-001", "1", "case-001/scan", True, "", (5, 4, 4)))
    inside, go_on = threading.Event(), threading.Event()

    def cut_off() -> None:
        with database.transaction():
            database.set_findings("case-001", "detected")
            inside.set()
            go_on.wait(5)
            raise SpinemetError("It was cut off.")

    def fail() -> None:
        with pytest.raises(SpinemetError, match="cut off"):
            cut_off()

    first = threading.Thread(target=fail)
    first.start()
    inside.wait(5)
    second = threading.Thread(
        target=lambda: database.contours.save(
            "case-001", "lesions", {2: np.ones((4, 4), np.uint16)}
        )
    )
    second.start()
    second.join(0.2)
    assert second.is_alive()  # it waits for its turn
    go_on.set()
    first.join(5)
    second.join(5)
    case = database.case("case-001")
    assert case is not None
    assert (case.findings, case.has_stored_contours) == ("", True)
    assert database.verify() == []
    database.close()


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from napari_spinemet.study.database import StudyDatabase

    database = StudyDatabase(Path(sys.argv[1]))
    assert database.writable, database.read_only_reason
    number = int(sys.argv[2])
    while True:
        number += 1
        labels = np.full((40, 30), number, np.uint16)
        database.contours.save("case-001", "lesions", {number % 13: labels})
        print(number, flush=True)
    """
)


def test_no_acknowledged_stroke_is_lost_by_a_kill(database: StudyDatabase, folder: Path) -> None:
    """A program that saves strokes is killed at random moments, six times or SPINEMET_KILLS.

    Each time the study opens for writing, verifies, and has the last stroke that was
    acknowledged, or the one after it whose acknowledgement was cut off.
    """
    database.close()
    rng, number = random.Random(0), 0
    for _ in range(KILLS):
        program = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        program.send_signal(signal.SIGKILL)
        numbers = program.stdout.read().split()
        program.wait()
        last_number = int(numbers[-1]) if numbers else number + 1
        reopened_database = StudyDatabase(folder)
        assert reopened_database.writable
        assert "of case-001, the last at" in reopened_database.recovery_message
        assert reopened_database.verify() == []
        largest_label = max(
            int(v.max()) for v in reopened_database.contours.slices("case-001", "lesions").values()
        )
        assert largest_label in (last_number, last_number + 1)
        number = largest_label
        reopened_database.close()
    assert number > 2 * KILLS
