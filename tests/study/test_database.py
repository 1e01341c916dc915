"""The study's database: nothing lost, nothing changed in silence, one writer at a time."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Detection, Finding
from napari_spinemet.study import schema, store
from napari_spinemet.study.contour_rows import NETWORK, ContourRows
from napari_spinemet.study.database import (
    CONTOURS_APPROVED,
    CaseRecord,
    StudyDatabase,
    hash_of_files,
)
from napari_spinemet.study.store import FILE, Store

CASE = CaseRecord("case-001", "1.2.3", "case-001/scan", True, "abc", (13, 40, 30))


def image(seed: int, shape: tuple[int, int] = (40, 30)) -> np.ndarray:
    """Labels of a slice that says which it is."""
    return np.random.default_rng(seed).integers(0, 5, shape).astype(np.uint16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place with a space and letters beyond ASCII."""
    made = tmp_path / "Wirbelsäule 脊椎 a%20b"
    made.mkdir()
    return made


@pytest.fixture
def study(folder: Path) -> Iterator[StudyDatabase]:
    """A study of one case."""
    made = StudyDatabase(folder)
    made.add_case(CASE)
    yield made
    made.close()


def altered(folder: Path, *statements: str) -> None:
    """Change the file behind the program's back."""
    with sqlite3.connect(folder / FILE) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_what_was_saved_is_there_when_it_is_opened_again(
    study: StudyDatabase, folder: Path
) -> None:
    """Every pixel of each slice and layer, levels, state; of each reader and origin apart."""
    saved = {}
    for reader in ("", "Dr Ö"):
        for origin in ("person", NETWORK):
            for layer in ("lesions", "vertebrae"):
                wanted = {k: image(len(saved) * 20 + k) for k in (0, 3, 12)}
                study.contours.save("case-001", layer, wanted, reader=reader, origin=origin)
                saved[reader, origin, layer] = wanted
    study.contours.save("case-001", "lesions", {3: np.zeros((40, 30), int)})
    saved["", "person", "lesions"][3] = np.zeros((40, 30), np.uint16)
    study.contours.save_levels("case-001", {2: "L1", 1: "Th12"}, reader="Dr Ö")
    study.set_state("case-001", CONTOURS_APPROVED, who="Dr Ö")
    study.close()
    again = StudyDatabase(folder)
    for (reader, origin, layer), wanted in saved.items():
        got = again.contours.slices("case-001", layer, reader=reader, origin=origin)
        assert list(got) == list(wanted)
        for index, labels in wanted.items():
            assert got[index].dtype == np.uint16
            np.testing.assert_array_equal(got[index], labels)
    assert again.contours.readers("case-001") == ["", "Dr Ö"]
    assert again.contours.levels("case-001", reader="Dr Ö") == {1: "Th12", 2: "L1"}
    assert again.contours.levels("case-001") == {}
    (case,) = again.cases()
    assert (case.state, case.state_by, case.shape) == (CONTOURS_APPROVED, "Dr Ö", (13, 40, 30))
    assert case.state_at.endswith("+00:00")
    assert again.verify() == []
    again.close()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(("lesions", "vertebrae")), st.integers(0)),
        max_size=12,
    )
)
def test_the_last_of_many_strokes_counts(
    tmp_path_factory: pytest.TempPathFactory, strokes: list[tuple[int, str, int]]
) -> None:
    """In any order, on any slices; the trail has them all and stays whole."""
    study = StudyDatabase(tmp_path_factory.mktemp("study"))
    study.add_case(CASE)
    expected: dict[tuple[str, int], np.ndarray] = {}
    for index, layer, seed in strokes:
        study.contours.save("case-001", layer, {index: image(seed)})
        expected[layer, index] = image(seed)
    got = {
        (layer, index): labels
        for layer in ("lesions", "vertebrae")
        for index, labels in study.contours.slices("case-001", layer).items()
    }
    assert got.keys() == expected.keys()
    for key, labels in expected.items():
        np.testing.assert_array_equal(got[key], labels)
    assert sum(e.action == "contour" for e in study.audit()) == len(strokes)
    assert study.verify() == []
    study.close()


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["UPDATE contours SET labels = x'00' WHERE slice = 3"], "Changed .* contour .*slice.: 3"),
        (["DELETE FROM contours WHERE slice = 3"], "Missing.* contour .*slice.: 3"),
        (["UPDATE contours SET slice = 4 WHERE slice = 3"], "Unknown .* contour .*slice.: 4"),
        (["UPDATE cases SET state = 'approved'"], "Changed .* state"),
        (["UPDATE cases SET content = 'other'"], "Changed .* add case"),
        (["UPDATE levels SET names = '{}'"], "Changed .* levels"),
        (
            ["DROP TRIGGER audit_is_never_changed", "UPDATE audit SET who = 'x' WHERE number = 2"],
            "Entry 2 .* was changed",
        ),
        (
            ["DROP TRIGGER audit_is_never_shortened", "DELETE FROM audit WHERE number = 2"],
            "Entry 2 .* is missing",
        ),
        (
            ["DROP TRIGGER audit_is_never_shortened", "DELETE FROM audit WHERE number > 2"],
            "Unknown to the audit trail",
        ),
    ],
)
def test_tampering_is_found(
    study: StudyDatabase, folder: Path, statements: list[str], words: str
) -> None:
    """In contours, levels, states, and in the trail itself, its end included."""
    study.contours.save("case-001", "lesions", {3: image(1)})
    study.contours.save_levels("case-001", {1: "L1"})
    assert study.verify() == []
    altered(folder, *statements)
    assert any(re.search(words, told) for told in study.verify())


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit"])
def test_the_trail_only_grows(study: StudyDatabase, folder: Path, statement: str) -> None:
    """Nothing in it is changed or taken away by mistake."""
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        altered(folder, statement)
    assert study.verify() == []


