"""The FROC of a cohort from component trees against relabelling at 201 thresholds.

Run: ``python benchmarks/froc.py``. Trees give every threshold there is; relabelling labels
each slice at each of 201 thresholds with SciPy and takes areas and centres from that. Where
both have a point, the points are compared. Then: what another setting of a standing curve
takes, how the time grows with the number of cases, the trees of one case, and a paired
bootstrap of two systems.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))

from cohort import synthetic_cohort
from machine import describe_machine, median_seconds

from napari_spinemet.detection import ComponentForest, aggregate
from napari_spinemet.evaluation import FrocCurve, compare_froc, froc
from napari_spinemet.evaluation.case_tables import CaseTable
from napari_spinemet.evaluation.curve import curve_of
from napari_spinemet.evaluation.froc import CohortForests, TreeSettings, froc_curve, region_centres
from napari_spinemet.evaluation.matching import Matching
from napari_spinemet.imaging import FrocCase, OperatingPoint
from napari_spinemet.imaging.aggregation import NeighbourAverage
from napari_spinemet.workflows.study_froc import LOWEST

WEIGHT, THRESHOLDS = 0.4, np.linspace(0.0025, 0.9975, 201, dtype=np.float32)
MIN_PIXELS, MAX_DISTANCE_MM, EIGHT = 500, 20.0, np.ones((3, 3), int)
POINT = OperatingPoint(1.0, MIN_PIXELS / 100, WEIGHT)
TREES = TreeSettings(POINT.aggregation)


def relabel(case: FrocCase) -> npt.NDArray[np.float64]:
    """TP rate and mean and summed false positives of a case ``(threshold, 3)``, counted anew."""
    ((plain, annotation),) = case.sequences
    values = aggregate(plain, WEIGHT).values
    truth = region_centres(annotation, plain.series_spacing_mm)
    rows = []
    for threshold in THRESHOLDS:
        rates, false_positives = [], 0
        for image, regions in zip(values, truth, strict=True):
            labels, _ = ndimage.label(image >= threshold, EIGHT)
            large = np.flatnonzero(np.bincount(labels.ravel())[1:] >= MIN_PIXELS) + 1
            centres = np.array(ndimage.center_of_mass(labels > 0, labels, large)).reshape(-1, 2)
            is_match = np.linalg.norm(centres[:, None] - regions[None], axis=2) <= MAX_DISTANCE_MM
            false_positives += int((~is_match.any(axis=1)).sum())
            if len(regions):
                rates.append(is_match.any(axis=0).mean())
        rows.append((np.mean(rates), false_positives / len(values), false_positives))
    return np.array(rows)


def at_thresholds(curve: FrocCurve) -> FrocCurve:
    """The same curve at 201 of its own thresholds."""
    falling = curve.thresholds[np.linspace(0, len(curve.thresholds) - 1, 201).astype(int)]
    return curve_of([CaseTable(c.case_id, falling, *c.at(falling)) for c in curve.cases])


def against_relabelling(cases: list[FrocCase]) -> None:
    """Time and compare the two ways."""
    start_time = time.perf_counter()
    expected = np.mean([relabel(case) for case in cases], axis=0)
    plain = time.perf_counter() - start_time
    print(f"relabelling {len(cases)} cases at {len(THRESHOLDS)} thresholds: {plain:.1f} s")
    curve = CohortForests(cases, TREES).curve(POINT)
    rates = np.array([curve.at(t) for t in THRESHOLDS])
    print(f"largest difference of a rate: {np.abs(rates - expected).max():.1e}", end=" ")
    print(f"(trees: {len(curve.thresholds)} points)")
    build = median_seconds(lambda: CohortForests(cases, TREES).curve(POINT), 3)
    forests = CohortForests(cases, TREES)
    with_trees = median_seconds(lambda: forests.curve(POINT), 5)
    print(f"with building the trees: {build:.2f} s, ratio {plain / build:.1f}")
    print(f"once they stand: {with_trees:.2f} s, ratio {plain / with_trees:.1f}")


def time_settings(cases: list[FrocCase]) -> None:
    """What the window waits for when a setting changes, and a whole new curve beside it."""
    forests = CohortForests(cases, TreeSettings(POINT.aggregation, lowest=LOWEST))
    whole = median_seconds(lambda: froc(cases, weight=WEIGHT), 3)
    for name, draw in (
        ("minimum area", lambda: forests.curve(replace(POINT, min_area_cm2=2.0))),
        ("distance", lambda: forests.curve(POINT, Matching(10.0))),
        ("weight", lambda: forests.with_aggregation(NeighbourAverage(0.5)).curve(POINT)),
    ):
        seconds = median_seconds(draw, 5)
        print(f"another {name}: {seconds:.2f} s, ratio of a whole new curve {whole / seconds:.1f}")


def time_growth(count: int) -> None:
    """The same for twice and four times the cases."""
    cases = synthetic_cohort(4 * count)
    forests = CohortForests([], TREES)
    first = None
    for times in (1, 2, 4):
        new_cases = cases[len(forests.cases) : times * count]
        forests.cases += CohortForests(new_cases, TREES).cases
        seconds = median_seconds(lambda: forests.curve(POINT), 3)
        first = first or seconds
        print(
            f"{len(forests.cases)} cases: {seconds:.2f} s, ratio {seconds / first:.2f}", flush=True
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=26)
    parser.add_argument("--resamples", type=int, default=20_000)
    arguments = parser.parse_args()
    print(describe_machine())
    cases = synthetic_cohort(arguments.cases)
    plain = cases[0].sequences[0][0]
    forest = median_seconds(lambda: ComponentForest(plain), 5)
    slices = median_seconds(lambda: [ndimage.label(v >= 0.6, EIGHT) for v in plain.values], 5)
    print(
        f"forests of one case: {forest:.3f} s, ratio to one labelling of it {forest / slices:.0f}"
    )
    against_relabelling(cases)
    time_settings(cases)
    time_growth(arguments.cases)
    points = [replace(POINT, weight=weight) for weight in (WEIGHT, None)]
    two = [at_thresholds(froc_curve(cases, point)) for point in points]
    seconds = median_seconds(lambda: compare_froc(*two, n_resamples=arguments.resamples), 3)
    print(
        f"{arguments.resamples} resamples and sign flips of two systems, {arguments.cases} cases, "
        f"{len(two[0].thresholds)} and {len(two[1].thresholds)} thresholds: {seconds:.2f} s"
    )


if __name__ == "__main__":
    main()
