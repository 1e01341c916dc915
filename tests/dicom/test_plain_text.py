"""What a file holds is shown as text, and never obeyed."""

from __future__ import annotations

from pathlib import Path

import pytest
from dicom_builder import Truth, make_series, write

from napari_spinemet.dicom import list_series, read_series
from napari_spinemet.dicom.headers import plain_text
from napari_spinemet.errors import SpinemetError


def test_control_characters_are_left_out_and_letters_stay() -> None:
    """Escapes, line ends, marks that turn the direction of writing; not umlauts or kanji."""
    assert plain_text("a\x1b[31mred\x07\r\n b") == "a [31mred b"
    assert plain_text("Wirbelsäule 脊椎 ñ") == "Wirbelsäule 脊椎 ñ"
    assert plain_text("ab\u202ecd\u200b") == "ab cd"


def test_descriptions_and_facts_are_plain(scan: Path, truth: Truth) -> None:
    """Also where a scanner's user, or somebody else, wrote escapes."""
    images = make_series(truth)
    for image in images:
        image.SeriesDescription = "STIR \x1b]0;title\x07SAG"
        image.Manufacturer = "test\x1b[2J"
    write(scan, images)
    (summary,) = list_series(scan)
    series = read_series(scan)
    assert summary.description == series.description == "STIR ]0;title SAG"
    assert series.facts["Manufacturer"] == "test [2J"


def test_a_name_with_a_line_end_keeps_the_sentence_one(scan: Path, truth: Truth) -> None:
    """File names may hold anything."""
    paths = write(scan, make_series(truth))
    paths[4].rename(scan / "a\nb\x1b[1m")
    content = (scan / "a\nb\x1b[1m").read_bytes()
    (scan / "a\nb\x1b[1m").write_bytes(content[:-100])
    with pytest.raises(SpinemetError) as caught:
        read_series(scan)
    assert "a b [1m is truncated" in str(caught.value)
    assert str(caught.value).isprintable()
