"""What another process is asked to do: through JSON, and back to the same values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.jobs import JobContext
from napari_spinemet.network import ModelCard
from napari_spinemet.training import TrainingConfig
from napari_spinemet.workflows import worker_entry
from napari_spinemet.workflows.cross_validation.run import CrossValidationPlan
from napari_spinemet.workflows.study_training import StudyTraining
from napari_spinemet.workflows.worker_settings import WorkerSettings

CONFIG = TrainingConfig(
    resolutions=(1, 2.5), blocks=(1, 1), patch_shape=(33, 21), learning_rate=0.1 + 0.2, seed=3
)
"""With tuples, None, and a figure of seventeen digits."""


def through_json(values: Any) -> Any:
    """What arrives in the other process."""
    return json.loads(json.dumps(values))


def test_a_training_arrives_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings equal, tuples included; path and card come back."""
    card = ModelCard("m", {"a": (1,)}, OperatingPoint(0.3, 2.0, None, False), metrics={"x": 0.1})
    calls: list[tuple[StudyTraining, TrainingConfig, JobContext]] = []

    def train_study(
        training: StudyTraining, config: TrainingConfig, *, job: JobContext
    ) -> tuple[Path, ModelCard]:
        calls.append((training, config, job))
        return Path("/models/m.safetensors"), card

    monkeypatch.setattr(worker_entry, "train_study", train_study)
    arguments = {
        "study": "/study",
        "config": CONFIG.to_dict(),
        "name": "m",
        "only_cases": ["a", "b"],
        "weight_decays": [0.001, 0.01],
        "minutes": 1.5,
        "resume": True,
    }
    job = JobContext()
    answer = through_json(worker_entry.train_study_job(**through_json(arguments), job=job))
    assert calls == [
        (
            StudyTraining(
                Path("/study"),
                "m",
                only_cases=("a", "b"),
                weight_decays=(0.001, 0.01),
                minutes=1.5,
                resume=True,
            ),
            CONFIG,
            job,
        )
    ]
    assert repr(calls[0][1]) == repr(CONFIG)
    assert answer["path"] == "/models/m.safetensors"
    read_card = ModelCard.from_json(answer["card"])
    assert read_card.to_json() == card.to_json()
    assert read_card.operating_point == card.operating_point


def test_a_cross_validation_arrives_as_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its report alone comes back."""
    calls: list[tuple[Any, ...]] = []

    def cross_validate_study(
        study: str, config: TrainingConfig, plan: CrossValidationPlan, **options: Any
    ) -> tuple[dict[str, Any], None]:
        calls.append((study, config, plan, options))
        return {"folds": []}, None

    monkeypatch.setattr(worker_entry, "cross_validate_study", cross_validate_study)
    arguments = {
        "study": "/study",
        "config": CONFIG.to_dict(),
        "name": "cv",
        "folds": 3,
        "only_cases": ["a"],
        "weight_decays": [0.01],
        "scheduler": "local",
        "threads": 1,
    }
    job = JobContext()
    report = worker_entry.cross_validate_study_job(**through_json(arguments), job=job)
    assert report == {"folds": []}
    study, config, plan, options = calls[0]
    assert (study, config) == ("/study", CONFIG)
    assert plan == CrossValidationPlan(folds=3, weight_decays=(0.01,))
    assert options == {
        "name": "cv",
        "only_cases": ["a"],
        "workers": WorkerSettings("local", None, 1),
        "job": job,
    }