def test_a_second_program_reads_and_says_so(study: StudyDatabase, folder: Path) -> None:
    """It sees what the first saved, cannot write, and can once the first has closed."""
    study.contours.save("case-001", "lesions", {3: image(1)})
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
    study.contours.save("case-001", "lesions", {5: image(5)})
    assert list(other.contours.slices("case-001", "lesions")) == [3, 5]
    assert other.verify() == []
    other.close()
    study.close()
    third = StudyDatabase(folder)
    assert third.writable
    third.close()


def test_a_study_that_was_closed_has_nothing_to_restore(study: StudyDatabase, folder: Path) -> None:
    """Nor has one in which nothing was drawn; after a crash it says how much, once."""
    assert study.recovery_message == ""
    study.contours.save("case-001", "lesions", {3: image(1), 4: image(2)})
    study.contours.save("case-001", "lesions", {3: image(3)})
    study.read_only_reason = "killed"  # so that it writes no last line
    study.close()
    after = StudyDatabase(folder)
    assert "2 slices of case-001" in after.recovery_message
    after.close()
    third = StudyDatabase(folder)
    assert third.recovery_message == ""
    assert third.verify() == []
    third.close()


def test_a_folder_that_takes_no_files_is_read(
    study: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so; without a study in it there is nothing to open."""
    study.contours.save("case-001", "lesions", {3: image(1)})
    study.close()
    real = os.access
    monkeypatch.setattr(store.os, "access", lambda p, mode: mode != os.W_OK and real(p, mode))
    opened = StudyDatabase(folder)
    assert "read-only" in opened.read_only_reason
    assert list(opened.contours.slices("case-001", "lesions")) == [3]
    opened.close()
    with pytest.raises(SpinemetError, match="no study"):
        StudyDatabase(folder.parent)


def test_what_is_in_the_log_only_is_read_where_nothing_can_be_written(
    study: StudyDatabase, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study copied to a read-only place while it was open: the last strokes are in its log."""
    study.contours.save("case-001", "lesions", {3: image(1)})
    copied = tmp_path / "copied"
    shutil.copytree(folder, copied)
    assert (copied / "study.sqlite-wal").stat().st_size
    real = os.access
    monkeypatch.setattr(store.os, "access", lambda p, mode: mode != os.W_OK and real(p, mode))
    opened = StudyDatabase(copied)
    assert "read-only" in opened.read_only_reason
    assert list(opened.contours.slices("case-001", "lesions")) == [3]
    assert opened.verify() == []
    opened.close()
    study.close()


def test_a_full_disk_loses_nothing(study: StudyDatabase) -> None:
    """The stroke is refused in a sentence, what was saved stays, and then it goes on."""
    study.contours.save("case-001", "lesions", {3: image(1)})
    pages = study._writer.execute("PRAGMA page_count").fetchone()[0]
    study._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(SpinemetError, match=r"full.*free some space"):
        study.contours.save("case-001", "vertebrae", {k: image(k) for k in range(13)})
    assert study.contours.slices("case-001", "vertebrae") == {}
    assert study.verify() == []
    np.testing.assert_array_equal(study.contours.slices("case-001", "lesions")[3], image(1))
    study._writer.execute("PRAGMA max_page_count = 100000")
    study.contours.save("case-001", "vertebrae", {12: image(7)})
    assert study.verify() == []


def test_a_transaction_is_whole_or_not_at_all(study: StudyDatabase) -> None:
    """A slice of the wrong shape among right ones stores none of them."""
    with pytest.raises(ValueError, match="shape"):
        study.contours.save("case-001", "lesions", {1: image(1), 2: image(2, (4, 4))})
    assert study.contours.slices("case-001", "lesions") == {}
    assert study.verify() == []


def test_what_is_not_there_is_one_sentence(study: StudyDatabase, folder: Path) -> None:
    """A case, a damaged file, a file of a newer program."""
    for call in (
        lambda: study.contours.slices("case-009", "lesions"),
        lambda: study.set_state("case-009", CONTOURS_APPROVED),
        lambda: study.contours.save("case-009", "lesions", {}),
    ):
        with pytest.raises(SpinemetError, match="no case case-009"):
            call()
    with pytest.raises(SpinemetError, match="already"):
        study.add_case(CASE)
    study.close()
    altered(folder, f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    with pytest.raises(SpinemetError, match="newer version"):
        StudyDatabase(folder)
    (folder / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(SpinemetError, match="damaged"):
        StudyDatabase(folder)


def test_an_older_file_becomes_a_newer_one(
    study: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that is in it; the file as it was is kept; a step that fails changes nothing."""
    study.contours.save("case-001", "lesions", {3: image(1)})
    study.close()
    first = schema.MIGRATIONS
    monkeypatch.setattr(schema, "MIGRATIONS", (*first, "CREATE TABLE a (b); CREATE TABLE a (b);"))
    with pytest.raises(SpinemetError):
        StudyDatabase(folder)
    monkeypatch.setattr(
        schema, "MIGRATIONS", (*first, "ALTER TABLE cases ADD COLUMN ward TEXT DEFAULT 'A';")
    )
    newer = StudyDatabase(folder)
    assert newer.select("SELECT ward FROM cases") == [("A",)]
    assert list(newer.contours.slices("case-001", "lesions")) == [3]
    assert newer.verify() == []
    newer.close()
    monkeypatch.setattr(schema, "MIGRATIONS", first)
    kept = folder / f"{FILE}.version-{len(first)}"
    (folder / FILE).unlink()
    kept.rename(folder / FILE)
    older = StudyDatabase(folder)
    assert list(older.contours.slices("case-001", "lesions")) == [3]
    older.close()


def test_files_are_known_by_their_contents(tmp_path: Path) -> None:
    """Whatever their names and order; a changed byte is another scan."""
    for name, content in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).write_bytes(content)
    one = hash_of_files([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a").rename(tmp_path / "z")
    assert hash_of_files([tmp_path / "z", tmp_path / "b"]) == one
    (tmp_path / "b").write_bytes(b"3")
    assert hash_of_files([tmp_path / "z", tmp_path / "b"]) != one


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import numpy as np
    from napari_spinemet.study.database import StudyDatabase

    study = StudyDatabase(Path(sys.argv[1]))
    assert study.writable, study.read_only_reason
    number = int(sys.argv[2])
    while True:
        number += 1
        labels = np.full((40, 30), number, np.uint16)
        study.contours.save("case-001", "lesions", {number % 13: labels})
        print(number, flush=True)
    """
)


def test_no_acknowledged_stroke_is_lost_by_a_kill(study: StudyDatabase, folder: Path) -> None:
    """A program that saves strokes is killed at random moments, 20 times.

    Each time the study opens for writing, verifies, and has the last stroke that was
    acknowledged, or the one after it whose acknowledgement was cut off.
    """
    study.close()
    rng, number = random.Random(0), 0
    for _ in range(20):
        program = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(number)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        program.send_signal(signal.SIGKILL)
        told = program.stdout.read().split()
        program.wait()
        acknowledged = int(told[-1]) if told else number + 1
        opened = StudyDatabase(folder)
        assert opened.writable
        assert "of case-001, the last at" in opened.recovery_message
        assert opened.verify() == []
        held = max(int(v.max()) for v in opened.contours.slices("case-001", "lesions").values())
        assert held in (acknowledged, acknowledged + 1)
        number = held
        opened.close()
    assert number > 40


def test_what_a_network_found_and_a_person_said_is_kept_apart(study: StudyDatabase) -> None:
    """Models, runs with their detections, verdicts; the last verdict on a place counts."""
    results = study.results
    finding = Finding(
        (
            Detection(3, 2.5, (1, 2), (3, 4, 5), (1.5, -2.25, 1 / 3), 0.9, 0.7, np.zeros((0, 2))),
            Detection(4, 1.5, (1, 2), (4, 4, 5), (4.5, -2.25, 1 / 3), 0.8, 0.6, np.zeros((0, 2))),
        ),
        1.2,
        (3.0, -2.25, 1 / 3),
    )
    with pytest.raises(SpinemetError, match="does not know the model m@1"):
        results.save_run("case-001", "m@1", {}, [finding])
    results.save_model("m@1", "m", '{"name": "m"}')
    run = results.save_run("case-001", "m@1", {"threshold": 0.6}, [finding], seconds=2.5, who="a")
    results.save_run("case-001", "m@1", {"threshold": 0.7}, [])
    first, second = results.runs("case-001")
    assert (first.number, first.model, first.settings) == (run, "m@1", {"threshold": 0.6})
    assert (first.run_by, first.seconds) == ("a", 2.5)
    told = results.detections(run)
    assert [(d.finding, d.slice, d.area_cm2, d.peak) for d in told] == [
        (0, 3, 2.5, 0.9),
        (0, 4, 1.5, 0.8),
    ]
    assert told[0].centre_mm == (1.5, -2.25, 1 / 3)
    assert results.detections(second.number) == []
    results.save_verdict("case-001", finding.centre_mm, "accepted", run=run)
    results.save_verdict("case-001", finding.centre_mm, "unsure", run=run)
    results.save_verdict("case-001", (0, 0, 0), "rejected", reader="Dr Ö")
    assert [v.verdict for v in results.verdicts("case-001")] == ["accepted", "unsure"]
    (other,) = results.verdicts("case-001", reader="Dr Ö")
    assert (other.verdict, other.centre_mm, other.run) == ("rejected", (0, 0, 0), None)
    with pytest.raises(ValueError, match="accepted, rejected, unsure"):
        results.save_verdict("case-001", (0, 0, 0), "maybe")
    study.set_findings("case-001", "reviewed")
    case = study.case("case-001")
    assert case is not None
    assert (case.state, case.findings) == ("new", "reviewed")
    results.save_model("m@1", "m", '{"name": "m", "threshold": 0.5}')
    assert results.models() == {"m@1": ("m", '{"name": "m", "threshold": 0.5}')}
    assert study.verify() == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE runs SET settings = '{}'", "Changed .* run"),
        ("UPDATE detections SET peak = 0.1", "Changed .* run"),
        ("DELETE FROM detections", "Changed .* run"),
        ("UPDATE verdicts SET verdict = 'rejected'", "Changed .* verdict"),
        ("DELETE FROM verdicts", "Missing.* verdict"),
        ("UPDATE models SET card = 'other'", "Changed .* model"),
        ("UPDATE cases SET findings = 'reviewed'", "Changed .* findings"),
    ],
)
def test_changed_results_are_found(
    study: StudyDatabase, folder: Path, statement: str, words: str
) -> None:
    """What was found, and what was said of it, cannot be changed past the trail."""
    detection = Detection(3, 2.5, (1, 2), (3, 4, 5), (1, 2, 3), 0.9, 0.7, np.zeros((0, 2)))
    study.results.save_model("m@1", "m", "{}")
    run = study.results.save_run("case-001", "m@1", {"a": 1}, [Finding((detection,), 1, (1, 2, 3))])
    study.results.save_verdict("case-001", (1, 2, 3), "accepted", run=run)
    study.set_findings("case-001", "detected")
    assert study.verify() == []
    altered(folder, statement)
    (told,) = study.verify()
    assert re.search(words, told)


def test_a_study_of_the_first_version_is_carried_over(
    study: StudyDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written by its tables alone; a reader sees it without changing the file."""
    study.close()
    (folder / FILE).unlink()
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        first = Store(folder)
        with first.writing() as change:
            change.execute(
                "INSERT INTO cases VALUES (1,'case-001','1.2','case-001/scan',1,'abc',13,40,30,"
                "'contoured','a','2026')"
            )
        first.close()
    now = Store(folder)
    ContourRows(now).save("case-001", "lesions", {3: image(1)})
    now.close()
    as_it_was = folder / f"{FILE}.version-1"
    assert as_it_was.is_file()
    (folder / FILE).unlink()
    shutil.copy(as_it_was, folder / FILE)
    before = (folder / FILE).read_bytes()
    reading = StudyDatabase(folder, write=False)
    (case,) = reading.cases()
    assert (case.name, case.state, case.findings, case.has_stored_contours) == (
        "case-001",
        "contoured",
        "",
        False,
    )
    assert reading.results.runs("case-001") == []
    reading.close()
    assert (folder / FILE).read_bytes() == before


def test_only_strokes_make_contours_another_revision(study: StudyDatabase) -> None:
    """Not verdicts, states or runs: curves of a study stay valid then."""
    assert study.contours.revision == 0
    study.contours.save("case-001", "lesions", {3: image(1)})
    drawn = study.contours.revision
    study.set_findings("case-001", "detected")
    study.results.save_verdict("case-001", (0, 0, 0), "accepted")
    assert study.contours.revision == drawn > 0
    study.contours.save_levels("case-001", {1: "L1"})
    assert study.contours.revision > drawn
