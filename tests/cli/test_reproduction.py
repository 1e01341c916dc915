"""``spinemet reproduce``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_spinemet.cli.app import app
from napari_spinemet.experiments.reproduction.plan import SYSTEMS


def test_a_piece_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A piece that is over at once says what is still to come and how to go on."""
    command = ["reproduce", str(tmp_path), "--budget", "smoke", "--minutes", "0.0001"]
    assert app(command, standalone_mode=False) in (None, 0)
    assert "nothing yet; still to come: three, one" in " ".join(capsys.readouterr().err.split())
    assert app([*command, "--json"], standalone_mode=False) in (None, 0)
    state = json.loads(capsys.readouterr().out)
    assert state == {"done": [], "missing": [s.key for s in SYSTEMS], "results": None}
