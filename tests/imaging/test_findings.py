"""Detections and findings."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_spinemet.imaging import Detection, Finding


def _detection(pixels: np.ndarray, slice_index: int = 3, peak: float = 0.9) -> Detection:
    row, column = pixels.mean(axis=0)
    return Detection(
        slice=slice_index,
        area_cm2=len(pixels) / 100,
        centre_working=(float(row), float(column)),
        centre_index=(float(slice_index), row / 0.88, column / 0.88),
        centre_mm=(1.0, float(column), -float(row)),
        peak=peak,
        mean=0.7,
        pixels=pixels.astype(np.int32),
    )


def test_a_detection_is_its_pixels() -> None:
    """The mask holds exactly those pixels."""
    mask = np.random.default_rng(0).random((12, 9)) > 0.6
    detection = _detection(np.argwhere(mask))
    np.testing.assert_array_equal(detection.mask((12, 9)), mask)


def _shoelace(outline: np.ndarray) -> float:
    row, column = outline.T
    return 0.5 * float(np.sum(column[:-1] * row[1:] - column[1:] * row[:-1]))


def test_the_outline_goes_round_the_pixels_half_a_pixel_out() -> None:
    """A rectangle of 5 x 7 pixels: closed, its area 35 less four cut corners of 1/8 each."""
    pixels = np.argwhere(np.ones((5, 7))) + np.array([20, 30])
    (outline,) = _detection(pixels).outline
    np.testing.assert_array_equal(outline[0], outline[-1])
    assert abs(_shoelace(outline)) == pytest.approx(35 - 4 / 8)
    np.testing.assert_allclose(outline.min(axis=0), (19.5, 29.5))
    np.testing.assert_allclose(outline.max(axis=0), (24.5, 36.5))


def test_the_outline_includes_holes_and_touches_the_border() -> None:
    """A ring at the corner of the grid has two closed outlines that run opposite ways."""
    mask = np.ones((9, 9), bool)
    mask[3:6, 3:6] = False
    outlines = _detection(np.argwhere(mask)).outline
    areas = sorted((_shoelace(o) for o in outlines), key=abs)
    assert len(outlines) == 2
    assert all(np.array_equal(o[0], o[-1]) for o in outlines)
    # The hole's outline lies within it and cuts its corners too.
    assert [abs(a) for a in areas] == pytest.approx([9 - 4 / 8, 81 - 4 / 8])
    assert areas[0] * areas[1] < 0


def test_the_report_of_a_detection_is_plain_json() -> None:
    """The keys are those that the command promises."""
    report = json.loads(json.dumps(_detection(np.argwhere(np.ones((3, 3)))).to_dict()))
    assert list(report) == ["slice", "area_cm2", "centre_index", "centre_mm", "peak", "mean"]
    assert len(report["centre_index"]) == len(report["centre_mm"]) == 3


def test_a_finding_speaks_for_its_detections() -> None:
    """First and last slice, the highest peak, and the largest detection."""
    parts = tuple(
        _detection(np.argwhere(np.ones((n, 4))), slice_index=k, peak=p)
        for k, n, p in ((4, 3, 0.7), (5, 9, 0.8), (6, 2, 0.95))
    )
    finding = Finding(parts, volume_cm3=1.7, centre_mm=(0.0, 0.0, 0.0))
    assert finding.slices == (4, 6)
    assert finding.peak == 0.95
    assert finding.largest is parts[1]
    assert finding.verdict == finding.level == ""
