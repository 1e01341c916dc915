"""Whether a model knows the like of a scan, by what the scan looks like and how the model takes it.

Two things make a scan unfamiliar. It may look like none of the scans that the model was made on: a
number of it lies beyond their range. Or it may be like those on which the model was wrong: a
logistic model, fitted on phantoms of drawn contrasts, tells how likely more than one false finding
is. A scan of another scanner that a model is adapted to is one more that it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SpinemetError
from ...imaging.likelihood import Familiarity
from .appearance import FEATURES, MarkRule
from .logistic import LogisticModel

FloatArray = npt.NDArray[np.float64]
METHOD = 1
"""Raised when the same scan would have other features, or another score."""
NO_SPINE_SCORE, NOT_MEANT_SCORE = 5.0, 2.0
"""Of a scan in which no spine is recognised, so that nothing can be measured; and of one whose
header says that it is of another kind, at least."""
NO_SPINE = "no spine was recognised in it"
NOT_MEANT = "its header says that it is of another kind than those"
MOST_SCORE = 9.99
"""No score is told above this."""
_TAIL = 0.01
"""Share of the known scans that lies beyond what is taken for their range, at either end."""
_LOOKS = np.array([feature.is_look for feature in FEATURES])
_RISKS = np.array([feature.is_risk for feature in FEATURES])
_LEAST_KNOWN = 5
RIDGE = 1.0
"""Of the logistic model: failures are few."""
FLAGGED_SHARE = 0.06
"""Of scans like those that were learned from."""
_OWN_WEIGHT = 3
"""Each scan that a model is adapted to counts as so many: else a few would be beyond the range."""
_NAMED_FEATURES = 2
"""Features, at most, that a reason names."""


@dataclass(frozen=True, eq=False)
class FamiliarityModel:
    """What the scans that a model was made on look like, and on what it was wrong.

    Attributes
    ----------
    known_scans : numpy.ndarray
        ``(scan, feature)``, as :data:`.FEATURES` names them.
    limit : float
        Distance that scores 1, see :meth:`distance`.
    risk : LogisticModel
        Of those of the features that tell it: whether there is more than one false finding.
    risk_limit : float
        Probability that scores 1.
    rule : MarkRule
        By which the features were measured.
    """

    known_scans: FloatArray
    limit: float
    risk: LogisticModel
    risk_limit: float
    rule: MarkRule = MarkRule()  # noqa: RUF009 - it is frozen

    @classmethod
    def fit(
        cls,
        known_scans: FloatArray,
        trial_scans: FloatArray,
        is_failure: npt.NDArray[np.bool_],
        rule: MarkRule | None = None,
        *,
        flagged_share: float = FLAGGED_SHARE,
    ) -> FamiliarityModel:
        """Limits that so many of the known scans lie beyond, half of them by either.

        Parameters
        ----------
        known_scans : numpy.ndarray
            ``(scan, feature)``: like those that the model has learned from. For its distance each
            is left out.
        trial_scans : numpy.ndarray
            ``(scan, feature)``: those on which the model was tried.
        is_failure : numpy.ndarray of bool
            ``(scan,)``: whether it had more than one false finding there; both must occur.
        rule : MarkRule, optional
        flagged_share : float
        """
        risk = LogisticModel.fit(trial_scans[:, _RISKS], is_failure, ridge=RIDGE)
        model = cls(known_scans, 1.0, risk, 1.0, rule or MarkRule())
        distances = [
            replace(model, known_scans=np.delete(known_scans, k, axis=0)).distance(row)
            for k, row in enumerate(known_scans)
        ]
        within = 1 - flagged_share / 2
        return replace(
            model,
            limit=float(np.quantile(distances, within)),
            risk_limit=float(np.quantile(risk.probabilities(known_scans[:, _RISKS]), within)),
        )

    def deviations(self, features: FloatArray) -> FloatArray:
        """``(feature,)``: 0 at the median of the known scans, 1 or -1 at the end of their range.

        Parameters
        ----------
        features : numpy.ndarray
            ``(feature,)``.
        """
        low, middle, high = np.quantile(self.known_scans, (_TAIL, 0.5, 1 - _TAIL), axis=0)
        width = np.where(features > middle, high - middle, middle - low)
        return np.asarray((features - middle) / np.maximum(width, 1e-6))

    def distance(self, features: FloatArray) -> float:
        """The largest deviation of what does not rise with disease.

        Parameters
        ----------
        features : numpy.ndarray
            ``(feature,)``.
        """
        return float(np.abs(self.deviations(features))[_LOOKS].max())

    def judge(self, features: FloatArray | None, *, is_meant: bool = True) -> Familiarity:
        """The familiarity of a scan.

        Where it lies within the range of the known scans the score is its risk alone: how far it
        lies within says nothing of failure.

        Parameters
        ----------
        features : numpy.ndarray or None
            None where too few bodies were recognised.
        is_meant : bool
            Whether its header lets it be one to detect on.
        """
        if features is None:
            return Familiarity(NO_SPINE_SCORE, unfamiliar=True, reason=NO_SPINE)
        distance = self.distance(features) / self.limit
        risk = float(self.risk.probabilities(features[_RISKS])[0]) / self.risk_limit
        if not is_meant:
            score = min(max(distance, risk, NOT_MEANT_SCORE), MOST_SCORE)
            return Familiarity(score, unfamiliar=True, reason=NOT_MEANT)
        if max(distance, risk) <= 1:
            return Familiarity(risk)
        deviations = self.deviations(features)
        if distance >= risk:
            ranks = np.where(_LOOKS, np.abs(deviations), -np.inf)
        else:
            ranks = np.full(len(features), -np.inf)
            own = (features[_RISKS] - self.risk.mean) / self.risk.scale
            ranks[_RISKS] = self.risk.weights * own
        reason = _reason(deviations, ranks)
        return Familiarity(min(max(distance, risk), MOST_SCORE), unfamiliar=True, reason=reason)

    def with_scans(self, features: FloatArray) -> FamiliarityModel:
        """The same after further scans were learned from: they lie within both limits.

        Parameters
        ----------
        features : numpy.ndarray
            ``(scan, feature)``.
        """
        own_scans = np.repeat(features, _OWN_WEIGHT, axis=0)
        risks = self.risk.probabilities(features[:, _RISKS])
        return replace(
            self,
            known_scans=np.concatenate([self.known_scans, own_scans]),
            risk_limit=max(self.risk_limit, float(risks.max())),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return {
            "method": METHOD,
            "features": [feature.name for feature in FEATURES],
            "known": np.round(self.known_scans, 4).tolist(),
            "limit": self.limit,
            "risk": self.risk.to_dict(),
            "risk_limit": self.risk_limit,
            "rule": asdict(self.rule),
        }

    @classmethod
    def of_card(cls, values: Mapping[str, Any]) -> FamiliarityModel:
        """What :meth:`to_dict` gave.

        Raises
        ------
        SpinemetError
            If it is none of this program.
        """
        try:
            names = [feature.name for feature in FEATURES]
            known_scans = np.array(values["known"], dtype=np.float64)
            limits = np.array([values["limit"], values["risk_limit"]], dtype=np.float64)
            risk = LogisticModel.from_dict(values["risk"])
            rule = MarkRule(**{name: float(value) for name, value in values["rule"].items()})
            is_own = values["method"] == METHOD and list(values["features"]) == names
            has_form = known_scans.ndim == 2 and known_scans.shape[1] == len(names)
            has_form = has_form and len(risk.mean) == _RISKS.sum()
            has_form = has_form and len(known_scans) >= _LEAST_KNOWN and bool((limits > 0).all())
            if not (is_own and has_form and np.isfinite(known_scans).all()):
                raise ValueError("familiarity is by the features of this program")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SpinemetError(
                "What the card of this model says of familiar scans is not of this program; copy "
                "the model again, or use another."
            ) from error
        return cls(known_scans, float(limits[0]), risk, float(limits[1]), rule)


def _reason(deviations: FloatArray, ranks: FloatArray) -> str:
    """The features that count most, and to which side they differ from the known scans."""
    order = np.argsort(-ranks)[:_NAMED_FEATURES]
    numbers = [k for k in order if ranks[k] >= ranks[order[0]] / 2]
    clauses = [FEATURES[k].high if deviations[k] > 0 else FEATURES[k].low for k in numbers]
    clauses = list(dict.fromkeys(clauses))
    return f"{' and '.join(clauses)} than in those"
