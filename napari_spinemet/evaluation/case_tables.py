"""Found regions and false positives of slices and cases, counted at every threshold.

Every component at any threshold is a node of a max-tree that is a detection over an
interval of thresholds, so counts are sums of steps, exact without a grid of thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from .matching import Matching

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int32] | npt.NDArray[np.intp]
LevelArray = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Marks:
    """The detections of one slice at all thresholds, and its regions.

    Attributes
    ----------
    regions : numpy.ndarray
        ``(r, 2)`` centres of the annotated regions, (row, column) in mm.
    centres : numpy.ndarray
        ``(d, 2)`` centres of the detections.
    levels : numpy.ndarray
        Falling, float32 for maps: thresholds at which a detection comes or goes.
    begin, end : numpy.ndarray
        ``(d,)``: present from the position of its own level up to, and not at, that at which
        it has merged; the number of levels for one that never does.
    """

    regions: FloatArray
    centres: FloatArray
    levels: LevelArray
    begin: IndexArray
    end: IndexArray

    @classmethod
    def scored(cls, regions: FloatArray, centres: FloatArray, scores: FloatArray) -> Marks:
        """Detections that are present at every threshold up to their score."""
        rising, place = np.unique(scores, return_inverse=True)
        begin = len(rising) - 1 - place
        return cls(regions, centres, rising[::-1], begin, np.full(len(place), len(rising)))


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


def slice_steps(marks: Marks, matching: Matching) -> Steps:
    """Count false positives and found regions of one slice at every threshold.

    Parameters
    ----------
    marks : Marks
    matching : Matching
        When a detection finds a region.
    """
    distances = np.hypot(
        *(marks.centres[:, None, k] - marks.regions[None, :, k] for k in (0, 1))
    ).reshape(len(marks.centres), len(marks.regions))
    # A centre of gravity is a quotient: 20 mm must not fail by its last digit.
    near = distances <= matching.max_distance_mm + 1e-9
    thresholds, begin, end = marks.levels, marks.begin, marks.end
    count = len(thresholds)

    def present(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        change = np.bincount(begin[chosen], minlength=count + 1)
        change -= np.bincount(end[chosen], minlength=count + 1)
        return np.cumsum(change)[:count]

    false_positives = present(np.logical_not(near.any(axis=1)))
    found = np.zeros(count, dtype=np.int64)
    for region in range(len(marks.regions)):
        found += present(near[:, region]) > 0
    if matching.one_to_one and len(marks.regions) > 1:
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
