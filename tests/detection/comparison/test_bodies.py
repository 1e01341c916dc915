"""Bodies are told apart where they were drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spinemet.detection.comparison.bodies import Bodies, find_bodies
from napari_spinemet.detection.comparison.levels import guess_levels
from tests.detection.comparison.drawn_scan import DISC, HEIGHT, ROWS, TOP, draw_scan


@pytest.mark.parametrize("slope", [0.0, 0.35])
def test_every_body_is_one(slope: float) -> None:
    """As many as were drawn, diseased or not, each with its own pixels; also if the spine leans."""
    scan = draw_scan(slope, bodies=8, lesions={3: 1.8})
    bodies = find_bodies(scan.likelihood)
    assert bodies is not None
    assert len(bodies) == 8
    foot, aside = bodies.coordinates(scan.body.shape)
    numbers = bodies.numbers(foot)
    for k in range(8):
        assert (numbers[scan.body == k] == k).mean() > 0.95
    assert np.abs(aside[scan.body >= 0]).max() < 22
    steep = np.hypot(1, slope)
    expected = (TOP + (HEIGHT + DISC) * np.arange(9) - DISC / 2) / steep
    edges = np.r_[bodies.borders[:, 0], bodies.borders[-1, 1]]
    np.testing.assert_allclose(edges[1:-1], expected[1:-1], atol=3)


def test_a_disc_that_is_not_seen_is_put_between_its_neighbours() -> None:
    """Two bodies that run together are still two, since bodies beside each other are as high."""
    scan = draw_scan()
    first = int(TOP + 4 * (HEIGHT + DISC) - DISC)
    vertebra = scan.likelihood.vertebra
    assert vertebra is not None
    vertebra[:, first - 1 : first + int(DISC) + 1, 35:66] = 0.9
    bodies = find_bodies(scan.likelihood)
    assert bodies is not None
    assert len(bodies) == 9


def test_a_body_that_is_not_recognised_is_left_out() -> None:
    """Its neighbours stay as high as they are, and it is no body; levels are then not guessed."""
    scan = draw_scan()
    vertebra = scan.likelihood.vertebra
    assert vertebra is not None
    vertebra[:, scan.body == 4] = 0.02
    bodies = find_bodies(scan.likelihood)
    assert bodies is not None
    assert len(bodies) == 8
    assert not bodies.is_gapless
    np.testing.assert_allclose(np.diff(bodies.borders, axis=1)[1:-1], HEIGHT + DISC, atol=8)
    numbers = bodies.numbers(bodies.coordinates(scan.body.shape)[0])
    for drawn, found in ((3, 3), (5, 4)):
        assert (numbers[scan.body == drawn] == found).mean() > 0.95


def test_a_bright_organ_does_not_lead_the_course_astray() -> None:
    """A strip beside the spine that is lesion for certain is no spine."""
    scan = draw_scan()
    scan.likelihood.values[:, :, 95:125] = 0.99
    bodies = find_bodies(scan.likelihood)
    assert bodies is not None
    assert len(bodies) == 9
    assert np.abs(bodies.middle[30:250] - 50).max() < 8


def test_the_foot_of_a_perpendicular_is_the_nearest_point_of_the_course() -> None:
    """Against a search over all of a gently curved course, within a millimetre near the bodies."""
    rows = np.arange(ROWS)
    middle = 60 + 18 * np.sin(rows / 90)
    bodies = Bodies(middle, np.array([[10.0, 40.0], [40.0, 70.0]]))
    foot, aside = bodies.coordinates((ROWS, 130))
    fine = np.linspace(0, ROWS - 1, 8 * ROWS)
    course = np.stack([fine, np.interp(fine, rows, middle)], axis=1)
    for row, column in [(80, 50), (150, 85), (200, 30), (250, 70)]:
        distances = np.hypot(*(course - (row, column)).T)
        nearest = int(distances.argmin())
        assert foot[row, column] == pytest.approx(fine[nearest], abs=1.0)
        assert abs(aside[row, column]) == pytest.approx(distances[nearest], abs=1.0)
        assert np.sign(aside[row, column]) == np.sign(column - middle[row])


def test_without_a_spine_there_are_no_bodies() -> None:
    """Nor for a network that does not tell vertebrae."""
    scan = draw_scan()
    blank = replace(scan.likelihood, vertebra=np.full_like(scan.likelihood.values, 0.02))
    assert find_bodies(blank) is None
    assert find_bodies(replace(scan.likelihood, vertebra=None)) is None


def _spine(heights: list[float], tilts: list[float]) -> Bodies:
    """Bodies of these heights along the course, tilted so."""
    edges, middle = [10.0], [40.0]
    for height, tilt in zip(heights, tilts, strict=True):
        rows = height / np.hypot(1, tilt)
        edges.append(edges[-1] + rows)
        while len(middle) <= edges[-1]:
            middle.append(middle[-1] + tilt)
    middle += [middle[-1] + tilts[-1] * k for k in range(1, 30)]
    return Bodies(np.array(middle), np.stack([edges[:-1], edges[1:]], axis=1))


def test_levels_are_counted_from_the_sacrum() -> None:
    """Six bodies of growing height, then one that is tilted and lower: L1 to L5, S1, S2."""
    heights = [30.0, 32.5, 34.5, 36.0, 36.0, 34.0, 27.0, 21.0]
    tilts = [-0.1, -0.05, 0.0, 0.0, 0.05, 0.2, 0.6, 0.7]
    expected = ["T12", "L1", "L2", "L3", "L4", "L5", "S1", "S2"]
    assert guess_levels(_spine(heights, tilts)) == expected


def test_levels_that_are_not_plain_are_not_guessed() -> None:
    """Bodies that are all alike, few ones, no sacrum in view, or two bodies taken for one."""
    heights = [30.0, 32.5, 34.5, 36.0, 36.0, 34.0, 27.0, 21.0]
    tilts = [-0.1, -0.05, 0.0, 0.0, 0.05, 0.2, 0.6, 0.7]
    assert guess_levels(_spine(heights[:5], tilts[:5])) == [""] * 5
    joined = [30.0, 67.0, 36.0, 36.0, 34.0, 27.0, 21.0]
    assert guess_levels(_spine(joined, [0.0, *tilts[2:]])) == [""] * 7
    assert guess_levels(_spine([25.0] * 7, [0.0] * 7)) == [""] * 7
    assert guess_levels(_spine([36.0, 34.0, 27.0], [0.05, 0.2, 0.6])) == [""] * 3
