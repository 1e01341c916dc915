"""Figures 4 and 6 to 8: slices with contours, detections and likelihood maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...detection.pipeline import evaluate
from ...evaluation.paper_figures import ShownSlice, contours_figure, likelihood_figure
from ...imaging import Annotation, SagittalSeries
from .choice import SliceVerdict, Window, judge
from .figure_context import CONTOURS, FALSE_POSITIVE, PLAIN_MAPS, Ground, Made, settings_of


def make_contours(ground: Ground, window: Window) -> Made:
    """Figure 4: one slice with its contours."""
    series, annotation = ground.read(window.case)
    (index,) = window.slices
    shown = _shown(series, annotation, index)
    caption = f"{window.case}, {shown.title}. Red: contoured lesions. "
    if shown.vertebrae.any():
        caption += "Blue: contoured vertebrae. "
    facts = {
        "study": str(ground.study.path),
        "case": window.case,
        "slice_indices": [index],
        "chosen": "most lesion area among the slices that show vertebrae",
    }
    return ground.made(CONTOURS, contours_figure(shown), caption, facts)


def make_maps(ground: Ground, number: int, window: Window, far_mm: float | None = None) -> Made:
    """Figures 6 to 8: neighbouring slices with their likelihood maps.

    Figure 8 may say how far from all contours its false positive lies.
    """
    series, annotation = ground.read(window.case)
    case = ground.study.case(window.case)
    plain = ground.source.map_of(ground.study, case)
    assert plain is not None  # it was there when the study was looked at
    weight = None if number == PLAIN_MAPS else ground.point.weight
    point = replace(ground.point, weight=weight)
    result = evaluate(plain, point)
    verdicts = judge(result, annotation)
    shown = [
        replace(
            _shown(series, annotation, k),
            likelihood=result.likelihood.values[k],
            found=verdicts[k].found,
            false=verdicts[k].false,
        )
        for k in window.slices
    ]
    how = f"aggregated, weight {weight:g}" if weight is not None else "not aggregated"
    title = f"{window.case}, likelihood {how}, threshold {point.threshold:.2f}"
    here = [verdicts[k] for k in window.slices]
    caption = (
        f"{window.case}, slices {window.slices[0] + 1} to {window.slices[-1] + 1} of "
        f"{series.shape[0]} (top) and their likelihood maps, {how} (bottom). Red: contoured "
        f"lesions; blue: detections at threshold {point.threshold:.2f}. {settings_of(point)} "
        f"{_counted(here)} "
    )
    chosen = (
        "of three neighbouring slices, those in which something is found and only the map "
        "without aggregation has a false positive; else most lesion area found"
    )
    if number == FALSE_POSITIVE:
        chosen = "about the false positive farthest from the contours of any slice"
    if far_mm is not None:
        caption += (
            f"The one farthest from all contours lies {far_mm:.0f} mm from them. "
            if far_mm >= 0.5
            else "None lies outside of what is contoured in other slices. "
        )
    wrong = sum(len(v.false) for v in verdicts)
    facts = {
        **ground.facts(),
        "case": window.case,
        "slice_indices": list(window.slices),
        "operating_point": point.to_dict(),
        "regions_shown": sum(v.regions for v in here),
        "regions_found_shown": sum(v.regions_found for v in here),
        "false_positives": {
            "shown": sum(len(v.false) for v in here),
            "mean_over_slices": wrong / len(verdicts),
            "per_scan": wrong,
        },
        "warnings": list(result.warnings),
        "chosen": chosen,
    }
    return ground.made(number, likelihood_figure(shown, plain.columns, title), caption, facts)


def _shown(series: SagittalSeries, annotation: Annotation, index: int) -> ShownSlice:
    return ShownSlice(
        index,
        series.shape[0],
        series.voxels[index],
        series.spacing_mm[1:],
        annotation.lesions[index],
        annotation.vertebrae[index],
    )


def _counted(verdicts: Sequence[SliceVerdict]) -> str:
    regions, found = (sum(getattr(v, n) for v in verdicts) for n in ("regions", "regions_found"))
    wrong = sum(len(v.false) for v in verdicts)
    marked = " (marked FP)" if wrong else ""
    held = (
        f"{found} of {regions} contoured regions {'is' if found == 1 else 'are'} found"
        if regions
        else "no region is contoured"
    )
    return f"Here {held}, with {wrong} false positive{'' if wrong == 1 else 's'}{marked}."
