"""A logistic model on a handful of features, small enough to stand in a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize
from scipy.special import expit, log_expit

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LogisticModel:
    """Weights of standardised features.

    Attributes
    ----------
    mean, scale, weights : numpy.ndarray
        ``(feature,)`` each.
    bias : float
    """

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    bias: float

    def logits(self, features: npt.ArrayLike) -> FloatArray:
        """``(n,)`` from ``(n, feature)``."""
        values = np.asarray(features, dtype=np.float64).reshape(-1, len(self.mean))
        return np.asarray((values - self.mean) / self.scale @ self.weights + self.bias)

    def probabilities(self, features: npt.ArrayLike) -> FloatArray:
        """``(n,)`` from ``(n, feature)``."""
        return np.asarray(expit(self.logits(features)))

    @classmethod
    def fit(
        cls,
        features: FloatArray,
        is_true: npt.NDArray[np.bool_],
        *,
        ridge: float = 1.0,
        signs: npt.NDArray[np.int_] | None = None,
        weights: FloatArray | None = None,
    ) -> LogisticModel:
        """Of greatest likelihood, with a ridge.

        Parameters
        ----------
        features : numpy.ndarray
            ``(n, feature)``.
        is_true : numpy.ndarray
            ``(n,)``; both kinds must be among them, which the caller checks.
        ridge : float
            Half of the square of each weight, times this, is added to the loss.
        signs : numpy.ndarray, optional
            ``(feature,)`` 1, -1 or 0: a weight that must not fall below 0, not rise above it, or
            may be any.
        weights : numpy.ndarray, optional
            ``(n,)``, of the samples.
        """
        mean, scale = features.mean(axis=0), features.std(axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        design = np.column_stack([(features - mean) / scale, np.ones(len(features))])
        direction = np.where(is_true, 1.0, -1.0)
        share = np.ones(len(features)) if weights is None else weights
        count = features.shape[1]
        penalty = np.r_[np.full(count, ridge), 0.0]

        def loss(x: FloatArray) -> tuple[float, FloatArray]:
            margin = direction * (design @ x)
            value = -(share * log_expit(margin)).sum() + 0.5 * (penalty * x**2).sum()
            gradient = -design.T @ (share * direction * expit(-margin)) + penalty * x
            return float(value), gradient

        direction_of = np.zeros(count + 1) if signs is None else np.r_[signs, 0]
        limits = optimize.Bounds(
            np.where(direction_of > 0, 0.0, -np.inf), np.where(direction_of < 0, 0.0, np.inf)
        )
        solution = optimize.minimize(
            loss, np.zeros(count + 1), jac=True, method="L-BFGS-B", bounds=limits
        )
        return cls(mean, scale, solution.x[:-1], float(solution.x[-1]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a card."""
        return {
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
            "bias": self.bias,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LogisticModel:
        """What :meth:`to_dict` gave.

        Raises
        ------
        ValueError, TypeError, KeyError
            If it is none.
        """
        mean, scale, weights = (
            np.array(values[name], dtype=np.float64) for name in ("mean", "scale", "weights")
        )
        if not mean.shape == scale.shape == weights.shape or mean.ndim != 1:
            raise ValueError("a logistic model has as many weights as features")
        if not all(np.isfinite(v).all() for v in (mean, scale, weights)) or (scale <= 0).any():
            raise ValueError("a logistic model holds numbers")
        return cls(mean, scale, weights, float(values["bias"]))
