"""Every comparison of the paper has its networks, and they compare."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

import numpy as np
import pytest

from napari_spinemet.detection.map_settings import MapSettings
from napari_spinemet.experiments.reproduction import plan as plans
from napari_spinemet.experiments.reproduction.plan import (
    AGAIN_SUFFIX,
    BUDGETS,
    DEFAULT_POINT,
    MAIN,
    PATCH,
    SINGLE,
    SYSTEMS,
)
from napari_spinemet.imaging import OperatingPoint
from napari_spinemet.training import TrainingConfig

SYSTEM_OF = {system.key: system for system in SYSTEMS}
THREE_REDUCED = {
    "form": "dense",
    "resolutions": (0.5, 1.0, 2.0),
    "blocks": (1, 2, 2),
    "outputs": 3,
    "patch_shape": (79, 55),
    "zscore_sigma_mm": 20.0,
    "wide_zscore_sigma_mm": None,
    "reference": None,
    "normal_slices": "all",
    "vertebra_share": 0.5,
    "background": "all",
    "mistaken_share": 0.3,
    "looks": 2,
    "epochs": 6,
    "batches_per_epoch": 100,
    "method": "blocks",
    "batch_size": 128,
    "samples_per_block": 8,
    "optimiser": "sgd",
    "learning_rate": 0.02,
    "schedule": "one-cycle",
    "momentum": 0.9,
    "weight_decay": 0.001,
    "clip_norm": 2.0,
    "flips": True,
    "variation": 1.0,
    "recoloured_share": 0.5,
    "case_limit": 3.0,
    "patience": None,
    "seed": 0,
    "precision": "float32",
    "device": "auto",
}
"""The third revision: whoever changes a value here makes a fourth."""


def test_pieces_of_unlike_processors_compare() -> None:
    """No network is trained in whatever precision its machine is fast at."""
    for budget, system in product(BUDGETS.values(), SYSTEMS):
        assert budget.config(system).precision == "float32"


def test_every_comparison_of_the_paper_has_its_networks() -> None:
    """Forms, resolutions, patches and blocks as asked for."""
    by_key = {key: BUDGETS["reduced"].config(system) for key, system in SYSTEM_OF.items()}
    assert by_key[MAIN].resolutions == (0.5, 1.0, 2.0)
    assert by_key[SINGLE].resolutions == (1.0,)
    assert by_key["quarter"].resolutions == (0.25, 1.0, 1.25)
    assert by_key["half"].resolutions == (0.5, 1.0, 1.5)
    assert by_key["blocks-111"].blocks == (1, 1, 1)
    assert (by_key[PATCH].form, by_key[PATCH].outputs) == ("patch", 2)
    assert by_key["one-small"].patch_shape < by_key[SINGLE].patch_shape
    assert by_key["one-large"].patch_shape > by_key[SINGLE].patch_shape
    assert by_key["zscore-slice"].zscore_sigma_mm > 1000
    for budget in BUDGETS.values():
        assert budget.patch_cases <= budget.cases
    assert BUDGETS["full"].folds == 10
    assert BUDGETS["full"].patch_stride == 1
    # lambda is half of it: the paper tries 0.001, 0.01 and 0.1.
    assert set(np.array([0.001, 0.01, 0.1]) * 2) <= set(BUDGETS["full"].weight_decays)


def test_lambda_is_chosen_for_both_trainings_of_three_and_of_one() -> None:
    """Among the same values, and for no other network."""
    chosen = {MAIN, SINGLE, MAIN + AGAIN_SUFFIX, SINGLE + AGAIN_SUFFIX}
    for budget, system in product(BUDGETS.values(), SYSTEMS):
        expected = budget.weight_decays if system.key in chosen else ()
        assert budget.decays(system) == expected


def test_the_second_training_has_other_seeds_in_every_fold_and_nothing_else() -> None:
    """Whatever the seed of the run is: no network of one has a seed of the other."""
    for budget, key, seed in product(BUDGETS.values(), (MAIN, SINGLE), (0, 7)):
        first = budget.config(SYSTEM_OF[key], seed=seed)
        second = budget.config(SYSTEM_OF[key + AGAIN_SUFFIX], seed=seed)
        seeds = [{config.seed + fold for fold in range(budget.folds)} for config in (first, second)]
        assert seeds[0] == set(range(seed, seed + budget.folds))
        assert not seeds[0] & seeds[1]
        assert {**second.to_dict(), "seed": seed} == first.to_dict()


def test_the_settings_of_this_revision() -> None:
    """Of training, cohort, maps and points: figures of one revision rest on one set of them."""
    reduced = BUDGETS["reduced"]
    three = reduced.config(SYSTEM_OF[MAIN]).to_dict()
    assert three == THREE_REDUCED
    one = reduced.config(SYSTEM_OF[SINGLE]).to_dict()
    assert one == {**THREE_REDUCED, "resolutions": (1.0,)}
    patch = reduced.config(SYSTEM_OF[PATCH])
    assert (patch.method, patch.learning_rate) == ("windows", 0.03)
    assert reduced.cohort.facts() == {
        "cases": 26,
        "normals": 0,
        "seed": 2017,
        "variety": "evaluation",
        "generator": 3,
        "burden": "localised",
    }
    assert OperatingPoint(0.6, 1.0, 0.6, gate=True) == DEFAULT_POINT
    # Cross-validation leaves this to its default.
    assert MapSettings().columns == "spine"


def test_no_default_of_a_training_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting is given, so that another default moves no figure."""
    given: list[set[str]] = []

    def note(**settings: object) -> None:
        given.append(set(settings))

    monkeypatch.setattr(plans, "TrainingConfig", note)
    for budget, system in product(BUDGETS.values(), SYSTEMS):
        budget.config(system)
    assert len(given) == len(BUDGETS) * len(SYSTEMS)
    for names in given:
        assert names == {field.name for field in fields(TrainingConfig)}
