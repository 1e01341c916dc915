"""Growing from a click: alike, near, connected, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.contouring.region_growing import grow_region
from napari_spinemet.errors import SpinemetError


def scene() -> np.ndarray:
    """A bright body of 20 x 16 pixels with a dark hole, another one apart, noise of 3 %."""
    image = np.full((60, 50), 100.0)
    image[10:30, 8:24] = 300
    image[18:21, 14:17] = 120
    image[40:55, 8:24] = 300
    return image * np.random.default_rng(0).normal(1, 0.03, image.shape)


def test_it_takes_the_body_that_was_clicked_with_its_hole() -> None:
    """And not the other one, which is as bright; of the corners the pixel at the tip is lost."""
    region = grow_region(scene(), (12, 10), (1, 1), tolerance=0.2, radius_mm=60)
    expected = np.zeros((60, 50), bool)
    expected[10:30, 8:24] = True
    expected[np.ix_((10, 29), (8, 23))] = False
    np.testing.assert_array_equal(region, expected)


@pytest.mark.parametrize("seed", range(6))
def test_grain_neither_frays_nor_stops_it(seed: int) -> None:
    """A disc whose noise deviates by as much as is tolerated: Dice of at least 0.9.

    Taken pixel by pixel it stops in the midst of most such discs.
    """
    rows, columns = np.indices((60, 60))
    disc = np.hypot(rows - 30, columns - 30) <= 14
    noise = np.random.default_rng(seed).normal(0, 40, disc.shape)
    image = np.where(disc, 200.0, 100.0) + noise
    region = grow_region(image, (30, 30), (1, 1), tolerance=0.2, radius_mm=20)
    assert 2 * (region & disc).sum() / (region.sum() + disc.sum()) >= 0.9


def test_it_stays_within_its_distance_in_millimetres() -> None:
    """On pixels of 2 x 0.5 mm: an ellipse in pixels."""
    region = grow_region(np.ones((40, 60)), (20, 30), (2.0, 0.5), tolerance=0.1, radius_mm=6)
    rows, columns = np.indices((40, 60))
    expected = np.hypot(2.0 * (rows - 20), 0.5 * (columns - 30)) <= 6
    np.testing.assert_array_equal(region, expected)
    assert region[17, 30]
    assert not region[16, 30]


def test_it_stays_within_what_it_is_given() -> None:
    """A lesion does not leave its vertebra."""
    within = np.zeros((60, 50), bool)
    within[10:20, 8:24] = True
    region = grow_region(scene(), (12, 10), (1, 1), tolerance=0.2, radius_mm=60, within=within)
    assert region.any()
    assert not (region & ~within).any()


@pytest.mark.parametrize("seed", range(10))
def test_it_is_connected_and_has_its_seed(seed: int) -> None:
    """On noise one region with the seed in it; a larger tolerance never gives less."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(50, 150, (30, 30))
    at = tuple(map(int, rng.integers(0, 30, 2)))
    former = np.zeros((30, 30), bool)
    for tolerance in (0.05, 0.2, 0.5):
        region = grow_region(image, at, (1, 1), tolerance=tolerance, radius_mm=10)
        assert region[at]
        assert ndimage.label(region)[1] == 1
        assert (region | ~former).all()
        former = region


def test_a_click_beside_is_one_sentence() -> None:
    """Outside the picture, and outside what it may take."""
    for at in ((-1, 3), (60, 3), (3, 50)):
        with pytest.raises(SpinemetError, match="beside the picture"):
            grow_region(scene(), at, (1, 1), tolerance=0.2, radius_mm=10)
    with pytest.raises(SpinemetError, match="inside the outline"):
        grow_region(
            scene(),
            (0, 0),
            (1, 1),
            tolerance=0.2,
            radius_mm=10,
            within=np.zeros((60, 50), bool),
        )
