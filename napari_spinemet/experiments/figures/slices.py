"""Figures 4 and 6 to 8: slices with contours, detections and likelihood maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...detection import DetectionResult
from ...detection.pipeline import evaluate
from ...evaluation.paper_figures import FigureSlice, contours_figure, likelihood_figure
from ...imaging import Annotation, SagittalSeries
from .case_facts import SliceMatches, match_slices
from .choice import SliceRange
from .figure_context import (
    CONTOURS,
    FALSE_POSITIVE,
    PLAIN_MAPS,
    FigureContext,
    PaperFigure,
    settings_sentence,
)


def draw_contours(context: FigureContext, slice_range: SliceRange) -> PaperFigure:
    """Figure 4: one slice with its contours.

    Parameters
    ----------
    context : FigureContext
    slice_range : SliceRange
        Of a single slice.
    """
    series, annotation = context.read_case(slice_range.case)
    (index,) = slice_range.slices
    picture = _slice_picture(series, annotation, index)
    caption = f"{slice_range.case}, {picture.title}. Red: contoured lesions. "
    if picture.vertebrae.any():
        caption += "Blue: contoured vertebrae. "
    facts = {
        "study": str(context.study.path),
        "case": slice_range.case,
        "slice_indices": [index],
        "chosen": "most lesion area among the slices that show vertebrae",
    }
    return context.describe(CONTOURS, contours_figure(picture), caption, facts)


def draw_maps(
    context: FigureContext,
    number: int,
    slice_range: SliceRange,
    far_mm: float | None = None,
) -> PaperFigure:
    """Figures 6 to 8: neighbouring slices with their likelihood maps.

    Parameters
    ----------
    context : FigureContext
    number : int
        Of the figure; that of the plain maps shows them without aggregation.
    slice_range : SliceRange
        Of a case that has a map.
    far_mm : float, optional
        How far from all contours the false positive of figure 8 lies, where it is known.
    """
    series, annotation = context.read_case(slice_range.case)
    case = context.study.case(slice_range.case)
    plain = context.source.map_of(context.study, case)
    assert plain is not None  # it was there when the study was looked at
    point = context.point
    if number == PLAIN_MAPS:
        point = replace(point, weight=None)
    result = evaluate(plain, point)
    matches = match_slices(result, annotation)
    pictures = [
        replace(
            _slice_picture(series, annotation, k),
            likelihood=result.likelihood.values[k],
            true_positives=matches[k].true_positives,
            false_positives=matches[k].false_positives,
        )
        for k in slice_range.slices
    ]
    method = "not aggregated"
    if point.weight is not None:
        method = f"aggregated, weight {point.weight:g}"
    title = f"{slice_range.case}, likelihood {method}, threshold {point.threshold:.2f}"
    caption = (
        f"{slice_range.case}, slices {slice_range.slices[0] + 1} to "
        f"{slice_range.slices[-1] + 1} of {series.shape[0]} (top) and their likelihood maps, "
        f"{method} (bottom). Red: contoured lesions; blue: detections at threshold "
        f"{point.threshold:.2f}. {settings_sentence(point)} "
        f"{_count_sentence([matches[k] for k in slice_range.slices])} "
        f"{_distance_sentence(far_mm)}"
    )
    facts = {**context.facts(), **_map_facts(number, slice_range, result, matches)}
    figure = likelihood_figure(pictures, plain.columns, title)
    return context.describe(number, figure, caption, facts)


def _map_facts(
    number: int,
    slice_range: SliceRange,
    result: DetectionResult,
    matches: Sequence[SliceMatches],
) -> dict[str, Any]:
    """What is told of likelihood maps, as plain values."""
    shown_matches = [matches[k] for k in slice_range.slices]
    false_positives = sum(len(m.false_positives) for m in matches)
    rule = (
        "of three neighbouring slices, those in which something is found and only the map "
        "without aggregation has a false positive; else most lesion area found"
    )
    if number == FALSE_POSITIVE:
        rule = "about the false positive farthest from the contours of any slice"
    return {
        "case": slice_range.case,
        "slice_indices": list(slice_range.slices),
        "operating_point": result.operating_point.to_dict(),
        "regions_shown": sum(m.regions for m in shown_matches),
        "regions_found_shown": sum(m.regions_found for m in shown_matches),
        "false_positives": {
            "shown": sum(len(m.false_positives) for m in shown_matches),
            "mean_over_slices": false_positives / len(matches),
            "per_scan": false_positives,
        },
        "warnings": [warning.to_dict() for warning in result.warnings],
        "chosen": rule,
    }


def _slice_picture(series: SagittalSeries, annotation: Annotation, index: int) -> FigureSlice:
    return FigureSlice(
        index,
        series.shape[0],
        series.voxels[index],
        series.spacing_mm[1:],
        annotation.lesions[index],
        annotation.vertebrae[index],
    )


def _count_sentence(matches: Sequence[SliceMatches]) -> str:
    """How many regions are found, and how many false positives there are."""
    regions = sum(m.regions for m in matches)
    regions_found = sum(m.regions_found for m in matches)
    false_positives = sum(len(m.false_positives) for m in matches)
    mark = " (marked FP)" if false_positives else ""
    regions_text = (
        f"{regions_found} of {regions} contoured regions {'is' if regions_found == 1 else 'are'} "
        "found"
        if regions
        else "no region is contoured"
    )
    plural = "" if false_positives == 1 else "s"
    return f"Here {regions_text}, with {false_positives} false positive{plural}{mark}."


def _distance_sentence(far_mm: float | None) -> str:
    if far_mm is None:
        return ""
    if far_mm >= 0.5:
        return f"The one farthest from all contours lies {far_mm:.0f} mm from them. "
    return "None lies outside of what is contoured in other slices. "
