"""The live curve, the ``froc`` command, and a count that labels every slice anew.

The count is written as plainly as the method is stated, in exact fractions, and takes nothing
from the code under test but the curve of the gate. The study is small and its likelihood maps
are synthetic: smooth ones with many components that merge as the threshold falls, one of a few
grey levels where most values are ties, and rectangles whose area, distance and likelihood lie
exactly on the limits.
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from dicom_builder import make_series, make_truth, write
from scipy import ndimage, special

from napari_spinemet import cli
from napari_spinemet.detection.gate import Spine, predict_spine
from napari_spinemet.dicom import read_series
from napari_spinemet.evaluation import FrocCurve
from napari_spinemet.evaluation.matching import Matching
from napari_spinemet.imaging import PAPER_OPERATING_POINT as PAPER
from napari_spinemet.imaging import Annotation, LikelihoodMap, OperatingPoint, SagittalSeries
from napari_spinemet.imaging.grids import working_affine
from napari_spinemet.network import ModelCard, SiameseNet, save_model
from napari_spinemet.study import Study
from napari_spinemet.study.map_identity import MapIdentity
from napari_spinemet.workflows import MapSource, SystemCurve, study_curve
from napari_spinemet.workflows.study_froc import redraw_curve

Centre = tuple[Fraction, Fraction]
Rates = tuple[Fraction, Fraction, Fraction]

PIXEL_MM = Fraction(9, 10)
"""No working pixel lies half-way between two of these, so the nearest one is never in doubt."""
ROWS, COLUMNS = 170, 150
WORKING_ROWS, WORKING_COLUMNS = (floor((n - 1) * PIXEL_MM) + 1 for n in (ROWS, COLUMNS))
FIRST, LAST = WORKING_COLUMNS // 4, 3 * WORKING_COLUMNS // 4
SLICES = (5, 4, 3, 2)
"""Two slices and three are the two special cases of the aggregation."""
SLIDER_FROM = 0.001
"""Lowest threshold that the review widget offers."""
ON_CARD = OperatingPoint(0.4, 1.5, None, False)
GATED = OperatingPoint(0.4, 1.0, 0.6, True)
RATES = ("tp_rate", "fp_mean_over_slices", "fp_per_scan")


@dataclass(frozen=True)
class Setting:
    """Options of the command, what they mean, and whether trees are built anew for it."""

    options: tuple[str, ...]
    point: OperatingPoint
    max_distance_mm: int = 20
    new_trees: bool = True


PAPERS = ("--preset", "paper")
SMALLER = replace(PAPER, min_area_cm2=0.6)
SETTINGS = {
    "paper": Setting(PAPERS, PAPER),
    "smaller area": Setting((*PAPERS, "--min-area", "0.6"), SMALLER, new_trees=False),
    "shorter distance": Setting(
        (*PAPERS, "--min-area", "0.6", "--max-distance", "12"), SMALLER, 12, new_trees=False
    ),
    "other weight and gate": Setting(("--weight", "0.6", "--min-area", "1", "--gate"), GATED),
    "no aggregation": Setting((), ON_CARD),
}
"""In the order in which the review widget is led through them."""


# The study --------------------------------------------------------------------------------


def lesions_of(number: int) -> npt.NDArray[np.uint16]:
    """Contours on the grid of the scan; slices hold no, one, two or three regions."""
    labels = np.zeros((SLICES[number], ROWS, COLUMNS), dtype=np.uint16)
    if number == 0:
        labels[1:4, 50:80, 45:70] = 1
        labels[2, 110:130, 60:80] = 2
        labels[2, 130:140, 80:90] = 2  # touches at a corner: still one region
        labels[2, 20:28, 90:100] = 3
    elif number == 1:
        labels[2, 60:90, 85:108] = 1  # behind the spine, where the gate ends
        labels[2:, 90:104, 50:75] = 2
        labels[3, 70:90, 50:75] = 3  # touches the other lesion: one region
    elif number == 3:
        labels[0, 40:60, 60:80] = 1
    return labels


def smooth_map(rng: np.random.Generator, lesions: npt.NDArray[np.uint16]) -> npt.NDArray[Any]:
    """Likelihoods near 0 and 1 with slopes between them, higher at the lesions."""
    shape = (len(lesions), WORKING_ROWS, WORKING_COLUMNS)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), (0.6, 4, 4))
    around = ndimage.gaussian_filter(on_working_grid(lesions).astype(float), (0, 5, 5))
    return special.expit(3 * smooth / smooth.std() + 3 * around - 1)


def limits_map() -> npt.NDArray[Any]:
    """Two slices of rectangles on the limits, alike in both but for one rectangle.

    ``0.7`` and ``0.35`` are not float32 numbers: thresholds and likelihoods meet as float32 only.
    """
    # Below the slider everything is one component, which neither curve must know of.
    values = np.full((2, WORKING_ROWS, WORKING_COLUMNS), SLIDER_FROM / 2)
    ((row, column),) = regions_of(lesions_of(3))[0]
    # The centre lies 12 mm below that of the region and 16 mm behind it: 20 mm exactly.
    top, left = row + 12 - Fraction(19, 2), column + 16 - Fraction(19, 2)
    assert top.denominator == left.denominator == 1
    values[:, int(top) : int(top) + 20, int(left) : int(left) + 20] = 0.7
    values[:, 90:110, 40:65] = 0.35  # 500 pixels
    values[:, 115:135, 40:65] = 0.35
    values[:, 134, 64] = SLIDER_FROM / 2  # 499
    values[1, 10:30, 35:65] = 0.5
    values[:, 138:150, 40:90] = 2 * SLIDER_FROM  # and just above its start there is one more
    return values


def vertebra_map(slices: int) -> npt.NDArray[np.float32]:
    """A gently curved spine in the front of the evaluated columns; too short in two slices."""
    rows, columns = np.indices((WORKING_ROWS, WORKING_COLUMNS))
    band = np.abs(columns - (52 + 6 * np.sin(rows / 30))) <= 10
    band &= (rows >= 35) & (rows < (110 if slices > 2 else 60))
    return np.repeat(np.where(band, 0.9, 0.1)[None], slices, axis=0).astype(np.float32)


def map_of(number: int, series: SagittalSeries) -> LikelihoodMap:
    """The plain map of a case; 0 outside the evaluated columns."""
    rng = np.random.default_rng(number)
    values = limits_map() if number == 3 else smooth_map(rng, lesions_of(number))
    if number == 1:
        values = np.round(values * 32) / 32  # 0 and 1 among them
    if number == 2:
        values[:, 100:130, 60:90] = 0.7
    values[:, :, :FIRST] = values[:, :, LAST:] = 0
    return LikelihoodMap(
        values.astype(np.float32),
        working_affine(series.affine),
        (FIRST, LAST),
        series.spacing_mm,
        vertebra=vertebra_map(SLICES[number]),
        series_uid=series.series_uid,
    )


@dataclass(frozen=True)
class Held:
    """A study on disk with maps under a model's identity, and the plain arrays in it."""

    study: Study
    model: Path
    maps: list[LikelihoodMap]
    regions: list[list[list[Centre]]]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """Three cases with lesions and a normal one; the network is never run."""
    root = tmp_path_factory.mktemp("live")
    model = root / "small.safetensors"
    card = ModelCard(name="small", operating_point=ON_CARD)
    network = SiameseNet((1,), "dense", (1, 1, 1), widths=(4, 4, 8), hidden=8)
    identity = save_model(network, model, card).identity
    drawing = Study(root / "study", create=True, write=True)
    maps = []
    for number, slices in enumerate(SLICES):
        spacing = (4.0, float(PIXEL_MM), float(PIXEL_MM))
        truth = make_truth(shape=(slices, ROWS, COLUMNS), spacing_mm=spacing, seed=number)
        scan = root / f"scan-{number}"
        write(scan, make_series(truth, name=str(number)))
        series = read_series(scan)
        case = drawing.import_scan(scan, series)
        vertebrae = np.zeros(series.shape, dtype=np.uint16)
        vertebrae[:, 40:100, 50:70] = 1
        case.save_annotation(Annotation(lesions_of(number), vertebrae, {1: "L1"}), series)
        maps.append(map_of(number, series))
        drawing.save_likelihood_map(case, MapIdentity.of_model(identity), maps[-1])
    drawing.close()
    study = Study(root / "study")
    regions = [regions_of(lesions_of(number)) for number in range(len(SLICES))]
    yield Held(study, model, maps, regions)
    study.close()


