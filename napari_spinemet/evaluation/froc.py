"""FROC at every threshold (paper, section 3.3).

A region is found if some detection's centre of gravity lies within 20 mm of its own in the
same slice; a detection near no region is a false positive. Rates are averaged over the
slices of a sequence, the sequences of a case and the cases, in that order. False positives
have two readings, which differ by the number of slices: their mean over slices, and their
sum over the slices of a scan; both are always computed.

Every component at any threshold is a node of a max-tree that is a detection over an
interval of thresholds, so counts are sums of steps, exact without a grid of thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

from ..detection import ComponentForest, aggregate
from ..detection.components import min_pixels
from ..detection.gate import SpineCurve, spine_curve
from ..errors import SpinemetError
from ..imaging import Annotation, FrocCase, LikelihoodMap
from ..imaging.grids import resample_labels

FloatArray = npt.NDArray[np.float64]
LevelArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]

MEAN, SUM = "mean", "sum"
"""Readings of false positives per case: mean over slices, and per scan (sum over slices)."""


@dataclass(frozen=True, eq=False)
class Marks:
    """The detections of one slice at all thresholds, and its regions.

    Attributes
    ----------
    regions : numpy.ndarray
        ``(r, 2)`` centres of the annotated regions, (row, column) in mm.
    centres : numpy.ndarray
        ``(d, 2)`` centres of the detections.
    upper, lower : numpy.ndarray
        ``(d,)``, float32 for maps: present at thresholds ``lower < t <= upper``.
    """

    regions: FloatArray
    centres: FloatArray
    upper: LevelArray
    lower: LevelArray


@dataclass(frozen=True, eq=False)
class Steps:
    """Counts of one slice as step functions of the threshold.

    Attributes
    ----------
    thresholds : numpy.ndarray
        Falling; entry k holds for thresholds from here down to just above the next.
    false_positives, found : numpy.ndarray
        Counts, one for each threshold.
    regions : int
        Annotated regions.
    """

    thresholds: LevelArray
    false_positives: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]
    regions: int


def slice_steps(marks: Marks, max_distance_mm: float, one_to_one: bool = False) -> Steps:
    """Count false positives and found regions of one slice at every threshold."""
    distances = np.hypot(
        *(marks.centres[:, None, k] - marks.regions[None, :, k] for k in (0, 1))
    ).reshape(len(marks.centres), len(marks.regions))
    # A centre of gravity is a quotient: 20 mm must not fail by its last digit.
    near = distances <= max_distance_mm + 1e-9
    thresholds = np.unique(np.concatenate([marks.upper, marks.lower]))[::-1]
    thresholds = thresholds[np.isfinite(thresholds)]
    count = len(thresholds)
    # A detection counts from the position of its upper threshold up to that of its lower.
    begin = count - np.searchsorted(thresholds[::-1], marks.upper, side="right")
    end = count - np.searchsorted(thresholds[::-1], marks.lower, side="right")

    def present(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        change = np.bincount(begin[chosen], minlength=count + 1)[: count + 1]
        change = change - np.bincount(end[chosen], minlength=count + 1)[: count + 1]
        return np.cumsum(change)[:count]

    false_positives = present(np.logical_not(near.any(axis=1)))
    found = np.zeros(count, dtype=np.int64)
    for region in range(len(marks.regions)):
        found += present(near[:, region]) > 0
    if one_to_one and len(marks.regions) > 1:
        for k in np.flatnonzero(found > 1):
            alive = near[(begin <= k) & (k < end)]
            rows, columns = optimize.linear_sum_assignment(alive, maximize=True)
            found[k] = int(alive[rows, columns].sum())
    # One entry for each distinct outcome; the first, above all detections, goes too.
    changed = np.ones(count, dtype=bool)
    if count:
        changed[1:] = (np.diff(false_positives) != 0) | (np.diff(found) != 0)
        changed[0] = bool(false_positives[0] or found[0])
    return Steps(thresholds[changed], false_positives[changed], found[changed], len(marks.regions))


@dataclass(frozen=True, eq=False)
class CaseTable:
    """One case as step functions of the threshold.

    Attributes
    ----------
    case_id : str
    thresholds : numpy.ndarray
        Falling.
    tp_rate : numpy.ndarray
        Mean over the slices with regions, then over sequences; not a number without any.
    fp_mean, fp_sum : numpy.ndarray
        False positives, mean and sum over the slices, then mean over sequences.
    """

    case_id: str
    thresholds: LevelArray
    tp_rate: FloatArray
    fp_mean: FloatArray
    fp_sum: FloatArray

    @property
    def has_regions(self) -> bool:
        """Whether the case has any annotated region."""
        return not np.isnan(self.tp_rate).any()

    def at(self, thresholds: LevelArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """TP rate and both readings of false positives at other thresholds."""
        index = len(self.thresholds) - np.searchsorted(self.thresholds[::-1], thresholds)
        zero = np.nan if not self.has_regions else 0.0
        return (
            np.r_[zero, self.tp_rate][index],
            np.r_[0.0, self.fp_mean][index],
            np.r_[0.0, self.fp_sum][index],
        )


def case_table(case_id: str, sequences: Sequence[Sequence[Steps]]) -> CaseTable:
    """Average the slices of each sequence, and the sequences of a case."""
    parts = [s.thresholds for steps in sequences for s in steps]
    thresholds = np.unique(np.concatenate(parts))[::-1] if parts else np.zeros(0, np.float32)
    count = len(thresholds)
    tp_rates, fp_sums, fp_means = [], [], []
    for steps in sequences:
        false_positives = np.zeros(count)
        rates = []
        for s in steps:
            index = len(s.thresholds) - np.searchsorted(s.thresholds[::-1], thresholds)
            false_positives += np.r_[0, s.false_positives][index]
            if s.regions:
                rates.append(np.r_[0, s.found][index] / s.regions)
        fp_sums.append(false_positives)
        fp_means.append(false_positives / max(len(steps), 1))
        if rates:
            tp_rates.append(np.mean(rates, axis=0))
    no_regions = np.full(count or 1, np.nan)[:count] if count else np.full(0, np.nan)
    table = CaseTable(
        case_id,
        thresholds,
        np.mean(tp_rates, axis=0) if tp_rates else no_regions,
        np.mean(fp_means, axis=0),
        np.mean(fp_sums, axis=0),
    )
    return table if tp_rates or count else _without_regions(case_id)


def _without_regions(case_id: str) -> CaseTable:
    """A case without regions and without a single detection: one entry, so that it says so."""
    zero = np.zeros(1)
    return CaseTable(case_id, np.zeros(1, np.float32), np.full(1, np.nan), zero, zero)


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """A free-response ROC curve with both readings of false positives.

    Attributes
    ----------
    thresholds, tp_rate, fp_mean, fp_sum : numpy.ndarray
        One raw operating point for each distinct outcome as the threshold falls. Not
        monotone where regions merge.
    cases : tuple of CaseTable
        What the averages are made of; cases without regions count for false positives.
    """

    thresholds: LevelArray
    tp_rate: FloatArray
    fp_mean: FloatArray
    fp_sum: FloatArray
    cases: tuple[CaseTable, ...]

    def false_positives(self, reading: str = SUM) -> FloatArray:
        """False positives per case in the reading ``"mean"`` or ``"sum"``."""
        if reading not in (MEAN, SUM):
            raise ValueError(f"A reading is {MEAN!r} or {SUM!r}, not {reading!r}.")
        return self.fp_mean if reading == MEAN else self.fp_sum

    def envelope(self, reading: str = SUM) -> tuple[FloatArray, FloatArray]:
        """False positives (rising) and the running maximum of the TP rate, from (0, 0)."""
        return running_maximum(self.false_positives(reading), self.tp_rate)

    def tp_rate_at(self, false_positives: float, reading: str = SUM) -> float:
        """TP rate at so many false positives per case, interpolated."""
        fp, tp = self.envelope(reading)
        return float(np.interp(false_positives, fp, tp))

    def fp_at(self, tp_rate: float, reading: str = SUM) -> float:
        """False positives per case at which the TP rate is reached; infinite if never."""
        fp, tp = self.envelope(reading)
        if tp[-1] < tp_rate - 1e-12:
            return float("inf")
        k = int(np.argmax(tp >= tp_rate - 1e-12))
        if k == 0 or tp[k] == tp[k - 1]:
            return float(fp[k])
        share = (tp_rate - tp[k - 1]) / (tp[k] - tp[k - 1])
        return float(fp[k - 1] + share * (fp[k] - fp[k - 1]))

    def at(self, threshold: float) -> tuple[float, float, float]:
        """TP rate, mean and summed false positives per case at a threshold.

        Curves of maps compare in float32, as the maps are, and those of lists in float64.
        """
        single = self.thresholds.dtype == np.float32
        here: LevelArray = np.array([threshold], np.float32) if single else np.array([threshold])
        rates, means, sums = zip(*(case.at(here) for case in self.cases), strict=True)
        tp = np.concatenate(rates)
        return (
            float(np.nanmean(tp)) if not np.isnan(tp).all() else float("nan"),
            float(np.mean(means)),
            float(np.mean(sums)),
        )

    def area(self, fp_range: tuple[float, float] = (0.0, 0.5), reading: str = MEAN) -> float:
        """Area under the curve between two numbers of false positives, over its width."""
        return float(partial_area(self.false_positives(reading), self.tp_rate, fp_range))

    def summary(self) -> dict[str, float]:
        """The figures that the paper reports, in both readings."""
        result = {}
        for reading, name in ((MEAN, "mean_over_slices"), (SUM, "per_scan")):
            result[f"tp_rate_at_0.20_fp_{name}"] = self.tp_rate_at(0.20, reading)
            result[f"tp_rate_at_1_fp_{name}"] = self.tp_rate_at(1.0, reading)
            result[f"fp_at_90_percent_{name}"] = self.fp_at(0.90, reading)
            result[f"fp_at_100_percent_{name}"] = self.fp_at(1.0, reading)
        return result


def running_maximum(fp: FloatArray, tp: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sort raw points by false positives, and let the TP rate never fall; starts at (0, 0)."""
    order = np.lexsort((tp, fp))
    rising = np.maximum.accumulate(np.r_[0.0, tp[order]])
    return np.r_[0.0, fp[order]], rising


