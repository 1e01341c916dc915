"""Choose the operating point of a model on validation cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import SpinemetError
from ..evaluation import FrocCurve
from ..evaluation.curve import curve_of
from ..evaluation.froc import CaseForests
from ..imaging import FrocCase, OperatingPoint
from ..jobs import CancelToken

AREAS_CM2 = (1.0, 1.5, 2.0, 3.0, 5.0)
WEIGHTS = (1 / 3, 0.4, 0.5, 0.6)


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
    cancel: CancelToken | None = None,
) -> OperatingPointChoice:
    """The highest TP rate at no more than so many false positives per scan.

    Parameters
    ----------
    cases : sequence of FrocCase
        Validation cases with plain likelihood maps of one model.
    max_fp_per_scan : float
        Summed over the slices of a scan, averaged over the cases.
    areas_cm2, weights : sequence of float
        Minimum areas and aggregation weights to try; the gate is tried where the maps have a
        third output.

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
    best: tuple[tuple[float, float, float], OperatingPointChoice] | None = None
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
                if k is None:
                    continue
                rank = (float(curve.tp_rate[k]), -float(curve.fp_sum[k]), area)
                if best is None or rank > best[0]:
                    best = (
                        rank,
                        OperatingPointChoice(
                            OperatingPoint(curve.threshold_of(k), area, weight, gate),
                            float(curve.tp_rate[k]),
                            float(curve.fp_mean[k]),
                            float(curve.fp_sum[k]),
                            curve,
                        ),
                    )
    if best is None:
        raise SpinemetError(
            f"No setting stays at {max_fp_per_scan} false positives per scan; allow more."
        )
    return best[1]
