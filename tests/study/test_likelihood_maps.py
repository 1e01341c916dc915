"""Likelihood maps on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from napari_spinemet.imaging import EvaluatedRegion, LikelihoodMap
from napari_spinemet.imaging.comparison import Comparison, Evidence
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity


def _likelihood(lfp_affine: Callable[..., np.ndarray], vertebra: bool) -> LikelihoodMap:
    rng = np.random.default_rng(0)
    values = rng.random((3, 40, 44)).astype(np.float32)
    return LikelihoodMap(
        values,
        lfp_affine((3.3, 1.0, 1.0)),
        (11, 33),
        (3.3, 0.88, 0.88),
        vertebra=1 - values if vertebra else None,
        stride=2,
        model="dense:0123/abc",
        series_uid="1.2.3",
        learned_from="The model has learned from 3 scans.",
    )


@pytest.mark.parametrize("vertebra", [False, True])
def test_a_likelihood_map_comes_back_as_it_was(
    study: Study, lfp_affine: Callable[..., np.ndarray], vertebra: bool
) -> None:
    """Every field of a plain map, bit for bit; one map for each case and model."""
    likelihood, case = _likelihood(lfp_affine, vertebra), study.cases()[0]
    if vertebra:
        rows = np.arange(40)
        region = EvaluatedRegion(11 - rows // 10, 30 + rows // 13, 44, "spine")
        likelihood = replace(likelihood, region=region, columns=region.columns)
    made_by = MapIdentity.of_model(likelihood.model)
    assert study.likelihood_map(case, made_by) is None
    study.save_likelihood_map(case, made_by, likelihood)
    reread_map = study.likelihood_map(case, made_by)
    assert reread_map is not None
    for name, value in vars(likelihood).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(reread_map, name), value)
        else:
            assert getattr(reread_map, name) == value
    assert study.likelihood_map(case, MapIdentity.of_model("dense:9999")) is None
    assert study.likelihood_map(study.cases()[1], made_by) is None
    assert len(study.cases()) == 2


@pytest.mark.parametrize("reason", ["", "the marrow as a whole is unusual"])
def test_what_a_second_look_found_comes_back(
    study: Study, lfp_affine: Callable[..., np.ndarray], reason: str
) -> None:
    """Labels, evidence and reason; the likelihoods that follow are the same to the last bit."""
    labels = np.zeros((3, 40, 44), dtype=np.uint16)
    labels[1, 10:20, 15:25], labels[2, 5:9, 12:20] = 1, 2
    evidence = (Evidence(1.6, 4.25, 0.5, "L3", 1.75), Evidence(0.7, 3.0, 0.125, "", -2.5))
    comparison = Comparison(labels, evidence, reason)
    plain = replace(_likelihood(lfp_affine, True), comparison=comparison)
    case, made_by = study.cases()[0], MapIdentity.of_model(plain.model)
    study.save_likelihood_map(case, made_by, plain)
    reread_map = study.likelihood_map(case, made_by)
    assert reread_map is not None
    assert reread_map.comparison is not None
    np.testing.assert_array_equal(reread_map.comparison.labels, labels)
    assert reread_map.comparison.evidence == evidence
    assert reread_map.comparison.reason == reason
    np.testing.assert_array_equal(
        reread_map.after_second_look().values, plain.after_second_look().values
    )


def test_a_map_that_does_not_say_what_its_model_learned_from_is_read(
    study: Study, lfp_affine: Callable[..., np.ndarray]
) -> None:
    """As those of the version 0.1 are: the sentence is empty, all else as it was."""
    likelihood, case = _likelihood(lfp_affine, False), study.cases()[0]
    made_by = MapIdentity.of_model(likelihood.model)
    study.save_likelihood_map(case, made_by, likelihood)
    (path,) = (study.path / "likelihood").rglob("*.npz")
    with np.load(path) as arrays:
        older = {name: arrays[name] for name in arrays if name != "learned_from"}
    np.savez_compressed(path, **older)
    reread_map = study.likelihood_map(case, made_by)
    assert reread_map is not None
    assert (reread_map.learned_from, reread_map.model) == ("", likelihood.model)
    np.testing.assert_array_equal(reread_map.values, likelihood.values)


def test_an_aggregated_map_is_not_stored_as_a_plain_one(
    study: Study, lfp_affine: Callable[..., np.ndarray]
) -> None:
    """Else it would be aggregated twice later."""
    plain = _likelihood(lfp_affine, False)
    aggregated_map = LikelihoodMap(
        plain.values, plain.affine, plain.columns, plain.series_spacing_mm, weight=0.4
    )
    with pytest.raises(ValueError, match="aggregated"):
        study.save_likelihood_map(study.cases()[0], MapIdentity.of_model("m"), aggregated_map)


def test_a_damaged_likelihood_map_counts_as_none(
    study: Study, lfp_affine: Callable[..., np.ndarray]
) -> None:
    """Cut short, emptied, another format, or with bytes changed anywhere: it is made again."""
    case, likelihood = study.cases()[0], _likelihood(lfp_affine, True)
    made_by = MapIdentity.of_model(likelihood.model)
    study.save_likelihood_map(case, made_by, likelihood)
    (path,) = (study.path / "likelihood").rglob("*.npz")
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        assert study.likelihood_map(case, made_by) is None
    with path.open("wb") as stream:
        np.save(stream, likelihood.values)
    assert study.likelihood_map(case, made_by) is None
    with path.open("wb") as stream:
        np.savez(stream, values=np.full((1, 2, 2), 7.0), affine=np.eye(4))
    assert study.likelihood_map(case, made_by) is None
    rng = np.random.default_rng(1)
    for _ in range(200):
        altered_bytes = bytearray(whole)
        # The directory of names at the end is short; it gets half of the hits.
        start = rng.choice((0, len(whole) - 900))
        altered_bytes[int(rng.integers(start, len(whole)))] ^= int(rng.integers(1, 256))
        path.write_bytes(altered_bytes)
        reread_map = study.likelihood_map(case, made_by)
        assert reread_map is None or np.array_equal(reread_map.values, likelihood.values)
