"""Lesions are measured where they are largest; false positives are those of the FROC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.evaluation.froc import CaseForests, TreeSettings
from napari_spinemet.experiments.figures.case_facts import (
    lesion_locations,
    match_slices,
)
from napari_spinemet.imaging import (
    Annotation,
    FrocCase,
    SagittalSeries,
)
from napari_spinemet.imaging.grids import working_shape

from .figure_study import (
    POINT,
    SHAPE,
    SPACING_MM,
    map_of_values,
)


def test_lesions_are_measured_where_they_are_largest() -> None:
    """Parts of a label hang together across slices; the point lies in a lesion that is hollow."""
    lesions = np.zeros((3, 40, 40), dtype=np.uint16)
    lesions[0, 5:10, 5:10] = 1
    lesions[1, 5:25, 5:25] = 1
    lesions[1, 10:20, 8:22] = 0
    lesions[2, 30:34, 30:34] = 1
    large, small = lesion_locations(
        "case-001", Annotation(lesions, np.zeros_like(lesions)), (3.0, 1.0, 1.0)
    )
    assert (large.slice, large.area_cm2) == (1, 2.6)
    assert lesions[1, large.row, large.column]
    assert (small.slice, small.area_cm2) == (2, 0.16)
    assert (small.row, small.column) in {(31, 31), (31, 32), (32, 31), (32, 32)}


@pytest.mark.parametrize("weight", [None, 0.4])
@pytest.mark.parametrize("threshold", [0.45, 0.55, 0.65])
def test_what_is_shown_as_false_is_what_the_froc_counts(
    weight: float | None, threshold: float, make_series: Callable[..., SagittalSeries]
) -> None:
    """Random maps: found regions and false positives of a case equal its row of the FROC."""
    rng = np.random.default_rng(7)
    series = make_series(shape=SHAPE, spacing_mm=SPACING_MM)
    noise = ndimage.gaussian_filter(rng.random(working_shape(SHAPE, series.affine)), (0, 3, 3))
    lesions = np.zeros(SHAPE, dtype=np.uint16)
    for _ in range(9):
        k, row, column = (rng.integers(n) for n in (SHAPE[0], 60, 90))
        lesions[k, row : row + 9, column : column + 9] = 1
    annotation = Annotation(lesions, np.zeros_like(lesions))
    plain = map_of_values(series, (noise - noise.min()) / np.ptp(noise))
    point = replace(POINT, threshold=threshold, weight=weight, min_area_cm2=0.2)
    matches = match_slices(evaluate(plain, point), annotation)
    froc_case = FrocCase("case-001", ((plain, annotation),))
    table = CaseForests(froc_case, TreeSettings(point.aggregation)).table(point)
    rate, mean, total = (v[0] for v in table.at(np.array([threshold], np.float32)))
    false_positives = sum(len(m.false_positives) for m in matches)
    assert false_positives == total > 0
    assert false_positives / SHAPE[0] == pytest.approx(mean)
    rates = [m.regions_found / m.regions for m in matches if m.regions]
    assert np.mean(rates) == pytest.approx(rate)
