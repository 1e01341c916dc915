"""Findings across slices, their level, and the gate along the spine."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.detection import ComponentForest, link_findings
from napari_spinemet.detection.findings import level_of
from napari_spinemet.detection.gate import spine_curve
from napari_spinemet.imaging import Annotation, LikelihoodMap, SagittalSeries

AFFINE = np.array([[3.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def likelihood_of(values: np.ndarray, vertebra: np.ndarray | None = None) -> LikelihoodMap:
    return LikelihoodMap(
        values.astype(np.float32), AFFINE, (0, values.shape[2]), (3.0, 1, 1), vertebra=vertebra
    )


def test_overlap_links_neighbouring_slices() -> None:
    """Regions that share a pixel with the next slice are one finding; a gap parts them."""
    values = np.zeros((6, 60, 60))
    values[0, 10:20, 10:20] = 0.9
    values[1, 15:30, 15:30] = 0.8
    values[2, 40:50, 40:50] = 0.7  # beside, not over
    values[4, 15:30, 15:30] = 0.95  # over, but two slices on
    detections = ComponentForest(likelihood_of(values)).detections(0.5, 0.1)
    findings = link_findings(detections, 3.0)
    assert sorted(f.slices for f in findings) == [(0, 1), (2, 2), (4, 4)]
    first = next(f for f in findings if f.slices == (0, 1))
    assert first.volume_cm3 == pytest.approx((1.0 + 2.25) * 0.3)
    assert first.peak == pytest.approx(0.9)
    assert first.largest.slice == 1


def test_two_regions_joined_by_a_third_are_one_finding() -> None:
    """Links go on through slices: two regions that meet in the next slice belong together."""
    values = np.zeros((2, 40, 40))
    values[0, 5:10, 5:10] = values[0, 25:30, 5:10] = 0.9
    values[1, 5:30, 5:10] = 0.9
    detections = ComponentForest(likelihood_of(values)).detections(0.5, 0.1)
    assert len(detections) == 3
    assert len(link_findings(detections, 3.0)) == 1


def test_level_of_the_vertebra_that_holds_the_finding() -> None:
    """The level is that of the contoured body under the region, of the nearest, or unknown."""
    values = np.zeros((1, 60, 60))
    values[0, 10:16, 20:26] = values[0, 30:34, 40:44] = values[0, 52:56, 2:6] = 0.9
    findings = link_findings(ComponentForest(likelihood_of(values)).detections(0.5, 0.1), 3.0)
    vertebrae = np.zeros((1, 60, 60), dtype=np.uint16)
    vertebrae[0, 5:20, 15:30] = 1
    vertebrae[0, 25:36, 25:39] = 2
    series = SagittalSeries(np.zeros((1, 60, 60)) + np.arange(60), AFFINE)
    annotation = Annotation(np.zeros_like(vertebrae), vertebrae, {1: "L1", 2: "L2"})
    levels = [level_of(f, series, annotation) for f in findings]
    assert levels == ["L1", "L2", ""]


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
    curve = spine_curve(likelihood)
    assert curve is not None
    rows = np.arange(curve.first_row, curve.last_row + 1)
    assert np.abs(curve.column(rows) - course[rows]).max() < 4


def test_gate_keeps_the_spine_and_drops_the_rest() -> None:
    """22 mm in front of the curve, 28 behind, 8 above it and 25 below, and no farther."""
    likelihood, _ = spine_map()
    curve = spine_curve(likelihood)
    assert curve is not None
    middle = float(curve.column(150))
    assert curve.holds(150, middle + 27)
    assert not curve.holds(150, middle + 29)
    assert curve.holds(150, middle - 21)
    assert not curve.holds(150, middle - 23)
    above, below = float(curve.column(0)), float(curve.column(299))
    assert curve.holds(curve.first_row - 7, above)
    assert not curve.holds(curve.first_row - 9, above)
    assert curve.holds(curve.last_row + 44, below)
    assert not curve.holds(curve.last_row + 46, below)
    # The sacrum goes on backwards where it is not recognised; beside the spine nothing changes.
    assert curve.holds(curve.last_row + 20, below + 57)
    assert not curve.holds(curve.last_row + 20, below + 59)
    assert not curve.holds(curve.last_row, below + 29)
    assert not curve.holds(curve.last_row + 20, below - 23)


@pytest.mark.parametrize("destroyed", [slice(108, 145), slice(200, 240)])
def test_spine_goes_on_beyond_a_body_that_is_all_lesion(destroyed: slice) -> None:
    """No slice shows vertebra there; the parts above and below stay within, and so does it."""
    likelihood, course = spine_map()
    likelihood.vertebra[:, destroyed] = 0
    curve = spine_curve(likelihood)
    assert curve is not None
    assert (curve.first_row, curve.last_row) == (20, 279)
    rows = np.arange(20, 280)
    assert curve.holds(rows, course[rows]).all()


def test_brain_above_the_neck_and_tissue_before_the_sacrum_are_not_the_spine() -> None:
    """Neither the rows above nor the course follow them, though both look like vertebra."""
    likelihood, course = spine_map(slice(70, 280))
    likelihood.vertebra[:, 0:55, 140:180] = 0.9  # in every slice, 40 mm behind and 15 mm above
    likelihood.vertebra[0, 230:280, 20:100] = 0.9  # in one slice, joined to the bodies
    curve = spine_curve(likelihood)
    assert curve is not None
    assert curve.first_row == 70
    rows = np.arange(70, 280)
    assert np.abs(curve.column(rows) - course[rows]).max() < 5
    assert not curve.holds(40, 160)


def test_no_curve_without_enough_spine() -> None:
    """Fewer than 30 supported rows, or no third output, give no curve and so no gate."""
    few, _ = spine_map(slice(100, 120))
    assert spine_curve(few) is None
    assert spine_curve(likelihood_of(np.zeros((1, 10, 10)))) is None


def test_curve_near_the_border_is_noticed() -> None:
    """A spine within 30 mm of the evaluated columns' border is worth a warning."""
    likelihood, _ = spine_map()
    curve = spine_curve(likelihood)
    assert curve is not None
    assert curve.near_border((65, 200))
    assert not curve.near_border((20, 180))
