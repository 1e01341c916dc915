"""What a checkpoint holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from napari_spinemet.training import train
from napari_spinemet.training.checkpoint import fingerprint_of

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


def test_a_fingerprint_is_of_all_that_a_run_depends_on(small_case: Case) -> None:
    """Settings, voxels, position, both layers of contours, the start, and who is learned from."""
    series, annotation = small_case
    start = {"weight": torch.zeros(2)}
    voxels, affine = series.voxels.copy(), series.affine.copy()
    voxels[0, 0, 0] += 1
    affine[0, 3] += 1
    lesions, vertebrae = annotation.lesions.copy(), annotation.vertebrae.copy()
    lesions[0, 0, 0] = vertebrae[0, 0, 0] = 7
    fingerprints = [
        fingerprint_of({"rate": 1}, [small_case], start=start),
        fingerprint_of({"rate": 2}, [small_case], start=start),
        fingerprint_of({"rate": 1}, [small_case], start={"weight": torch.ones(2)}),
        fingerprint_of({"rate": 1}, [small_case]),
        fingerprint_of({"rate": 1}, [small_case, small_case], start=start),
        fingerprint_of({"rate": 1}, [], [small_case], start=start),
        *(
            fingerprint_of({"rate": 1}, [case], start=start)
            for case in (
                (replace(series, voxels=voxels), annotation),
                (replace(series, affine=affine), annotation),
                (series, replace(annotation, lesions=lesions)),
                (series, replace(annotation, vertebrae=vertebrae)),
            )
        ),
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    assert fingerprint_of({"rate": 1}, [small_case], start=start) == fingerprints[0]
