"""Blocks say the truth: each score stands beside the label of its own pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.imaging.patches import build_pyramid
from napari_spinemet.network import SiameseNet
from napari_spinemet.training.blocks import BlockBatch, BlockBatches, lattice_spacing
from napari_spinemet.training.sampling import draw_samples

from ..coded_scans import (
    RESOLUTIONS,
    TINY,
    MakeSeries,
    RawImages,
    coded_series,
    contour_scan,
    expected_classes,
)

CPU = torch.device("cpu")


def window_centres(
    model: SiameseNet, batch: BlockBatch, resolution: float, step: int
) -> np.ndarray:
    """What lies in the middle of each scored pixel's window: ``(block, row, column)``."""
    images = batch.images[model.resolutions.index(resolution)].numpy()
    height, width = (side // 2 for side in model.window)
    return images[:, height:-height:step, width:-width:step]


def pixel_codes(model: SiameseNet, batch: BlockBatch, spacing: int = 4) -> np.ndarray:
    """The codes of the scored pixels."""
    return np.rint(window_centres(model, batch, 1.0, spacing)).astype(int)


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
    annotation = contour_scan(*size)
    model = SiameseNet(resolutions, "dense", normalisation=RawImages(), **TINY)  # type: ignore[arg-type]
    cases = [(coded_series(make_series, annotation), annotation)]
    source = BlockBatches(cases, model, 6, spacing=spacing, image_dtype=torch.float32)
    rng = np.random.default_rng(0)
    directions = set()
    for _ in range(8):
        batch = source.draw(rng, flips)
        codes = pixel_codes(model, batch, spacing)
        assert codes.shape == batch.classes.shape
        k, row, column = codes // 90_000, codes % 90_000 // 300, codes % 300
        for block in range(6):
            truth = expected_classes(annotation, int(k[block, 0, 0]))
            np.testing.assert_array_equal(batch.classes[block], truth[row[block], column[block]])
            directions.add(
                (row[block, 1, 0] < row[block, 0, 0], column[block, 0, 1] < column[block, 0, 0])
            )
    assert len(directions) == (4 if flips else 1)


@pytest.mark.parametrize("flips", [False, True])
def test_flips_are_alike_on_all_resolutions(make_series: MakeSeries, flips: bool) -> None:
    """In the middle of a pixel's windows lies the same voxel; at 2 mm at most its neighbour."""
    annotation = contour_scan(75, 83)
    model = SiameseNet(form="dense", normalisation=RawImages(), **TINY)  # type: ignore[arg-type]
    rows, columns = np.indices((75, 83))
    for ramp in (rows, columns):
        series = make_series(np.broadcast_to(ramp, (3, 75, 83)))
        source = BlockBatches(
            [(series, annotation)], model, 6, spacing=4, image_dtype=torch.float32
        )
        rng = np.random.default_rng(1)
        for _ in range(4):
            batch = source.draw(rng, flips)
            fine, middle, coarse = (
                window_centres(model, batch, mm, step)
                for mm, step in zip(model.resolutions, (8, 4, 2))
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
    annotation = contour_scan(75, 83)
    torch.manual_seed(0)
    model = SiameseNet(resolutions, "dense", normalisation=RawImages(), **TINY).eval()  # type: ignore[arg-type]
    series = coded_series(make_series, annotation)
    source = BlockBatches(
        [(series, annotation)], model, 3, spacing=spacing, image_dtype=torch.float32
    )
    batch = source.draw(np.random.default_rng(2), False)
    codes = pixel_codes(model, batch, spacing or lattice_spacing(model))[batch.weights > 0]
    # Of so many pixels every third will do.
    at = [v[::3] for v in (codes // 90_000, codes % 90_000 // 300, codes % 300)]
    windows = build_pyramid(series, resolutions, model.window).windows(*at)
    with torch.inference_mode():
        expected = model(torch.from_numpy(windows))
        outcome = batch.evaluate(model, CPU)
    scale = float(expected.abs().max())
    torch.testing.assert_close(outcome.scores[::3], expected, atol=1e-5 * scale, rtol=1e-4)
    truth = [int(expected_classes(annotation, k)[r, c]) for k, r, c in zip(*at)]
    assert outcome.labels[::3].tolist() == truth
    assert float(outcome.weights.sum()) == pytest.approx(1, abs=1e-5)


def test_blocks_weigh_the_classes_as_the_sampled_windows_do(make_series: MakeSeries) -> None:
    """Over 6000 blocks the shares of the classes agree to 0.02 with those of the samples.

    The slice is large enough for blocks that were moved in at its border to count for little.
    """
    annotation = contour_scan(240, 250)
    case = (make_series(shape=(3, 240, 250)), annotation)
    model = SiameseNet((1.0,), "dense", **TINY)  # type: ignore[arg-type]
    labels = draw_samples([case], np.random.default_rng(0)).labels
    expected = np.bincount(labels, minlength=3) / len(labels)
    source = BlockBatches([case], model, 60, spacing=4, image_dtype=torch.float32)
    assert source.samples == len(labels)
    rng = np.random.default_rng(3)
    weights = np.zeros(3)
    for _ in range(100):
        batch = source.draw(rng, True)
        assert batch.weights.sum() == pytest.approx(1, abs=1e-4)
        assert not batch.weights[batch.classes < 0].any()
        weights += np.bincount(
            batch.classes[batch.classes >= 0], batch.weights[batch.classes >= 0], 3
        )
    np.testing.assert_allclose(weights / 100, expected, atol=0.02)


def test_lattices_meet_every_pixel_alike(make_series: MakeSeries) -> None:
    """Over 6000 blocks the pixels of each phase have the weight of the samples that lie there.

    So what is learned is what the sampled windows teach, however wide the lattice.
    """
    annotation = contour_scan(240, 250)
    model = SiameseNet((1.0,), "dense", normalisation=RawImages(), **TINY)  # type: ignore[arg-type]
    cases = [(coded_series(make_series, annotation), annotation)]
    expected, weights = np.zeros((4, 4)), np.zeros((4, 4))
    for seed in range(20):
        locations = draw_samples(cases, np.random.default_rng(seed)).locations
        np.add.at(expected, (locations[:, 2] % 4, locations[:, 3] % 4), 1 / len(locations) / 20)
    source = BlockBatches(cases, model, 60, spacing=4, image_dtype=torch.float32)
    rng = np.random.default_rng(6)
    for _ in range(100):
        batch = source.draw(rng, True)
        codes = pixel_codes(model, batch)
        np.add.at(weights, (codes % 90_000 // 300 % 4, codes % 300 % 4), batch.weights)
    np.testing.assert_allclose(weights / weights.sum(), expected, atol=0.006)
    assert expected.max() - expected.min() > 0.02  # or any phases would do


def test_slices_are_drawn_by_what_they_hold(make_series: MakeSeries) -> None:
    """A slice with twice the samples gives twice the blocks, to 0.04 over 900 of them."""
    annotation = contour_scan(96, 104)
    model = SiameseNet((1.0,), "dense", normalisation=RawImages(), **TINY)  # type: ignore[arg-type]
    series = coded_series(make_series, annotation)
    samples = draw_samples([(series, annotation)], np.random.default_rng(0))
    expected = (samples.locations[:, 1] == 1).mean()
    source = BlockBatches([(series, annotation)], model, 90, spacing=4, image_dtype=torch.float32)
    rng = np.random.default_rng(4)
    first = [pixel_codes(model, source.draw(rng, False))[:, 0, 0] // 90_000 == 1 for _ in range(10)]
    assert np.mean(first) == pytest.approx(expected, abs=0.04)


def test_no_case_is_drawn_more_often_than_its_limit(make_series: MakeSeries) -> None:
    """Of four cases one has a lesion of 24 times the pixels; shares to 0.05 over 900 blocks."""
    numbers = np.zeros((3, 96, 104))
    cases = []
    for case, side in enumerate((10, 10, 10, 49)):
        lesions = np.zeros_like(numbers)
        lesions[1, 20 : 20 + side, 30 : 30 + side] = 1
        cases.append((make_series(numbers + case), Annotation(lesions, lesions)))
    model = SiameseNet((1.0,), "dense", normalisation=RawImages(), **TINY)  # type: ignore[arg-type]
    samples = np.array([200.0, 200.0, 200.0, 2 * 49**2])
    for limit, most in ((None, samples[3]), (3.0, 600.0), (100.0, samples[3])):
        source = BlockBatches(cases, model, 90, spacing=4, case_limit=limit)
        rng = np.random.default_rng(4)
        of_last = [
            window_centres(model, source.draw(rng, False), 1.0, 4)[:, 0, 0] == 3 for _ in range(10)
        ]
        assert np.mean(of_last) == pytest.approx(most / (600 + most), abs=0.05)


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
        [(make_series(shape=(1, *size)), annotation)],
        model,
        4,
        spacing=4,
        image_dtype=torch.float32,
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
        BlockBatches([small_case], model, 6, spacing=4, image_dtype=dtype).draw(
            np.random.default_rng(7), True, variation
        )
        for dtype in (torch.float32, torch.float16)
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
