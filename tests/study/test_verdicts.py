"""Verdicts are known by place."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.study.database import CaseRecord, StudyDatabase
from napari_spinemet.study.result_rows import VerdictRecord
from napari_spinemet.study.verdicts import VerdictBook


def test_a_verdict_follows_its_finding_a_little_way() -> None:
    """Centres that have moved by at most 10 mm are the same findings."""
    book = VerdictBook()
    book.give((0, 0, 0), "accepted")
    book.give((0, 0, 30), "rejected")
    assert book.of([(3, 4, 0), (0, 0, 24), (0, 0, 15)]) == ["accepted", "rejected", ""]
    moved = [(0, 0, 8)]
    book.give(book.position_of(moved, 0), "unsure")
    assert book.of([(0, 0, 0)]) == ["unsure"]
    book.give(book.position_of(moved, 0), "")
    assert book.of([(0, 0, 0), (0, 0, 30)]) == ["", "rejected"]
    assert book.of([]) == []


def test_two_findings_close_to_each_other_have_a_verdict_each() -> None:
    """Each verdict belongs to one finding, the nearest as far as all of them allow."""
    book, shown = VerdictBook(), [(0, 0, 0), (0, 0, 6), (0, 0, 12)]
    book.give(book.position_of(shown, 1), "accepted")
    assert book.of(shown) == ["", "accepted", ""]
    book.give(book.position_of(shown, 0), "rejected")
    book.give(book.position_of(shown, 2), "unsure")
    assert book.of(shown) == ["rejected", "accepted", "unsure"]
    assert book.of([(0, 0, 2), (0, 0, 8), (0, 0, 14)]) == ["rejected", "accepted", "unsure"]
    book.give(book.position_of(shown, 1), "")
    assert book.of(shown) == ["rejected", "", "unsure"]


def test_rows_give_the_same_book_when_they_are_read_again() -> None:
    """In their order: the last on a place counts."""
    rows = [("accepted", 0), ("rejected", 40), ("unsure", 0), ("", 40), ("rejected", 80)]
    book = VerdictBook(VerdictRecord(verdict, (0, -0.0, z)) for verdict, z in rows)
    assert book.of([(0, 0, z) for z in (0, 40, 80)]) == ["unsure", "", "rejected"]


def test_two_threads_do_not_share_a_transaction(tmp_path: Path) -> None:
    """Strokes and results saved at once: one fails, the other is whole."""
    study = StudyDatabase(tmp_path)
    study.add_case(CaseRecord("case-001", "1", "case-001/scan", True, "", (5, 4, 4)))
    inside, go_on = threading.Event(), threading.Event()

    def cut_off() -> None:
        with study.transaction():
            study.set_findings("case-001", "detected")
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
        target=lambda: study.contours.save("case-001", "lesions", {2: np.ones((4, 4), np.uint16)})
    )
    second.start()
    second.join(0.2)
    assert second.is_alive()  # it waits for its turn
    go_on.set()
    first.join(5)
    second.join(5)
    case = study.case("case-001")
    assert case is not None
    assert (case.findings, case.has_stored_contours) == ("", True)
    assert study.verify() == []
    study.close()
