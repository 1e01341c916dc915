"""What the network gets wrong is found, and drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spinemet.detection import likelihood_map
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.jobs import UNATTENDED
from napari_spinemet.network import SiameseNet
from napari_spinemet.training.blocks import BlockBatches
from napari_spinemet.training.blocks.block_batches import _Target
from napari_spinemet.training.blocks.hard_negatives import MARGIN_MM, far_from_lesions
from napari_spinemet.training.sampling import LESION, VERTEBRA, SamplingRule

from ..coded_scans import MakeSeries

CPU = torch.device("cpu")
EVERYWHERE = SamplingRule("all", 0.5)
SIZE = (90, 121)
SPACING = 4


def _model(outputs: int = 3) -> SiameseNet:
    """A network that says something else at every place."""
    torch.manual_seed(3)
    model = SiameseNet(form="dense", widths=(2, 4, 4), blocks=(1, 1, 1), hidden=4, outputs=outputs)
    torch.nn.init.normal_(model.score.weight, std=3)
    return model.eval()


def _case(make_series: MakeSeries) -> tuple[SagittalSeries, Annotation]:
    """One lesion in the first of four slices; a vertebra in all."""
    lesions, vertebrae = np.zeros((4, *SIZE)), np.zeros((4, *SIZE))
    lesions[0, 30:40, 50:62] = 1
    vertebrae[:, 25:50, 45:70] = 1
    voxels = np.random.default_rng(2).normal(size=lesions.shape).cumsum(1)
    return make_series(voxels.astype(np.float32)), Annotation(lesions, vertebrae)


def _healthy(case: tuple[SagittalSeries, Annotation]) -> tuple[SagittalSeries, Annotation]:
    series, annotation = case
    return series, Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae)


def _mistakes(source: BlockBatches) -> np.ndarray:
    """Likelihoods of mistakes on each slice's lattice, ``(slice, row, column)``."""
    shape = [-(-n // SPACING) for n in SIZE]
    return source.position()["mistaken"].reshape(-1, *shape).astype(float)


@pytest.mark.parametrize("outputs", [2, 3])
def test_mistakes_are_the_likelihood_far_from_lesions(
    make_series: MakeSeries, outputs: int
) -> None:
    """On every fourth pixel that may be drawn, as the detection has it, to half of 1/255.

    A case without a lesion has its mistakes too. Near a lesion, in its slice and the next, and in
    the outer columns of the background, where nothing is drawn, there are none.
    """
    model, case = _model(outputs), _case(make_series)
    source = BlockBatches(
        [case, _healthy(case)],
        model,
        2,
        EVERYWHERE,
        hard_negative_share=0.5,
        spacing=SPACING,
        image_dtype=torch.float32,
    )
    assert source.position()["mistaken"].size == 0
    source.look(model, CPU, UNATTENDED)
    series, annotation = case
    truth = likelihood_map(series, model, columns="all").values
    rows, columns = np.indices(SIZE)
    lesion = annotation.lesions[0] > 0
    gaps = np.hypot(rows[..., None] - rows[lesion], columns[..., None] - columns[lesion]).min(
        axis=-1
    )
    central = (4 * columns >= SIZE[1]) & (4 * columns < 3 * SIZE[1])
    is_drawn = central | (annotation.vertebrae[0] > 0)
    # The last pixels have no window of their own at 2 mm.
    lattice = np.s_[:, ::SPACING, ::SPACING]
    for k, mistakes in enumerate(_mistakes(source)):
        is_near = (gaps <= MARGIN_MM) & (k in (0, 1))
        expected = np.where(is_drawn & ~is_near, truth[k % 4], 0)[None][lattice][0]
        np.testing.assert_allclose(mistakes / 255, expected, atol=0.5 / 255 + 1e-5)
    assert truth.std() > 0.05


def test_blocks_are_drawn_where_the_mistakes_are(make_series: MakeSeries) -> None:
    """A single one is in every such block, and nothing but the pixels about it has a weight."""
    model, case = _model(), _case(make_series)
    source = BlockBatches([case], model, 40, EVERYWHERE, hard_negative_share=0.999, spacing=SPACING)
    likelihoods = np.zeros((4, 23, 31), dtype=np.uint8)
    likelihoods[2, 15, 11] = 200
    source.restore({"mistaken": likelihoods.ravel()})
    batch = source.draw(np.random.default_rng(0), False)
    counts = (batch.weights > 0).reshape(40, -1).sum(axis=1)
    assert (counts == 1).all()  # the lattice of the block meets the neighbourhood once
    assert not (batch.classes[batch.weights > 0] == LESION).any()
    np.testing.assert_allclose(batch.weights.sum(), 1, rtol=1e-5)


def test_graver_mistakes_are_drawn_more_often(make_series: MakeSeries) -> None:
    """By the square of the likelihood: 240 against 120 is four blocks to one, to 0.03 of 4000."""
    model, case = _model(), _case(make_series)
    source = BlockBatches(
        [case], model, 4000, EVERYWHERE, hard_negative_share=0.999, spacing=SPACING
    )
    likelihoods = np.zeros((4, 23, 31), dtype=np.uint8)
    likelihoods[3, 9, 13], likelihoods[1, 2, 15] = 240, 120  # inside the vertebra, and above it
    source.restore({"mistaken": likelihoods.ravel()})
    batch = source.draw(np.random.default_rng(1), False)
    lone = (batch.weights > 0).reshape(4000, -1).sum(axis=1) == 1
    inside = (batch.classes[lone][batch.weights[lone] > 0] == VERTEBRA).mean()
    assert inside == pytest.approx(0.8, abs=0.03)


def test_a_share_of_the_blocks_is_of_mistakes(make_series: MakeSeries) -> None:
    """Thirty in a hundred, to five over 2000; none before the first look."""
    model, case = _model(), _case(make_series)
    source = BlockBatches([case], model, 2000, EVERYWHERE, hard_negative_share=0.3, spacing=SPACING)
    likelihoods = np.zeros((4, 23, 31), dtype=np.uint8)
    likelihoods[2, 15, 11] = 200

    def lone() -> float:
        batch = source.draw(np.random.default_rng(0), True)
        return float(((batch.weights > 0).reshape(2000, -1).sum(axis=1) == 1).mean())

    former_share = lone()
    source.restore({"mistaken": likelihoods.ravel()})
    assert lone() - former_share == pytest.approx(0.3, abs=0.05)


def test_batches_go_on_where_they_stood(make_series: MakeSeries) -> None:
    """Restored, they draw what they would have drawn."""
    model, case = _model(), _case(make_series)

    def make_source() -> BlockBatches:
        return BlockBatches([case], model, 20, EVERYWHERE, hard_negative_share=0.5, spacing=SPACING)

    source, other = make_source(), make_source()
    source.look(model, CPU, UNATTENDED)
    other.restore(source.position())
    one, two = (s.draw(np.random.default_rng(0), True) for s in (source, other))
    np.testing.assert_array_equal(one.weights, two.weights)
    fresh = make_source().draw(np.random.default_rng(0), True)
    assert not np.array_equal(one.weights, fresh.weights)


def test_no_mistake_is_drawn_near_a_lesion(make_series: MakeSeries) -> None:
    """Though what is known at a lattice's point stands for the pixels about it."""
    model, case = _model(), _case(make_series)
    source = BlockBatches(
        [case], model, 300, EVERYWHERE, hard_negative_share=0.999, spacing=SPACING
    )
    likelihoods = np.zeros((4, 23, 31), dtype=np.uint8)
    likelihoods[0] = 255
    source.restore({"mistaken": likelihoods.ravel()})
    first = source._slices[0]
    lesion = case[1].lesions[0] > 0
    rows, columns = np.indices(SIZE)
    gaps = np.hypot(rows[..., None] - rows[lesion], columns[..., None] - columns[lesion]).min(-1)
    shape = first.shape
    target = _Target(first, (0, 0), np.ones((23, 31)))
    _, weights = source._weigh(target, *np.indices(shape))
    assert weights.any()
    assert gaps[: shape[0], : shape[1]][weights > 0].min() > MARGIN_MM


def test_lesions_that_no_block_meets_are_a_sentence(make_series: MakeSeries) -> None:
    """And not an endless search: one pixel beside the lattice of a slice of one block's height."""
    lesions = np.zeros((4, 30, 100))
    lesions[0, 7, 50] = 1
    case = make_series(shape=lesions.shape), Annotation(lesions, 0 * lesions)
    source = BlockBatches([case], _model(), 20, EVERYWHERE)
    with pytest.raises(SpinemetError, match="no block meets them"):
        source.draw(np.random.default_rng(0), True)


def test_far_from_lesions_is_by_distance() -> None:
    """Pixel by pixel, in the slice of the lesion and in those on either side."""
    lesions = np.zeros((5, 40, 50), dtype=bool)
    lesions[2, 10:13, 20:25] = True
    rows, columns = np.indices((40, 50))
    at = np.argwhere(lesions[2])
    gaps = np.min([np.hypot(rows - r, columns - c) for r, c in at], axis=0)
    is_far = far_from_lesions(lesions)
    for k in range(5):
        expected = gaps > MARGIN_MM if 1 <= k <= 3 else np.ones((40, 50), dtype=bool)
        np.testing.assert_array_equal(is_far[k], expected)
