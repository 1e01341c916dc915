"""Findings across slices, and their level."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spinemet.detection import ComponentForest, link_findings
from napari_spinemet.detection.findings import level_of
from napari_spinemet.imaging import Annotation, SagittalSeries

from .synthetic_maps import AFFINE, likelihood_of


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
