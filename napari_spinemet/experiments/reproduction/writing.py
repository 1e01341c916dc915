"""Tables, curves and figures of a reproduction, as files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_files import replace_atomically, write_text
from ...evaluation.curve import MEAN, SUM
from ...evaluation.pictures import froc_figure, render_figure
from .plan import MAIN, SINGLE
from .rows import PAPER_SETTINGS, VALIDATED_SETTINGS, Question, Row

SYSTEM_COLUMNS = (
    *("system", "settings", "area, weight, gate", "TP at 0.2 FP (mean over slices)"),
    *("TP at 1 FP per scan", "FP at 90 % (mean over slices)", "FP at 90 % (per scan)"),
    "FP at 100 % (mean)",
)
QUESTION_COLUMNS = (
    *("question", "settings", "cases", "area to 0.5 FP, a and b", "difference, 95 %"),
    *("p bootstrap (one, two sided)", "p sign flip (one, two sided)", "FP at 90 %, a and b"),
    *("saved, 95 %", "p bootstrap, sign flip (two sided)"),
)


def _heading(columns: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def row_facts(row: Row) -> dict[str, Any]:
    """A system as plain values; a rate that is never reached is None."""
    figures = {k: v if math.isfinite(v) else None for k, v in row.curve.summary().items()}
    rate, mean, total = row.curve.at(row.point.threshold)
    return {
        "key": row.key,
        "title": row.title,
        "settings": row.settings,
        "operating_point": row.point.to_dict(),
        "cases": len(row.curve.cases),
        "at_threshold": {
            "tp_rate": rate,
            "fp_mean_over_slices": mean,
            "fp_per_scan": total,
        },
        "area_to_0.5_fp_mean_over_slices": row.curve.area(),
        **figures,
    }


def question_facts(question: Question) -> dict[str, Any]:
    """An answer as plain values."""
    return {
        "question": question.text,
        "settings": question.settings,
        "a": question.a,
        "b": question.b,
        "cases": question.area.n_cases,
        "area_a": question.area.area_a,
        "area_b": question.area.area_b,
        "area_difference": question.area.difference,
        "area_interval": list(question.area.interval),
        "p_bootstrap_one_sided": question.area.p_one_sided,
        "p_bootstrap_two_sided": question.area.p_two_sided,
        "p_sign_flip_one_sided": question.area.p_sign_flip_one_sided,
        "p_sign_flip_two_sided": question.area.p_sign_flip_two_sided,
        "fp_at_90_percent_a": question.fp_at_90.fp_a,
        "fp_at_90_percent_b": question.fp_at_90.fp_b,
        "fp_saved_at_90_percent": question.fp_at_90.fp_saved,
        "fp_saved_interval": list(question.fp_at_90.interval),
        "fp_limit": question.fp_at_90.limit,
        "fp_p_bootstrap_two_sided": question.fp_at_90.p_two_sided,
        "fp_p_sign_flip_two_sided": question.fp_at_90.p_sign_flip_two_sided,
    }


def row_line(row: Row) -> dict[str, Any]:
    """A system as a line of a table."""
    facts = row_facts(row)
    point, at = facts.pop("operating_point"), facts.pop("at_threshold")
    return {**facts, **point, **{f"at_threshold_{k}": v for k, v in at.items()}}


def question_line(question: Question) -> dict[str, Any]:
    """An answer as a line of a table: an interval is two columns."""
    line: dict[str, Any] = {}
    for key, value in question_facts(question).items():
        if isinstance(value, list):
            line |= {f"{key}_low": value[0], f"{key}_high": value[1]}
        else:
            line[key] = value
    return line


def curve_corners(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each curve as figures show it, where it begins and ends to rise.

    Straight lines between these points are the curve; raw points stay with the maps.
    """
    result = []
    for row in rows:
        curves = {}
        for reading, limit in ((MEAN, 0.8), (SUM, 10.4)):
            fp, tp = row.curve.envelope(reading)
            rises = np.diff(tp) > 0
            is_corner = (np.r_[True, rises] | np.r_[rises, True]) & (fp <= limit)
            curves[reading] = {
                "fp": np.round(fp[is_corner], 6).tolist(),
                "tp_rate": np.round(tp[is_corner], 6).tolist(),
            }
        result.append({"key": row.key, "settings": row.settings, "title": row.title, **curves})
    return result


