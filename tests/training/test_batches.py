"""Batches say the truth: each window has the label of its own centre."""

from __future__ import annotations

import numpy as np

from napari_spinemet.imaging import Annotation, SagittalSeries
from napari_spinemet.network import SiameseNet
from napari_spinemet.training.batches import WindowBatches

from .coded_scans import TINY, MakeSeries, RawImages, coded_series, contour_scan, expected_classes


def _coded_windows(make_series: MakeSeries, size: int) -> tuple[WindowBatches, Annotation]:
    annotation = contour_scan(75, 83)
    model = SiameseNet(form="dense", normalisation=RawImages(), **TINY)  # type: ignore[arg-type]
    series = coded_series(make_series, annotation)
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
        assert batch.labels.tolist() == [
            int(expected_classes(annotation, k)[r, c]) for k, r, c in at
        ]
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
