"""Verdicts are known by the position of their finding."""

from __future__ import annotations

from napari_spinemet.study.result_rows import VerdictRecord
from napari_spinemet.study.verdicts import VerdictBook


def test_a_verdict_follows_its_finding_a_little_way() -> None:
    """Centres that have moved by at most 10 mm are the same findings."""
    book = VerdictBook()
    book.record((0, 0, 0), "accepted")
    book.record((0, 0, 30), "rejected")
    assert book.of([(3, 4, 0), (0, 0, 24), (0, 0, 15)]) == ["accepted", "rejected", ""]
    moved_centres = [(0, 0, 8)]
    book.record(book.position_of(moved_centres, 0), "unsure")
    assert book.of([(0, 0, 0)]) == ["unsure"]
    book.record(book.position_of(moved_centres, 0), "")
    assert book.of([(0, 0, 0), (0, 0, 30)]) == ["", "rejected"]
    assert book.of([]) == []


def test_two_findings_close_to_each_other_have_a_verdict_each() -> None:
    """Each verdict belongs to one finding, the nearest as far as all of them allow."""
    book, centres = VerdictBook(), [(0, 0, 0), (0, 0, 6), (0, 0, 12)]
    book.record(book.position_of(centres, 1), "accepted")
    assert book.of(centres) == ["", "accepted", ""]
    book.record(book.position_of(centres, 0), "rejected")
    book.record(book.position_of(centres, 2), "unsure")
    assert book.of(centres) == ["rejected", "accepted", "unsure"]
    assert book.of([(0, 0, 2), (0, 0, 8), (0, 0, 14)]) == ["rejected", "accepted", "unsure"]
    book.record(book.position_of(centres, 1), "")
    assert book.of(centres) == ["rejected", "", "unsure"]


def test_rows_give_the_same_book_when_they_are_read_again() -> None:
    """In their order: the last on a place counts."""
    rows = [("accepted", 0), ("rejected", 40), ("unsure", 0), ("", 40), ("rejected", 80)]
    book = VerdictBook(VerdictRecord(verdict, (0, -0.0, z)) for verdict, z in rows)
    assert book.of([(0, 0, z) for z in (0, 40, 80)]) == ["unsure", "", "rejected"]


def test_a_finding_far_away_changes_no_match() -> None:
    """A finding 2 mm from one position and 9 mm from another is the first, whatever else is there.

    With plain distances the far finding would be given the nearer of the two positions, 19 mm
    off, since that makes the sum smaller.
    """
    book = VerdictBook()
    book.record((0, 0, 0), "accepted")
    book.record((0, 0, 11), "rejected")
    assert book.of([(0, 0, 9), (0, 0, 30)]) == ["rejected", ""]
    assert book.of([(0, 0, 9)]) == ["rejected"]


def test_a_reason_goes_with_its_verdict() -> None:
    """It is gone with another verdict on the same place."""
    book = VerdictBook([VerdictRecord("rejected", (0, 0, 0), reason="artefact")])
    assert book.with_reasons([(0, 0, 3), (0, 0, 90)]) == [("rejected", "artefact"), ("", "")]
    assert book.places("rejected") == {(0, 0, 0): "artefact"}
    book.record((0, 0, 0), "unsure")
    assert book.with_reasons([(0, 0, 0)]) == [("unsure", "")]
    assert book.places("rejected") == {}
