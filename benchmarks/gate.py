"""What the vertebral gate drops on cervical and lumbar fields, and what it costs.

Run: ``python benchmarks/gate.py``. Cases of the evaluation variety that nothing was trained
or tuned on, the shipped model's maps, detections at its own operating point, at the paper's
and at low thresholds, where there are more to drop, all without the gate; then the gate.

Where a detection lies is the phantom's own truth, by its centre in the sagittal projection
and in this order:

- head: in a cervical field, above the upper edge of the topmost body, which is C2. That is
  the foramen magnum, the posterior fossa and what of the brain is in the field; the
  cerebellum is the ellipse that the phantom painted as such, and is counted once more by
  itself.
- in front: before the anterior edge of the bodies of all slices, row by row and across the
  discs, and more than 5 mm from every body. In a lumbar field that is abdomen and pelvis,
  in a cervical one the front of the neck and the chest.
- true: within 20 mm of an annotated region's centre in the same slice, as in the FROC, by
  the contrast of the nearest lesion.
- at the bodies, elsewhere: the rest, up to 5 mm from a body and farther.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))

from machine import describe_machine

from napari_spinemet.detection import ComponentForest, aggregate, likelihood_map
from napari_spinemet.detection.gate import predict_spine
from napari_spinemet.evaluation.froc import region_centres
from napari_spinemet.imaging import PAPER_OPERATING_POINT, Detection, LikelihoodMap, OperatingPoint
from napari_spinemet.imaging.grids import resample_labels
from napari_spinemet.network import SiameseNet, load_card, load_model
from napari_spinemet.phantom import PhantomCase
from napari_spinemet.phantom.calibrated.case import make_calibrated_case as make_case
from napari_spinemet.phantom.canvas import Canvas

SEED = 61_001
FIELDS = ("cervical", "lumbar")
MARGIN_MM, MAX_DISTANCE_MM = 5.0, 20.0
FAINT, CLEAR = 0.35, 0.6
LOW = (0.3, 0.2, 0.1)
CEREBELLUM_MM = (42, 21, 27)
"""Radii (left-right, up-down, front-back) by which the phantom's cerebellum is known."""
COARSE_MM = 6.0

Mask = npt.NDArray[np.bool_]
Counts = Counter[tuple[str, OperatingPoint, str]]


@dataclass(frozen=True, eq=False)
class Field:
    """A phantom case, its likelihood map and what lies where, on the working grid.

    Attributes
    ----------
    case : PhantomCase
    plain : LikelihoodMap
    lesions : numpy.ndarray
        ``(slice, row, column)`` lesion numbers.
    centres : list of numpy.ndarray
        Of the annotated regions of each slice, (row, column).
    top : int
        First row with a body.
    front : numpy.ndarray
        Column of the anterior edge of the bodies in each row.
    away_mm : numpy.ndarray
        ``(row, column)`` distance to the nearest body of any slice.
    cerebellum : numpy.ndarray
        ``(row, column)`` bool.
    """

    case: PhantomCase
    plain: LikelihoodMap
    lesions: npt.NDArray[np.uint16]
    centres: list[npt.NDArray[np.float64]]
    top: int
    front: npt.NDArray[np.float64]
    away_mm: npt.NDArray[np.float64]
    cerebellum: Mask

    def places(self, detection: Detection) -> tuple[str, ...]:
        """The names of where a detection lies; see above."""
        row, column = detection.centre_working
        pixel = round(row), round(column)
        if self.case.region == "cervical" and row < self.top:
            return ("head", "cerebellum") if self.cerebellum[pixel] else ("head",)
        at_body = self.away_mm[pixel] <= MARGIN_MM
        if not at_body and column < self.front[pixel[0]]:
            return ("in front",)
        regions = self.centres[detection.slice]
        distances = np.linalg.norm(regions - detection.centre_working, axis=1)
        if distances.min(initial=np.inf) <= MAX_DISTANCE_MM + 1e-9:
            contrast = self._contrast(detection)
            kind = "faint" if contrast < FAINT else "moderate" if contrast < CLEAR else "clear"
            return ("true", kind)
        return ("at the bodies",) if at_body else ("elsewhere",)

    def _contrast(self, detection: Detection) -> float:
        pixels = np.argwhere(self.lesions[detection.slice])
        nearest = pixels[np.linalg.norm(pixels - detection.centre_working, axis=1).argmin()]
        number = self.lesions[detection.slice][tuple(nearest)]
        return self.case.lesions[number - 1].contrast


