"""Choose the operating point of a model on validation cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import SpinemetError
from ..evaluation import FrocCurve
from ..evaluation.curve import curve_of
from ..evaluation.froc import CaseForests
from ..imaging import FrocCase, OperatingPoint
from ..jobs import CancelToken
from ..network import load_card

AREAS_CM2 = (1.0, 1.5, 2.0, 3.0, 5.0)
WEIGHTS = (1 / 3, 0.4, 0.5, 0.6)
CLEARLY = 2.0
"""Standard errors by which other settings must find more than the usual ones."""


@dataclass(frozen=True, eq=False)
class OperatingPointChoice:
    """The chosen operating point and what it gives on the cases it was chosen on.

    Attributes
    ----------
    point : OperatingPoint
    tp_rate, fp_mean, fp_sum : float
        At that point; false positives per case as mean over slices and per scan.
    curve : FrocCurve
        With the chosen area, weight and gate.
    """

    point: OperatingPoint
    tp_rate: float
    fp_mean: float
    fp_sum: float
    curve: FrocCurve


def choose_operating_point(
    cases: Sequence[FrocCase],
    *,
    max_fp_per_scan: float = 1.0,
    areas_cm2: Sequence[float] = AREAS_CM2,
    weights: Sequence[float] = WEIGHTS,
    usual: OperatingPoint | None = None,
    cancel: CancelToken | None = None,
) -> OperatingPointChoice:
    """The highest TP rate at no more than so many false positives per scan.

    Area, weight and gate stay the usual ones unless others find clearly more: of forty settings
    some fit a handful of cases by chance. What is clear grows finer with the number of cases.

    Parameters
    ----------
    cases : sequence of FrocCase
        Validation cases with plain likelihood maps of one model.
    max_fp_per_scan : float
        Summed over the slices of a scan, averaged over the cases.
    areas_cm2, weights : sequence of float
        Minimum areas and aggregation weights to try; the gate is tried where the maps have a
        third output.
    usual : OperatingPoint, optional
        Whose settings have stood elsewhere; by default those of the shipped model. They do
        not count where they are none of those to try.

    Returns
    -------
    OperatingPointChoice
        Of equal rates the one with fewer false positives. The threshold lies half-way
        between that of the chosen point and the next, so that it does not sit on the value
        of one pixel.
    """
    gates = (
        (False, True)
        if any(m.vertebra is not None for c in cases for m, _ in c.sequences)
        else (False,)
    )
    found: dict[tuple[float, float, bool], OperatingPointChoice] = {}
    forests: list[CaseForests] = []
    for weight in weights:
        former, forests = forests, []
        for number, case in enumerate(cases):
            if cancel is not None:
                cancel.raise_if_cancelled()
            forests.append(former[number].at(weight) if former else CaseForests(case, weight))
        for area in areas_cm2:
            for gate in gates:
                curve = curve_of([f.table(min_area_cm2=area, gate=gate) for f in forests])
                k = curve.best_within(max_fp_per_scan)
                if k is not None:
                    found[weight, area, gate] = OperatingPointChoice(
                        OperatingPoint(curve.threshold_of(k), area, weight, gate),
                        float(curve.tp_rate[k]),
                        float(curve.fp_mean[k]),
                        float(curve.fp_sum[k]),
                        curve,
                    )
    if not found:
        raise SpinemetError(
            f"No setting stays at {max_fp_per_scan} false positives per scan; allow more."
        )
    usual = usual or load_card().operating_point
    # No weight is none of those to try.
    weight = -1.0 if usual.weight is None else usual.weight
    settings = weight, usual.min_area_cm2, float(usual.gate and len(gates) > 1)
    standing = next((c for key, c in found.items() if np.allclose(key, settings)), None)
    better = [c for c in found.values() if standing is None or _clearly_more(c, standing)]
    if standing is not None and not better:
        return standing
    return max(better, key=lambda c: (c.tp_rate, -c.fp_sum, c.point.min_area_cm2))


def joint_point(points: Sequence[OperatingPoint]) -> OperatingPoint:
    """One operating point for the folds of a cross-validation, each of which chose its own.

    The settings are those that most folds chose (of equal ones the first's), the threshold the
    median of these folds'.
    """
    settings = [(p.min_area_cm2, p.weight, p.gate) for p in points]
    most = max(settings, key=settings.count)
    same = [p for p, s in zip(points, settings, strict=True) if s == most]
    return replace(same[0], threshold=float(np.median([p.threshold for p in same])))


def _clearly_more(one: OperatingPointChoice, other: OperatingPointChoice) -> bool:
    """Whether its rate is higher by :data:`CLEARLY` standard errors over the same cases."""
    first, second = (
        np.array(
            [case.at(np.array([c.point.threshold], np.float32))[0][0] for case in c.curve.cases]
        )
        for c in (one, other)
    )
    gain = first - second
    gain = gain[~np.isnan(gain)]  # cases without a lesion have no rate
    if len(gain) < 2:
        return bool(gain.sum() > 0)
    return bool(gain.mean() > CLEARLY * gain.std(ddof=1) / np.sqrt(len(gain)))
