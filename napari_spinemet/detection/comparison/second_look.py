"""A second look at a likelihood map: whether what is marked differs from its neighbours.

A radiologist does not ask how bright a body is; he asks whether it differs from its neighbours.
The network sees 16 cm of a spine at most, and no number of it compares two bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logit

from ...errors import SpinemetError
from ...imaging import LikelihoodMap, SagittalSeries
from ...imaging.comparison import CERTAIN, Comparison, Evidence
from .bodies import find_bodies
from .candidates import (
    FEATURES,
    Candidate,
    LabelArray,
    find_candidates,
    measure_candidates,
)
from .levels import guess_levels
from .logistic import FloatArray, LogisticModel
from .marrow import MARROW_FEATURES, measure_marrow
from .scan_view import CANDIDATE_RULE, CandidateRule, ScanView

LEAST_BODIES = 3
"""With fewer there are no neighbours."""
MOST_MARKED = 0.5
"""Where the network marks a larger share of the bodies for certain, they have no healthy ones to
be compared with."""
LARGE_SHARE = 0.25
"""Of a body, that makes it a marked one."""
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
    """

    labels: LabelArray
    candidates: list[Candidate]
    levels: list[str]
    marrow: FloatArray | None

    @property
    def features(self) -> FloatArray:
        """``(candidate, feature)``."""
        return np.array([c.features for c in self.candidates]).reshape(-1, len(FEATURES))

    @property
    def marked_share(self) -> float:
        """Of the bodies, those that candidates with a likelihood of a half cover by a quarter."""
        bodies = {c.body for c in self.candidates if c.peak > 0.5 and c.body_share > LARGE_SHARE}
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
        return ComparedScan(np.zeros(likelihood.values.shape, np.uint16), [], [], None)
    view = ScanView.of(series, likelihood, bodies, rule)
    labels = find_candidates(view, rule)
    candidates = measure_candidates(view, labels)
    marrow = measure_marrow(view, labels, candidates)
    return ComparedScan(labels, candidates, guess_levels(bodies), marrow)


def compare_candidates(scan: ComparedScan, look: SecondLook) -> Comparison:
    """Decide what each candidate's likelihood becomes.

    The largest likelihood of a candidate becomes the probability that it is a lesion; its other
    pixels are moved as far in logit. Where the bodies cannot be compared nothing is moved.

    Parameters
    ----------
    scan : ComparedScan
    look : SecondLook
    """
    reason = _why_not(scan, look)
    shifts = np.zeros(len(scan.candidates))
    if not reason and scan.candidates:
        peaks = np.array([c.peak for c in scan.candidates])
        shifts = look.candidates.logits(scan.features) - logit(np.clip(peaks, CERTAIN, 1 - CERTAIN))
    evidence = tuple(
        Evidence(c.contrast, c.deviation, c.body_share, scan.levels[c.body], float(shift))
        for c, shift in zip(scan.candidates, shifts, strict=True)
    )
    return Comparison(scan.labels, evidence, reason)


def _why_not(scan: ComparedScan, look: SecondLook) -> str:
    if scan.marrow is None:
        return TOO_FEW
    if scan.marked_share > MOST_MARKED:
        return TOO_MANY
    is_unusual = look.marrow.probabilities(scan.marrow)[0] >= look.marrow_threshold
    return UNUSUAL if is_unusual else ""


def look_again(
    series: SagittalSeries, likelihood: LikelihoodMap, look: SecondLook
) -> LikelihoodMap:
    """A plain map with its comparison; its values stay as they are, see :class:`.Comparison`.

    Parameters
    ----------
    series : SagittalSeries
        That was evaluated.
    likelihood : LikelihoodMap
        Plain.
    look : SecondLook
        Of the network that was evaluated.
    """
    scan = measure_scan(series, likelihood, look.rule)
    return replace(likelihood, comparison=compare_candidates(scan, look))
