"""FROC against exact fractions, another library, and relabelling."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_curve

from napari_spinemet.detection import ComponentForest
from napari_spinemet.errors import SpinemetError
from napari_spinemet.evaluation import froc, froc_from_detections
from napari_spinemet.evaluation.curve import MEAN, SUM
from napari_spinemet.evaluation.froc import CohortForests, TreeSettings
from napari_spinemet.evaluation.matching import Matching
from napari_spinemet.imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint
from napari_spinemet.imaging.aggregation import aggregation_of

VECTORS = Path(__file__).parent / "vectors"


def vector(name: str) -> dict:
    return json.loads((VECTORS / name).read_text())


def likelihood_of(values: np.ndarray) -> LikelihoodMap:
    return LikelihoodMap(
        np.asarray(values, dtype=np.float32), np.eye(4), (0, values.shape[2]), (1.0, 1, 1)
    )


def paint(shape: list[int], rects: list[dict]) -> np.ndarray:
    image = np.zeros((1, *shape))
    for r in rects:
        part = image[0, r["r0"] : r["r1"], r["c0"] : r["c1"]]
        np.maximum(part, r["v"], out=part)
        if "drop" in r:
            image[0][tuple(r["drop"])] = 0
    return image


@pytest.mark.parametrize("key", ["ours_inclusive", "ours_strict"])
def test_single_slice_pooled(key: str) -> None:
    """One slice a case: the pooled curve that MONAI, picai and others give as well."""
    data = vector("A_single.json")
    expected = data[key]
    # Pooled: every region weighs the same, which holds if all lie in one case's slices.
    curve = froc_from_detections([[(i["lesions"], i["dets"])] for i in data["images"]])
    assert curve.thresholds.tolist() == expected["thresholds"]
    np.testing.assert_allclose(curve.fp_sum, expected["fppi"], atol=1e-15)
    np.testing.assert_allclose(curve.tp_rate, expected["tpr"], atol=1e-15)


def test_hierarchical_exact_fractions() -> None:
    """Means over slices, then cases, in both readings, equal the exact fractions."""
    data = vector("C_hierarchical.json")
    curve = froc_from_detections(
        [[(s["lesions"], s["dets"]) for s in case] for case in data["cases"]]
    )
    assert len(curve.thresholds) == len(data["points"])
    for k, point in enumerate(data["points"]):
        assert curve.thresholds[k] == point["t"]
        assert curve.tp_rate[k] == pytest.approx(float(Fraction(point["tpr"])), abs=1e-14)
        assert curve.fp_mean[k] == pytest.approx(float(Fraction(point["fp_mean"])), abs=1e-14)
        assert curve.fp_sum[k] == pytest.approx(float(Fraction(point["fp_sum"])), abs=1e-14)


def test_merging_under_a_falling_threshold() -> None:
    """A region that merges with a blob moves its centre away: found, then lost."""
    data = vector("E_threshold_sweep.json")
    values = paint(data["shape"], data["rects"])
    lesions = np.zeros(values.shape, dtype=np.uint16)
    lesions[0, 20:50, 25:55] = 1  # centre of gravity (34.5, 39.5), as the vector says
    curve = froc(
        [FrocCase("merge", ((likelihood_of(values), Annotation(lesions, np.zeros_like(lesions))),))]
    )
    forest = ComponentForest(likelihood_of(values))
    for step in data["sweep"]:
        tp, fp, _ = curve.at(step["t"])
        assert (tp, fp) == (step["tp"], step["fp"])
        detections = forest.detections(step["t"], 5.0)
        assert [round(d.area_cm2 * 100) for d in detections] == [
            c["area"] for c in step["components_8conn"]
        ]
        for detection, component in zip(detections, step["components_8conn"]):
            np.testing.assert_allclose(detection.centre_working, component["cog"], atol=1e-4)


@pytest.mark.parametrize(
    "item", vector("F_area_connectivity.json")["items"], ids=lambda i: i["name"]
)
@pytest.mark.parametrize("connectivity", [8, 4])
def test_area_and_connectivity(item: dict, connectivity: int) -> None:
    """499 pixels go and 500 stay; a corner joins with 8 neighbours and not with 4."""
    data = vector("F_area_connectivity.json")
    forest = ComponentForest(likelihood_of(paint(data["shape"], item["rects"])), connectivity)
    detections = forest.detections(data["threshold"], 5.0)
    expected = item[f"conn{connectivity}"]
    assert [round(d.area_cm2 * 100) for d in detections] == [c["area"] for c in expected]
    for detection, component in zip(detections, expected):
        np.testing.assert_allclose(detection.centre_working, component["cog"])


def random_lists(rng: np.random.Generator) -> list:
    """Cases with slices of regions and scored detections, ties and empty slices included."""
    cases = []
    for number in range(6):
        slices = []
        for _ in range(int(rng.integers(2, 8))):
            regions = rng.uniform(0, 150, (int(rng.integers(0, 3)) if number else 1, 2))
            hits = regions[rng.integers(0, 2, len(regions)) > 0] + rng.normal(0, 6, 2)
            others = rng.uniform(0, 300, (int(rng.integers(0, 4)), 2))
            centres = np.concatenate([hits, others])
            scores = rng.integers(1, 12, (len(centres), 1)) / 12
            slices.append((regions, np.hstack([centres, scores])))
        cases.append(slices)
    return cases


@pytest.mark.parametrize("seed", range(20))
def test_equals_weighted_roc_curve(seed: int) -> None:
    """For fixed lists scikit-learn's weighted roc_curve gives the same points.

    Every region is a positive with the best score near it, every false positive a negative,
    weighted as the hierarchical means ask.
    """
    cases = random_lists(np.random.default_rng(seed))
    curve = froc_from_detections(cases)
    with_regions = sum(any(len(r) for r, _ in case) for case in cases)
    labels, scores, weights = [], [], []
    total_fp_weight = 0.0
    for case in cases:
        region_slices = sum(len(r) > 0 for r, _ in case)
        for regions, detections in case:
            distances = np.hypot(
                *(regions[:, None, k] - detections[None, :, k] for k in (0, 1))
            ).reshape(len(regions), len(detections))
            for row in distances <= 20:
                labels.append(1)
                scores.append(detections[row, 2].max(initial=-1.0))
                weights.append(1 / (len(regions) * region_slices * with_regions))
            for score in detections[~(distances <= 20).any(axis=0), 2]:
                labels.append(0)
                scores.append(score)
                weights.append(1 / (len(case) * len(cases)))
                total_fp_weight += weights[-1]
    fpr, tpr, thresholds = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    for threshold, fp, tp in zip(thresholds, fpr * total_fp_weight, tpr):
        if 0 < threshold <= 1:
            rates = curve.at(threshold)
            assert rates[0] == pytest.approx(tp, abs=1e-12)
            assert rates[1] == pytest.approx(fp, abs=1e-12)


def count_anew(case: FrocCase, threshold: float, smallest: int) -> tuple[float, float, float]:
    """TP rate, FP mean and FP sum of one case by relabelling each slice."""
    ((likelihood, annotation),) = case.sequences
    rates, false_positives = [], []
    for values, mask in zip(likelihood.values, annotation.lesions > 0):
        labels, count = ndimage.label(values >= np.float32(threshold), np.ones((3, 3)))
        centres = [
            ndimage.center_of_mass(labels == k)
            for k in range(1, count + 1)
            if (labels == k).sum() >= smallest
        ]
        regions, number = ndimage.label(mask, np.ones((3, 3)))
        truth = [ndimage.center_of_mass(regions == k) for k in range(1, number + 1)]
        is_match = [[np.hypot(c[0] - t[0], c[1] - t[1]) <= 20 for t in truth] for c in centres]
        if truth:
            rates.append(np.mean([any(n[j] for n in is_match) for j in range(len(truth))]))
        false_positives.append(sum(not any(n) for n in is_match))
    rate = float(np.mean(rates)) if rates else float("nan")
    return rate, float(np.mean(false_positives)), float(np.sum(false_positives))


def test_maps_equal_relabelling_at_many_thresholds() -> None:
    """The curve from trees equals counting components anew at 100 thresholds, case by case."""
    rng = np.random.default_rng(4)
    cases = []
    for number in range(3):
        values = ndimage.gaussian_filter(rng.random((3, 100, 90)), (0, 5, 5))
        values = (values - values.min()) / np.ptp(values)
        lesions = np.zeros(values.shape, dtype=np.uint16)
        if number < 2:
            lesions[0, 20:40, 20:40] = 1
            lesions[1, 25:40, 20:40] = 1
            lesions[1, 70:85, 60:75] = 2
        annotation = Annotation(lesions, np.zeros_like(lesions))
        cases.append(FrocCase(f"case-{number}", ((likelihood_of(values), annotation),)))
    curve = froc(cases, min_area_cm2=0.3)
    for threshold in rng.uniform(0.05, 1, 100):
        expected = np.array([count_anew(c, threshold, 30) for c in cases])
        rate, mean, total = curve.at(threshold)
        assert rate == pytest.approx(np.nanmean(expected[:, 0]), abs=1e-12)
        assert mean == pytest.approx(expected[:, 1].mean(), abs=1e-12)
        assert total == pytest.approx(expected[:, 2].mean(), abs=1e-12)


def smooth_cases(rng: np.random.Generator) -> list[FrocCase]:
    """Four cases of three slices, the last without a lesion."""
    cases = []
    for number in range(4):
        values = ndimage.gaussian_filter(rng.random((3, 100, 90)), (0, 4, 4))
        values = (values - values.min()) / np.ptp(values)
        lesions = np.zeros(values.shape, dtype=np.uint16)
        if number < 3:
            lesions[0, 20:40, 20:40] = 1
            lesions[1, 60:75, 60:75] = 2
            lesions[1, 60:75, 40:55] = 3
        annotation = Annotation(lesions, np.zeros_like(lesions))
        cases.append(FrocCase(f"case-{number}", ((likelihood_of(values), annotation),)))
    return cases


@pytest.mark.parametrize("weight", [None, 0.4])
def test_trees_give_the_curve_of_new_ones_at_any_setting(weight: float | None) -> None:
    """At any distance, area and matching, in any order, every point and every case."""
    cases = smooth_cases(np.random.default_rng(8))
    trees = TreeSettings(aggregation_of(weight))
    forests = CohortForests(iter(cases), trees)
    settings = [
        (OperatingPoint(1.0, area, weight), Matching(distance, one))
        for distance in (20.0, 5.0, 40.0)
        for area in (0.5, 0.0, 2.0)
        for one in (False, True)
    ]
    new_curves = {
        (point, matching): froc(
            cases,
            weight=weight,
            min_area_cm2=point.min_area_cm2,
            max_distance_mm=matching.max_distance_mm,
            one_to_one=matching.one_to_one,
        )
        for point, matching in settings
    }
    outcomes = set()
    for point, matching in (*settings, *reversed(settings)):
        curve, new_curve = forests.curve(point, matching), new_curves[point, matching]
        for name in ("thresholds", "tp_rate", "fp_mean", "fp_sum"):
            np.testing.assert_array_equal(getattr(curve, name), getattr(new_curve, name))
        assert [c.case_id for c in curve.cases] == [c.case_id for c in cases]
        outcomes.add((len(curve.thresholds), curve.area()))
    assert len(outcomes) > 9  # else any settings would do


def test_a_curve_is_the_mean_of_its_cases_at_every_point() -> None:
    """The averages, summed step by step, are those of looking up every case."""
    curve = froc(smooth_cases(np.random.default_rng(9)), min_area_cm2=0.2)
    of_cases = np.array([case.at(curve.thresholds) for case in curve.cases])
    np.testing.assert_allclose(curve.tp_rate, np.nanmean(of_cases[:, 0], axis=0), atol=1e-15)
    np.testing.assert_allclose(curve.fp_mean, of_cases[:, 1].mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(curve.fp_sum, of_cases[:, 2].mean(axis=0), atol=1e-15)
    for k in range(0, len(curve.thresholds), 7):
        point = (curve.tp_rate[k], curve.fp_mean[k], curve.fp_sum[k])
        assert curve.at(float(curve.thresholds[k])) == point
        higher = float(np.nextafter(curve.thresholds[k], np.float32(2)))
        previous = (curve.tp_rate[k - 1], curve.fp_mean[k - 1], curve.fp_sum[k - 1])
        assert curve.at(higher) == (previous if k else (0, 0, 0))


def test_several_detections_on_one_region_count_once() -> None:
    """Neither more true nor false positives; one detection near two regions finds both."""
    regions = [(50.0, 50.0), (50.0, 70.0)]
    both = froc_from_detections([[(regions, [(50, 60, 0.9)])]])
    assert both.at(0.5) == (1.0, 0.0, 0.0)
    only_one = froc_from_detections([[(regions, [(50, 60, 0.9)])]], one_to_one=True)
    assert only_one.at(0.5) == (0.5, 0.0, 0.0)
    twice = froc_from_detections([[(regions[:1], [(50, 55, 0.9), (45, 50, 0.8)])]])
    assert twice.at(0.5) == (1.0, 0.0, 0.0)


def test_distance_of_exactly_20_mm_finds() -> None:
    """The limit belongs to the region, and 20.01 mm does not."""
    assert froc_from_detections([[([(0, 0)], [(12, 16, 0.5)])]]).at(0.5)[0] == 1
    assert froc_from_detections([[([(0, 0)], [(12, 16.01, 0.5)])]]).at(0.5)[0] == 0


def test_normal_cases_count_for_false_positives_only() -> None:
    """A case without regions changes FP per case and leaves the TP rate alone."""
    diseased = [([(10, 10)], [(10, 10, 0.9)])]
    normal = [([], [(10, 10, 0.8)]), ([], [])]
    curve = froc_from_detections([diseased, normal])
    assert curve.at(0.5) == (1.0, 0.25, 0.5)


def test_interpolation_of_the_reported_figures() -> None:
    """TP rate at an FP count and FP count at a TP rate, by hand, linearly from (0, 0)."""
    # Per scan: (0, 0) -> (1, 0.5) -> (2, 1.0).
    slices = [([(0, 0), (100, 0)], [(300, 0, 0.9), (0, 0, 0.9), (300, 99, 0.5), (100, 0, 0.5)])]
    curve = froc_from_detections([slices])
    assert curve.tp_rate_at(0.5) == pytest.approx(0.25)
    assert curve.tp_rate_at(9.0) == 1.0
    assert curve.fp_at(0.75) == pytest.approx(1.5)
    assert curve.area((0, 2), SUM) == pytest.approx((0.25 + 0.75) / 2)
    assert curve.area((0, 4), MEAN) == pytest.approx((0.25 + 0.75 + 1 + 1) / 4)


def test_nothing_to_judge_by() -> None:
    """Without a single region there is no rate, and the sentence says so."""
    with pytest.raises(SpinemetError, match="no rate"):
        froc_from_detections([[([], [(1, 1, 0.5)])]])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("column", [0, 2])
def test_a_detection_without_a_number_is_refused(value: float, column: int) -> None:
    """A score that is none would rank above all others."""
    detection = [12.0, 10.0, 0.8]
    detection[column] = value
    slices = [([(10.0, 10.0)], [(12.0, 10.0, 0.7), tuple(detection)])]
    with pytest.raises(SpinemetError, match="Case 2 has a detection or a region"):
        froc_from_detections([[([], [])], slices])
    with pytest.raises(SpinemetError, match="Case 1"):
        froc_from_detections([[([(value, 1.0)], [])]])
