"""Warnings keep their code and what to do, wherever they are carried."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import napari_spinemet
from napari_spinemet.imaging import ScanWarning
from napari_spinemet.imaging.scan_warnings import WARNING_KINDS, has_grave

PACKAGE = Path(napari_spinemet.__file__).parent


def test_a_warning_is_its_sentence_and_survives_its_ways() -> None:
    """To another process, into a record and back."""
    warning = ScanWarning("files-damaged", "1 damaged file was passed over.", "Call the ward.")
    for copy in (
        pickle.loads(pickle.dumps(warning)),
        ScanWarning.from_dict(json.loads(json.dumps(warning.to_dict()))),
    ):
        assert copy == "1 damaged file was passed over."
        assert (copy.code, copy.remedy) == ("files-damaged", "Call the ward.")
        assert copy.is_grave
    assert warning.text == "1 damaged file was passed over. Call the ward."
    with pytest.raises(KeyError):
        ScanWarning("no-such-code", "Something.")


def test_plain_sentences_of_a_series_become_warnings(make_series: Callable) -> None:
    """So that a series made in memory may say anything."""
    series = make_series(warnings=("One slice is odd.",))
    assert [w.to_dict() for w in series.warnings] == [
        {
            "code": "other",
            "sentence": "One slice is odd.",
            "remedy": WARNING_KINDS["other"].remedy,
        }
    ]
    assert replace(series, description="again").warnings == series.warnings
    assert not has_grave(series.warnings)


def test_every_code_is_given_somewhere_and_every_one_given_is_known() -> None:
    """The table holds neither less nor more than what the program says."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    codes = set(re.findall(r'ScanWarning\(\s*"([a-z-]+)"', sources))
    assert codes == set(WARNING_KINDS)
    for kind in WARNING_KINDS.values():
        assert re.fullmatch(r"[A-Z].*[.]", kind.remedy)
