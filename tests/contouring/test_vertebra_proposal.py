"""Vertebral bodies proposed from clicks, against the phantom's truth."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.contouring.vertebra_proposal import bodies_between, propose_vertebrae
from napari_spinemet.errors import SpinemetError
from napari_spinemet.imaging import SagittalSeries
from napari_spinemet.phantom.case import PhantomCase, make_case

SEEDS = [(12, k) for k in range(10)]
"""Not those on which the parameters were chosen."""


@pytest.fixture(scope="module")
def cases() -> list[PhantomCase]:
    """Ten cases."""
    return [make_case(seed) for seed in SEEDS]


def order(labels: np.ndarray) -> list[int]:
    """Labels from head to feet."""
    held = np.unique(labels[labels > 0]).tolist()
    return sorted(held, key=lambda n: np.nonzero(labels == n)[1].mean())


def clicks_in(case: PhantomCase, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """One click in the middle slice of each body, 2 to 4 mm off its centre."""
    _, row_mm, column_mm = case.series.spacing_mm
    found = []
    for label in order(case.annotation.vertebrae):
        body = case.annotation.vertebrae == label
        slices = np.flatnonzero(body.any(axis=(1, 2)))
        index = int(slices[len(slices) // 2])
        row, column = np.argwhere(body[index]).mean(axis=0)
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(2, 4)
        rows, columns = body.shape[1:]
        found.append(
            (
                float(index),
                float(np.clip(row + away * np.sin(angle) / row_mm, 0, rows - 1)),
                float(np.clip(column + away * np.cos(angle) / column_mm, 0, columns - 1)),
            )
        )
    return found


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * float((one & other).sum()) / max(float(one.sum() + other.sum()), 1.0)


@pytest.mark.slow
def test_bodies_of_ten_phantoms_from_one_click_each(cases: list[PhantomCase]) -> None:
    """Mean Dice by body in three dimensions; the goal is 0.80."""
    bodies, unions = [], []
    for number, case in enumerate(cases):
        truth = case.annotation.vertebrae
        proposed = propose_vertebrae(case.series, clicks_in(case, np.random.default_rng(number)))
        assert proposed.dtype == np.uint16
        unions.append(dice(proposed > 0, truth > 0))
        for k, label in enumerate(order(truth), 1):
            bodies.append(dice(proposed == k, truth == label))
    print(
        f"{len(bodies)} bodies: mean {np.mean(bodies):.3f}, least {np.min(bodies):.3f}; "
        f"union {np.mean(unions):.3f}"
    )
    assert np.mean(bodies) >= 0.88
    assert np.mean(unions) >= 0.88


@pytest.mark.slow
def test_bodies_between_the_first_and_the_last_are_found(cases: list[PhantomCase]) -> None:
    """Their number is right in nearly all cases, and their centres lie within the bodies."""
    right, errors = 0, []
    for number, case in enumerate(cases):
        truth = case.annotation.vertebrae
        clicks = clicks_in(case, np.random.default_rng(100 + number))
        whole = [
            k
            for k, label in enumerate(order(truth))
            if not ((truth[:, 0] == label).any() or (truth[:, -1] == label).any())
        ]
        wanted = clicks[whole[0] : whole[-1] + 1]
        found = bodies_between(case.series, wanted[-1], wanted[0])  # in either order
        if len(found) == len(wanted):
            right += 1
            spacing = np.array(case.series.spacing_mm)
            apart = (np.array(found) - np.array(wanted)) * spacing
            errors += np.linalg.norm(apart[:, 1:], axis=1).tolist()
    print(f"{right} of {len(cases)} right, centres {np.mean(errors):.1f} mm from the clicks")
    assert right >= 8
    assert np.mean(errors) < 6


def test_the_order_of_clicks_does_not_matter_and_bodies_do_not_overlap() -> None:
    """Labels count from the head; the same clicks give the same labels."""
    case = make_case((12, 2))
    clicks = clicks_in(case, np.random.default_rng(0))
    one = propose_vertebrae(case.series, clicks)
    shuffled = [clicks[k] for k in np.random.default_rng(1).permutation(len(clicks))]
    np.testing.assert_array_equal(propose_vertebrae(case.series, shuffled), one)
    assert order(one) == list(range(1, len(clicks) + 1))
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
    proposed = propose_vertebrae(series, clicks)
    for k in range(1, 5):
        assert dice(proposed[6] == k, truth == k) > 0.85


def test_wrong_clicks_are_told() -> None:
    """None, beside the picture, two in one body: each in a sentence."""
    case = make_case((12, 2))
    for clicks, words in (
        ([], "click"),
        ([(0, -4, 10)], "click"),
        ([(6, 100, 100), (6, 103, 101)], "click"),
    ):
        with pytest.raises(SpinemetError, match=words):
            propose_vertebrae(case.series, clicks)