@pytest.fixture(scope="module")
def live(held: Held) -> dict[str, SystemCurve]:
    """What the review widget shows: the study evaluated once, then drawn anew from trees."""
    source = MapSource.of_model(str(held.model))
    shown = study_curve(held.study, source, PAPER, keep_forests=True)
    curves = {"paper": shown}
    for name, setting in list(SETTINGS.items())[1:]:
        former = shown.forests
        matching = Matching(setting.max_distance_mm)
        drawn = redraw_curve(held.study, source.identity, setting.point, matching, forests=former)
        assert drawn is not None
        assert drawn.forests is not None
        assert (drawn.forests is not former) == setting.new_trees
        curves[name] = shown = drawn
    return curves


# The count --------------------------------------------------------------------------------


def on_working_grid(labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """Lesion mask by nearest neighbour: working pixel i lies i mm from the first pixel."""
    rows = [round(i / PIXEL_MM) for i in range(WORKING_ROWS)]
    columns = [round(i / PIXEL_MM) for i in range(WORKING_COLUMNS)]
    return labels[:, rows][:, :, columns] > 0


def components(mask: npt.NDArray[np.bool_], smallest: int) -> list[Centre]:
    """Centres of gravity of the components with that many pixels, as exact fractions."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    rows, columns = np.nonzero(mask)
    number = labels[rows, columns]
    area = np.bincount(number)
    # Sums of whole numbers, which a double holds exactly.
    row, column = np.bincount(number, rows), np.bincount(number, columns)
    return [
        (Fraction(int(row[k]), int(area[k])), Fraction(int(column[k]), int(area[k])))
        for k in range(1, len(area))
        if area[k] >= smallest
    ]


def regions_of(labels: npt.NDArray[np.uint16]) -> list[list[Centre]]:
    """Centres of the annotated regions of each slice."""
    return [components(mask, 1) for mask in on_working_grid(labels)]


def aggregated(plain: npt.NDArray[np.float32], a: float | None) -> npt.NDArray[np.float32]:
    """``L_i = a l_i + (1 - a) / 2 (l_j + l_k)``; of two slices, ``a`` and ``1 - a``."""
    if a is None:
        return plain
    values, last = plain.astype(float), len(plain) - 1
    if last == 1:
        return (a * values + (1 - a) * values[::-1]).astype(np.float32)
    result = np.empty_like(values)
    for i in range(last + 1):
        j, k = {0: (1, 2), last: (last - 1, last - 2)}.get(i, (i - 1, i + 1))
        result[i] = a * values[i] + (1 - a) / 2 * (values[j] + values[k])
    return result.astype(np.float32)


def near(one: Centre, other: Centre, distance_mm: int) -> bool:
    """Whether two centres are no farther apart than that, without a rounding."""
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 <= distance_mm**2


def mean(numbers: list[Fraction]) -> Fraction:
    """Mean of exact fractions."""
    return sum(numbers, Fraction(0)) / len(numbers)


def counted_case(
    values: npt.NDArray[np.float32],
    regions: list[list[Centre]],
    gate: Spine | None,
    threshold: float,
    smallest: int,
    distance_mm: int = 20,
) -> tuple[Fraction | None, Fraction, Fraction]:
    """TP rate, FP as mean and as sum over the slices of a case; no rate without a region."""
    rates, false_positives = [], []
    for image, truth in zip(values, regions):
        found = components(image >= np.float32(threshold), smallest)
        if gate is not None:
            found = [c for c in found if gate.holds(float(c[0]), float(c[1]))]
        if truth:
            hit = sum(any(near(c, region, distance_mm) for c in found) for region in truth)
            rates.append(Fraction(hit, len(truth)))
        wrong = sum(not any(near(c, region, distance_mm) for region in truth) for c in found)
        false_positives.append(Fraction(wrong))
    return mean(rates) if rates else None, mean(false_positives), sum(false_positives, Fraction(0))


def counted(held: Held, setting: Setting, thresholds: list[float]) -> list[Rates]:
    """The rates of the study at each threshold, every slice labelled anew."""
    point, distance_mm = setting.point, setting.max_distance_mm
    smallest = round(point.min_area_cm2 * 100)
    maps = [aggregated(m.values, point.weight) for m in held.maps]
    gates = [predict_spine(m) if point.gate else None for m in held.maps]
    result = []
    for threshold in thresholds:
        cases = [
            counted_case(*case, threshold, smallest, distance_mm)
            for case in zip(maps, held.regions, gates)
        ]
        result.append(
            (
                mean([rate for rate, _, _ in cases if rate is not None]),
                mean([average for _, average, _ in cases]),
                mean([total for _, _, total in cases]),
            )
        )
    return result


# The comparison ---------------------------------------------------------------------------


def thresholds_of(maps: list[npt.NDArray[np.float32]]) -> list[float]:
    """Both ends, ties, the float32 numbers next to them, round numbers and random ones: 500."""
    rng = np.random.default_rng(500)
    values, times = np.unique(np.concatenate([m.ravel() for m in maps]), return_counts=True)
    within = (values >= np.float32(SLIDER_FROM)) & (values < 1)
    tied = rng.permutation(values[within & (times > 4)])[:80]
    single = rng.choice(values[within & (times <= 4)], 120, replace=False)
    chosen = [
        np.array([SLIDER_FROM, 1.0]),
        tied,
        np.nextafter(tied, np.float32(2)),
        np.nextafter(tied, np.float32(0)),
        single,
        np.arange(1, 20) / 20,  # doubles that are not float32 numbers, 0.7 and 0.35 among them
    ]
    given = np.concatenate([part.astype(float) for part in chosen])
    given = given[given >= SLIDER_FROM]
    return [*map(float, given), *map(float, rng.uniform(SLIDER_FROM, 1, 500 - len(given)))]


def read_off(points: dict[str, list[float]], thresholds: list[float]) -> list[tuple[float, ...]]:
    """What the points of the command say at thresholds.

    A point holds from its threshold down to just above that of the next; above the first
    there is nothing. The likelihoods are float32, and so is a threshold to compare them with.
    """
    falling = [-t for t in points["threshold"]]
    result = []
    for threshold in thresholds:
        k = bisect_right(falling, -float(np.float32(threshold))) - 1
        result.append(tuple(points[key][k] if k >= 0 else 0.0 for key in RATES))
    return result


def points_of(curve: FrocCurve) -> npt.NDArray[np.float64]:
    """``(point, 4)``: threshold, TP rate and both readings of false positives."""
    return np.stack([curve.thresholds, curve.tp_rate, curve.fp_mean, curve.fp_sum], axis=1)


@pytest.mark.parametrize("name", SETTINGS)
def test_live_curve_command_and_count_agree(
    held: Held,
    live: dict[str, SystemCurve],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The live curve of the review widget equals ``spinemet froc --json`` on the same study.

    Point by point and at 500 thresholds without any difference; and both equal the exact
    fractions of a count that labels every slice anew.
    """
    curve, setting = live[name].curve, SETTINGS[name]
    words = ["froc", held.study.path, "--model", held.model, *setting.options, "--json"]
    monkeypatch.setattr(sys, "argv", ["spinemet", *map(str, words)])
    capsys.readouterr()
    cli.main()
    report = json.loads(capsys.readouterr().out)
    assert (report["cases"], report["cases_with_lesions"]) == (4, 3)
    system = report["systems"]["network"]
    assert system["operating_point"] == setting.point.to_dict()

    thresholds = thresholds_of([aggregated(m.values, setting.point.weight) for m in held.maps])
    assert len(thresholds) == 500
    shown = [curve.at(t) for t in thresholds]
    assert shown == read_off(system["points"], thresholds)
    at = report["at_operating_point"]
    own = read_off(system["points"], [setting.point.threshold])
    assert [tuple(at[key] for key in RATES)] == own
    # Each has every point of the other, and none where the slider cannot go.
    points = np.array([system["points"][key] for key in ("threshold", *RATES)]).T
    np.testing.assert_array_equal(points_of(curve), points)
    assert (points[:, 0] >= np.float32(SLIDER_FROM)).all()

    # The curve adds up doubles. Two outcomes of this study are 1/240 apart or more, so that
    # the tolerance takes up the rounding of these sums and nothing else.
    expected = np.array(counted(held, setting, thresholds), dtype=float)
    np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-12)


