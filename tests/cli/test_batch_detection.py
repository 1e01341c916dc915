"""``spinemet detect --many``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from napari_spinemet.network import load_card, provenance_sentence

Run = Callable[..., tuple[int, str, str]]


def test_many_scans_end_with_a_table_and_a_sentence_on_what_failed(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """One bad scan among good ones: status 2, all of it in the JSON, the good ones kept."""
    scans, out_folder = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(scan, scans / "good")
    (scans / "bad").mkdir()
    (scans / "bad" / "IM0001").write_bytes(b"no picture")
    words = ["detect", str(scans), "--many", "--model", str(quick_model), "--json"]
    status, stdout, message = run(*words, "--out", str(out_folder))
    assert status == 2
    assert "1 of 2 series failed (bad:" in message
    report = json.loads(stdout)
    assert report["learned_from"] == provenance_sentence(load_card(str(quick_model)))
    assert [(row["scan"], row["status"]) for row in report["scans"]] == [
        ("bad", "failed"),
        ("good", "done"),
    ]
    assert (out_folder / "table.csv").is_file()
    shutil.rmtree(scans / "bad")
    status, stdout, message = run(*words[:-1], "--out", str(out_folder))
    assert status == 0
    assert report["learned_from"] in message
    assert "good" in stdout
    assert run(*words)[0] == 2  # nowhere to put what is found
    assert run(*words, "--out", str(out_folder), "--series", "1.2")[0] == 2