def make_field(number: int, model: SiameseNet, seed: int = SEED, stride: int = 1) -> Field:
    """Make a case of the seed, evaluate the network on it and note what lies where."""
    ellipsoids: list[tuple[tuple[float, ...], tuple[float, ...]]] = []

    class Recorder(Canvas):
        """A canvas that remembers its ellipsoids; a case does not tell where its organs are."""

        def ellipsoid(self, centre: Any, radii: Any, *rest: Any, **options: Any) -> None:
            ellipsoids.append((centre, radii))
            super().ellipsoid(centre, radii, *rest, **options)

    with patch("napari_spinemet.phantom.calibrated.case.Canvas", Recorder):
        case = make_case((seed, number))
    plain = likelihood_map(case.series, model, stride=stride, columns="centre")
    spacing = case.series.spacing_mm
    bodies = (resample_labels(case.annotation.vertebrae, spacing[1:]) > 0).any(axis=0)
    body_rows = np.flatnonzero(bodies.any(axis=1))
    cerebellum = np.zeros(bodies.shape, dtype=bool)
    row, column = np.indices(bodies.shape)
    cerebella = [centre for centre, radii in ellipsoids if tuple(radii) == CEREBELLUM_MM]
    if len(cerebella) != (case.region == "cervical"):
        raise RuntimeError("The phantom no longer paints its cerebellum with these radii.")
    for _, z, y in cerebella:
        u, v = (row - z) / CEREBELLUM_MM[1], (column - y) / CEREBELLUM_MM[2]
        cerebellum |= u**2 + v**2 <= 1
    return Field(
        case=case,
        plain=plain,
        lesions=resample_labels(case.annotation.lesions, spacing[1:]),
        centres=region_centres(case.annotation, spacing),
        top=int(body_rows[0]),
        front=np.interp(np.arange(len(bodies)), body_rows, bodies[body_rows].argmax(axis=1)),
        away_mm=ndimage.distance_transform_edt(~bodies),
        cerebellum=cerebellum,
    )


def numbers_of(region: str, seed: int = SEED) -> Iterator[int]:
    """The numbers of the cases of a seed whose field is centred on a region."""
    number = 0
    while True:
        # The field is drawn before anything is painted, so coarse pixels tell it at once.
        if make_case((seed, number), has_lesions=False, pixel_mm=COARSE_MM).region == region:
            yield number
        number += 1


def operating_points() -> list[OperatingPoint]:
    """The card's, the paper's, and the card's with low thresholds; all without the gate."""
    shipped = replace(load_card().operating_point, gate=False)
    return [shipped, PAPER_OPERATING_POINT, *(replace(shipped, threshold=t) for t in LOW)]


class Tally:
    """How many detections there are, and how many of them the gate drops.

    Attributes
    ----------
    found, dropped : Counter
        By field, operating point and place.
    cases, without_curve : Counter
        Cases by field, and those in which too little spine was seen, so that none dropped.
    """

    def __init__(self) -> None:
        self.found: Counts = Counter()
        self.dropped: Counts = Counter()
        self.cases: Counter[str] = Counter()
        self.without_curve: Counter[str] = Counter()

    def add(self, field: Field, points: list[OperatingPoint]) -> None:
        """Count the detections of one case."""
        region, curve = field.case.region, predict_spine(field.plain)
        self.cases[region] += 1
        self.without_curve[region] += curve is None
        forests = {
            weight: ComponentForest(
                field.plain if weight is None else aggregate(field.plain, weight)
            )
            for weight in {point.weight for point in points}
        }
        for point in points:
            detections = forests[point.weight].detections(point.threshold, point.min_area_cm2)
            for detection in detections:
                outside = curve is not None and not curve.keeps(detection)
                for place in field.places(detection):
                    self.found[region, point, place] += 1
                    self.dropped[region, point, place] += outside

    def of(self, region: str, point: OperatingPoint, place: str) -> str:
        """``dropped/found``."""
        return f"{self.dropped[region, point, place]}/{self.found[region, point, place]}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20, help="of each field")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(describe_machine())
    start = time.perf_counter()
    model, points, tally = load_model(), operating_points(), Tally()
    for region in FIELDS:
        for number in islice(numbers_of(region, options.seed), options.cases):
            tally.add(make_field(number, model, options.seed), points)
    seconds = time.perf_counter() - start
    print(f"dropped/found, seed {options.seed}; {seconds:.0f} s")
    names = ["head", "cerebellum", "in front", "elsewhere", "at the bodies"]
    names += ["true", "faint", "moderate", "clear"]
    for region in FIELDS:
        print(
            f"{region}: {tally.cases[region]} cases, {tally.without_curve[region]} without a curve"
        )
        print(f"{'threshold, area, weight':26}" + "".join(f"{name:>15}" for name in names))
        for point in points:
            setting = f"{point.threshold:.2f}, {point.min_area_cm2:g} cm², {point.weight:g}"
            print(f"{setting:26}" + "".join(f"{tally.of(region, point, n):>15}" for n in names))


if __name__ == "__main__":
    main()