def partial_area(fp: FloatArray, tp: FloatArray, fp_range: tuple[float, float]) -> float:
    """Mean height of the curve over a range of false positives, trapezoidal.

    From (0, 0) linearly to the first point, then linearly; a step at equal false positives
    counts as vertical; beyond the last point the curve goes on level.
    """
    low, high = fp_range
    if not 0 <= low < high:
        raise SpinemetError(f"A range of false positives rises from 0 or more, not {fp_range}.")
    x, y = running_maximum(fp, tp)
    # np.interp takes the last of equal x, which is the top of a vertical step.
    inside = (x > low) & (x < high)
    left, right = np.interp([low, high], x, y)
    xs = np.r_[low, x[inside], high]
    ys = np.r_[left, y[inside], right]
    return float(np.trapezoid(ys, xs) / (high - low))


def curve_of(cases: Sequence[CaseTable]) -> FrocCurve:
    """Average cases at the union of their thresholds."""
    if not cases:
        raise SpinemetError("A FROC curve needs at least one case.")
    if not any(case.has_regions for case in cases):
        raise SpinemetError("None of the cases has a contoured lesion, so no rate can be given.")
    thresholds = np.unique(np.concatenate([c.thresholds for c in cases]))[::-1]
    tables = [case.at(thresholds) for case in cases]
    tp = np.nanmean([t for t, _, _ in tables if not np.isnan(t).any()], axis=0)
    means = np.mean([m for _, m, _ in tables], axis=0)
    sums = np.mean([s for _, _, s in tables], axis=0)
    changed = np.ones(len(thresholds), dtype=bool)
    changed[1:] = (np.diff(tp) != 0) | (np.diff(means) != 0) | (np.diff(sums) != 0)
    return FrocCurve(thresholds[changed], tp[changed], means[changed], sums[changed], tuple(cases))


