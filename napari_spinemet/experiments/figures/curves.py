"""Figure 5: FROC with and without aggregation, and of one resolution where that is known."""

from __future__ import annotations

import csv
import io

import numpy as np

from ...evaluation import FrocCurve
from ...evaluation.pictures import froc_figure
from .figure_context import FROC, Ground, Made, settings_of
from .survey import AGGREGATED, PLAIN

SINGLE = "one-resolution"


def make_froc(ground: Ground) -> Made:
    """Figure 5: FROC with and without aggregation, and of one resolution if it is known."""
    curves, single, point = ground.seen.curves, ground.seen.single, ground.point
    shown = [
        (AGGREGATED, "With aggregation", ground.source.identity, point.weight, curves[AGGREGATED]),
        (PLAIN, "Without aggregation", ground.source.identity, None, curves[PLAIN]),
    ]
    if single is not None:
        identity, resolution_mm = single
        title = f"One resolution ({resolution_mm:g} mm/pixel)"
        shown.append((SINGLE, title, identity, point.weight, curves[identity]))
        third = f"The third curve is of {identity}, aggregated alike. "
    elif len(ground.source.network.resolutions) == 1:
        third = "This network itself has one resolution. "
    else:
        third = (
            "The study keeps no maps of a network with one resolution for all of these cases, so "
            "there is no such curve. "
        )
    cases = curves[AGGREGATED].cases
    lesions = sum(case.has_regions for case in cases)
    caption = (
        f"FROC of {ground.source.identity} over {len(cases)} cases, {lesions} of them with "
        "lesions: rate of contoured regions found against false positives per case, counted as the "
        "mean over the slices of a case (left) and as their sum (right). "
        f"{settings_of(point)} Dots: threshold {point.threshold:.2f}, where that "
        f"lies within the axes. {third}"
    )
    facts = {
        **ground.facts(),
        "cases": [case.case_id for case in cases],
        "cases_with_lesions": lesions,
        "operating_point": point.to_dict(),
        "curves": {
            key: {
                "name": title,
                "model": model,
                "aggregation_weight": weight,
                **_at_threshold(curve, point.threshold),
            }
            for key, title, model, weight, curve in shown
        },
    }
    slices = float(np.mean([len(case.slices) for case in ground.seen.cases if case.mapped]))
    drawn = [(title, curve) for _, title, _, _, curve in shown]
    tables = {key: _as_csv(curve) for key, *_, curve in shown}
    figure = froc_figure(drawn, point.threshold, slices=slices)
    return ground.made(FROC, figure, caption, facts, tables)


def _at_threshold(curve: FrocCurve, threshold: float) -> dict[str, float]:
    rate, mean, total = curve.at(threshold)
    return {"tp_rate": rate, "fp_mean_over_slices": mean, "fp_per_scan": total}


def _as_csv(curve: FrocCurve) -> str:
    """The raw points, as ``spinemet froc --json`` gives them; :func:`.read_points` reads it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("threshold", "tp_rate", "fp_mean_over_slices", "fp_per_scan"))
    columns = (curve.thresholds, curve.tp_rate, curve.fp_mean, curve.fp_sum)
    writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
    return text.getvalue()
