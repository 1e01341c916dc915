"""A study that version 0.1 left, with work that was cut short, goes on with this version.

What it is and what it must give was written by that version; see the README beside it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.network import load_card, load_model
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.training import TrainingConfig
from napari_spinemet.workflows.cross_validation import CrossValidationPlan
from napari_spinemet.workflows.cross_validation.study import cross_validate_study
from napari_spinemet.workflows.study_training import StudyTraining, train_study
from napari_spinemet.workflows.worker_settings import WorkerSettings

FIXTURE = Path(__file__).parents[1] / "fixtures" / "version-0.1"
FACTS: dict[str, Any] = json.loads((FIXTURE / "facts.json").read_text(encoding="utf-8"))
TOLERANCE = 1e-6
"""Of the sum of a tensor's magnitudes. The same processor gives the same bits; others (AVX-512,
AVX2, SSE 4.1, none of these) were up to 1e-7 away."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(FIXTURE / "study", tmp_path / "study"))


@pytest.fixture
def study(folder: Path) -> Iterator[Study]:
    """The copy, open for writing."""
    study_copy = Study(folder, write=True)
    yield study_copy
    study_copy.close()


@pytest.fixture
def config() -> TrainingConfig:
    """What its networks were trained with."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in FACTS["config"].items()}
    return TrainingConfig(**values)


def sha256(array: npt.NDArray[Any]) -> str:
    """Hash of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_it_opens_and_verifies(study: Study) -> None:
    """States, the default model and the trail to its last entry; nothing had to be recovered."""
    assert study.read_only_reason == study.recovery_message == ""
    assert study.verify() == []
    assert {case.name: str(state) for case, state in study.states()} == FACTS["states"]
    assert study.default_model == FACTS["default_model"]
    assert study.database is not None
    last = study.database.audit()[FACTS["audit_entries"] - 1]
    assert f"{last.number} entries, the last with the hash {last.chain}" == FACTS["trail_end"]


def test_it_is_read_without_being_changed(folder: Path) -> None:
    """Opened for reading; then the trail ends where version 0.1 ended it."""
    content = (folder / "study.sqlite").read_bytes()
    study = Study(folder)
    assert study.database is not None
    assert study.database.trail_end == FACTS["trail_end"]
    assert study.database.revision == FACTS["audit_entries"]
    assert study.verify() == FACTS["verify"] == []
    study.close()
    assert (folder / "study.sqlite").read_bytes() == content


def test_contours_of_both_readers_are_the_same(study: Study) -> None:
    """Pixel for pixel, with the levels."""
    case = study.case("case-001")
    series = case.series()
    own, second = case.annotation(series), case.annotation(series, "second")
    assert case.readers() == FACTS["readers"]
    assert sha256(own.lesions) == FACTS["lesions"]
    assert sha256(own.vertebrae) == FACTS["vertebrae"]
    assert sha256(second.lesions) == FACTS["second_lesions"]
    assert {str(label): level for label, level in own.levels.items()} == FACTS["levels"]


def test_results_are_the_same(study: Study) -> None:
    """Runs with their settings, verdicts where they were given, and the likelihood map."""
    case = study.case("case-001")
    assert study.database is not None
    rows = study.database.results
    runs = [[run.number, run.model, dict(run.settings)] for run in rows.runs(case.name)]
    assert runs == FACTS["runs"]
    verdicts = [[v.verdict, list(v.centre_mm)] for v in rows.verdicts(case.name)]
    assert verdicts == FACTS["verdicts"]
    assert [identity.folder for identity in study.map_identities()] == FACTS["likelihood_sets"]
    likelihood = study.likelihood_map(case, MapIdentity.of_model(FACTS["model_identity"], "centre"))
    assert likelihood is not None
    assert sha256(likelihood.values) == FACTS["likelihood"]


def test_its_model_loads_with_its_card(study: Study) -> None:
    """The weights are those of the card, which reads and writes as it did."""
    (path,) = study.model_files()
    model, card = load_model(path), load_card(path)
    assert card.identity == FACTS["model_identity"]
    assert card.sha256 == FACTS["model_sha256"]
    assert json.loads(card.to_json()) == FACTS["model_card"]
    assert model.resolutions == tuple(FACTS["config"]["resolutions"])


def test_the_training_that_was_cut_goes_on(folder: Path, config: TrainingConfig) -> None:
    """To the weights that it would have come to without the cut."""
    path, card = train_study(StudyTraining(folder, name="interrupted", resume=True), config)
    weights = load_model(path).state_dict()
    expected_sums: dict[str, float] = FACTS["resumed_weight_sums"]
    assert weights.keys() == expected_sums.keys()
    for name, tensor in weights.items():
        values = tensor.double()
        difference = abs(values.sum().item() - expected_sums[name])
        assert difference <= TOLERANCE * values.abs().sum().item(), name
    assert len(card.metrics["history"]) == FACTS["config"]["epochs"]
    assert not (folder / "models" / "unfinished").exists()


def test_the_cross_validation_that_was_cut_goes_on(folder: Path, config: TrainingConfig) -> None:
    """Its first fold is not trained again; it comes to the report of the one that was not cut."""
    facts = FACTS["crossval"]
    first_fold = folder / "crossval" / "cut" / "fold-01-decay-0.001.safetensors"
    weights = first_fold.read_bytes()
    report, _ = cross_validate_study(
        folder,
        config,
        CrossValidationPlan(folds=facts["folds"], seed=facts["seed"]),
        name="cut",
        workers=WorkerSettings(threads=facts["threads"]),
    )
    assert first_fold.read_bytes() == weights
    whole = json.loads((folder / "crossval" / "whole" / "report.json").read_text())
    assert report["operating_point"] == FACTS["crossval_points"] == whole["operating_point"]
    assert report["folds"] == whole["folds"]
    study = Study(folder)
    for case in study.cases():
        own, other = (
            study.likelihood_map(case, MapIdentity.of_cross_validation(name))
            for name in ("cut", "whole")
        )
        assert own is not None
        assert other is not None
        np.testing.assert_allclose(own.values, other.values, atol=1e-4)
    study.close()


def test_the_screen_is_as_it_was_left(folder: Path) -> None:
    """Case, slice, tab and operating point."""
    from napari_spinemet.gui.view_state import FILE, ViewState

    state = ViewState.read_from(folder / FILE)
    assert state is not None
    assert (state.case, state.slice, state.tab) == ("case-001", 1, "Review")
    assert state.point == OperatingPoint(0.3, 0.05, 0.5, False)
    assert (state.refined, state.distance_mm) == (False, 20.0)
