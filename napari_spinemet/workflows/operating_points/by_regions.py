"""Choose the operating point of a model on validation cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ...errors import SpinemetError
from ...evaluation import FrocCurve
from ...evaluation.curve import curve_of
from ...evaluation.froc import CaseForests, TreeSettings
from ...imaging import FrocCase, OperatingPoint
from ...imaging.aggregation import NeighbourAverage
from ...jobs import UNATTENDED, JobContext
from ...network import load_card

AREAS_CM2 = (1.0, 1.5, 2.0, 3.0, 5.0)
WEIGHTS = (1 / 3, 0.4, 0.5, 0.6)
_Settings = tuple[float, float, bool, bool]
"""Weight, minimum area, gate and second look."""
CLEAR_ADVANTAGE = 2.0
"""Standard errors by which other settings must find more than the default ones."""


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
    default_point: OperatingPoint | None = None,
    job: JobContext = UNATTENDED,
) -> OperatingPointChoice:
    """The highest TP rate at no more than so many false positives per scan.

    Area, weight, gate and second look stay the default ones unless others find clearly more: of
    forty settings some fit a handful of cases by chance. What is clear grows finer with the number
    of cases.

    Parameters
    ----------
    cases : sequence of FrocCase
        Validation cases with plain likelihood maps of one model.
    max_fp_per_scan : float
        Summed over the slices of a scan, averaged over the cases.
    areas_cm2, weights : sequence of float
        Minimum areas and aggregation weights to try; the gate is tried where the maps have a
        third output.
    default_point : OperatingPoint, optional
        Whose settings have stood elsewhere; by default those of the shipped model. They do
        not count where they are none of those to try. With and without a second look is tried
        where the maps have one.
    job : JobContext
        Polled at every case.

    Returns
    -------
    OperatingPointChoice
        Of equal rates the one with fewer false positives. The threshold lies half-way
        between that of the chosen point and the next, so that it does not sit on the value
        of one pixel.

    Raises
    ------
    SpinemetError
        If no setting has so few false positives.
    """
    has_vertebra = any(m.vertebra is not None for c in cases for m, _ in c.sequences)
    gates = (False, True) if has_vertebra else (False,)
    default_point = default_point or load_card().operating_point
    has_comparison = _has_comparison(cases)
    choices: dict[_Settings, OperatingPointChoice] = {}
    for second_look in (False, True) if has_comparison else (False,):
        forests: list[CaseForests] = []
        for weight in weights:
            trees = TreeSettings(NeighbourAverage(weight), second_look=second_look)
            forests = _forests(cases, trees, forests, job)
            for area, gate in product(areas_cm2, gates):
                settings = OperatingPoint(1.0, area, weight, gate, second_look)
                choice = _best_threshold(forests, settings, max_fp_per_scan)
                if choice is not None:
                    choices[weight, area, gate, second_look] = choice
    if not choices:
        raise SpinemetError(
            f"No setting stays at {max_fp_per_scan} false positives per scan; allow more."
        )
    if not has_comparison:
        default_point = replace(default_point, second_look=False)
    return _unless_clearly_better(choices, default_point, has_gate=has_vertebra)


def _has_comparison(cases: Sequence[FrocCase]) -> bool:
    """Whether a second look moves anything in one of them."""
    comparisons = (m.comparison for c in cases for m, _ in c.sequences)
    return any(c is not None and c.is_possible for c in comparisons)


def _unless_clearly_better(
    choices: Mapping[_Settings, OperatingPointChoice],
    default_point: OperatingPoint,
    *,
    has_gate: bool,
) -> OperatingPointChoice:
    """The default settings, unless others find clearly more; then the best of those."""
    # No weight is none of those to try.
    weight = -1.0 if default_point.weight is None else default_point.weight
    default_key = (
        weight,
        default_point.min_area_cm2,
        float(default_point.gate and has_gate),
        float(default_point.second_look),
    )
    default = next((c for key, c in choices.items() if np.allclose(key, default_key)), None)
    better = [c for c in choices.values() if default is None or _clearly_more(c, default)]
    if default is not None and not better:
        return default
    return max(better, key=lambda c: (c.tp_rate, -c.fp_sum, c.point.min_area_cm2))


def _forests(
    cases: Sequence[FrocCase],
    trees: TreeSettings,
    former: Sequence[CaseForests],
    job: JobContext,
) -> list[CaseForests]:
    """Trees of each case; ``former`` ones, of another aggregation, spare reading it again."""
    result = []
    for number, case in enumerate(cases):
        job.raise_if_cancelled()
        result.append(
            former[number].with_aggregation(trees.aggregation)
            if former
            else CaseForests(case, trees)
        )
    return result


def _best_threshold(
    forests: Sequence[CaseForests], settings: OperatingPoint, max_fp_per_scan: float
) -> OperatingPointChoice | None:
    """The best threshold at some area, weight and gate; None if none has few enough."""
    curve = curve_of([f.table(settings) for f in forests])
    k = curve.best_within(max_fp_per_scan)
    if k is None:
        return None
    return OperatingPointChoice(
        replace(settings, threshold=curve.threshold_of(k)),
        float(curve.tp_rate[k]),
        float(curve.fp_mean[k]),
        float(curve.fp_sum[k]),
        curve,
    )


def joint_point(points: Sequence[OperatingPoint]) -> OperatingPoint:
    """One operating point for the folds of a cross-validation, each of which chose its own.

    The settings are those that most folds chose (of equal ones the first's), the threshold the
    median of these folds'.
    """
    settings = [(p.min_area_cm2, p.weight, p.gate, p.second_look) for p in points]
    majority = max(settings, key=settings.count)
    members = [p for p, s in zip(points, settings, strict=True) if s == majority]
    return replace(members[0], threshold=float(np.median([p.threshold for p in members])))


def _clearly_more(one: OperatingPointChoice, other: OperatingPointChoice) -> bool:
    """Whether its rate is higher by :data:`CLEAR_ADVANTAGE` standard errors over the same cases."""
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
    return bool(gain.mean() > CLEAR_ADVANTAGE * gain.std(ddof=1) / np.sqrt(len(gain)))
