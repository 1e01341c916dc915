"""Fit a second look to the maps of one network, on scans that it has not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...detection.comparison.candidates import FEATURES
from ...detection.comparison.logistic import FloatArray, LogisticModel
from ...detection.comparison.second_look import ComparedScan, SecondLook, measure_scan
from ...errors import SpinemetError
from ...imaging import Annotation, LikelihoodMap, SagittalSeries
from ...imaging.grids import resample_labels

LESION_SHARE = 0.25
"""Of a candidate's pixels, or of a lesion's in its slices, by which the two are the same."""
RIDGE = 3.0
MARROW_RIDGE = 1.0
WARNED = 0.95
"""Share of the scans whose marrow is diseased as a whole, left out of the fit, that are told."""
_RISING = (
    "peak likelihood",
    "mean likelihood",
    "deviations from healthy marrow",
    "deviations from other bodies",
    "differs from its own body",
)
"""More of these never speaks against a lesion."""


@dataclass(frozen=True, eq=False)
class JudgedScan:
    """What a second look sees in a scan, and what is true.

    Attributes
    ----------
    name : str
    scan : ComparedScan
    truth : numpy.ndarray
        ``(candidate,)``: 1 for a lesion, 0 for none, -1 where it is neither plainly.
    is_comparable : bool
        Whether most of the marrow is healthy.
    """

    name: str
    scan: ComparedScan
    truth: npt.NDArray[np.int8]
    is_comparable: bool


def judge_scan(
    name: str,
    series: SagittalSeries,
    likelihood: LikelihoodMap,
    annotation: Annotation,
    *,
    is_comparable: bool = True,
) -> JudgedScan:
    """Measure a scan and hold its candidates against the contours.

    Parameters
    ----------
    name : str
    series : SagittalSeries
    likelihood : LikelihoodMap
        Plain, of that series.
    annotation : Annotation
        On the grid of the series.
    is_comparable : bool
        Whether most of the marrow is healthy.
    """
    scan = measure_scan(series, likelihood)
    lesions = resample_labels(annotation.lesions, series.spacing_mm[1:])
    truth = np.array(
        [_truth_of(scan.labels == k, lesions) for k in range(1, len(scan.candidates) + 1)],
        dtype=np.int8,
    )
    return JudgedScan(name, scan, truth, is_comparable)


def _truth_of(mask: npt.NDArray[np.bool_], lesions: npt.NDArray[np.unsignedinteger]) -> int:
    inside = lesions[mask]
    hits = inside[inside > 0]
    if not len(hits):
        return 0
    label = int(np.bincount(hits).argmax())
    slices = mask.any(axis=(1, 2))
    covered = float((hits == label).sum() / (lesions[slices] == label).sum())
    return 1 if max(len(hits) / len(inside), covered) >= LESION_SHARE else -1


def fit_second_look(scans: Sequence[JudgedScan], *, folds: int = 5) -> SecondLook:
    """Both models of a second look.

    Parameters
    ----------
    scans : sequence of JudgedScan
        Comparable ones and others, none of them learned from by the network.
    folds : int
        Parts of the scans that are left out in turn, to choose the threshold of the warning.

    Raises
    ------
    SpinemetError
        If lesions, other candidates, comparable scans or others are missing.
    """
    candidates = _fit_candidates(scans)
    marrow = _fit_marrow(scans)
    left_out, is_unusual = left_out_marrow(scans, folds)
    threshold = float(np.quantile(left_out[is_unusual], 1 - WARNED))
    return SecondLook(candidates, marrow, float(np.clip(threshold, 0.02, 0.98)))


def left_out_marrow(
    scans: Sequence[JudgedScan], folds: int = 5
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """How likely the marrow is unusual in scans that the fit has not seen, and whether it is.

    Parameters
    ----------
    scans : sequence of JudgedScan
        Those in which bodies were recognised count.
    folds : int

    Returns
    -------
    tuple of numpy.ndarray
        ``(scan,)`` each.
    """
    known = [s for s in scans if s.scan.marrow is not None]
    is_unusual = np.array([not s.is_comparable for s in known])
    left_out = np.empty(len(known))
    for part in _parts(known, min(folds, max(1, int(is_unusual.sum())))):
        chosen = set(part.tolist())
        rest = [s for k, s in enumerate(known) if k not in chosen]
        features = np.array([known[k].scan.marrow for k in part])
        left_out[part] = _fit_marrow(rest).probabilities(features)
    return left_out, is_unusual


def left_out_logits(scans: Sequence[JudgedScan], folds: int = 5) -> tuple[FloatArray, FloatArray]:
    """Logits of candidates in scans that the fit has not seen, and the truth of each.

    Parameters
    ----------
    scans : sequence of JudgedScan
        Comparable ones.
    folds : int

    Returns
    -------
    tuple of numpy.ndarray
        ``(n,)`` each: logits, and 1 or 0; what is neither plainly is left out.
    """
    logits, truths = [], []
    for part in _parts(scans, folds):
        left_out = set(part.tolist())
        model = _fit_candidates([s for k, s in enumerate(scans) if k not in left_out])
        for k in part:
            judged = scans[k]
            is_plain = judged.truth >= 0
            logits.append(model.logits(judged.scan.features)[is_plain])
            truths.append(judged.truth[is_plain])
    return np.concatenate(logits), np.concatenate(truths).astype(np.float64)


def _parts(scans: Sequence[JudgedScan], folds: int) -> list[npt.NDArray[np.intp]]:
    """Indices of each part, every kind of scan in each."""
    order = sorted(range(len(scans)), key=lambda k: (scans[k].is_comparable, k))
    return [np.array(order[k::folds], dtype=np.intp) for k in range(folds) if order[k::folds]]


def _fit_candidates(scans: Sequence[JudgedScan]) -> LogisticModel:
    usable = [s for s in scans if s.is_comparable and len(s.truth)]
    if not usable:
        raise SpinemetError("There are no candidates to fit a second look to; take more scans.")
    features = np.concatenate([s.scan.features for s in usable])
    truth = np.concatenate([s.truth for s in usable])
    is_plain = truth >= 0
    if not (truth == 1).any() or not (truth == 0).any():
        raise SpinemetError(
            "A second look is fitted to lesions and to what is none; take more scans."
        )
    signs = np.array([int(name in _RISING) for name in FEATURES])
    # A scan with twenty candidates says less than twenty scans with one.
    weights = np.concatenate([np.full(len(s.truth), len(s.truth) ** -0.5) for s in usable])
    weights /= weights.mean()
    return LogisticModel.fit(
        features[is_plain],
        truth[is_plain] == 1,
        ridge=RIDGE,
        signs=signs,
        weights=weights[is_plain],
    )


def _fit_marrow(scans: Sequence[JudgedScan]) -> LogisticModel:
    known = [s for s in scans if s.scan.marrow is not None]
    is_unusual = np.array([not s.is_comparable for s in known])
    if not len(known) or is_unusual.all() or not is_unusual.any():
        raise SpinemetError(
            "A second look is fitted to scans whose marrow is healthy for the most part, and to "
            "others; take both."
        )
    # Both kinds count alike, however many there are of each.
    weights = np.where(is_unusual, 0.5 / is_unusual.mean(), 0.5 / (1 - is_unusual.mean()))
    features = np.array([s.scan.marrow for s in known])
    return LogisticModel.fit(features, is_unusual, ridge=MARROW_RIDGE, weights=weights)
