"""Numbers that a person types."""

from __future__ import annotations

import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.number_lists import parse_numbers


def test_numbers_are_separated_by_commas() -> None:
    """With spaces or without, and a comma at the end does no harm."""
    assert parse_numbers("0.5, 1,2 ,", "Resolutions") == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("text", ["", ",", "0", "-1", "1000", "nan", "1;2", "0,5 mm"])
def test_what_cannot_be_read_is_one_sentence(text: str) -> None:
    """It names what the numbers are, and what was typed."""
    with pytest.raises(SpinemetError, match=f"^Resolutions '{text}' cannot be read; write"):
        parse_numbers(text, "Resolutions")
