"""Figures and numbers of a reproduction, as files and plain values."""

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
        "training": question.training,
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
