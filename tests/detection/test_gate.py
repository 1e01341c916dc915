"""The gate along the spine."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.detection.gate import predict_spine
from napari_spinemet.imaging import EvaluatedRegion, LikelihoodMap

from .synthetic_maps import likelihood_of


def spine_map(rows: slice = slice(20, 280)) -> tuple[LikelihoodMap, np.ndarray]:
    """A curved column of vertebrae, with a far-off patch that a poor network might add."""
    row = np.arange(300)
    course = 90 + 25 * np.sin(row / 90)
    vertebra = np.zeros((3, 300, 200), dtype=np.float32)
    for r in range(*rows.indices(300)):
        if r % 30 < 22:  # discs in between
            vertebra[1, r, int(course[r]) - 12 : int(course[r]) + 13] = 0.9
    vertebra[0, 100:112, 180:195] = 0.8
    return likelihood_of(np.zeros((3, 300, 200)), vertebra), course


def test_curve_follows_the_spine_past_outliers() -> None:
    """The fitted course stays within 4 mm of the true one, discs and a stray patch included."""
    likelihood, course = spine_map()
    curve = predict_spine(likelihood)
    assert curve is not None
    rows = np.arange(curve.first_row, curve.last_row + 1)
    assert np.abs(curve.column(rows) - course[rows]).max() < 4


def test_gate_keeps_the_spine_and_drops_the_rest() -> None:
    """22 mm in front of the curve, 65 behind, 8 above it and 45 below, and no farther."""
    likelihood, _ = spine_map()
    curve = predict_spine(likelihood)
    assert curve is not None
    middle = float(curve.column(150))
    assert curve.holds(150, middle + 64)
    assert not curve.holds(150, middle + 66)
    assert curve.holds(150, middle - 21)
    assert not curve.holds(150, middle - 23)
    top_column, bottom_column = float(curve.column(0)), float(curve.column(299))
    assert curve.holds(curve.first_row - 7, top_column)
    assert not curve.holds(curve.first_row - 9, top_column)
    assert curve.holds(curve.first_row - 1, top_column + 21)
    assert not curve.holds(curve.first_row - 1, top_column + 23)
    assert curve.holds(curve.first_row, top_column + 64)
    assert curve.holds(curve.last_row + 44, bottom_column)
    assert not curve.holds(curve.last_row + 46, bottom_column)
    # The sacrum goes on backwards where it is not recognised; beside the spine nothing changes.
    assert curve.holds(curve.last_row + 20, bottom_column + 94)
    assert not curve.holds(curve.last_row + 20, bottom_column + 96)
    assert not curve.holds(curve.last_row, bottom_column + 70)
    assert not curve.holds(curve.last_row + 20, bottom_column - 23)


def test_distance_is_measured_across_a_leaning_spine() -> None:
    """Where the spine leans by 45 degrees, what lies 28 mm in front in its row is 20 mm away."""
    row, column = np.indices((300, 300))
    vertebra = np.zeros((1, 300, 300), dtype=np.float32)
    vertebra[0, np.abs(column - row) <= 15] = 0.9
    curve = predict_spine(likelihood_of(np.zeros((1, 300, 300)), vertebra))
    assert curve is not None
    assert curve.holds(150, 150 - 28)
    assert not curve.holds(150, 150 - 34)
    assert curve.holds(150, 150 + 90)
    assert not curve.holds(150, 150 + 94)


@pytest.mark.parametrize("tissue", [slice(90, 200), slice(0, 100)], ids=["behind", "in front"])
def test_tissue_called_bone_in_fewer_slices_does_not_bend_the_course(tissue: slice) -> None:
    """Beside the uppermost bodies a wide patch in two of four slices, the bodies in three."""
    likelihood, course = spine_map()
    vertebra = np.zeros((4, *likelihood.values.shape[1:]), dtype=np.float32)
    assert likelihood.vertebra is not None
    vertebra[:3] = likelihood.vertebra[1]
    beside_bodies = [row for row in range(20, 60) if row % 30 < 22]
    vertebra[:2, beside_bodies, tissue] = 0.9
    curve = predict_spine(likelihood_of(np.zeros(vertebra.shape), vertebra))
    assert curve is not None
    rows = np.arange(20, 280)
    assert np.abs(curve.column(rows) - course[rows]).max() < 4


def test_one_slice_certain_of_more_does_not_begin_the_spine() -> None:
    """The spine begins where a quarter of the slices show it, not above in one of eight."""
    likelihood, course = spine_map(slice(60, 280))
    assert likelihood.vertebra is not None
    vertebra = np.repeat(likelihood.vertebra[1:2], 8, axis=0)
    vertebra[0, 40:60, int(course[60]) - 12 : int(course[60]) + 13] = 0.9
    curve = predict_spine(likelihood_of(np.zeros(vertebra.shape), vertebra))
    assert curve is not None
    assert curve.first_row == 60


@pytest.mark.parametrize("lesion_rows", [slice(108, 145), slice(200, 240)])
def test_spine_goes_on_beyond_a_body_that_is_all_lesion(lesion_rows: slice) -> None:
    """No slice shows vertebra there; the parts above and below stay within, and so does it."""
    likelihood, course = spine_map()
    likelihood.vertebra[:, lesion_rows] = 0
    curve = predict_spine(likelihood)
    assert curve is not None
    assert (curve.first_row, curve.last_row) == (20, 279)
    rows = np.arange(20, 280)
    assert curve.holds(rows, course[rows]).all()


def test_brain_above_the_neck_and_tissue_before_the_sacrum_are_not_the_spine() -> None:
    """Neither the rows above nor the course follow them, though both look like vertebra."""
    likelihood, course = spine_map(slice(70, 280))
    likelihood.vertebra[:, 0:55, 140:180] = 0.9  # in every slice, 40 mm behind and 15 mm above
    likelihood.vertebra[0, 230:280, 20:100] = 0.9  # in one slice, joined to the bodies
    curve = predict_spine(likelihood)
    assert curve is not None
    assert curve.first_row == 70
    rows = np.arange(70, 280)
    assert np.abs(curve.column(rows) - course[rows]).max() < 5
    assert not curve.holds(40, 160)


def test_no_curve_without_enough_spine() -> None:
    """Fewer than 30 supported rows, or no third output, give no curve and so no gate."""
    few, _ = spine_map(slice(100, 120))
    assert predict_spine(few) is None
    assert predict_spine(likelihood_of(np.zeros((1, 10, 10)))) is None


def test_curve_near_the_border_is_noticed() -> None:
    """A spine within 30 mm of the evaluated columns' border is worth a warning."""
    likelihood, _ = spine_map()
    curve = predict_spine(likelihood)
    assert curve is not None

    def region(first: int, last: int) -> EvaluatedRegion:
        return EvaluatedRegion.of_columns((first, last), likelihood.values.shape[1:])

    width = likelihood.values.shape[2]
    assert curve.near_border(region(65, 200))
    assert not curve.near_border(region(20, 180))
    assert not curve.near_border(region(0, width))  # beyond the picture there is nothing
