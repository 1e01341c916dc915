"""Varied blocks: every image is turned alike, and the labels with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_spinemet.imaging import Annotation
from napari_spinemet.imaging.brightness.normalisation import GAIN
from napari_spinemet.network import SiameseNet
from napari_spinemet.training.blocks import BlockBatches, block_batches, variation
from napari_spinemet.training.blocks.variation import Variation, draw_marrow_error

from ..coded_scans import RESOLUTIONS, TINY, MakeSeries, RawImages, contour_scan, expected_classes
from .test_block_batches import window_centres

SIZE = (96, 108)


def test_variations_stay_within_their_bounds() -> None:
    """Of a thousand: the turn, the sides, both mirrors or none, gains; and they use them."""
    rng = np.random.default_rng(0)
    for flips, strength in ((True, 1.0), (False, 0.5)):
        turns, sides, mirrors, gains = [], [], set(), []
        for _ in range(1000):
            one = Variation.draw(rng, strength, flips, (3, 4))
            lengths = np.linalg.svd(one.matrix, compute_uv=False)
            sides += list(lengths)
            # The columns are the block's axes in the slice: turned from where they were.
            down = one.matrix[:, 0]
            turns.append(math.degrees(math.asin(down[1] / np.hypot(*down))))
            mirrors.add((down[0] < 0, one.matrix[1, 1] < 0))
            gains.append(one.gain)
        assert 0.95 * 15 * strength < np.abs(turns).max() <= 15 * strength
        assert (1.2 * 1.08) ** (0.9 * strength) < max(sides) <= (1.2 * 1.08) ** strength
        assert min(sides) >= (1.2 * 1.08) ** -strength
        assert 1.2 ** (0.95 * strength) < max(gains) <= 1.2**strength
        assert len(mirrors) == (4 if flips else 1)


@pytest.mark.parametrize("resolutions", RESOLUTIONS)
@pytest.mark.parametrize("flips", [False, True])
def test_images_and_labels_are_turned_alike(
    make_series: MakeSeries,
    monkeypatch: pytest.MonkeyPatch,
    resolutions: tuple[float, ...],
    flips: bool,
) -> None:
    """What lies in the middle of a pixel's windows says where it is, and so its label.

    To a tenth of a pixel at 1 mm (the library's cubic does not keep ramps exactly), at the others
    to what a window may be off its place beside that.
    """
    for name, neutral in (("GAIN", 1.0), ("SHIFT", 0.0), ("BEND", 0.0)):
        monkeypatch.setattr(variation, name, neutral)
    annotation = contour_scan(*SIZE)
    model = SiameseNet(resolutions, "dense", normalisation=RawImages(), **TINY)  # type: ignore[arg-type]
    images = {}
    for name, code in zip(("slice", "row", "column"), np.indices((3, *SIZE))):
        source = BlockBatches(
            [(make_series(code), annotation)], model, 60, spacing=4, image_dtype=torch.float32
        )
        batch = source.draw(np.random.default_rng(7), flips, 1.0)
        images[name] = {mm: window_centres(model, batch, mm, 1) for mm in resolutions}
        labels = batch.classes
    height, width = labels.shape[1:]
    at = {name: of[1.0][:, ::4, ::4][:, :height, :width] for name, of in images.items()}
    n_checked, n_turned, whole = 0, 0, []
    for block in range(60):
        truth = expected_classes(annotation, round(float(at["slice"][block, 0, 0])))
        bends = [
            np.abs(np.diff(at[name][block], 2, axis=axis)).max()
            for name in ("row", "column")
            for axis in (0, 1)
        ]
        if max(bends) > 0.3:  # it reaches beyond the slice, where its mirror image is seen
            continue
        whole.append(block)
        for pixel in np.ndindex(height, width):
            row, column = (float(at[name][block][pixel]) for name in ("row", "column"))
            inside = 3 < row < SIZE[0] - 4 and 3 < column < SIZE[1] - 4
            if inside and min(abs(row % 1 - 0.5), abs(column % 1 - 0.5)) > 0.1:
                n_checked += 1
                assert labels[block][pixel] == truth[round(row), round(column)]
        n_turned += abs(at["row"][block][0, 0] - at["row"][block][0, -1]) > 1
    assert n_checked > 300
    assert n_turned > 20
    for mm in resolutions:
        for name in ("row", "column"):
            first = [images[name][k][whole, 0, 0] for k in (mm, 1.0)]
            is_inside = (first[1] > 5) & (first[1] < min(SIZE) - 6)
            assert np.abs(first[0] - first[1])[is_inside].max() <= 1.3 * mm / 2 + 0.1


def test_a_variation_that_changes_nothing_gives_the_slice() -> None:
    """The crop itself to a thousandth; and values are bent as it says."""
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 70)).astype(np.float32))
    plain = image[11:41, 20:60]
    same = Variation(np.eye(2), (9.0, 8.0), 1.0, 0.0, 0.0)
    for mm in (0.5, 1.0, 2.0):
        crop = same.crop(image, (11, 20), (30, 40), (5, 7), mm)
        torch.testing.assert_close(crop, plain, atol=1e-3, rtol=0)
    bent = Variation(np.eye(2), (9.0, 8.0), 1.1, 0.2, 0.03)
    crop = bent.crop(image, (11, 20), (30, 40), (5, 7), 1.0)
    torch.testing.assert_close(crop, 1.1 * plain + 0.03 * plain**2 + 0.2, atol=2e-3, rtol=0)


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_a_lesion_in_a_corner_is_not_lost(make_series: MakeSeries, corner: tuple[int, int]) -> None:
    """Half of the blocks hold it, wherever they are turned, and weights stay numbers."""
    lesions = np.zeros((1, 65, 67))
    lesions[0, corner[0], corner[1]] = 1
    annotation = Annotation(lesions, np.zeros_like(lesions))
    model = SiameseNet(form="dense", **TINY)  # type: ignore[arg-type]
    source = BlockBatches(
        [(make_series(shape=(1, 65, 67)), annotation)],
        model,
        40,
        spacing=4,
        image_dtype=torch.float32,
    )
    batch = source.draw(np.random.default_rng(5), True, 1.0)
    assert np.isfinite(batch.weights).all()
    assert all(torch.isfinite(image).all() for image in batch.images)
    assert ((batch.classes == 1) & (batch.weights > 0)).any(axis=(1, 2)).mean() > 0.3


def test_levels_of_marrow_are_misjudged_by_little_and_of_some_blocks_by_more() -> None:
    """As a mixture of two normal distributions; by nothing where nothing is varied."""
    rng = np.random.default_rng(0)
    errors = np.array([draw_marrow_error(rng, 1.0) for _ in range(20_000)])
    assert errors.mean() == pytest.approx(0, abs=0.01)
    assert np.median(np.abs(errors)) == pytest.approx(0.077, abs=0.01)
    assert errors.std() == pytest.approx(math.sqrt(0.85 * 0.1**2 + 0.15 * 0.4**2), rel=0.05)
    assert draw_marrow_error(rng, 0.0) == 0


@pytest.mark.parametrize("reference", [None, "marrow"])
def test_only_wide_views_over_the_level_of_marrow_are_off_by_its_error(
    make_series: MakeSeries, monkeypatch: pytest.MonkeyPatch, reference: str | None
) -> None:
    """By the same everywhere in a block."""
    annotation = contour_scan(*SIZE)
    normalisation = RawImages(reference=reference)
    model = SiameseNet((1.0, 2.0), "dense", outputs=3, normalisation=normalisation, **TINY)  # type: ignore[arg-type]
    cases = [(make_series(shape=annotation.lesions.shape), annotation)]
    batches = []
    for error in (0.0, 0.3):
        monkeypatch.setattr(block_batches, "draw_marrow_error", lambda *_, error=error: error)
        source = BlockBatches(cases, model, 4, recoloured_share=0.5, image_dtype=torch.float32)
        batches.append(source.draw(np.random.default_rng(5), flips=True, variation=1.0))
    narrow, wide = (b - a for a, b in zip(batches[0].images, batches[1].images, strict=True))
    assert not narrow.any()
    expected = torch.full_like(wide, GAIN * 0.3 if reference else 0.0)
    torch.testing.assert_close(wide, expected, atol=1e-4, rtol=0)
