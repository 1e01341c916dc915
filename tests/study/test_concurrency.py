"""Several threads use one study: nobody sees what is not committed, nobody waits for a writer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from contour_images import CASE

from napari_spinemet.dicom import read_series
from napari_spinemet.errors import SpinemetError
from napari_spinemet.study import Study
from napari_spinemet.study.database import StudyDatabase
from napari_spinemet.study.store import FILE

PATIENCE_S = 30
"""How long a state is waited for before the test fails; nothing is measured by it."""


def image(label: int) -> np.ndarray:
    """A slice that says which it is."""
    return np.full((40, 30), label, np.uint16)


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Future]]:
    """Start a function in a thread of its own."""
    with ThreadPoolExecutor(16) as pool:
        yield pool.submit


def open_handles(folder: Path) -> list[str]:
    """Files of a folder that this process holds open."""
    handles = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            handles.append(str(descriptor.readlink()))
        except OSError:  # the one that lists the others
            continue
    return [name for name in handles if name.startswith(str(folder))]


class UndoneError(Exception):
    """Rolls a transaction back."""


def test_what_is_rolled_back_was_never_seen(
    database: StudyDatabase, in_thread: Callable[..., Future]
) -> None:
    """Threads read in a loop while a writer signs and draws, and takes all of that back."""
    is_over = threading.Event()
    readers_started = threading.Barrier(5)

    def watch() -> list[object]:
        readers_started.wait(PATIENCE_S)
        sightings: list[object] = []
        while not is_over.is_set():
            case = database.case("case-001")
            assert case is not None
            slices = database.contours.slices("case-001", "lesions")
            if case.findings or slices or case.has_stored_contours:
                sightings.append((case.findings, sorted(slices)))
        return sightings

    def sign_and_undo() -> None:
        with database.transaction():
            database.contours.save("case-001", "lesions", {3: image(1)})
            database.set_findings("case-001", "signed")
            own = database.case("case-001")
            assert own is not None
            assert own.findings == "signed", "the writer sees its own changes"
            assert list(database.contours.slices("case-001", "lesions")) == [3]
            raise UndoneError

    watchers = [in_thread(watch) for _ in range(4)]
    readers_started.wait(PATIENCE_S)
    for _ in range(50):
        with pytest.raises(UndoneError):
            sign_and_undo()
    is_over.set()
    assert [w.result(PATIENCE_S) for w in watchers] == [[]] * 4
    assert database.verify() == []


def test_readers_do_not_wait_for_a_writer(
    database: StudyDatabase, in_thread: Callable[..., Future]
) -> None:
    """What was committed last is read while a transaction stands open."""
    database.contours.save("case-001", "lesions", {1: image(1)})
    is_inside, may_end = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with database.transaction():
            database.contours.save("case-001", "lesions", {2: image(2)})
            is_inside.set()
            assert may_end.wait(PATIENCE_S)

    writer = in_thread(write_slowly)
    assert is_inside.wait(PATIENCE_S)
    assert list(database.contours.slices("case-001", "lesions")) == [1]
    assert database.verify() == []
    assert not writer.done()
    may_end.set()
    writer.result(PATIENCE_S)
    assert list(database.contours.slices("case-001", "lesions")) == [1, 2]


def test_a_hundred_threads_read_beside_one_that_writes(
    database: StudyDatabase, folder: Path
) -> None:
    """Each sees whole transactions: both layers always hold the same number."""
    database.contours.save("case-001", "lesions", {0: image(0)})
    database.contours.save("case-001", "vertebrae", {0: image(0)})

    def look() -> None:
        for _ in range(5):
            with database.snapshot():
                first = database.contours.slices("case-001", "lesions")[0]
                second = database.contours.slices("case-001", "vertebrae")[0]
            np.testing.assert_array_equal(first, second)

    with ThreadPoolExecutor(100) as pool:
        looks = [pool.submit(look) for _ in range(100)]
        for label in range(1, 30):
            with database.transaction():
                for layer in ("lesions", "vertebrae"):
                    database.contours.save("case-001", layer, {0: image(label)})
        for result in looks:
            result.result(PATIENCE_S)
    assert database.verify() == []
    database.close()
    assert open_handles(folder) == []


def test_the_trail_is_sound_at_every_moment(
    database: StudyDatabase, in_thread: Callable[..., Future]
) -> None:
    """Verified while strokes arrive: rows and trail are those of one moment."""
    is_over = threading.Event()

    def draw() -> None:
        label = 0
        while not is_over.is_set():
            label += 1
            database.contours.save("case-001", "lesions", {label % 13: image(label)})

    writer = in_thread(draw)
    assert [database.verify() for _ in range(20)] == [[]] * 20
    is_over.set()
    writer.result(PATIENCE_S)


def test_closing_ends_every_connection(
    database: StudyDatabase, folder: Path, in_thread: Callable[..., Future]
) -> None:
    """From another thread than those that read and wrote; then another program may write."""
    start = threading.Barrier(8)

    def look() -> None:
        start.wait(PATIENCE_S)
        database.cases()

    for result in [in_thread(look) for _ in range(8)]:
        result.result(PATIENCE_S)
    assert open_handles(folder)
    in_thread(database.close).result(PATIENCE_S)
    assert open_handles(folder) == []
    next_database = StudyDatabase(folder)
    assert next_database.writable
    next_database.close()


def test_reading_while_it_is_closed_ends_in_a_sentence(
    tmp_path: Path, in_thread: Callable[..., Future]
) -> None:
    """Whatever each thread was doing, also within a look at one moment or a transaction."""
    for _ in range(10):
        database = StudyDatabase(tmp_path)
        if database.case("case-001") is None:
            database.add_case(CASE)
        start = threading.Barrier(7)

        def read_cases(
            database: StudyDatabase = database, start: threading.Barrier = start
        ) -> None:
            start.wait(PATIENCE_S)
            while True:
                database.cases()

        def look(database: StudyDatabase = database, start: threading.Barrier = start) -> None:
            start.wait(PATIENCE_S)
            while True:
                with database.snapshot():
                    database.cases()
                    list(database.audit())

        def write(database: StudyDatabase = database, start: threading.Barrier = start) -> None:
            start.wait(PATIENCE_S)
            while True:
                database.contours.save("case-001", "lesions", {1: image(1)})

        tasks = [
            in_thread(task) for task in (read_cases, read_cases, read_cases, look, look, write)
        ]
        start.wait(PATIENCE_S)
        database.close()
        for task in tasks:
            with pytest.raises(SpinemetError, match="closed here; open it again"):
                task.result(PATIENCE_S)
        assert open_handles(tmp_path) == []
    database.close()  # once more changes nothing


def test_a_copy_in_memory_is_read_by_many(
    database: StudyDatabase, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study in a folder that takes no files, with its last strokes in the log."""
    database.contours.save("case-001", "lesions", {3: image(1)})
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert (copy / f"{FILE}-wal").stat().st_size
    may_access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: mode != os.W_OK and may_access(p, mode))
    read_only_database = StudyDatabase(copy)
    assert "read-only" in read_only_database.read_only_reason
    with ThreadPoolExecutor(8) as pool:
        looks = pool.map(
            lambda _: list(read_only_database.contours.slices("case-001", "lesions")), range(100)
        )
        assert list(looks) == [[3]] * 100
    read_only_database.close()
    with pytest.raises(SpinemetError, match="closed here"):
        read_only_database.cases()


