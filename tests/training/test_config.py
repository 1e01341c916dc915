"""The settings of a training run."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.brightness.normalisation import LocalZScore
from napari_spinemet.training import TrainingConfig, train
from napari_spinemet.training.config import FORMER_DEFAULTS
from napari_spinemet.training.steps import network_of


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batches_per_epoch": 0}, "batches_per_epoch"),
        ({"method": "slices"}, "method"),
        ({"form": "patch", "method": "blocks"}, "windows"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"learning_rate": math.nan}, "learning rate"),
        ({"weight_decay": -1.0}, "weight decay"),
        ({"schedule": "cosine"}, "schedule"),
        ({"precision": "float64"}, "precision"),
        ({"mistaken_share": 1.0}, "mistaken"),
        ({"looks": -1}, "looks"),
        ({"wide_zscore_sigma_mm": 0.0}, "z-score"),
        ({"case_limit": 0.5}, "limit of a case"),
        ({"case_limit": math.nan}, "limit of a case"),
        ({"optimiser": "adam"}, "optimiser"),
        ({"reference": "muscle"}, "reference"),
        ({"reference": "marrow", "outputs": 2}, "three outputs"),
        ({"reference": "marrow", "form": "patch"}, "three outputs"),
        ({"reference": "marrow", "wide_zscore_sigma_mm": 60.0}, "window"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    """Before anything is read or computed."""
    with pytest.raises(SpinemetError, match=words):
        TrainingConfig(**settings)


def test_each_form_has_its_method_and_each_method_its_rate() -> None:
    """Unless one is given; the paper's are its own."""
    assert (TrainingConfig().method, TrainingConfig().learning_rate) == ("blocks", 0.02)
    assert TrainingConfig(method="windows").learning_rate == 0.03
    assert TrainingConfig(form="patch").method == "windows"
    assert TrainingConfig(method="blocks", learning_rate=0.02).learning_rate == 0.02
    assert TrainingConfig(optimiser="adamw").learning_rate == 0.001
    paper = TrainingConfig.paper()
    assert (paper.method, paper.learning_rate) == ("windows", 0.06)


def test_runs_of_former_versions_are_recognised() -> None:
    """Each has the facts that it always had, and goes on with the settings that made it."""
    former = TrainingConfig()
    for version in FORMER_DEFAULTS:
        former = replace(former, **version)
        assert not version.keys() & former.fingerprint_facts().keys()
        assert TrainingConfig().as_begun(lambda c, former=former: c == former) == former
    assert TrainingConfig().as_begun(lambda c: False) == TrainingConfig()
    assert TrainingConfig.paper().case_limit is None


def test_a_run_that_starts_from_a_network_normalises_as_that_does(
    small_case: tuple[SagittalSeries, Annotation],
) -> None:
    """Its weights know no other pictures; what it went by is told."""
    config = TrainingConfig(
        resolutions=(1.0, 2.0), epochs=1, batches_per_epoch=1, batch_size=8, device="cpu"
    )
    other = replace(config, zscore_sigma_mm=15.0, wide_zscore_sigma_mm=50.0)
    result = train([small_case], config, start=network_of(other))
    assert result.model.normalisation == LocalZScore(15.0, wide_sigma_mm=50.0)
    assert result.config == other
    over_marrow = replace(config, reference="marrow")
    assert config.starting_from(network_of(over_marrow)) == over_marrow
