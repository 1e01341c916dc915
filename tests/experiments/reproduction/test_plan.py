"""Every comparison of the paper has its networks, and they compare."""

from __future__ import annotations

from itertools import product

import numpy as np

from napari_spinemet.experiments.reproduction.plan import BUDGETS, MAIN, PATCH, SINGLE, SYSTEMS


def test_pieces_of_unlike_processors_compare() -> None:
    """No network is trained in whatever precision its machine is fast at."""
    for budget, system in product(BUDGETS.values(), SYSTEMS):
        assert budget.config(system).precision == "float32"


def test_every_comparison_of_the_paper_has_its_networks() -> None:
    """Forms, resolutions, patches and blocks as asked for; lambda is chosen for the main one."""
    by_key = {system.key: BUDGETS["reduced"].config(system) for system in SYSTEMS}
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
        for system in SYSTEMS:
            assert (len(budget.decays(system)) > 1) == (system.key in (MAIN, SINGLE))
        assert budget.patch_cases <= budget.cases
    assert BUDGETS["full"].folds == 10
    assert BUDGETS["full"].patch_stride == 1
    # lambda is half of it: the paper tries 0.001, 0.01 and 0.1.
    assert set(np.array([0.001, 0.01, 0.1]) * 2) <= set(BUDGETS["full"].weight_decays)
