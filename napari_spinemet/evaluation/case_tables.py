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
class SliceDetections:
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
    def from_scores(
        cls, regions: FloatArray, centres: FloatArray, scores: FloatArray
    ) -> SliceDetections:
        """Detections that are present at every threshold up to their score.

        Parameters
        ----------
        regions, centres : numpy.ndarray
            ``(r, 2)`` and ``(d, 2)``, (row, column) in mm.
        scores : numpy.ndarray
            ``(d,)``, of the detections.
        """
        rising, ranks = np.unique(scores, return_inverse=True)
        begin = len(rising) - 1 - ranks
        return cls(regions, centres, rising[::-1], begin, np.full(len(ranks), len(rising)))


@dataclass(frozen=True, eq=False)
class SliceCounts:
    """Counts of one slice as step functions of the threshold.

    Attributes
    ----------
    thresholds : numpy.ndarray
        Falling; entry k holds for thresholds from here down to just above the next.
    false_positives, true_positives : numpy.ndarray
        Detections near no region, and regions that are found: one count for each threshold.
    regions : int
        Annotated regions.
    """

    thresholds: LevelArray
    false_positives: npt.NDArray[np.int64]
    true_positives: npt.NDArray[np.int64]
    regions: int


def count_slice(detections: SliceDetections, matching: Matching) -> SliceCounts:
    """Count false positives and found regions of one slice at every threshold.

    Parameters
    ----------
    detections : SliceDetections
    matching : Matching
        When a detection finds a region.
    """
    centres, regions = detections.centres, detections.regions
    distances = np.hypot(*(centres[:, None, k] - regions[None, :, k] for k in (0, 1))).reshape(
        len(centres), len(regions)
    )
    # A centre of gravity is a quotient: 20 mm must not fail by its last digit.
    is_match = distances <= matching.max_distance_mm + 1e-9
    thresholds, begin, end = detections.levels, detections.begin, detections.end
    count = len(thresholds)

    def count_present(selection: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """How many of a selection there are at each threshold: those that came, less those gone."""
        change = np.bincount(begin[selection], minlength=count + 1)
        change -= np.bincount(end[selection], minlength=count + 1)
        return np.cumsum(change)[:count]

    false_positives = count_present(np.logical_not(is_match.any(axis=1)))
    true_positives = np.zeros(count, dtype=np.int64)
    for region in range(len(regions)):
        true_positives += count_present(is_match[:, region]) > 0
    if matching.one_to_one and len(regions) > 1:
        # A detection near two regions may find one only, so that fewer may be found.
        for k in np.flatnonzero(true_positives > 1):
            present = is_match[(begin <= k) & (k < end)]
            rows, columns = optimize.linear_sum_assignment(present, maximize=True)
            true_positives[k] = int(present[rows, columns].sum())
    # One entry for each distinct outcome; the first, above all detections, goes too.
    is_step = np.ones(count, dtype=bool)
    if count:
        is_step[1:] = (np.diff(false_positives) != 0) | (np.diff(true_positives) != 0)
        is_step[0] = bool(false_positives[0] or true_positives[0])
    return SliceCounts(
        thresholds[is_step], false_positives[is_step], true_positives[is_step], len(regions)
    )


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


def case_table(case_id: str, sequences: Sequence[Sequence[SliceCounts]]) -> CaseTable:
    """Average the slices of each sequence, and the sequences of a case.

    Parameters
    ----------
    case_id : str
    sequences : sequence of sequence of SliceCounts
        For each sequence of the case its slices.
    """
    parts = [s.thresholds for slices in sequences for s in slices]
    thresholds = np.unique(np.concatenate(parts))[::-1] if parts else np.zeros(0, np.float32)
    count = len(thresholds)
    tp_rates, fp_sums, fp_means = [], [], []
    for slices in sequences:
        false_positives = np.zeros(count)
        rates = []
        for s in slices:
            index = len(s.thresholds) - np.searchsorted(s.thresholds[::-1], thresholds)
            false_positives += np.r_[0, s.false_positives][index]
            if s.regions:
                rates.append(np.r_[0, s.true_positives][index] / s.regions)
        fp_sums.append(false_positives)
        fp_means.append(false_positives / max(len(slices), 1))
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