def test_the_study_asks_for_every_rule(held: Held) -> None:
    """Area, weight, gate and ties change the count, and the TP rate rises and falls.

    Else the comparison would pass with a mistake in them.
    """
    thresholds = [k / 40 for k in range(40, 0, -1)]
    settings = {**SETTINGS, "other weight": Setting((), replace(GATED, gate=False))}
    counts = {name: counted(held, setting, thresholds) for name, setting in settings.items()}
    assert len({tuple(found) for found in counts.values()}) == len(settings)
    for name, setting in settings.items():
        rates = [rate for rate, _, _ in counts[name]]
        assert max(rates) > Fraction(1, 2)
        assert rates != sorted(rates)
        weight = setting.point.weight
        tied = thresholds_of([aggregated(m.values, weight) for m in held.maps])[2:42]
        above = [float(np.nextafter(np.float32(t), np.float32(2))) for t in tied]
        changed = sum(a != b for a, b in zip(*(counted(held, setting, t) for t in (tied, above))))
        assert changed > 2


@pytest.mark.parametrize(
    ("threshold", "smallest", "expected"),
    [
        (0.7, 400, (1, Fraction(1, 2), 1)),  # found; a false positive where no region is
        (float(np.nextafter(np.float32(0.7), np.float32(1))), 400, (0, 0, 0)),
        (0.7, 401, (0, 0, 0)),
        (0.5, 401, (0, Fraction(1, 2), 1)),
        (0.35, 500, (0, Fraction(3, 2), 3)),
        (0.35, 499, (0, Fraction(5, 2), 5)),
    ],
)
def test_rectangles_on_the_limits_are_counted_as_by_hand(
    held: Held, threshold: float, smallest: int, expected: tuple[Fraction | int, ...]
) -> None:
    """A likelihood of the threshold, an area of the minimum and 20 mm are all enough."""
    plain = held.maps[3].values
    assert counted_case(plain, held.regions[3], None, threshold, smallest) == expected
