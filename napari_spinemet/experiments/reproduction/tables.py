"""The tables of a reproduction for a reader."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...evaluation.comparison import FrocComparison
from .rows import BOTH_TRAININGS, FIRST_TRAINING, SECOND_TRAINING, Question, Row

SYSTEM_COLUMNS = (
    *("system", "settings", "area, weight, gate", "area to 0.5 FP"),
    *("TP at 0.2 FP (mean over slices)", "TP at 1 FP per scan", "FP at 90 % (mean over slices)"),
    *("FP at 90 % (per scan)", "FP at 100 % (mean)"),
)
TRAINING_COLUMNS = (
    *("question, by difference of area (95 %) and p", "settings", "cases"),
    *("first training", "second training"),
)
SPREAD_COLUMNS = (
    *("the same network, trained twice", "settings", "cases", "area, first and second training"),
    "difference of area (95 %) and p",
)
QUESTION_COLUMNS = (
    *("question", "training", "settings", "cases", "area to 0.5 FP, a and b"),
    *("difference, 95 %", "p bootstrap (one, two sided)", "p sign flip (one, two sided)"),
    *("FP at 90 %, a and b", "saved, 95 %", "p bootstrap, sign flip (two sided)"),
)
_TRAINING_NAMES = {
    FIRST_TRAINING: "first",
    SECOND_TRAINING: "second",
    BOTH_TRAININGS: "first against second",
}
WORDS = (
    "*TP rate*: share of the lesion regions that are found. *Area*: its mean from 0 to 0.5 false "
    "positives (FP) a case as mean over slices; 1 is the best. *Aggregation*: likelihoods are "
    "averaged over neighbouring slices. *Gate*: detections outside the spine are dropped. "
    "*Paper*: its least area and weight, without a gate. *Validated*: as each training has chosen "
    "on its validation cases. A difference is given with its 95 % interval, then with p by "
    "bootstrap and by sign flips, both two-sided. Interval and p say what other cases might "
    "change. They do not say what another training would."
)
SPREAD_WORDS = (
    "Two trainings differ in their seeds alone. Two networks whose difference is no larger than "
    "the one between two trainings of either, or changes its sign from the first training to the "
    "second, are not told apart, whatever p says."
)


def markdown(rows: Sequence[Row], questions: Sequence[Question], facts: Mapping[str, Any]) -> str:
    """All tables.

    Parameters
    ----------
    rows : sequence of Row
    questions : sequence of Question
    facts : mapping
        What ``results.json`` holds: budget and rates at the folds' own points are from there.
    """
    lines = [
        f"Budget: {facts['budget']['name']}; left out: {facts['budget']['left out']}.",
        "",
        WORDS,
        "",
        *_trainings(questions),
        *_heading(SYSTEM_COLUMNS),
        *map(_row_line, rows),
        "",
        *_heading(QUESTION_COLUMNS),
        *map(_question_line, questions),
        "",
        *_heading(("system", "at the points of its folds, on their test cases")),
    ]
    for key, at in facts["at_the_folds_own_points"].items():
        lines.append(
            f"| {key} | TP {at['tp_rate']:.3f} at {at['fp_per_scan']:.2f} FP per scan, "
            f"{at['fp_mean_over_slices']:.3f} as mean over slices ({at['cases']} cases) |"
        )
    return "\n".join(lines) + "\n"


def _heading(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _trainings(questions: Sequence[Question]) -> list[str]:
    """What both trainings say side by side, and how far they lie apart; none of one alone."""
    answers = {(q.text, q.settings, q.training): q.area for q in questions}
    pairs = [
        _line(text, settings, area.n_cases, _difference(area), _difference(second))
        for (text, settings, training), area in answers.items()
        if training == FIRST_TRAINING
        and (second := answers.get((text, settings, SECOND_TRAINING))) is not None
    ]
    spread_lines = [
        _line(
            text,
            settings,
            area.n_cases,
            f"{area.area_a:.3f}, {area.area_b:.3f}",
            _difference(area),
        )
        for (text, settings, training), area in answers.items()
        if training == BOTH_TRAININGS
    ]
    lines = []
    if pairs:
        lines += [*_heading(TRAINING_COLUMNS), *pairs, ""]
    if spread_lines:
        lines += [*_heading(SPREAD_COLUMNS), *spread_lines, "", SPREAD_WORDS, ""]
    return lines


def _difference(area: FrocComparison) -> str:
    p = f"p {_p(area.p_two_sided)}, {_p(area.p_sign_flip_two_sided)}"
    return f"{area.difference:+.3f} ({_interval(area.interval)}), {p}"


def _row_line(row: Row) -> str:
    s, p = row.curve.summary(), row.point
    weight = "none" if p.weight is None else f"{p.weight:.2g}"
    return _line(
        row.title,
        row.settings,
        f"{p.min_area_cm2:g} cm², {weight}, {'gate' if p.gate else 'no gate'}",
        f"{row.curve.area():.3f}",
        f"{s['tp_rate_at_0.20_fp_mean_over_slices']:.3f}",
        f"{s['tp_rate_at_1_fp_per_scan']:.3f}",
        _fp(s["fp_at_90_percent_mean_over_slices"]),
        _fp(s["fp_at_90_percent_per_scan"]),
        _fp(s["fp_at_100_percent_mean_over_slices"]),
    )


def _question_line(question: Question) -> str:
    a, f = question.area, question.fp_at_90
    return _line(
        question.text,
        _TRAINING_NAMES[question.training],
        question.settings,
        a.n_cases,
        f"{a.area_a:.3f}, {a.area_b:.3f}",
        f"{a.difference:+.3f} ({_interval(a.interval)})",
        f"{_p(a.p_one_sided)}, {_p(a.p_two_sided)}",
        f"{_p(a.p_sign_flip_one_sided)}, {_p(a.p_sign_flip_two_sided)}",
        f"{_at(f.fp_a, f.limit)}, {_at(f.fp_b, f.limit)}",
        f"{f.fp_saved:+.3f} ({_interval(f.interval)})",
        f"{_p(f.p_two_sided)}, {_p(f.p_sign_flip_two_sided)}",
    )


def _interval(interval: tuple[float, float]) -> str:
    return f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def _fp(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "never"


def _p(value: float) -> str:
    """A share of resamples: none of 20,000 is less than one in ten thousand, not nothing."""
    return f"{value:.4f}" if value >= 1e-4 else "< 0.0001"


def _at(value: float, limit: float) -> str:
    return f"{value:.3f}" if value < limit else f"never ({limit:.3f} counted)"
