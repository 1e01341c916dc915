"""``spinemet benchmark``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.usefixtures("thin_phantoms")
def test_benchmark_times_a_model_of_ones_own(run: Run, quick_model: Path) -> None:
    """One object, with the device and a rate for each way; a wrong device is one sentence."""
    status, stdout, _ = run(
        *("benchmark", "--model", quick_model, "--device", "cpu", "--precision", "float32"),
        *("--samples", 128, "--stride", 90, "--json"),
    )
    assert status == 0
    report = json.loads(stdout)
    assert report["device"].startswith("cpu")
    assert report["measurements"][0]["name"] == "detection, dense"
    assert all(m["rate"] > 0 for m in report["measurements"])
    status, stdout, err = run("benchmark", "--model", quick_model, "--device", "abacus")
    assert (status, stdout) == (2, "")
    assert "'abacus' is not available" in err
