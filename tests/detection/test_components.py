"""The component forest against relabelling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.detection import ComponentForest
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import LikelihoodMap

COLUMNS = (15, 65)


def likelihood_of(values: np.ndarray, columns: tuple[int, int] = COLUMNS) -> LikelihoodMap:
    central = np.zeros_like(values, dtype=np.float32)
    central[:, :, slice(*columns)] = values[:, :, slice(*columns)]
    return LikelihoodMap(central, np.diag([3.0, 1, 1, 1]), columns, (3.0, 0.9, 0.7))


def maps(kind: str) -> LikelihoodMap:
    rng = np.random.default_rng(5)
    values = rng.random((3, 90, 80))
    if kind != "noise":
        values = ndimage.gaussian_filter(values, (0, 4, 4))
        values = (values - values.min()) / np.ptp(values)
    if kind == "flat":
        values = np.round(values * 7) / 7
    if kind == "constant":
        values[:] = 0.5
    return likelihood_of(values)


def relabel(values: np.ndarray, threshold: float, smallest: int, connectivity: int) -> list:
    structure = np.ones((3, 3)) if connectivity == 8 else None
    regions = []
    for index, image in enumerate(values):
        labels, count = ndimage.label(image >= np.float32(threshold), structure)
        for k in range(1, count + 1):
            mask = labels == k
            if mask.sum() >= smallest:
                centre = ndimage.center_of_mass(mask)
                regions.append((index, int(mask.sum()), *centre, image[mask].max()))
    return sorted(regions)


@pytest.mark.parametrize("connectivity", [8, 4])
@pytest.mark.parametrize("kind", ["noise", "smooth", "flat", "constant"])
def test_equals_relabelling_at_200_thresholds(kind: str, connectivity: int) -> None:
    """Count, area, centre and peak agree with scipy's labels at 200 random thresholds."""
    likelihood = maps(kind)
    forest = ComponentForest(likelihood, connectivity)
    rng = np.random.default_rng(6)
    # Also thresholds that are values of the map, where >= and > differ.
    values = rng.choice(likelihood.values[likelihood.values > 0], 50).astype(float)
    for threshold in np.concatenate([rng.uniform(0.001, 1, 150), values]):
        expected = relabel(likelihood.values, threshold, 7, connectivity)
        detections = sorted(
            (d.slice, round(d.area_cm2 * 100), *d.centre_working, d.peak)
            for d in forest.detections(threshold, 0.07)
        )
        assert len(detections) == len(expected)
        if detections:
            np.testing.assert_allclose(detections, expected, atol=1e-9)


def test_label_image_holds_the_pixels_of_the_detections() -> None:
    """The label image of a slice is the thresholded map without what is too small."""
    likelihood = maps("smooth")
    forest = ComponentForest(likelihood)
    for threshold in (0.2, 0.5, 0.7):
        detections = [d for d in forest.detections(threshold, 0.3) if d.slice == 1]
        image = forest.labels(1, threshold, 0.3)
        assert image.max() == len(detections)
        for number, detection in enumerate(detections, 1):
            np.testing.assert_array_equal(detection.mask(image.shape), image == number)
            assert detection.mean == pytest.approx(likelihood.values[1][image == number].mean())


def test_centre_in_series_index_and_patient_mm() -> None:
    """A centre given on the working grid, the series grid and in mm is one and the same point."""
    forest = ComponentForest(maps("smooth"))
    detection = forest.detections(0.6, 0.1)[0]
    row, column = detection.centre_working
    assert detection.centre_index == pytest.approx((detection.slice, row / 0.9, column / 0.7))
    assert detection.centre_mm == pytest.approx((3.0 * detection.slice, row, column))


def test_outline_encloses_the_region() -> None:
    """The outline is closed, and the area within it by the shoelace rule is the region's."""
    values = np.zeros((1, 40, 40))
    values[0, 10:20, 12:30] = 0.9
    forest = ComponentForest(likelihood_of(values, (0, 40)))
    (outline,) = forest.detections(0.5, 0.1)[0].outline
    rows, columns = outline.T
    np.testing.assert_array_equal(outline[0], outline[-1])
    area = 0.5 * abs(np.sum(rows[:-1] * columns[1:] - rows[1:] * columns[:-1]))
    assert area == pytest.approx(180, abs=1)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01])
def test_refuses_impossible_thresholds(threshold: float) -> None:
    """A threshold outside (0, 1] is the user's to mend."""
    with pytest.raises(SpinemetError, match="threshold"):
        ComponentForest(maps("smooth")).detections(threshold, 1)
