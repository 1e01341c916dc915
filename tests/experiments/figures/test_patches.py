"""Figure 3 shows what training draws, with lesions on the grid of the patch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.evaluation.paper_figures import FLIPS
from napari_spinemet.experiments.figures.case_facts import (
    lesion_locations,
)
from napari_spinemet.experiments.figures.patches import lesion_patches
from napari_spinemet.imaging import (
    Annotation,
    SagittalSeries,
)
from napari_spinemet.training.batches import WindowBatches

from .figure_study import (
    small_net,
)


@pytest.mark.parametrize("form", ["patch", "dense"])
def test_figure_3_shows_what_training_draws(
    form: str, make_series: Callable[..., SagittalSeries]
) -> None:
    """The four patches of a lesion's only pixel are all that batches with flips ever hold of it.

    Of the dense form the middle of the window is shown, which has a margin of context.
    """
    series = make_series(shape=(3, 60, 70))
    lesions, vertebrae = np.zeros((2, *series.shape), dtype=np.uint16)
    lesions[1, 26, 44] = 1
    vertebrae[1, 20:30, 40:50] = 1
    annotation = Annotation(lesions, vertebrae)
    network = small_net(form=form)
    (lesion,) = lesion_locations("case-001", annotation, series.spacing_mm)
    assert (lesion.slice, lesion.row, lesion.column, lesion.area_cm2) == (1, 26, 44, 0.01)
    group = lesion_patches(series, annotation, network, lesion)
    rng = np.random.default_rng(0)
    batches = WindowBatches([(series, annotation)], network, rng, 2)
    windows = {}
    for _ in range(40):
        batch = batches.draw(rng, flips=True)
        window = batch.windows.numpy()[batch.labels == 1][0]
        margin = network.margin
        middle = window[:, margin : window.shape[1] - margin, margin : window.shape[2] - margin]
        windows[middle.tobytes()] = middle
    patches = [group.mirror(axes)[0] for _, axes in FLIPS]
    assert len(windows) == len(patches) == 4
    for middle in windows.values():
        assert min(np.abs(middle - patch).max() for patch in patches) < 1e-5


def test_figure_3_contours_lie_on_the_grid_of_the_patch(
    make_series: Callable[..., SagittalSeries],
) -> None:
    """Where nothing but the lesion is bright, the bright part is what is outlined.

    To the pixel in the patch that needs no resampling, to half a pixel of the scan in others;
    the last row of the picture is mirrored beyond its border, the lesion on it too.
    """
    lesions = np.zeros((1, 60, 70), dtype=np.uint16)
    lesions[0, 40:, 36:46] = 1
    series = make_series(100.0 * lesions)
    annotation = Annotation(lesions, np.zeros_like(lesions))
    (lesion,) = lesion_locations("case-001", annotation, series.spacing_mm)
    group = lesion_patches(series, annotation, small_net(), lesion)
    for resolution, patch, lesion in zip(group.resolutions, group.patches, group.lesions):
        bright = patch > (patch.min() + patch.max()) / 2
        assert lesion[15, 11]
        if resolution == 1:
            np.testing.assert_array_equal(lesion, bright)
            assert lesion[-1].any()  # rows of the picture, then its mirror image
        pixels = 1 if resolution >= 1 else 2
        assert not (lesion & ~ndimage.binary_dilation(bright, iterations=pixels)).any()
        assert not (bright & ~ndimage.binary_dilation(lesion, iterations=pixels)).any()