def write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Lines with the same keys as CSV.

    Parameters
    ----------
    path : Path
    lines : sequence of mapping
        None for an empty file.
    """
    text = io.StringIO()
    if lines:
        writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    write_text(path, text.getvalue())


def write_figures(folder: Path, rows: Sequence[Row]) -> None:
    """Figure 5 of the paper at both settings.

    Parameters
    ----------
    folder : Path
    rows : sequence of Row
        Without those of a setting there is no figure of it.
    """
    for settings in (PAPER_SETTINGS, VALIDATED_SETTINGS):
        row_of = {row.key: row for row in rows if row.settings == settings}
        curves = [
            (row_of[key].title, row_of[key].curve)
            for key in (MAIN, f"{MAIN} plain", SINGLE)
            if key in row_of
        ]
        if not curves:
            continue
        for suffix, content in render_figure(froc_figure(curves)).items():
            with replace_atomically(folder / f"figure-5-{settings}.{suffix}") as temporary:
                temporary.write_bytes(content)


def markdown(rows: Sequence[Row], questions: Sequence[Question], facts: Mapping[str, Any]) -> str:
    """The tables for a reader.

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
        *_heading(SYSTEM_COLUMNS),
        *map(_row_markdown, rows),
        "",
        *_heading(QUESTION_COLUMNS),
        *map(_question_markdown, questions),
        "",
        *_heading(("system", "at the points of its folds, on their test cases")),
    ]
    for key, at in facts["at_the_folds_own_points"].items():
        lines.append(
            f"| {key} | TP {at['tp_rate']:.3f} at {at['fp_per_scan']:.2f} FP per scan, "
            f"{at['fp_mean_over_slices']:.3f} as mean over slices ({at['cases']} cases) |"
        )
    return "\n".join(lines) + "\n"


def _row_markdown(row: Row) -> str:
    s, p = row.curve.summary(), row.point
    weight = "none" if p.weight is None else f"{p.weight:.2g}"
    cells = (
        row.title,
        row.settings,
        f"{p.min_area_cm2:g} cm², {weight}, {'gate' if p.gate else 'no gate'}",
        f"{s['tp_rate_at_0.20_fp_mean_over_slices']:.3f}",
        f"{s['tp_rate_at_1_fp_per_scan']:.3f}",
        _fp(s["fp_at_90_percent_mean_over_slices"]),
        _fp(s["fp_at_90_percent_per_scan"]),
        _fp(s["fp_at_100_percent_mean_over_slices"]),
    )
    return f"| {' | '.join(cells)} |"


def _question_markdown(question: Question) -> str:
    a, f = question.area, question.fp_at_90
    return (
        f"| {question.text} | {question.settings} | {a.n_cases} | "
        f"{a.area_a:.3f}, {a.area_b:.3f} | "
        f"{a.difference:+.3f} ({a.interval[0]:+.3f} to {a.interval[1]:+.3f}) | "
        f"{_p(a.p_one_sided)}, {_p(a.p_two_sided)} | "
        f"{_p(a.p_sign_flip_one_sided)}, {_p(a.p_sign_flip_two_sided)} | "
        f"{_at(f.fp_a, f.limit)}, {_at(f.fp_b, f.limit)} | "
        f"{f.fp_saved:+.3f} ({f.interval[0]:+.3f} to {f.interval[1]:+.3f}) | "
        f"{_p(f.p_two_sided)}, {_p(f.p_sign_flip_two_sided)} |"
    )


def _fp(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "never"


def _p(value: float) -> str:
    """A share of resamples: none of 20,000 is less than one in ten thousand, not nothing."""
    return f"{value:.4f}" if value >= 1e-4 else "< 0.0001"


def _at(value: float, limit: float) -> str:
    return f"{value:.3f}" if value < limit else f"never ({limit:.3f} counted)"
