"""``spinemet detect --many``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


def test_many_scans_end_with_a_table_and_a_sentence_on_what_failed(
    run: Run, scan: Path, quick_model: Path, tmp_path: Path
) -> None:
    """One bad scan among good ones: status 2, all of it in the JSON, the good ones kept."""
    scans, out = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(scan, scans / "good")
    (scans / "bad").mkdir()
    (scans / "bad" / "IM0001").write_bytes(b"no picture")
    words = ["detect", str(scans), "--many", "--model", str(quick_model), "--json"]
    status, printed, message = run(*words, "--out", str(out))
    assert status == 2
    assert "1 of 2 series failed (bad:" in message
    report = json.loads(printed)
    assert [(row["scan"], row["status"]) for row in report["scans"]] == [
        ("bad", "failed"),
        ("good", "done"),
    ]
    assert (out / "table.csv").is_file()
    shutil.rmtree(scans / "bad")
    status, printed, _ = run(*words[:-1], "--out", str(out))
    assert status == 0
    assert "good" in printed
    assert run(*words)[0] == 2  # nowhere to put what is found
    assert run(*words, "--out", str(out), "--series", "1.2")[0] == 2
