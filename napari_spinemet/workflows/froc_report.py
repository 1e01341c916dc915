"""FROC results as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .study_froc import SystemCurve


def froc_report(systems: Sequence[SystemCurve], model: str) -> dict[str, Any]:
    """What ``spinemet froc --json`` prints: for each system its figures and its raw points.

    A false positive rate that is never reached is ``None``, since JSON knows no infinity. A point
    holds from its threshold down to the next one; thresholds are float32 numbers, as the
    likelihoods are, so another threshold must be rounded to float32 before it is looked up.
    ``at_operating_point`` is of the first system, the model: what the plain detectors beside it
    are thresholded by is no likelihood.

    Parameters
    ----------
    systems : sequence of SystemCurve
        Of the same cases; the model first.
    model : str
        Its identity.
    """
    first = systems[0].curve
    rates = first.at(systems[0].point.threshold)
    rates_at_point = dict(
        zip(("tp_rate", "fp_mean_over_slices", "fp_per_scan"), rates, strict=True)
    )
    return {
        "model": model,
        "cases": len(first.cases),
        "cases_with_lesions": sum(c.has_regions for c in first.cases),
        "at_operating_point": {**systems[0].point.to_dict(), **rates_at_point},
        "systems": {
            s.name: {
                "operating_point": s.point.to_dict(),
                **{k: _finite(v) for k, v in s.curve.summary().items()},
                "points": {
                    "threshold": s.curve.thresholds.tolist(),
                    "tp_rate": s.curve.tp_rate.tolist(),
                    "fp_mean_over_slices": s.curve.fp_mean.tolist(),
                    "fp_per_scan": s.curve.fp_sum.tolist(),
                },
            }
            for s in systems
        },
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
