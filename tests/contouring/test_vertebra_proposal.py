"""Vertebral bodies proposed from clicks, on phantoms and on drawn spines."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from drawn_spine import CONTRASTS, click_bodies, dice, draw_spine, nudge_clicks, order_labels
from scipy import ndimage

from napari_spinemet.contouring.vertebra_proposal import propose_vertebrae
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.phantom import PhantomCase
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case

MakeSeries = Callable[..., SagittalSeries]
GRIDS = [(3.0, 0.6, 0.6), (4.0, 1.2, 0.8), (5.0, 0.7, 1.1)]


@pytest.mark.slow
def test_bodies_of_ten_phantoms_from_one_click_each(phantom_cases: list[PhantomCase]) -> None:
    """Mean Dice by body in three dimensions; the goal is 0.80."""
    bodies, unions = [], []
    for number, case in enumerate(phantom_cases):
        truth = case.annotation.vertebrae
        proposal = propose_vertebrae(case.series, click_bodies(case, np.random.default_rng(number)))
        assert proposal.dtype == np.uint16
        unions.append(dice(proposal > 0, truth > 0))
        for k, label in enumerate(order_labels(truth), 1):
            bodies.append(dice(proposal == k, truth == label))
    print(
        f"{len(bodies)} bodies: mean {np.mean(bodies):.3f}, least {np.min(bodies):.3f}; "
        f"union {np.mean(unions):.3f}"
    )
    assert np.mean(bodies) >= 0.88
    assert np.mean(unions) >= 0.88


def test_the_order_of_clicks_does_not_matter_and_bodies_do_not_overlap() -> None:
    """Labels count from the head; the same clicks give the same labels."""
    case = make_case((12, 2))
    clicks = click_bodies(case, np.random.default_rng(0))
    one = propose_vertebrae(case.series, clicks)
    other_order = [clicks[k] for k in np.random.default_rng(1).permutation(len(clicks))]
    np.testing.assert_array_equal(propose_vertebrae(case.series, other_order), one)
    assert order_labels(one) == list(range(1, len(clicks) + 1))
    for k, (index, row, column) in enumerate(clicks, 1):
        assert one[round(index), round(row), round(column)] == k


@pytest.mark.parametrize("spacing", [(4.0, 0.6, 1.1), (3.0, 1.1, 0.6)])
def test_bodies_are_as_large_in_millimetres_on_any_grid(
    spacing: tuple[float, float, float],
) -> None:
    """Four grey bodies of 26 x 34 mm between brighter discs, on pixels that are not square."""
    slices, height, depth, disc = 13, 26.0, 34.0, 8.0
    rows, columns = (round(mm / s) for mm, s in zip((190, 150), spacing[1:]))
    row_mm = (np.arange(rows) * spacing[1])[:, None]
    column_mm = (np.arange(columns) * spacing[2])[None, :]
    image = np.full((rows, columns), 60.0)
    image[np.broadcast_to(np.abs(column_mm - 105) < 8, image.shape)] = 300  # the canal
    truth = np.zeros((rows, columns), np.uint16)
    across = np.abs(column_mm - 75) <= depth / 2
    for k in range(4):
        top = 30 + k * (height + disc)
        body = (row_mm >= top) & (row_mm <= top + height) & across
        image[body], truth[body] = 110, k + 1
        gap = (row_mm > top + height) & (row_mm < top + height + disc) & across
        image[gap] = 220
    rng = np.random.default_rng(0)
    voxels = (image[None] + rng.normal(0, 6, (slices, rows, columns))).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) * spacing
    series = SagittalSeries(voxels, affine)
    clicks = [
        (6, (30 + k * (height + disc) + height / 2) / spacing[1], 75 / spacing[2]) for k in range(4)
    ]
    proposal = propose_vertebrae(series, clicks)
    for k in range(1, 5):
        assert dice(proposal[6] == k, truth == k) > 0.85


def test_wrong_clicks_are_refused() -> None:
    """None, beside the picture, two in one body: each in a sentence."""
    case = make_case((12, 2))
    for clicks, words in (
        ([], "click"),
        ([(0, -4, 10)], "click"),
        ([(6, 100, 100), (6, 103, 101)], "click"),
    ):
        with pytest.raises(SpinemetError, match=words):
            propose_vertebrae(case.series, clicks)


@pytest.mark.parametrize("spacing", GRIDS)
def test_boxes_are_found_whatever_the_grid(
    make_series: MakeSeries, spacing: tuple[float, float, float]
) -> None:
    """Three drawn boxes, on pixels that need not be square: Dice >= 0.9 each."""
    image, truth, centres = draw_spine(spacing)
    proposal = propose_vertebrae(
        make_series(image, spacing_mm=spacing), nudge_clicks(centres, spacing)
    )
    assert proposal.shape == truth.shape
    assert proposal.dtype == np.uint16
    assert set(np.unique(proposal)) == {0, 1, 2, 3}
    assert min(dice(proposal == k, truth == k) for k in (1, 2, 3)) >= 0.9


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("tilt", [-30.0, 20.0])
def test_contrast_coil_and_scale_do_not_matter(
    make_series: MakeSeries, contrast: str, tilt: float
) -> None:
    """Marrow dark or bright, a coil that fades to a third, values shifted and scaled."""
    spacing = (4.0, 0.9, 0.9)
    image, truth, centres = draw_spine(spacing, contrast, bodies=4, tilt_degrees=tilt)
    fading = np.linspace(1, 0.33, image.shape[1])[:, None]
    clicks = nudge_clicks(centres, spacing)
    proposal = propose_vertebrae(make_series(image * fading, spacing_mm=spacing), clicks)
    assert min(dice(proposal == k, truth == k) for k in (1, 2, 3, 4)) >= 0.88
    rescaled_series = make_series(0.01 * image * fading - 3, spacing_mm=spacing)
    second_proposal = propose_vertebrae(rescaled_series, clicks)
    assert dice(second_proposal > 0, proposal > 0) > 0.99


def test_a_bright_lesion_does_not_mislead(make_series: MakeSeries) -> None:
    """Half of the middle body shines like fluid; growing by intensity would stop there."""
    image, truth, centres = draw_spine()
    index, row, column = (round(at) for at in centres[1])
    lesion = (truth == 2) & (np.arange(image.shape[1]) > row - 3)[:, None]
    image[lesion] += 800
    proposal = propose_vertebrae(make_series(image, spacing_mm=(4.0, 1.0, 1.0)), centres)
    assert dice(proposal == 2, truth == 2) >= 0.88
    assert (proposal == 2)[index, row - 8, column]
    assert (proposal == 2)[index, row + 8, column]


def test_the_head_comes_first_whatever_the_order_of_clicks(make_series: MakeSeries) -> None:
    """All orders of three clicks give the same labels, 1 nearest to the head."""
    image, _, centres = draw_spine()
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
    proposal = propose_vertebrae(series, clicks)
    for k in range(1, 7):
        assert (proposal == k).any()
        for image in proposal == k:
            assert ndimage.label(image)[1] <= 1


def test_it_goes_to_the_sides_as_far_as_the_body(make_series: MakeSeries) -> None:
    """Slices 3 mm apart: each body ends within one slice of its end, clicked off the middle."""
    spacing = (3.0, 1.0, 1.0)
    image, truth, centres = draw_spine(spacing)
    clicks = [(index - 1, row, column) for index, row, column in centres]
    proposal = propose_vertebrae(make_series(image, spacing_mm=spacing), clicks)
    for k in (1, 2, 3):
        expected_slices, slices = (
            np.flatnonzero((labels == k).any(axis=(1, 2))) for labels in (truth, proposal)
        )
        assert abs(slices[0] - expected_slices[0]) <= 1
        assert abs(slices[-1] - expected_slices[-1]) <= 1
        np.testing.assert_array_equal(slices, np.arange(slices[0], slices[-1] + 1))


def test_one_click_and_a_body_left_out(make_series: MakeSeries) -> None:
    """A body alone is found; so are two with an unclicked one between them."""
    image, truth, centres = draw_spine()
    series = make_series(image, spacing_mm=(4.0, 1.0, 1.0))
    assert dice(propose_vertebrae(series, centres[1:2]) == 1, truth == 2) >= 0.85
    proposal = propose_vertebrae(series, centres[::2])
    assert dice(proposal == 1, truth == 1) >= 0.85
    assert dice(proposal == 2, truth == 3) >= 0.85


def test_a_body_at_the_border_and_a_single_slice(make_series: MakeSeries) -> None:
    """What lies beyond the picture is left out, and one slice is enough."""
    image, truth, centres = draw_spine()
    first_row = round(centres[0][1])
    series = make_series(image[7:8, first_row:], spacing_mm=(4.0, 1.0, 1.0))
    clicks = [(0.0, max(row - first_row, 5.0), column) for _, row, column in centres]
    proposal = propose_vertebrae(series, clicks)
    for k in (1, 2, 3):
        assert dice(proposal == k, truth[7:8, first_row:] == k) >= 0.85


def test_twice_is_the_same_and_nothing_is_changed(make_series: MakeSeries) -> None:
    """Bit for bit."""
    image, _, centres = draw_spine(bodies=4)
    series = make_series(image, spacing_mm=(4.0, 1.0, 1.0))
    former_centres = list(centres)
    first = propose_vertebrae(series, centres)
    np.testing.assert_array_equal(propose_vertebrae(series, centres), first)
    assert centres == former_centres


def test_what_a_user_can_mend_is_one_sentence(make_series: MakeSeries) -> None:
    """No click, a click beside the picture, two in one body."""
    series = make_series(shape=(5, 100, 80))
    with pytest.raises(SpinemetError, match=r"No vertebra was clicked; click once into each"):
        propose_vertebrae(series, [])
    for outside in ((5.0, 50.0, 40.0), (2.0, -1.0, 40.0), (2.0, 50.0, 80.0), (2.0, np.nan, 1.0)):
        with pytest.raises(SpinemetError, match=r"slice, row, column .* beside the picture"):
            propose_vertebrae(series, [(2.0, 20.0, 40.0), outside])
    twice = [(2.0, 20.0, 40.0), (3.0, 66.0, 44.0), (2.0, 60.0, 40.0)]
    with pytest.raises(SpinemetError, match=r"Clicks 2 and 3 from the head are only 7 mm apart"):
        propose_vertebrae(series, twice)
