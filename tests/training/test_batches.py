"""Batches say the truth: each score stands beside the label of its own place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.patches import LocalZScore, build_pyramid
from napari_spinemet.network import SiameseNet
from napari_spinemet.training.batches import WindowBatches
from napari_spinemet.training.blocks import BlockBatch, BlockBatches, lattice_spacing
from napari_spinemet.training.sampling import LESION, NORMAL, VERTEBRA, draw_samples

MakeSeries = Callable[..., SagittalSeries]
CPU = torch.device("cpu")
TINY = {"widths": (2, 4, 4), "blocks": (1, 1, 1), "hidden": 4}
RESOLUTIONS = [(0.5, 1.0, 2.0), (0.25, 1.0, 1.25), (0.5, 1.0, 1.5)]


class Raw(LocalZScore):
    """No normalisation at all, so that an image can carry a code."""

    def __call__(self, images: np.ndarray, resolution_mm: float) -> np.ndarray:
        """The image as it is."""
        return images


def _annotation(rows: int, columns: int) -> Annotation:
    """A lesion in a vertebra, off the middle, in slice 1 of 3; another kind in slice 2."""
    lesions, vertebrae = np.zeros((3, rows, columns)), np.zeros((3, rows, columns))
    vertebrae[:, rows // 5 : rows // 5 + 26, columns // 3 : columns // 3 + 20] = 1
    lesions[1, rows // 5 + 3 : rows // 5 + 17, columns // 3 + 2 : columns // 3 + 13] = 1
    lesions[2, rows // 5 + 8 : rows // 5 + 14, columns // 3 + 4 : columns // 3 + 22] = 2
    return Annotation(lesions, vertebrae)


def _expected(annotation: Annotation, k: int) -> np.ndarray:
    """Class of each pixel of a slice, -1 where none may be drawn; 1 mm pixels."""
    lesion, body = annotation.lesions[k] > 0, annotation.vertebrae[k] > 0
    column = np.arange(lesion.shape[1])[None, :]
    central = (4 * column >= lesion.shape[1]) & (4 * column < 3 * lesion.shape[1])
    return np.where(lesion, LESION, np.where(body, VERTEBRA, np.where(central, NORMAL, -1)))


def _coded(make_series: MakeSeries, annotation: Annotation) -> SagittalSeries:
    """Each voxel says where it is: 90 000 slice + 300 row + column."""
    k, row, column = np.indices(annotation.lesions.shape)
    return make_series(90_000.0 * k + 300.0 * row + column)


def _centres(model: SiameseNet, batch: BlockBatch, resolution: float, step: int) -> np.ndarray:
    """What lies in the middle of each scored pixel's window: ``(block, row, column)``."""
    images = batch.images[model.resolutions.index(resolution)].numpy()
    height, width = (side // 2 for side in model.window)
    return images[:, height:-height:step, width:-width:step]


def _codes(model: SiameseNet, batch: BlockBatch, spacing: int = 4) -> np.ndarray:
    """The codes of the scored pixels."""
    return np.rint(_centres(model, batch, 1.0, spacing)).astype(int)


@pytest.mark.parametrize("resolutions", RESOLUTIONS)
@pytest.mark.parametrize("flips", [False, True])
@pytest.mark.parametrize("size", [(75, 83), (64, 64), (41, 25)])
@pytest.mark.parametrize("spacing", [1, 3, 4])
def test_each_pixel_of_a_block_has_the_label_of_its_place(
    make_series: MakeSeries,
    resolutions: tuple[float, ...],
    flips: bool,
    size: tuple[int, int],
    spacing: int,
) -> None:
    """The voxel in the middle of a pixel's window says where it is, and so its label."""
    annotation = _annotation(*size)
    model = SiameseNet(resolutions, "dense", normalisation=Raw(), **TINY)  # type: ignore[arg-type]
    cases = [(_coded(make_series, annotation), annotation)]
    source = BlockBatches(cases, model, 6, spacing=spacing, kept=torch.float32)
    rng = np.random.default_rng(0)
    mirrored = set()
    for _ in range(8):
        batch = source.draw(rng, flips)
        codes = _codes(model, batch, spacing)
        assert codes.shape == batch.classes.shape
        k, row, column = codes // 90_000, codes % 90_000 // 300, codes % 300
        for block in range(6):
            truth = _expected(annotation, int(k[block, 0, 0]))
            np.testing.assert_array_equal(batch.classes[block], truth[row[block], column[block]])
            mirrored.add(
                (row[block, 1, 0] < row[block, 0, 0], column[block, 0, 1] < column[block, 0, 0])
            )
    assert len(mirrored) == (4 if flips else 1)


@pytest.mark.parametrize("flips", [False, True])
def test_flips_are_alike_on_all_resolutions(make_series: MakeSeries, flips: bool) -> None:
    """In the middle of a pixel's windows lies the same voxel; at 2 mm at most its neighbour."""
    annotation = _annotation(75, 83)
    model = SiameseNet(form="dense", normalisation=Raw(), **TINY)  # type: ignore[arg-type]
    rows, columns = np.indices((75, 83))
    for ramp in (rows, columns):
        series = make_series(np.broadcast_to(ramp, (3, 75, 83)))
        source = BlockBatches([(series, annotation)], model, 6, spacing=4, kept=torch.float32)
        rng = np.random.default_rng(1)
        for _ in range(4):
            batch = source.draw(rng, flips)
            fine, middle, coarse = (
                _centres(model, batch, mm, step) for mm, step in zip(model.resolutions, (8, 4, 2))
            )
            np.testing.assert_allclose(fine, middle, atol=1e-3)
            inside = (middle > 4) & (middle < ramp.max() - 4)  # smoothing bends the ends
            assert np.abs(coarse - middle)[inside].max() <= 1 + 1e-3


@pytest.mark.parametrize("resolutions", RESOLUTIONS)
@pytest.mark.parametrize("spacing", [4, None])
def test_block_scores_are_the_window_scores_of_their_places(
    make_series: MakeSeries, resolutions: tuple[float, ...], spacing: int | None
) -> None:
    """Evaluating a batch of blocks gives what the network says of each window by itself."""
    annotation = _annotation(75, 83)
    torch.manual_seed(0)
    model = SiameseNet(resolutions, "dense", normalisation=Raw(), **TINY).eval()  # type: ignore[arg-type]
    series = _coded(make_series, annotation)
    source = BlockBatches([(series, annotation)], model, 3, spacing=spacing, kept=torch.float32)
    batch = source.draw(np.random.default_rng(2), False)
    codes = _codes(model, batch, spacing or lattice_spacing(model))[batch.weights > 0]
    # Of so many pixels every third will do.
    at = [v[::3] for v in (codes // 90_000, codes % 90_000 // 300, codes % 300)]
    windows = build_pyramid(series, resolutions, model.window).windows(*at)
    with torch.inference_mode():
        expected = model(torch.from_numpy(windows))
        outcome = batch.evaluate(model, CPU)
    scale = float(expected.abs().max())
    torch.testing.assert_close(outcome.scores[::3], expected, atol=1e-5 * scale, rtol=1e-4)
    truth = [int(_expected(annotation, k)[r, c]) for k, r, c in zip(*at)]
    assert outcome.labels[::3].tolist() == truth
    assert float(outcome.weights.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("resolutions", "spacing"),
    [((0.5, 1, 2), 8), ((1,), 8), ((0.25, 1, 1.25), 10), ((0.5, 1, 1.5), 12)],
)
def test_blocks_are_spaced_as_costs_least(
    make_series: MakeSeries, resolutions: tuple[float, ...], spacing: int
) -> None:
    """Of all distances from 8 to 16, by what torch counts; 8 for powers of two."""
    annotation = _annotation(150, 150)
    model = SiameseNet(resolutions, "dense", normalisation=Raw())
    cases = [(_coded(make_series, annotation), annotation)]

    def operations(spacing: int | None) -> int:
        batch = BlockBatches(cases, model, 1, spacing=spacing).draw(np.random.default_rng(0), False)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            batch.evaluate(model, CPU)
        return counter.get_total_flops()

    assert lattice_spacing(model) == spacing
    assert operations(None) == min(map(operations, range(8, 17)))


def test_blocks_weigh_the_classes_as_the_sampled_windows_do(make_series: MakeSeries) -> None:
    """Over 6000 blocks the shares of the classes agree to 0.02 with those of the samples.

    The slice is large enough for blocks that were moved in at its border to count for little.
    """
    annotation = _annotation(240, 250)
    case = (make_series(shape=(3, 240, 250)), annotation)
    model = SiameseNet((1.0,), "dense", **TINY)  # type: ignore[arg-type]
    labels = draw_samples([case], np.random.default_rng(0)).labels
    wanted = np.bincount(labels, minlength=3) / len(labels)
    source = BlockBatches([case], model, 60, spacing=4, kept=torch.float32)
    assert source.samples == len(labels)
    rng = np.random.default_rng(3)
    got = np.zeros(3)
    for _ in range(100):
        batch = source.draw(rng, True)
        assert batch.weights.sum() == pytest.approx(1, abs=1e-4)
        assert not batch.weights[batch.classes < 0].any()
        got += np.bincount(batch.classes[batch.classes >= 0], batch.weights[batch.classes >= 0], 3)
    np.testing.assert_allclose(got / 100, wanted, atol=0.02)


def test_lattices_meet_every_pixel_alike(make_series: MakeSeries) -> None:
    """Over 6000 blocks the pixels of each phase have the weight of the samples that lie there.

    So what is learned is what the sampled windows teach, however wide the lattice.
    """
    annotation = _annotation(240, 250)
    model = SiameseNet((1.0,), "dense", normalisation=Raw(), **TINY)  # type: ignore[arg-type]
    cases = [(_coded(make_series, annotation), annotation)]
    wanted, got = np.zeros((4, 4)), np.zeros((4, 4))
    for seed in range(20):
        drawn = draw_samples(cases, np.random.default_rng(seed)).locations
        np.add.at(wanted, (drawn[:, 2] % 4, drawn[:, 3] % 4), 1 / len(drawn) / 20)
    source = BlockBatches(cases, model, 60, spacing=4, kept=torch.float32)
    rng = np.random.default_rng(6)
    for _ in range(100):
        batch = source.draw(rng, True)
        codes = _codes(model, batch)
        np.add.at(got, (codes % 90_000 // 300 % 4, codes % 300 % 4), batch.weights)
    np.testing.assert_allclose(got / got.sum(), wanted, atol=0.006)
    assert wanted.max() - wanted.min() > 0.02  # or any phases would do


def test_slices_are_drawn_by_what_they_hold(make_series: MakeSeries) -> None:
    """A slice with twice the samples gives twice the blocks, to 0.04 over 900 of them."""
    annotation = _annotation(96, 104)
    model = SiameseNet((1.0,), "dense", normalisation=Raw(), **TINY)  # type: ignore[arg-type]
    series = _coded(make_series, annotation)
    samples = draw_samples([(series, annotation)], np.random.default_rng(0))
    wanted = (samples.locations[:, 1] == 1).mean()
    source = BlockBatches([(series, annotation)], model, 90, spacing=4, kept=torch.float32)
    rng = np.random.default_rng(4)
    first = [_codes(model, source.draw(rng, False))[:, 0, 0] // 90_000 == 1 for _ in range(10)]
    assert np.mean(first) == pytest.approx(wanted, abs=0.04)


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
@pytest.mark.parametrize("size", [(65, 67), (64, 66), (49, 51)])
def test_a_lesion_in_a_corner_still_gives_numbers(
    make_series: MakeSeries, corner: tuple[int, int], size: tuple[int, int]
) -> None:
    """A single pixel at the border, where blocks are moved in, never gives a weight of NaN."""
    lesions = np.zeros((1, *size))
    lesions[0, corner[0], corner[1]] = 1
    lesions[0, 30, 33] = 2
    annotation = Annotation(lesions, np.zeros_like(lesions))
    model = SiameseNet(form="dense", **TINY)  # type: ignore[arg-type]
    source = BlockBatches(
        [(make_series(shape=(1, *size)), annotation)], model, 4, spacing=4, kept=torch.float32
    )
    rng = np.random.default_rng(5)
    for _ in range(10):
        batch = source.draw(rng, True)
        assert np.isfinite(batch.weights).all()
        assert batch.weights.sum() == pytest.approx(1, abs=1e-5)


def test_a_case_without_a_lesion_is_passed_over(
    make_series: MakeSeries, small_case: tuple[SagittalSeries, Annotation]
) -> None:
    """Blocks come from the others; without any, there is nothing to learn."""
    series, annotation = small_case
    healthy = (series, Annotation(np.zeros_like(annotation.lesions), annotation.vertebrae))
    model = SiameseNet((1.0,), "dense", **TINY)  # type: ignore[arg-type]
    BlockBatches([healthy, small_case], model, 2, spacing=4).draw(np.random.default_rng(0), True)
    with pytest.raises(SpinemetError, match="nothing to learn"):
        BlockBatches([healthy], model, 2, spacing=4)


@pytest.mark.parametrize("variation", [0.0, 1.0])
def test_images_are_kept_in_half_and_drawn_in_full(
    small_case: tuple[SagittalSeries, Annotation], variation: float
) -> None:
    """The same blocks as of float32 images, to the rounding of their z-scores."""
    torch.manual_seed(0)
    model = SiameseNet(form="dense", **TINY)  # type: ignore[arg-type]
    full, half = (
        BlockBatches([small_case], model, 6, spacing=4, kept=kept).draw(
            np.random.default_rng(7), True, variation
        )
        for kept in (torch.float32, torch.float16)
    )
    np.testing.assert_array_equal(full.classes, half.classes)
    np.testing.assert_array_equal(full.weights, half.weights)
    for one, other in zip(full.images, half.images, strict=True):
        assert other.dtype == torch.float32
        # A cubic weighs sixteen neighbours, some of them below zero.
        assert (one - other).abs().max() < 2 * one.abs().max() * 2.0**-11


def test_the_patch_form_has_no_blocks(small_case: tuple[SagittalSeries, Annotation]) -> None:
    """Its windows share nothing, so it is refused."""
    with pytest.raises(SpinemetError, match="dense form"):
        BlockBatches([small_case], SiameseNet(form="patch"), 2)


def _coded_windows(make_series: MakeSeries, size: int) -> tuple[WindowBatches, Annotation]:
    annotation = _annotation(75, 83)
    model = SiameseNet(form="dense", normalisation=Raw(), **TINY)  # type: ignore[arg-type]
    series = _coded(make_series, annotation)
    return WindowBatches([(series, annotation)], model, np.random.default_rng(0), size), annotation


def test_windows_carry_the_label_of_their_centre(make_series: MakeSeries) -> None:
    """With flips, which turn a window about its centre and the same way on each resolution."""
    source, annotation = _coded_windows(make_series, 64)
    turned = set()
    for _ in range(3):
        batch = source.draw(np.random.default_rng(6), True)
        rows, columns = (side // 2 for side in batch.windows.shape[2:])
        code = np.rint(batch.windows[:, 1, rows, columns].numpy()).astype(int)
        at = zip(code // 90_000, code % 90_000 // 300, code % 300)
        assert batch.labels.tolist() == [int(_expected(annotation, k)[r, c]) for k, r, c in at]
        centre = np.s_[rows - 2 : rows + 3, columns - 2 : columns + 3]
        for window in batch.windows:
            signs = {
                (bool(w[-1, 2] > w[0, 2]), bool(w[2, -1] > w[2, 0]))
                for w in (window[1][centre], window[2][centre])
            }
            if len(signs) == 1:  # smoothed and mirrored edges at the border say nothing
                turned |= signs
    assert len(turned) == 4


def test_each_location_is_seen_once_before_any_is_seen_again(make_series: MakeSeries) -> None:
    """Batches go through a shuffled list, across its end, and then through another."""
    source, _ = _coded_windows(make_series, 50)
    rng = np.random.default_rng(7)
    seen = np.concatenate(
        [
            source.draw(rng, False).windows[:, 1, 52, 40].numpy()
            for _ in range(2 * source.samples // 50)
        ]
    )
    first, second = seen[: source.samples], seen[source.samples :]
    assert len(np.unique(first)) == source.samples
    assert len(np.unique(second)) == len(second)
    assert not np.array_equal(first[: len(second)], second)


def test_windows_of_the_patch_form_are_zscored_one_by_one(
    small_case: tuple[SagittalSeries, Annotation],
) -> None:
    """Each has mean 0 and deviation 1, flipped or not."""
    model = SiameseNet(form="patch")
    source = WindowBatches([small_case], model, np.random.default_rng(0), 16)
    windows = source.draw(np.random.default_rng(0), True).windows.numpy()
    assert windows.shape == (16, 3, 79, 55)
    np.testing.assert_allclose(windows.mean(axis=(2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(windows.std(axis=(2, 3)), 1, atol=1e-4)
