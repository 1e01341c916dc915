"""What the network marks, cut at the discs, and how each piece differs from the other bodies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import logit
from scipy.stats import theilslopes

from ...imaging.comparison import CERTAIN
from .scan_view import CANDIDATE_RULE, BoolArray, CandidateRule, FloatArray, ScanView

LabelArray = npt.NDArray[np.uint16]


FEATURES = (
    "peak likelihood",
    "mean likelihood",
    "brighter than its neighbours",
    "darker than its neighbours",
    "deviations from healthy marrow",
    "deviations from other bodies",
    "differs from its own body",
    "share of its body",
    "texture",
    "likelihood across the disc",
    "distance from the disc",
    "area",
    "slices",
    "likelihood of vertebra",
    "within the bodies",
    "in front of the bodies",
    "behind the bodies",
    "share of bodies marked",
    "likelihood in other bodies",
    "aside from the middle",
    "beyond the ends of the spine",
)
"""By name, in the order of :attr:`Candidate.features`."""
NEIGHBOURS = 4
"""Bodies above and below that a candidate is compared with."""
LEAST_PIXELS = 60
"""Of healthy marrow, by which a body is a neighbour to compare with."""
CONTRASTS = (0.02, 50.0)
"""What lies beyond is told as this."""
DARKEST = 0.02
"""Of the level of marrow: the logarithm of less says nothing."""


def find_candidates(view: ScanView, rule: CandidateRule = CANDIDATE_RULE) -> LabelArray:
    """Regions of raised likelihood across slices, cut at the discs.

    Each is compared by itself: a network that calls a whole spine lesion marks one region.

    Parameters
    ----------
    view : ScanView
    rule : CandidateRule

    Returns
    -------
    numpy.ndarray
        ``(slice, row, column)`` uint16: 0, or the number of a candidate.
    """
    smallest = 100 * rule.area_cm2
    labels, _ = ndimage.label(view.average >= rule.threshold, np.ones((3, 3, 3)))
    result = np.zeros(labels.shape, dtype=np.uint16)
    number = 0
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        mask = labels[box] == label
        if mask.sum(axis=(1, 2)).max() < smallest:
            continue
        zones = view.body_number[box[1:]]
        if not _is_beside(view, mask, box):
            number += 1
            result[box][mask] = number
            continue
        present = np.unique(zones[mask.any(axis=0)])
        areas = [(mask & (zones == z)).sum(axis=(1, 2)).max() for z in present]
        large = present[np.array(areas) >= smallest]
        if not len(large):
            large = present[[int(np.argmax(areas))]]
        # What reaches over a disc by little goes with the nearest large piece.
        nearest = large[np.abs(zones[..., None] - large).argmin(axis=-1)]
        for zone in large:
            number += 1
            result[box][mask & (nearest == zone)] = number
    return result


def find_rims(
    view: ScanView, labels: LabelArray, rule: CandidateRule = CANDIDATE_RULE
) -> LabelArray:
    """Candidates with the pixels around them that are marked less.

    Parameters
    ----------
    view : ScanView
    labels : numpy.ndarray
        Of :func:`find_candidates`.
    rule : CandidateRule

    Returns
    -------
    numpy.ndarray
        ``(slice, row, column)`` uint16, as the labels.
    """
    from skimage.segmentation import expand_labels

    result = labels.copy()
    for plane, own in zip(view.average, result, strict=True):
        if own.any():
            wide = expand_labels(own, rule.rim_mm)
            is_rim = (own == 0) & (plane >= rule.rim)
            own[is_rim] = wide[is_rim]
    return result


@dataclass(frozen=True, eq=False)
class Candidate:
    """One piece of what the network marks.

    Attributes
    ----------
    features : numpy.ndarray
        As :data:`FEATURES` names them.
    body : int
        Number of its body, from 0.
    contrast, deviation, body_share
        See :class:`.Evidence`.
    is_beside : bool
        Whether it lies beside a body at all.
    peak : float
        Largest aggregated likelihood.
    """

    features: FloatArray
    body: int
    contrast: float | None
    deviation: float | None
    body_share: float
    peak: float
    is_beside: bool = True


@dataclass(frozen=True, eq=False)
class Marrow:
    """The healthy marrow of a scan, body by body.

    Attributes
    ----------
    median : numpy.ndarray
        ``(body,)``: of healthy marrow; not a number where a body has too little of it.
    deviation : float
        Robust standard deviation of the logarithm of brightness within bodies.
    body_spread : float
        The same of the bodies' medians among each other.
    texture : float
        Median standard deviation of the logarithm in healthy bodies.
    """

    median: FloatArray
    deviation: float
    body_spread: float
    texture: float

    @classmethod
    def of(cls, view: ScanView, labels: LabelArray) -> Marrow:
        """Measure it.

        Parameters
        ----------
        view : ScanView
        labels : numpy.ndarray
            What is marked, and not healthy.
        """
        is_healthy = view.is_marrow & (labels == 0)
        numbers = np.broadcast_to(view.body_number, is_healthy.shape)[is_healthy]
        values = view.image[is_healthy].astype(np.float64)
        count = len(view.bodies)
        median, residuals, textures = np.full(count, np.nan), [], []
        for k in range(count):
            own = values[numbers == k]
            if len(own) < LEAST_PIXELS:
                continue
            median[k] = max(float(np.median(own)), 1e-6)
            shares = np.log(np.maximum(own / median[k], DARKEST))
            residuals.append(shares)
            textures.append(_robust_deviation(shares))
        if not residuals:
            return cls(median, 1.0, 1.0, 0.2)
        logs = np.log(median[np.isfinite(median)])
        trend = ndimage.median_filter(logs, size=5, mode="nearest")
        return cls(
            median,
            max(_robust_deviation(np.concatenate(residuals)), 0.02),
            max(_robust_deviation(logs - trend), 0.05),
            max(float(np.median(textures)), 0.02),
        )

    def level_beside(self, body: int) -> float:
        """Level of healthy marrow in the neighbours of a body, or in all others; NaN without.

        Parameters
        ----------
        body : int
            From 0.
        """
        distance = np.abs(np.arange(len(self.median)) - body)
        has_level = np.isfinite(self.median)
        for selection in (
            has_level & (distance > 0) & (distance <= NEIGHBOURS),
            has_level & (distance > 0),
        ):
            if selection.any():
                return float(np.median(self.median[selection]))
        return np.nan

    def level_along(self, body: int) -> float:
        """Level that healthy marrow would have at a body, by how it changes along the spine.

        A coil's own fall-off makes the bodies at one end many times as bright as those at the
        other. Where a body has more neighbours on one side, their median is the level of that side.

        Parameters
        ----------
        body : int
            From 0.

        Returns
        -------
        float
            By the line of Theil and Sen through the logarithms of the neighbours' levels; with
            fewer than three neighbours what :meth:`level_beside` gives.
        """
        numbers = np.arange(len(self.median))
        distance = np.abs(numbers - body)
        is_neighbour = np.isfinite(self.median) & (distance > 0) & (distance <= NEIGHBOURS)
        if is_neighbour.sum() < 3:
            return self.level_beside(body)
        logs = np.log(self.median[is_neighbour])
        slope, _, _, _ = theilslopes(logs, numbers[is_neighbour])
        return float(np.exp(np.median(logs - slope * (numbers[is_neighbour] - body))))


def measure_candidates(view: ScanView, labels: LabelArray) -> list[Candidate]:
    """Compare each candidate.

    Parameters
    ----------
    view : ScanView
    labels : numpy.ndarray
        Of :func:`find_candidates`.
    """
    marrow = Marrow.of(view, labels)
    boxes = ndimage.find_objects(labels)
    numbers = [_body_of(view, labels[box] == k, box) for k, box in enumerate(boxes, 1)]
    marked_share = len(set(numbers)) / len(view.bodies)
    by_body = _likelihood_by_body(view)
    return [
        _measure(view, marrow, labels[box] == k, box, number, marked_share, by_body)
        for k, (box, number) in enumerate(zip(boxes, numbers, strict=True), 1)
    ]


def _is_beside(view: ScanView, mask: BoolArray, box: tuple[slice, ...]) -> bool:
    return bool(np.broadcast_to(view.is_beside[box[1:]], mask.shape)[mask].mean() >= 0.5)


def _body_of(view: ScanView, mask: BoolArray, box: tuple[slice, ...]) -> int:
    zones = np.broadcast_to(view.body_number[box[1:]], mask.shape)[mask]
    return int(np.bincount(zones).argmax())


def _likelihood_by_body(view: ScanView) -> FloatArray:
    """``(body,)``: mean likelihood of lesion in the marrow of each body."""
    numbers = np.broadcast_to(view.body_number, view.is_marrow.shape)[view.is_marrow]
    values = view.average[view.is_marrow].astype(np.float64)
    count = len(view.bodies)
    total = np.bincount(numbers, minlength=count)
    return np.asarray(np.bincount(numbers, values, count) / np.maximum(total, 1))


def _measure(
    view: ScanView,
    marrow: Marrow,
    mask: BoolArray,
    box: tuple[slice, ...],
    body: int,
    marked_share: float,
    by_body: FloatArray,
) -> Candidate:
    plane = box[1:]
    likelihoods, image = view.average[box][mask], view.image[box][mask].astype(np.float64)
    reference = marrow.level_beside(body)
    has_reference = bool(np.isfinite(reference))
    if not has_reference:  # it differs from nothing, then
        reference = max(float(np.median(image)), 1e-6)
    shares = np.log(np.maximum(image / reference, DARKEST))
    difference = float(np.median(shares))
    own = marrow.median[body]
    own_difference = difference if np.isnan(own) else difference - float(np.log(own / reference))
    areas = mask.sum(axis=(1, 2))
    offset_mm = np.broadcast_to(view.offset_mm[plane], mask.shape)[mask]
    foot = np.broadcast_to(view.foot[plane], mask.shape)[mask]
    first, last = view.bodies.borders[body]
    half = (last - first) / 2
    others = np.delete(by_body, body)
    slices = np.arange(view.plain.shape[0])[box[0]]
    middle = (view.plain.shape[0] - 1) / 2
    off_middle_mm = float(np.average(np.abs(slices - middle), weights=areas)) * view.spacing_mm[0]
    peak, mean = float(likelihoods.max()), float(likelihoods.mean())
    deviation = abs(difference) / marrow.deviation
    share = _body_share(view, mask, box, body)
    past_end_mm = max(
        view.bodies.borders[0, 0] - foot.mean(), foot.mean() - view.bodies.borders[-1, 1]
    )
    features = [
        float(logit(np.clip(peak, CERTAIN, 1 - CERTAIN))),
        float(logit(np.clip(mean, CERTAIN, 1 - CERTAIN))),
        min(max(difference, 0.0), 2.0),
        min(max(-difference, 0.0), 2.0),
        min(deviation, 8.0),
        min(abs(difference) / marrow.body_spread, 8.0),
        min(abs(own_difference), 2.0),
        share,
        float(np.clip(np.log(max(_robust_deviation(shares), 0.01) / marrow.texture), -2, 2)),
        _across_disc(view, offset_mm, foot, body, slices),
        float(np.clip(min(foot.mean() - first, last - foot.mean()) / half, 0, 1)),
        float(np.log(areas.max() / 100)),
        float(np.log((areas > 0).sum())),
        float(view.vertebra[box][mask].mean()),
        float(((np.abs(offset_mm) <= 18) & (foot > first) & (foot < last)).mean()),
        float(np.clip(-offset_mm.mean() - 14, 0, 30) / 10),
        float(np.clip(offset_mm.mean() - 14, 0, 60) / 10),
        marked_share,
        float(np.median(others)) if len(others) else 0.0,
        off_middle_mm / 20,
        float(np.clip(past_end_mm, 0, 60) / 20),
    ]
    return Candidate(
        np.array(features),
        body,
        float(np.clip(np.exp(difference), *CONTRASTS)) if has_reference else None,
        deviation if has_reference else None,
        share,
        peak,
        _is_beside(view, mask, box),
    )


def _body_share(view: ScanView, mask: BoolArray, box: tuple[slice, ...], body: int) -> float:
    """Of the body's marrow, in the slices that the candidate lies in, that it covers."""
    own = view.is_marrow[box[0]] & (view.body_number == body)
    overlap = own[:, box[1], box[2]] & mask
    in_slices = own[mask.any(axis=(1, 2))].sum()
    return float(overlap.sum() / in_slices) if in_slices else 0.0


def _across_disc(
    view: ScanView, offset_mm: FloatArray, foot: FloatArray, body: int, slices: npt.NDArray[np.intp]
) -> float:
    """Mean likelihood of lesion across the nearer disc: what marks both sides is degeneration."""
    first, last = view.bodies.borders[body]
    is_upper = foot.mean() - first < last - foot.mean()
    other = body - 1 if is_upper else body + 1
    if not 0 <= other < len(view.bodies):
        return 0.0
    edge = view.bodies.borders[other][1 if is_upper else 0]
    is_near = np.abs(view.foot - edge) <= 10
    is_beside = (view.offset_mm >= np.quantile(offset_mm, 0.1)) & (
        view.offset_mm <= np.quantile(offset_mm, 0.9)
    )
    strip = is_near & is_beside & (view.body_number == other)
    is_bone = strip & (view.bone[slices] > 0.5)
    return float(view.average[slices][is_bone].mean()) if is_bone.any() else 0.0


def _robust_deviation(values: FloatArray) -> float:
    """Of the median absolute deviation, as for a Gaussian."""
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if len(values) else 0.0
