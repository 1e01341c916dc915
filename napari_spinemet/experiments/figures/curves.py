"""Figure 5: FROC with and without aggregation, and of one resolution where that is known."""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

import numpy as np

from ...evaluation import FrocCurve
from ...evaluation.pictures import froc_figure
from .figure_context import FROC, FigureContext, PaperFigure, settings_sentence
from .survey import WITH_AGGREGATION, WITHOUT_AGGREGATION

ONE_RESOLUTION = "one-resolution"


class _System(NamedTuple):
    """One curve of the figure."""

    key: str
    title: str
    model: str
    weight: float | None
    curve: FrocCurve


def draw_froc(context: FigureContext) -> PaperFigure:
    """Figure 5: FROC with and without aggregation, and of one resolution if it is known."""
    survey, point, identity = context.survey, context.point, str(context.source.identity)
    curve = survey.curves[WITH_AGGREGATION]
    systems = [
        _System(WITH_AGGREGATION, "With aggregation", identity, point.weight, curve),
        _System(
            WITHOUT_AGGREGATION,
            "Without aggregation",
            identity,
            None,
            survey.curves[WITHOUT_AGGREGATION],
        ),
    ]
    if survey.single is not None:
        rival, resolution_mm = str(survey.single[0]), survey.single[1]
        title = f"One resolution ({resolution_mm:g} mm/pixel)"
        systems.append(_System(ONE_RESOLUTION, title, rival, point.weight, survey.curves[rival]))
    cases = curve.cases
    lesions = sum(case.has_regions for case in cases)
    caption = (
        f"FROC of {identity} over {len(cases)} cases, {lesions} of them with "
        "lesions: rate of contoured regions found against false positives per case, counted as the "
        "mean over the slices of a case (left) and as their sum (right). "
        f"{settings_sentence(point)} Dots: threshold {point.threshold:.2f}, where that "
        f"lies within the axes. {_third_curve(context)}"
    )
    facts = {
        **context.facts(),
        "cases": [case.case_id for case in cases],
        "cases_with_lesions": lesions,
        "operating_point": point.to_dict(),
        "curves": {
            system.key: {
                "name": system.title,
                "model": system.model,
                "aggregation_weight": system.weight,
                **_at_threshold(system.curve, point.threshold),
            }
            for system in systems
        },
    }
    slices = float(np.mean([len(case.slices) for case in survey.cases if case.has_map]))
    tables = {system.key: _as_csv(system.curve) for system in systems}
    figure = froc_figure([(s.title, s.curve) for s in systems], point.threshold, slices=slices)
    return context.describe(FROC, figure, caption, facts, tables)


def _third_curve(context: FigureContext) -> str:
    """Whose the curve of one resolution is, or why there is none, as a sentence."""
    if context.survey.single is not None:
        return f"The third curve is of {context.survey.single[0]}, aggregated alike. "
    if len(context.source.network.resolutions) == 1:
        return "This network itself has one resolution. "
    return (
        "The study keeps no maps of a network with one resolution for all of these cases, so "
        "there is no such curve. "
    )


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
