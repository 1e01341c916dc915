"""Whether a model knows the like of a scan, by what the scan looks like as a whole.

The distance to the nearest scans that it was made on, in the space of a dozen robust features
(nearest neighbours tell what is out of distribution: Sun et al., Out-of-distribution detection
with deep nearest neighbors, ICML 2022). A scan of another scanner that a model is adapted to is one
more that it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SpinemetError
from ...imaging.familiarity import Familiarity
from .appearance import FEATURES

FloatArray = npt.NDArray[np.float64]
METHOD = 1
"""Raised when the same scan would have other features."""
NEIGHBOURS = 3
NO_SPINE_SCORE = 5.0
"""Of a scan in which no spine is recognised: nothing can be measured of it."""
NO_SPINE = "no spine was recognised in it"
MOST = 9.99
"""No score is told above this."""
_NAMED = 2
"""Features, at most, that a reason names."""
_FAR = 1.5
"""Standard deviations from which a feature is named."""


@dataclass(frozen=True, eq=False)
class FamiliarityModel:
    """What the scans that a model was made on look like.

    Attributes
    ----------
    known : numpy.ndarray
        ``(scan, feature)``, as :data:`.FEATURES` names them.
    limit : float
        Distance that scores 1.
    """

    known: FloatArray
    limit: float

    @property
    def mean(self) -> FloatArray:
        """``(feature,)`` over the known scans."""
        return np.asarray(self.known.mean(axis=0))

    @property
    def scale(self) -> FloatArray:
        """``(feature,)`` standard deviations of the known scans."""
        return np.asarray(np.maximum(self.known.std(axis=0), 1e-6))

    @classmethod
    def fit(cls, known: FloatArray, flagged_share: float = 0.05) -> FamiliarityModel:
        """A limit that so many of the known scans, each left out, lie beyond.

        Parameters
        ----------
        known : numpy.ndarray
            ``(scan, feature)``.
        flagged_share : float
        """
        model = cls(known, 1.0)
        distances = [
            replace(model, known=np.delete(known, k, axis=0)).distance(row)
            for k, row in enumerate(known)
        ]
        return replace(model, limit=float(np.quantile(distances, 1 - flagged_share)))

    def distance(self, features: FloatArray) -> float:
        """Mean distance to the nearest known scans, in standard deviations.

        Parameters
        ----------
        features : numpy.ndarray
            ``(feature,)``.
        """
        apart = np.linalg.norm((self.known - features) / self.scale, axis=1)
        return float(np.sort(apart)[:NEIGHBOURS].mean())

    def judge(self, features: FloatArray | None) -> Familiarity:
        """The familiarity of a scan.

        Parameters
        ----------
        features : numpy.ndarray or None
            None where too few bodies were recognised.
        """
        if features is None:
            return Familiarity(NO_SPINE_SCORE, unfamiliar=True, reason=NO_SPINE)
        score = min(self.distance(features) / self.limit, MOST)
        if score <= 1:
            return Familiarity(score)
        return Familiarity(score, unfamiliar=True, reason=self._reason(features))

    def _reason(self, features: FloatArray) -> str:
        """The features that lie farthest from the known scans' mean."""
        deviations = (features - self.mean) / self.scale
        order = np.argsort(-np.abs(deviations))
        named = [k for k in order[:_NAMED] if abs(deviations[k]) >= _FAR] or [int(order[0])]
        clauses = [FEATURES[k].high if deviations[k] > 0 else FEATURES[k].low for k in named]
        return f"{' and '.join(clauses)} than in those"

    def knowing(self, features: FloatArray) -> FamiliarityModel:
        """The same after further scans were learned from.

        Parameters
        ----------
        features : numpy.ndarray
            ``(scan, feature)``.
        """
        # As often as neighbours are asked for: else those of one's own few scans would not do.
        more = np.repeat(features, NEIGHBOURS, axis=0)
        return replace(self, known=np.concatenate([self.known, more]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return {
            "method": METHOD,
            "features": [feature.name for feature in FEATURES],
            "known": np.round(self.known, 4).tolist(),
            "limit": self.limit,
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
            known = np.array(values["known"], dtype=np.float64)
            limit = float(values["limit"])
            is_own = values["method"] == METHOD and list(values["features"]) == names
            has_form = known.ndim == 2 and known.shape[1] == len(names) and len(known) > NEIGHBOURS
            if not (is_own and has_form and np.isfinite(known).all() and limit > 0):
                raise ValueError("familiarity is by the features of this program")
        except (ValueError, TypeError, KeyError) as error:
            raise SpinemetError(
                "What the card of this model says of familiar scans is not of this program; copy "
                "the model again, or use another."
            ) from error
        return cls(known, limit)