def region_centres(
    annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> list[FloatArray]:
    """Centres of the annotated regions of each slice, (row, column) in mm.

    A region is a connected component (8 neighbours) of the lesion mask on the working grid.
    """
    masks = resample_labels(annotation.lesions, (spacing_mm[1], spacing_mm[2])) > 0
    result = []
    for mask in masks:
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        centres = ndimage.center_of_mass(mask, labels, range(1, count + 1))
        result.append(np.array(centres, dtype=float).reshape(-1, 2))
    return result


def forest_marks(
    forest: ComponentForest,
    regions: Sequence[FloatArray],
    min_area_cm2: float,
    curve: SpineCurve | None = None,
) -> list[Marks]:
    """The nodes of each slice's tree that are large enough, as marks."""
    smallest = min_pixels(min_area_cm2)
    result = []
    for tree, centres in zip(forest.trees, regions, strict=True):
        chosen = tree.area >= smallest
        if curve is not None:
            chosen &= curve.holds(tree.row, tree.column)
        lower = tree.parent_level[chosen]
        result.append(
            Marks(
                centres,
                np.stack([tree.row[chosen], tree.column[chosen]], axis=1),
                tree.level[chosen],
                np.where(lower > 0, lower, np.float32(-np.inf)),
            )
        )
    return result


def froc(
    cases: Iterable[FrocCase],
    *,
    max_distance_mm: float = 20.0,
    min_area_cm2: float = 5.0,
    weight: float | None = None,
    gate: bool = False,
    connectivity: int = 8,
    one_to_one: bool = False,
) -> FrocCurve:
    """FROC of likelihood maps against annotations, exact at every threshold.

    Parameters
    ----------
    cases : iterable of FrocCase
        Read one at a time; a generator keeps memory at one case.
    max_distance_mm : float
        Largest in-plane distance of the centres of a detection and the region it finds.
    min_area_cm2 : float
        Smaller detections are dropped.
    weight : float, optional
        Aggregate plain maps with this weight first; maps are taken as they are without it.
    gate : bool
        Drop detections outside the predicted spine, where the map has a third output.
    connectivity : {8, 4}
    one_to_one : bool
        A detection finds one region at most (the most that can be matched).

    Returns
    -------
    FrocCurve
    """
    tables = []
    for case in cases:
        sequences = []
        for likelihood, annotation in case.sequences:
            regions = region_centres(annotation, likelihood.series_spacing_mm)
            if len(regions) != len(likelihood.values):
                raise SpinemetError(
                    f"The contours of {case.case_id} have {len(regions)} slices and its "
                    f"likelihood map {len(likelihood.values)}; they are of different series."
                )
            forest = ComponentForest(_prepared(likelihood, weight), connectivity)
            curve = spine_curve(likelihood) if gate else None
            marks = forest_marks(forest, regions, min_area_cm2, curve)
            sequences.append([slice_steps(m, max_distance_mm, one_to_one) for m in marks])
        tables.append(case_table(case.case_id, sequences))
    return curve_of(tables)


def _prepared(likelihood: LikelihoodMap, weight: float | None) -> LikelihoodMap:
    return likelihood if weight is None else aggregate(likelihood, weight)


def froc_from_detections(
    cases: Iterable[Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]],
    *,
    max_distance_mm: float = 20.0,
    one_to_one: bool = False,
) -> FrocCurve:
    """FROC of fixed lists of scored detections.

    Parameters
    ----------
    cases : iterable
        For each case, for each slice: region centres ``(r, 2)`` in mm, and detections
        ``(d, 3)`` as (row, column, score). A detection is present at every threshold up to
        its score.

    Returns
    -------
    FrocCurve
    """
    tables = []
    for number, slices in enumerate(cases):
        steps = []
        for regions, detections in slices:
            found = np.asarray(detections, dtype=float).reshape(-1, 3)
            marks = Marks(
                np.asarray(regions, dtype=float).reshape(-1, 2),
                found[:, :2],
                found[:, 2],
                np.full(len(found), -np.inf),
            )
            steps.append(slice_steps(marks, max_distance_mm, one_to_one))
        tables.append(case_table(f"case-{number + 1:03d}", [steps]))
    return curve_of(tables)
