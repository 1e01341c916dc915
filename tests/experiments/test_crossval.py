"""Folds by case: no case in two subsets, no map by a network that saw the case."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation.baselines import blob_map, intensity_map
from napari_spinemet.experiments import cross_validate, split_folds
from napari_spinemet.experiments import crossval as module
from napari_spinemet.phantom import make_case
from napari_spinemet.training import TrainingConfig


def test_26_cases_in_10_folds() -> None:
    """Six folds of 3 and four of 2; three quarters of the rest train; each case tests once."""
    folds = split_folds(26, 10, seed=3)
    assert sorted(len(f.test) for f in folds) == [2] * 4 + [3] * 6
    assert sorted(k for f in folds for k in f.test) == list(range(26))
    for fold in folds:
        rest = 26 - len(fold.test)
        assert len(fold.training) == round(0.75 * rest)
        parts = [set(fold.training), set(fold.validation), set(fold.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 26
    assert folds == split_folds(26, 10, seed=3)
    assert folds != split_folds(26, 10, seed=4)


def test_more_folds_than_cases_is_refused() -> None:
    """A fold without a case makes no sense."""
    with pytest.raises(SpinemetError, match="folds"):
        split_folds(3, 10)


def test_out_of_fold_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case's map is made by the network of the fold that left it out."""
    cases = [make_case((12, k)) for k in range(4)]
    pairs = [(c.series, c.annotation) for c in cases]
    trained: list[set[int]] = []
    mapped: list[tuple[int, int]] = []
    index_of = {id(c.series): k for k, c in enumerate(cases)}
    real_train, real_map = module.train, module.likelihood_map

    def train(training, config, *, validation, **options):
        trained.append({index_of[id(s)] for s, _ in [*training, *validation]})
        return real_train(training, config, validation=validation, **options)

    def likelihood_map(series, model, **options):
        mapped.append((index_of[id(series)], len(trained) - 1))
        return real_map(series, model, stride=40, **options)

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "likelihood_map", likelihood_map)
    config = TrainingConfig(
        epochs=1, batches_per_epoch=1, method="blocks", batch_size=8, resolutions=(1.0,)
    )
    result = cross_validate(pairs, config, folds=2)
    assert len(result.results) == 2
    assert len(result.cases) == 4
    assert sorted(k for k, _ in mapped) == [0, 1, 2, 3]
    for case, fold in mapped:
        assert case not in trained[fold]
    for case, (_, annotation) in zip(result.cases, pairs, strict=True):
        assert case.sequences[0][1] is annotation


def test_baselines_are_maps_of_the_right_kind() -> None:
    """Brighter is likelier for the one; the other looks inside the true vertebrae only."""
    case = make_case((12, 0))
    bright = intensity_map(case.series)
    blobs = blob_map(case.series, case.annotation)
    first, last = bright.columns
    inside = bright.values[:, :, first:last]
    # Ranks of the whole series: the central half is brighter than its dark margins.
    assert 0 <= inside.min() < 0.1
    assert inside.max() > 0.99
    from napari_spinemet.imaging.grids import resample_labels

    vertebrae = resample_labels(case.annotation.vertebrae, case.series.spacing_mm[1:]) > 0
    assert not blobs.values[~vertebrae].any()
    assert np.unique(blobs.values[vertebrae]).size > 100
