"""What a person has said to be no lesion is drawn by itself, however little it is."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.network import SiameseNet
from napari_spinemet.training.blocks import BlockBatches
from napari_spinemet.training.blocks import block_batches as blocks
from napari_spinemet.training.checkpoint import fingerprint_of
from napari_spinemet.training.sampling import LESION, SamplingRule

from ..coded_scans import TINY, MakeSeries

EVERYWHERE = SamplingRule("all", 0.5)
SIZE = (90, 121)
Case = tuple[SagittalSeries, Annotation]


def _cases(make_series: MakeSeries, count: int) -> list[Case]:
    """A lesion in the first of four slices, and in the last a mimic of 36 pixels, far from it."""
    lesions, vertebrae = np.zeros((4, *SIZE)), np.zeros((4, *SIZE))
    lesions[0, 30:40, 50:62] = 1
    vertebrae[:, 25:50, 45:70] = 1
    mimics = np.zeros((4, *SIZE), dtype=bool)
    mimics[3, 60:66, 50:56] = True
    annotation = Annotation(lesions, vertebrae, mimics=mimics)
    series = make_series(np.random.default_rng(2).normal(size=lesions.shape).astype(np.float32))
    return [(series, annotation)] * count


def _without(cases: list[Case]) -> list[Case]:
    return [(series, replace(annotation, mimics=None)) for series, annotation in cases]


def _batches(cases: list[Case], size: int, hard_share: float = 0.0) -> BlockBatches:
    model = SiameseNet(form="dense", **TINY)  # type: ignore[arg-type]
    return BlockBatches(cases, model, size, EVERYWHERE, hard_negative_share=hard_share, spacing=4)


@pytest.mark.parametrize(("cases", "share"), [(1, 0.01), (10, 0.1), (40, 0.15)])
def test_so_many_blocks_are_drawn_at_mimics(
    make_series: MakeSeries, monkeypatch: pytest.MonkeyPatch, cases: int, share: float
) -> None:
    """One in a hundred for each case that has one, fifteen at most; to a fifth of them."""
    drawn: list[bool] = []
    draw_target = BlockBatches._draw_target

    def watch(self: BlockBatches, rng: np.random.Generator) -> object:
        target = draw_target(self, rng)
        drawn.append(target.is_mimic)
        return target

    monkeypatch.setattr(BlockBatches, "_draw_target", watch)
    _batches(_cases(make_series, cases), 4000).draw(np.random.default_rng(0), True)
    assert np.mean(drawn) == pytest.approx(share, rel=0.25)


def test_such_a_block_weighs_the_mimic_and_nothing_else(
    make_series: MakeSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pixel with a weight is one of the mimic, and none is a lesion."""
    monkeypatch.setattr(blocks, "MIMIC_SHARE", 1 - 1e-9)
    monkeypatch.setattr(blocks, "MIMIC_SHARE_OF_CASE", 1 - 1e-9)
    source = _batches(_cases(make_series, 1), 200)
    batch = source.draw(np.random.default_rng(1), False)
    counts = (batch.weights > 0).reshape(200, -1).sum(axis=1)
    assert counts.min() >= 1
    assert counts.max() <= 4  # of six by six pixels every fourth one
    assert not (batch.classes[batch.weights > 0] == LESION).any()


@pytest.mark.parametrize("hard_share", [0.0, 0.3])
def test_half_of_all_other_blocks_stay_lesion(
    make_series: MakeSeries, monkeypatch: pytest.MonkeyPatch, hard_share: float
) -> None:
    """Mimics take from lesions and normal locations alike, mistakes from these; to 3 in 100."""
    drawn_at_lesions: list[bool] = []
    draw_target = BlockBatches._draw_target

    def watch(self: BlockBatches, rng: np.random.Generator) -> object:
        target = draw_target(self, rng)
        is_lesion = target.source.classes[target.pixel] == LESION
        drawn_at_lesions.append(bool(is_lesion))
        return target

    monkeypatch.setattr(BlockBatches, "_draw_target", watch)
    source = _batches(_cases(make_series, 20), 4000, hard_share)
    if hard_share:
        likelihoods = np.zeros((20, 4, 23, 31), dtype=np.uint8)
        likelihoods[:, 2, 15, 11] = 200
        source.restore({"mistaken": likelihoods.ravel()})
    source.draw(np.random.default_rng(2), False)
    assert np.mean(drawn_at_lesions) == pytest.approx(0.5 * (1 - blocks.MIMIC_SHARE), abs=0.03)


def test_a_small_place_is_drawn_as_often_as_a_large_one(
    make_series: MakeSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty-six pixels beside a bladder of a thousand: half of such blocks each, to a tenth."""
    monkeypatch.setattr(blocks, "MIMIC_SHARE", 1 - 1e-9)
    monkeypatch.setattr(blocks, "MIMIC_SHARE_OF_CASE", 1 - 1e-9)
    ((series, annotation),) = _cases(make_series, 1)
    mimics = annotation.mimics.copy()
    mimics[1:3, 62:88, 60:80] = True
    source = _batches([(series, replace(annotation, mimics=mimics))], 1)
    rng = np.random.default_rng(3)
    targets = [source._draw_target(rng) for _ in range(1000)]
    is_small = [target.source.position == 3 for target in targets]
    assert np.mean(is_small) == pytest.approx(0.5, abs=0.05)
    assert all(target.source.mimics[target.pixel] > 0 for target in targets)


def test_without_mimics_no_random_number_is_drawn_for_them(make_series: MakeSeries) -> None:
    """So that runs of former versions go on as they were begun."""
    for cases, is_drawn in (
        (_cases(make_series, 2), True),
        (_without(_cases(make_series, 2)), False),
    ):
        rng = Mock(wraps=np.random.default_rng(4))
        _batches(cases, 1)._draw_target(rng)
        assert rng.random.called == is_drawn


def test_another_run_is_recognised_by_its_mimics(make_series: MakeSeries) -> None:
    """A training that was cut short does not go on with other mimics."""
    cases = _cases(make_series, 1)
    assert fingerprint_of({}, cases) != fingerprint_of({}, _without(cases))


def test_mimics_lie_on_the_grid_of_the_series() -> None:
    """Another shape is refused."""
    empty = np.zeros((2, 4, 4))
    with pytest.raises(SpinemetError, match="Mimics"):
        Annotation(empty, empty, mimics=np.zeros((2, 4, 5), dtype=bool))
