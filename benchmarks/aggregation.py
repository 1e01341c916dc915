"""Where aggregation over neighbouring slices helps and where it does not.

Run: ``python benchmarks/aggregation.py DIR`` with the folder of a reproduction that has its maps.
Of the three-resolution network's out-of-fold maps, with and without aggregation, at the paper's
settings and at the validated ones, each at the threshold at which it finds nine tenths of the
regions: the false positives, how many of them have another one within 10 mm in a neighbouring
slice, so that an average keeps them, and how many lie in vertebral bodies; and the regions found
at the ends of a lesion, where one neighbour at least has none, and between.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_spinemet.detection.pipeline import evaluate
from napari_spinemet.evaluation.froc import region_centres
from napari_spinemet.experiments.reproduction.plan import MAIN
from napari_spinemet.experiments.reproduction.run import COHORT, SYSTEM_RESULTS
from napari_spinemet.experiments.reproduction.system_results import load_results
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint
from napari_spinemet.imaging.grids import resample_labels
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity

TP_RATE, DISTANCE_MM, GOES_ON_MM = 0.9, 20.0, 10.0


def count_marks(
    plain: LikelihoodMap, annotation: Annotation, point: OperatingPoint
) -> Counter[str]:
    """Of one case: false positives and regions by kind."""
    counts: Counter[str] = Counter()
    regions = region_centres(annotation, plain.series_spacing_mm)
    in_plane = plain.series_spacing_mm[1], plain.series_spacing_mm[2]
    bodies = resample_labels(annotation.vertebrae, in_plane) > 0
    centres: list[list[np.ndarray]] = [[] for _ in regions]
    for detection in evaluate(plain, point).detections:
        centres[detection.slice].append(np.array(detection.centre_working))
    false_positives = [
        [c for c in slice_centres if not _is_near(c, slice_regions)]
        for slice_centres, slice_regions in zip(centres, regions, strict=True)
    ]
    for number, slice_centres in enumerate(false_positives):
        neighbours = [
            centre
            for k in (number - 1, number + 1)
            if 0 <= k < len(false_positives)
            for centre in false_positives[k]
        ]
        for centre in slice_centres:
            counts["false"] += 1
            counts["going on"] += _is_near(centre, neighbours, GOES_ON_MM)
            row, column = np.rint(centre).astype(int)
            counts["in a body"] += bool(bodies[number, row, column])
    for number, slice_regions in enumerate(regions):
        for region in slice_regions:
            sides = [regions[k] for k in (number - 1, number + 1) if 0 <= k < len(regions)]
            goes_on = len(sides) == 2 and all(_is_near(region, side) for side in sides)
            kind = "middle" if goes_on else "end"
            counts[kind] += 1
            counts[f"{kind} found"] += _is_near(region, centres[number])
    return counts


def _is_near(centre: np.ndarray, others: object, limit: float = DISTANCE_MM) -> bool:
    points = np.array(others, dtype=float).reshape(-1, 2)
    return bool(len(points) and np.hypot(*(points - centre).T).min() <= limit)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    results = load_results(folder / SYSTEM_RESULTS / f"{MAIN}.npz")
    if results is None:
        raise SystemExit("That folder has no results of the network of three resolutions.")
    study = Study(folder / COHORT)
    columns = "settings | aggregation | threshold | false positives per scan"
    print(f"| {columns} | of them going on in a neighbouring slice | in a vertebral body ", end="")
    print("| regions found at the ends of lesions | between |")
    print("|---" * 8 + "|")
    for row in results.rows:
        if row.key not in (MAIN, f"{MAIN} plain"):
            continue
        point_index = row.curve.cheapest_at(TP_RATE)
        if point_index is None:
            continue
        point = replace(row.point, threshold=row.curve.threshold_of(point_index))
        total: Counter[str] = Counter()
        cases = 0
        for case, _, annotation in study.contoured_cases():
            plain = study.likelihood_map(case, MapIdentity.of_cross_validation(MAIN))
            if plain is not None:
                total += count_marks(plain, annotation, point)
                cases += 1
        weight = "none" if point.weight is None else f"{point.weight:.2g}"
        false = total["false"]
        print(
            f"| {row.settings} | {weight} | {point.threshold:.3f} | {false / cases:.2f} "
            f"| {total['going on'] / false:.2f} | {total['in a body'] / false:.2f} "
            f"| {total['end found']} of {total['end']} "
            f"| {total['middle found']} of {total['middle']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
