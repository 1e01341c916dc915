"""A second look at a likelihood map: whether what is marked differs from its neighbours.

A radiologist does not ask how bright a body is; he asks whether it differs from its neighbours.
The network sees 16 cm of a spine at most, and no number of it compares two bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...errors import SpinemetError
from ...imaging import LikelihoodMap, SagittalSeries
from ...imaging.aggregation import NeighbourAverage
from ...imaging.comparison import NO_MODEL, Comparison, Evidence, move
from .appearance import measure_appearance
from .bodies import find_bodies
from .candidates import (
    FEATURES,
    Candidate,
    LabelArray,
    find_candidates,
    find_rims,
    measure_candidates,
)
from .familiarity import FamiliarityModel
from .levels import guess_levels
from .logistic import FloatArray, LogisticModel
from .marrow import MARROW_FEATURES, measure_marrow
from .scan_view import CANDIDATE_RULE, CandidateRule, ScanView

LEAST_BODIES = 3
"""With fewer there are no neighbours."""
MOST_MARKED = 0.5
"""Where a larger share of the bodies has a probable lesion, there are too few healthy ones to
compare with."""
LARGE_SHARE = 0.25
"""Of a body, that makes it a marked one."""
MOST_UP, MOST_DOWN = 2.0, 14.0
"""By how much a likelihood may be moved, in logit. Upwards by no more: the outline at a threshold
follows what is moved, and a lesion shall not grow by being certain."""
_HALVINGS = 12
METHOD = 1
"""Raised when the same weights would measure or move otherwise."""
TOO_FEW = "fewer than three vertebral bodies were recognised"
TOO_MANY = "more than half of the bodies are marked"
UNUSUAL = "the marrow as a whole is unusual"


@dataclass(frozen=True, eq=False)
class SecondLook:
    """What a second look decides by; it belongs to the weights of one network.

    Attributes
    ----------
    candidates : LogisticModel
        Of :data:`.FEATURES`: whether a candidate is a lesion.
    marrow : LogisticModel
        Of :data:`.MARROW_FEATURES`: whether the marrow as a whole is diseased.
    marrow_threshold : float
        Probability from which it counts as diseased.
    rule : CandidateRule
    """

    candidates: LogisticModel
    marrow: LogisticModel
    marrow_threshold: float = 0.5
    rule: CandidateRule = CANDIDATE_RULE

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return {
            "method": METHOD,
            "features": list(FEATURES),
            "candidates": self.candidates.to_dict(),
            "marrow_features": list(MARROW_FEATURES),
            "marrow": self.marrow.to_dict(),
            "marrow_threshold": self.marrow_threshold,
            "threshold": self.rule.threshold,
            "area_cm2": self.rule.area_cm2,
            "weight": self.rule.weight,
        }

    @classmethod
    def of_card(cls, values: Mapping[str, Any]) -> SecondLook:
        """What the card of a model holds of it.

        Raises
        ------
        SpinemetError
            If that is none.
        """
        try:
            return cls.from_dict(values)
        except (ValueError, TypeError, KeyError) as error:
            raise SpinemetError(
                "The second look in the card of this model is not one of this program; copy the "
                "model again, or use another."
            ) from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SecondLook:
        """What :meth:`to_dict` gave.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is none, or of features that this program does not have.
        """
        names = (list(FEATURES), list(MARROW_FEATURES))
        if values["method"] != METHOD:
            raise ValueError("a second look is by the method of this program")
        if (list(values["features"]), list(values["marrow_features"])) != names:
            raise ValueError("a second look has the features of this program")
        models = [LogisticModel.from_dict(values[name]) for name in ("candidates", "marrow")]
        for model, own_names in zip(models, names, strict=True):
            if len(model.mean) != len(own_names):
                raise ValueError("a second look has a weight for each feature")
        return cls(
            models[0],
            models[1],
            float(values["marrow_threshold"]),
            CandidateRule(
                float(values["threshold"]), float(values["area_cm2"]), float(values["weight"])
            ),
        )


@dataclass(frozen=True, eq=False)
class ComparedScan:
    """Everything a second look measures in a scan, before it decides.

    Attributes
    ----------
    labels : numpy.ndarray
        ``(slice, row, column)`` uint16: 0, or the number of a candidate.
    candidates : list of Candidate
    levels : list of str
        Guessed, of the bodies.
    marrow : numpy.ndarray or None
        As :data:`.MARROW_FEATURES` names them; None where there are too few bodies.
    plain : numpy.ndarray
        ``(slice, row, column)``: the likelihoods that it was measured on.
    rims : numpy.ndarray
        As the labels: pixels around a candidate that go down with it.
    view : ScanView or None
        What it was measured in; None where there are too few bodies.
    """

    labels: LabelArray
    candidates: list[Candidate]
    levels: list[str]
    marrow: FloatArray | None
    plain: npt.NDArray[np.float32]
    rims: LabelArray
    view: ScanView | None = None

    @property
    def features(self) -> FloatArray:
        """``(candidate, feature)``."""
        return np.array([c.features for c in self.candidates]).reshape(-1, len(FEATURES))

    def marked_share(self, probabilities: FloatArray) -> float:
        """Of the bodies, those of which a probable lesion covers a quarter.

        Parameters
        ----------
        probabilities : numpy.ndarray
            ``(candidate,)``: that it is a lesion.
        """
        bodies = {
            c.body
            for c, probability in zip(self.candidates, probabilities, strict=True)
            if probability > 0.5 and c.body_share > LARGE_SHARE
        }
        return len(bodies) / len(self.levels) if self.levels else 0.0


def measure_scan(
    series: SagittalSeries, likelihood: LikelihoodMap, rule: CandidateRule = CANDIDATE_RULE
) -> ComparedScan:
    """Find bodies and candidates, and measure how they differ.

    Parameters
    ----------
    series : SagittalSeries
        That was evaluated.
    likelihood : LikelihoodMap
        Plain.
    rule : CandidateRule
    """
    bodies = find_bodies(likelihood)
    if bodies is None or len(bodies) < LEAST_BODIES:
        nothing = np.zeros(likelihood.values.shape, np.uint16)
        return ComparedScan(nothing, [], [], None, likelihood.values, nothing)
    view = ScanView.of(series, likelihood, bodies, rule)
    labels = find_candidates(view, rule)
    candidates = measure_candidates(view, labels)
    marrow = measure_marrow(view, labels, candidates)
    rims = find_rims(view, labels, rule)
    return ComparedScan(labels, candidates, guess_levels(bodies), marrow, view.plain, rims, view)


def compare_candidates(scan: ComparedScan, look: SecondLook | None) -> Comparison:
    """Decide what each candidate's likelihood becomes.

    All pixels of a candidate are moved alike in logit, so far that its largest likelihood after
    aggregation becomes the probability that it is a lesion, or as near to it as it may go: upwards
    by :data:`MOST_UP`, and not at all where it lies beside no body. What goes down takes its rim
    along. Where the bodies cannot be compared nothing is moved.

    Parameters
    ----------
    scan : ComparedScan
    look : SecondLook or None
        None where the network has none: what was measured is told, and nothing moves.
    """
    if look is None:
        reason = TOO_FEW if scan.marrow is None else NO_MODEL
        return _comparison_of(scan, reason, np.zeros(len(scan.candidates)))
    targets = look.candidates.probabilities(scan.features)
    reason = _why_not(scan, look, targets)
    if reason or not scan.candidates:
        return _comparison_of(scan, reason, np.zeros(len(scan.candidates)))
    average = NeighbourAverage(look.rule.weight)
    boxes = ndimage.find_objects(scan.labels)
    shifts = [
        _shift_to(float(target), scan, average, number, box, is_beside=candidate.is_beside)
        for number, (candidate, box, target) in enumerate(
            zip(scan.candidates, boxes, targets, strict=True), 1
        )
    ]
    return _comparison_of(scan, "", np.array(shifts))


def _comparison_of(scan: ComparedScan, reason: str, shifts: FloatArray) -> Comparison:
    evidence = tuple(
        Evidence(
            c.contrast,
            c.deviation,
            c.body_share,
            scan.levels[c.body],
            float(shift),
            c.body,
        )
        for c, shift in zip(scan.candidates, shifts, strict=True)
    )
    goes_down = np.r_[False, shifts < 0]
    labels = np.where(goes_down[scan.rims], scan.rims, scan.labels)
    return Comparison(labels.astype(np.uint16), evidence, reason, len(scan.levels))


def _shift_to(
    target: float,
    scan: ComparedScan,
    average: NeighbourAverage,
    number: int,
    box: tuple[slice, ...],
    *,
    is_beside: bool,
) -> float:
    """By how much a candidate moves, so that its largest aggregated likelihood is the target.

    Found by halving: what it moves to depends on the slices beside it too, and is no formula.
    """
    mask = scan.labels[(slice(None), *box[1:])] == number
    columns = mask.any(axis=0)
    inside = mask[:, columns]
    plain = scan.plain[(slice(None), *box[1:])][:, columns]

    def peak_at(shift: float) -> float:
        moved = np.where(inside, move(plain, shift), plain)
        return float(average.combine(moved[:, :, None])[:, :, 0][inside].max())

    if (peak_at(0.0) >= target) or not is_beside:
        low, high = -MOST_DOWN, 0.0
    else:
        low, high = 0.0, MOST_UP
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if peak_at(middle) > target else (middle, high)
    return round((low + high) / 2, 4)


def _why_not(scan: ComparedScan, look: SecondLook, probabilities: FloatArray) -> str:
    if scan.marrow is None:
        return TOO_FEW
    if scan.marked_share(probabilities) > MOST_MARKED:
        return TOO_MANY
    is_unusual = look.marrow.probabilities(scan.marrow)[0] >= look.marrow_threshold
    return UNUSUAL if is_unusual else ""


def look_again(
    series: SagittalSeries,
    likelihood: LikelihoodMap,
    look: SecondLook | None,
    familiarity_model: FamiliarityModel | None = None,
) -> LikelihoodMap:
    """A plain map with its comparison; its values stay as they are, see :class:`.Comparison`.

    Parameters
    ----------
    series : SagittalSeries
        That was evaluated.
    likelihood : LikelihoodMap
        Plain.
    look : SecondLook or None
        Of the network that was evaluated; None where it has none.
    familiarity_model : FamiliarityModel or None
        What that network knows; None where it was not measured.
    """
    scan = measure_scan(series, likelihood, CANDIDATE_RULE if look is None else look.rule)
    familiarity = None
    if familiarity_model is not None:
        features = (
            None if scan.view is None else measure_appearance(scan.view, familiarity_model.rule)
        )
        is_meant = all(note.code != "not-for-detection" for note in series.warnings)
        familiarity = familiarity_model.judge(features, is_meant=is_meant)
    return replace(likelihood, comparison=compare_candidates(scan, look), familiarity=familiarity)
