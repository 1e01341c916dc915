"""``spinemet phantom`` with several contrasts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("folder_first", [True, False])
def test_contrasts_are_named_one_after_another(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder_first: bool
) -> None:
    """The folder may stand before them or after them."""
    from napari_spinemet.phantom import cohort

    monkeypatch.setattr(cohort, "_write_case", lambda *_: None)
    folder = tmp_path / "cohort"
    names = ("--contrasts", "stir", "t1", "t2")
    words = (folder, *names) if folder_first else (*names, folder)
    status, _, err = run("phantom", *words, "--cases", 1)
    assert status == 0, err
    facts = json.loads((folder / "cohort.json").read_text())["phantom"]
    assert facts["contrasts"] == ["stir", "t1", "t2"]
    assert facts["generator"] == 3


@pytest.mark.parametrize(
    "words",
    [
        ("--contrasts", "stir", "pet"),
        ("--contrasts", "stir", "t1"),
        ("--contrasts", "stir", "stir"),
        ("--variety", "wild"),
        ("--generator", 5),
        ("--generator", 2, "--contrasts", "t1"),
    ],
)
def test_what_there_is_not_is_one_sentence(
    run: Run, tmp_path: Path, words: tuple[object, ...]
) -> None:
    """Status 2, no traceback, nothing written."""
    folder = tmp_path / "cohort"
    # The second has no folder at all.
    place = () if words == ("--contrasts", "stir", "t1") else (folder,)
    status, _, err = run("phantom", *place, *words)
    assert status == 2
    assert "Traceback" not in err
    assert not folder.exists()
