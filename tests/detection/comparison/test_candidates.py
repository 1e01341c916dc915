"""What is marked is cut at the discs, and measured against the other bodies."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.detection.comparison.bodies import find_bodies
from napari_spinemet.detection.comparison.candidates import (
    FEATURES,
    Candidate,
    find_candidates,
    measure_candidates,
)
from napari_spinemet.detection.comparison.marrow import MARROW_FEATURES, measure_marrow
from napari_spinemet.detection.comparison.scan_view import ScanView
from tests.detection.comparison.drawn_scan import DISC, HEIGHT, ROWS, TOP, DrawnScan, draw_scan


def view_of(scan: DrawnScan) -> ScanView:
    """The view of a scan whose bodies are found."""
    bodies = find_bodies(scan.likelihood)
    assert bodies is not None
    return ScanView.of(scan.series, scan.likelihood, bodies)


def candidates_of(scan: DrawnScan) -> list[Candidate]:
    """All of a scan."""
    view = view_of(scan)
    return measure_candidates(view, find_candidates(view))


def feature(candidate: Candidate, name: str) -> float:
    """By name."""
    return float(candidate.features[FEATURES.index(name)])


def test_contrast_is_the_ratio_to_the_neighbours_marrow() -> None:
    """As drawn, bright or dark, whatever the scanner's scale."""
    drawn = draw_scan(lesions={2: 1.6, 6: 0.6})
    for scale in (1.0, 0.02):
        bright, dark = candidates_of(drawn.with_voxels(lambda v, scale=scale: scale * v))
        assert (bright.body, dark.body) == (2, 6)
        assert bright.contrast == pytest.approx(1.6, rel=0.02)
        assert dark.contrast == pytest.approx(0.6, rel=0.02)
        assert bright.body_share > 0.95
        # Noise of 3 % of marrow: ln 1.6 is 15 of its standard deviations.
        assert bright.deviation == pytest.approx(np.log(1.6) / 0.03, rel=0.15)
        assert feature(bright, "brighter than its neighbours") == pytest.approx(0.47, abs=0.02)
        assert feature(bright, "darker than its neighbours") == 0
        assert feature(dark, "darker than its neighbours") == pytest.approx(0.51, abs=0.02)


def test_a_coil_that_fades_does_not_make_a_lesion() -> None:
    """Only the bodies beside it count: what falls by half along the spine is no contrast."""
    fade = np.linspace(1.4, 0.7, ROWS)[:, None]
    (candidate,) = candidates_of(draw_scan(lesions={4: 1.0}).with_voxels(lambda v: v * fade))
    assert candidate.contrast == pytest.approx(1.0, abs=0.05)


def test_a_mark_over_several_bodies_is_one_candidate_in_each() -> None:
    """Cut at the discs, though it runs across them; a tongue into the next body goes with it."""
    scan = draw_scan(lesions={1: 1.5, 2: 1.5, 3: 1.5})
    values = scan.likelihood.values
    first = int(TOP + HEIGHT + DISC)
    last = int(TOP + 3 * (HEIGHT + DISC) + HEIGHT)
    values[:, first:last, 36:65] = 0.8
    values[:, last : last + 10, 48:52] = 0.8  # 0.4 cm² of the disc and of body 4
    view = view_of(scan)
    labels = find_candidates(view)
    candidates = measure_candidates(view, labels)
    assert sorted(c.body for c in candidates) == [1, 2, 3]
    assert (labels[:, last + 8, 50] == labels[:, last - 10, 50]).all()
    assert set(np.unique(labels)) == {0, 1, 2, 3}


def test_both_sides_of_a_disc_are_seen() -> None:
    """A mark at an endplate has more likelihood across the disc if that is marked too."""
    one, both = draw_scan(lesions={4: 1.5}), draw_scan(lesions={4: 1.5, 5: 1.5, 3: 1.5})
    alone = candidates_of(one)[0]
    beside = next(c for c in candidates_of(both) if c.body == 4)
    assert feature(alone, "likelihood across the disc") < 0.1
    assert feature(beside, "likelihood across the disc") > 0.6


def test_values_below_zero_are_no_brightness() -> None:
    """A scanner that writes them for nothing has another zero: ratios stay as they are."""
    drawn = draw_scan(lesions={2: 1.6})
    usual, shifted = (
        candidates_of(drawn.with_voxels(lambda v, by=by: v - by))[0] for by in (0, 150)
    )
    assert shifted.contrast == pytest.approx(usual.contrast, rel=0.01)


def test_where_no_marrow_is_healthy_there_is_no_contrast() -> None:
    """Nothing is told of brightness where nothing can be compared with."""
    for candidate in candidates_of(draw_scan(lesions=dict.fromkeys(range(9), 1.6))):
        assert candidate.contrast is None
        assert candidate.deviation is None


def test_small_marks_are_left_alone() -> None:
    """Less than half a square centimetre in every slice is no candidate."""
    scan = draw_scan()
    scan.likelihood.values[2:4, 60:67, 50:57] = 0.9  # 0.49 cm²
    assert not find_candidates(view_of(scan)).any()


def test_the_marrow_as_a_whole_is_measured() -> None:
    """Shares of marked bodies, and marrow over disc, canal and front, as drawn."""
    scan = draw_scan(lesions={1: 1.5, 4: 1.5, 7: 1.5})
    view = view_of(scan)
    labels = find_candidates(view)
    values = measure_marrow(view, labels, measure_candidates(view, labels))
    by_name = dict(zip(MARROW_FEATURES, values, strict=True))
    assert by_name["bodies marked by a third"] == pytest.approx(3 / 9)
    assert by_name["bone called lesion"] == pytest.approx(1 / 3, abs=0.02)
    assert by_name["marrow over discs"] == pytest.approx(np.log(100 / 60), abs=0.05)
    assert by_name["marrow over tissue in front"] == pytest.approx(np.log(100 / 60), abs=0.05)
    assert by_name["spread among bodies"] == pytest.approx(np.log(1.5), abs=0.05)
