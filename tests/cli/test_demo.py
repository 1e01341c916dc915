"""``spinemet demo`` without a window."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


def test_headless_demo_writes_pictures_and_a_report(run: Run, tmp_path: Path) -> None:
    """The demo detects on both sample cases with the shipped model and compares with truth."""
    status, _, stderr = run("demo", "--headless", "--out", tmp_path / "demo")
    assert status == 0
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert [c["case"] for c in report["cases"]] == ["case-001", "normal-001"]
    assert report["cases"][0]["findings"]
    assert "Research use only" in report["notice"]
    for name in ("case-001.png", "normal-001.png", "froc.png"):
        assert (tmp_path / "demo" / name).read_bytes()[:4] == b"\x89PNG"
    assert "Research use only" in stderr
