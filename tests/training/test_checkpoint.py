"""What a checkpoint holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from napari_spinemet.training import train

from .quick_runs import Case, quick_config


@pytest.mark.parametrize(("method", "position"), [("blocks", "mistaken"), ("windows", "left")])
def test_names_in_a_checkpoint_stay(
    small_case: Case, tmp_path: Path, method: str, position: str
) -> None:
    """Those that runs of earlier versions have written, or these could not be gone on with."""
    path = tmp_path / "run.state"
    train([small_case], quick_config(method=method, batches_per_epoch=1), state=path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["napari-spinemet training"])
        names = set(file.keys())
    assert set(header) == {"standing", "fingerprint", "states"}
    assert set(header["states"]) == {"groups", "rng"}
    assert set(header["standing"]) == {
        "epoch",
        "batch",
        "losses",
        "history",
        "best_score",
        "best_epoch",
        "epochs",
        "progress",
        "length",
        "looks",
        "seconds",
    }
    assert {"generator", f"batches.{position}"} <= names
    assert {name.split(".")[0] for name in names} == {
        "model",
        "best",
        "optimiser",
        "generator",
        "batches",
    }
