"""Bodies proposed from clicks on drawn spines, whose answer is known exactly."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.contouring.vertebra_proposal import bodies_between, propose_vertebrae
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import SagittalSeries

MakeSeries = Callable[..., SagittalSeries]
Click = tuple[float, float, float]

HEIGHT, DEPTH, WIDTH, DISC = 25.0, 31.0, 42.0, 7.0  # mm
CONTRASTS = {  # marrow, cortex, disc, fluid, muscle
    "STIR": (150, 40, 450, 1000, 130),
    "T1": (700, 120, 350, 180, 400),
    "T2": (400, 60, 250, 1000, 200),
}
GRIDS = [(3.0, 0.6, 0.6), (4.0, 1.2, 0.8), (5.0, 0.7, 1.1)]


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def spine(
    spacing: tuple[float, float, float] = (4.0, 1.0, 1.0),
    contrast: str = "STIR",
    bodies: int = 3,
    tilt_degrees: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, list[Click]]:
    """Boxes with a dark rim, discs between them and a canal behind: image, truth, centres."""
    marrow, cortex, disc, fluid, muscle = CONTRASTS[contrast]
    pitch = HEIGHT + DISC
    size = np.array([60.0, bodies * pitch + 50, 130.0])
    shape = np.ceil(size / spacing).astype(int)
    x, z, y = (
        (np.arange(n) - (n - 1) / 2).reshape([-1 if k == axis else 1 for k in range(3)]) * step
        for axis, (n, step) in enumerate(zip(shape, spacing))
    )
    turn = np.deg2rad(tilt_degrees)
    u, v = np.cos(turn) * z + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * z
    image = np.full(shape, float(muscle))
    wide = np.abs(x) < WIDTH / 2
    along = np.abs(u) < bodies * pitch / 2
    image[wide & along & (np.abs(v) < DEPTH / 2)] = disc
    image[wide & along & (np.abs(v) < DEPTH / 2) & (np.abs(v) > DEPTH / 2 - 4)] = cortex
    image[(np.abs(x) < 10) & (v > DEPTH / 2) & (v < DEPTH / 2 + 16)] = cortex
    image[(np.abs(x) < 8) & (v > DEPTH / 2 + 2.5) & (v < DEPTH / 2 + 14)] = fluid
    truth = np.zeros(shape, np.uint16)
    centres = []
    for k in range(bodies):
        middle = (k - (bodies - 1) / 2) * pitch
        inside = np.maximum(np.abs(u - middle) - HEIGHT / 2, np.abs(v) - DEPTH / 2)
        truth[wide & (inside < 0)] = k + 1
        image[wide & (inside < 1)] = cortex
        image[wide & (inside < -0.9)] = marrow
        at = np.array([0, middle * np.cos(turn), middle * np.sin(turn)]) / spacing
        centres.append(tuple(at + (shape - 1) / 2))
    rng = np.random.default_rng(0)
    blurred = ndimage.gaussian_filter(image, (0, 0.5, 0.5))
    return blurred + rng.normal(0, 0.15 * marrow, shape), truth, centres


def nudged(clicks: list[Click], spacing: tuple[float, float, float], seed: int = 1) -> list[Click]:
    """The clicks of somebody who is off by 2 to 4 mm."""
    rng = np.random.default_rng(seed)
    result = []
    for index, row, column in clicks:
        far, angle = rng.uniform(2, 4), rng.uniform(0, 2 * np.pi)
        down, back = far * np.sin(angle) / spacing[1], far * np.cos(angle) / spacing[2]
        result.append((float(round(index)), row + down, column + back))
    return result


@pytest.mark.parametrize("spacing", GRIDS)
def test_boxes_are_found_whatever_the_grid(
    make_series: MakeSeries, spacing: tuple[float, float, float]
) -> None:
    """Three drawn boxes, on pixels that need not be square: Dice >= 0.9 each."""
    image, truth, centres = spine(spacing)
    found = propose_vertebrae(make_series(image, spacing_mm=spacing), nudged(centres, spacing))
    assert found.shape == truth.shape
    assert found.dtype == np.uint16
    assert set(np.unique(found)) == {0, 1, 2, 3}
    assert min(dice(found == k, truth == k) for k in (1, 2, 3)) >= 0.9


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("tilt", [-30.0, 20.0])
def test_contrast_coil_and_scale_do_not_matter(
    make_series: MakeSeries, contrast: str, tilt: float
) -> None:
    """Marrow dark or bright, a coil that fades to a third, values shifted and scaled."""
    spacing = (4.0, 0.9, 0.9)
    image, truth, centres = spine(spacing, contrast, bodies=4, tilt_degrees=tilt)
    fading = np.linspace(1, 0.33, image.shape[1])[:, None]
    clicks = nudged(centres, spacing)
    found = propose_vertebrae(make_series(image * fading, spacing_mm=spacing), clicks)
    assert min(dice(found == k, truth == k) for k in (1, 2, 3, 4)) >= 0.88
    moved = make_series(0.01 * image * fading - 3, spacing_mm=spacing)
    again = propose_vertebrae(moved, clicks)
    assert dice(again > 0, found > 0) > 0.99


def test_a_bright_lesion_does_not_mislead(make_series: MakeSeries) -> None:
    """Half of the middle body shines like fluid; growing by intensity would stop there."""
    image, truth, centres = spine()
    index, row, column = (round(at) for at in centres[1])
    lesion = (truth == 2) & (np.arange(image.shape[1]) > row - 3)[:, None]
    image[lesion] += 800
    found = propose_vertebrae(make_series(image, spacing_mm=(4.0, 1.0, 1.0)), centres)
    assert dice(found == 2, truth == 2) >= 0.88
    assert (found == 2)[index, row - 8, column]
    assert (found == 2)[index, row + 8, column]


def test_the_head_comes_first_whatever_the_order_of_clicks(make_series: MakeSeries) -> None:
    """All orders of three clicks give the same labels, 1 nearest to the head."""
    image, _, centres = spine()
    series = make_series(image, spacing_mm=(4.0, 1.0, 1.0))
    expected = propose_vertebrae(series, centres)
    rows = ndimage.center_of_mass(expected > 0, expected, [1, 2, 3])
    assert rows[0][1] < rows[1][1] < rows[2][1]
    for clicks in permutations(centres):
        np.testing.assert_array_equal(propose_vertebrae(series, clicks), expected)


@pytest.mark.parametrize("seed", range(6))
def test_neighbours_keep_apart(make_series: MakeSeries, seed: int) -> None:
    """On pure noise, with clicks close together: each is there, in one piece in each slice."""
    rng = np.random.default_rng(seed)
    series = make_series(rng.uniform(0, 100, (5, 120, 90)), spacing_mm=(4.0, 1.0, 1.2))
    rows = 15 + np.cumsum(rng.uniform(11, 16, 6))
    clicks = [(2.0, row, 40 + rng.uniform(-3, 3)) for row in rows]
    found = propose_vertebrae(series, clicks)
    for k in range(1, 7):
        assert (found == k).any()
        for image in found == k:
            assert ndimage.label(image)[1] <= 1


def test_it_goes_to_the_sides_as_far_as_the_body(make_series: MakeSeries) -> None:
    """Slices 3 mm apart: each body ends within one slice of its end, clicked off the middle."""
    spacing = (3.0, 1.0, 1.0)
    image, truth, centres = spine(spacing)
    clicks = [(index - 1, row, column) for index, row, column in centres]
    found = propose_vertebrae(make_series(image, spacing_mm=spacing), clicks)
    for k in (1, 2, 3):
        wanted, got = (np.flatnonzero((labels == k).any(axis=(1, 2))) for labels in (truth, found))
        assert abs(got[0] - wanted[0]) <= 1
        assert abs(got[-1] - wanted[-1]) <= 1
        np.testing.assert_array_equal(got, np.arange(got[0], got[-1] + 1))


def test_one_click_and_a_body_left_out(make_series: MakeSeries) -> None:
    """A body alone is found; so are two with an unclicked one between them."""
    image, truth, centres = spine()
    series = make_series(image, spacing_mm=(4.0, 1.0, 1.0))
    assert dice(propose_vertebrae(series, centres[1:2]) == 1, truth == 2) >= 0.85
    found = propose_vertebrae(series, centres[::2])
    assert dice(found == 1, truth == 1) >= 0.85
    assert dice(found == 2, truth == 3) >= 0.85


def test_a_body_at_the_border_and_a_single_slice(make_series: MakeSeries) -> None:
    """What lies beyond the picture is left out, and one slice is enough."""
    image, truth, centres = spine()
    cut = round(centres[0][1])
    series = make_series(image[7:8, cut:], spacing_mm=(4.0, 1.0, 1.0))
    clicks = [(0.0, max(row - cut, 5.0), column) for _, row, column in centres]
    found = propose_vertebrae(series, clicks)
    for k in (1, 2, 3):
        assert dice(found == k, truth[7:8, cut:] == k) >= 0.85


def test_twice_is_the_same_and_nothing_is_changed(make_series: MakeSeries) -> None:
    """Bit for bit, for both functions."""
    image, _, centres = spine(bodies=4)
    series = make_series(image, spacing_mm=(4.0, 1.0, 1.0))
    before = list(centres)
    once = propose_vertebrae(series, centres)
    np.testing.assert_array_equal(propose_vertebrae(series, centres), once)
    between = bodies_between(series, centres[0], centres[-1])
    assert bodies_between(series, centres[0], centres[-1]) == between
    assert centres == before


def test_what_a_user_can_mend_is_one_sentence(make_series: MakeSeries) -> None:
    """No click, a click beside the picture, two in one body; for both functions."""
    series = make_series(shape=(5, 100, 80))
    with pytest.raises(SpinemetError, match=r"No vertebra was clicked; click once into each"):
        propose_vertebrae(series, [])
    for beside in ((5.0, 50.0, 40.0), (2.0, -1.0, 40.0), (2.0, 50.0, 80.0), (2.0, np.nan, 1.0)):
        with pytest.raises(SpinemetError, match=r"slice, row, column .* beside the picture"):
            propose_vertebrae(series, [(2.0, 20.0, 40.0), beside])
        with pytest.raises(SpinemetError, match=r"slice, row, column .* beside the picture"):
            bodies_between(series, (2.0, 20.0, 40.0), beside)
    twice = [(2.0, 20.0, 40.0), (3.0, 66.0, 44.0), (2.0, 60.0, 40.0)]
    with pytest.raises(SpinemetError, match=r"Clicks 2 and 3 from the head are only 7 mm apart"):
        propose_vertebrae(series, twice)
    with pytest.raises(SpinemetError, match=r"only 7 mm apart; click each vertebral body once"):
        bodies_between(series, twice[1], twice[2])


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_bodies_between_two_clicks_are_counted(make_series: MakeSeries, contrast: str) -> None:
    """Seven tilted boxes from the first and the last, given in either order."""
    spacing = (4.0, 1.0, 0.8)
    image, _, centres = spine(spacing, contrast, bodies=7, tilt_degrees=15)
    series = make_series(image, spacing_mm=spacing)
    first, *_, last = nudged(centres, spacing)
    found = bodies_between(series, first, last)
    assert len(found) == 7
    off = np.linalg.norm((np.array(found) - centres)[:, 1:] * spacing[1:], axis=1)
    assert off.max() < 4
    assert bodies_between(series, last, first) == found