def test_readers_cannot_write(database: StudyDatabase) -> None:
    """Their connections are read-only, whatever is asked of them."""
    with pytest.raises(SpinemetError, match="cannot be written"):
        database.select("DELETE FROM cases")
    assert len(database.cases()) == 1


@pytest.fixture
def other_scan(study: Study, tmp_path: Path) -> Path:
    """A scan that the study does not hold."""
    import pydicom

    folder = tmp_path / "scan"
    folder.mkdir()
    for file in (study.path / "normal-001" / "scan").iterdir():
        header = pydicom.dcmread(file)
        header.SeriesInstanceUID += ".9"
        header.save_as(folder / file.name)
    return folder


def stroke(study: Study, label: int) -> None:
    """One slice of the first case."""
    case = study.cases()[0]
    series = case.series()
    labels = np.full(series.shape[1:], label, np.uint16)
    case.save_slices({"lesions": {2: labels}}, {}, series)


def block_function(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> tuple[threading.Event, threading.Event]:
    """Let a function wait: an event says that it was called, another lets it go on."""
    is_called, may_go_on = threading.Event(), threading.Event()
    function = getattr(owner, name)

    def wait(*arguments: object, **keywords: object) -> object:
        is_called.set()
        assert may_go_on.wait(PATIENCE_S)
        return function(*arguments, **keywords)

    monkeypatch.setattr(owner, name, wait)
    return is_called, may_go_on


def test_a_stroke_does_not_wait_for_a_scan_that_is_copied(
    study: Study,
    other_scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_thread: Callable[..., Future],
) -> None:
    """It is on the disk while not one image of the other scan has been copied."""
    stroke(study, 1)
    series = read_series(other_scan)
    is_copying, may_go_on = block_function(monkeypatch, shutil, "copyfile")
    import_job = in_thread(study.import_scan, other_scan, series)
    assert is_copying.wait(PATIENCE_S)
    in_thread(stroke, study, 7).result(PATIENCE_S)
    assert not import_job.done()
    with sqlite3.connect(study.path / FILE) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM contours WHERE slice = 2").fetchone()
    connection.close()
    assert count == 1
    may_go_on.set()
    assert import_job.result(PATIENCE_S).record is not None
    assert study.verify() == []


@pytest.mark.parametrize("action", ["import", "save_run", "judge", "sign", "stroke", "approve"])
def test_a_stroke_does_not_wait_for_hashes(
    study: Study,
    other_scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_thread: Callable[..., Future],
    action: str,
) -> None:
    """Whatever it is that needs the hash of a scan that was not recorded."""
    from napari_spinemet.study.case import scan as scan_of_case

    stroke(study, 1)
    case = study.cases()[1]
    series = case.series()
    new_series = read_series(other_scan)
    model = ("m@1", "m", "{}")
    labels = np.ones(series.shape[1:], np.uint16)
    actions: dict[str, Callable[[], object]] = {
        "import": lambda: study.import_scan(other_scan, new_series),
        "save_run": lambda: case.save_run(series, model, {}, [], 1.0),
        "judge": lambda: case.judge(series, (0, 0, 0), "accepted", all_judged=False),
        "sign": lambda: case.sign(series, model, {}, []),
        "stroke": lambda: case.save_slices({"lesions": {1: labels}}, {}, series),
        "approve": lambda: case.approve(series),
    }
    is_hashing, may_go_on = block_function(monkeypatch, scan_of_case, "hash_of_files")
    slow_job = in_thread(actions[action])
    assert is_hashing.wait(PATIENCE_S)
    in_thread(stroke, study, 7).result(PATIENCE_S)
    assert not slow_job.done()
    may_go_on.set()
    slow_job.result(PATIENCE_S)
    assert study.verify() == []
