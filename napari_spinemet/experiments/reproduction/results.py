"""Tables, tests and figures of a reproduction, from the results of its systems."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...atomic_files import write_text
from ...evaluation.comparison import compare_fp_at, compare_froc
from ...imaging import PAPER_OPERATING_POINT
from ...jobs import UNATTENDED, JobContext
from ...study import Study
from ...workflows.study_froc import baseline_curves
from .plan import MAIN, PATCH, SINGLE, SYSTEMS, Budget
from .rows import PAPER_SETTINGS, VALIDATED_SETTINGS, Question, Row
from .system_results import SystemResults, chosen_point, restrict_row
from .writing import (
    curve_corners,
    markdown,
    question_facts,
    question_line,
    row_facts,
    row_line,
    write_csv,
    write_figures,
)

N_RESAMPLES = 20_000


def write_results(
    folder: Path,
    study: Study,
    budget: Budget,
    results: Mapping[str, SystemResults],
    *,
    job: JobContext = UNATTENDED,
) -> None:
    """Tables, answers and figures of the systems that were evaluated, into a folder.

    Parameters
    ----------
    folder : Path
    study : Study
        The cohort, for the baselines.
    budget : Budget
    results : mapping
        By key of the system.
    job : JobContext
        Polled at every comparison.
    """
    rows = [*_system_rows(results, budget), *_baseline_rows(results, study, job)]
    questions = _questions(rows, job)
    main = results.get(MAIN)
    facts = {
        "budget": {**_budget_facts(budget), "left out": budget.omissions},
        "cases": budget.cases,
        "systems": [row_facts(row) for row in rows],
        "questions": [question_facts(q) for q in questions],
        "at_the_folds_own_points": {
            key: result.at_own_points
            for key, result in results.items()
            if result.at_own_points is not None
        },
        "folds": {key: result.report["folds"] for key, result in results.items()},
        "aggregation_weights": {} if main is None else main.weights,
    }
    write_text(folder / "results.json", json.dumps(facts, indent=1) + "\n")
    write_text(folder / "curves.json", json.dumps(curve_corners(rows), indent=None) + "\n")
    write_csv(folder / "systems.csv", [row_line(row) for row in rows])
    write_csv(folder / "questions.csv", [question_line(q) for q in questions])
    write_text(folder / "tables.md", markdown(rows, questions, facts))
    write_figures(folder, rows)


def _budget_facts(budget: Budget) -> dict[str, Any]:
    """A budget as plain values, under the names that results have always had."""
    return {"said" if k == "omissions" else k: v for k, v in asdict(budget).items()}


def _system_rows(results: Mapping[str, SystemResults], budget: Budget) -> Iterator[Row]:
    for system in SYSTEMS:
        if system.key in results:
            yield from results[system.key].rows
        if system.key == MAIN and MAIN in results and PATCH in results:
            yield from _subset_rows(results[MAIN], budget)


def _baseline_rows(
    results: Mapping[str, SystemResults], study: Study, job: JobContext
) -> Iterator[Row]:
    """The plain detectors, at the paper's settings and at those of the main system."""
    points = {PAPER_SETTINGS: PAPER_OPERATING_POINT}
    validated_point = chosen_point(results[MAIN].report) if MAIN in results else None
    if validated_point is not None:
        points[VALIDATED_SETTINGS] = validated_point
    for settings, point in points.items():
        job.raise_if_cancelled()
        for system in baseline_curves(study, point):
            key = system.name.replace(" ", "-")
            yield Row(key, system.name, settings, system.point, system.curve)


def _subset_rows(main: SystemResults, budget: Budget) -> list[Row]:
    """The dense form on the cases that the patch form has maps of, without a gate, as it is."""
    names = budget.patch_subset
    title = f"dense form, three resolutions, the first {len(names)} cases"
    return [
        restrict_row(row, names, "three subset", title)
        for row in main.rows
        if not row.key.endswith(" plain") and not row.point.gate
    ]


QUESTIONS = (
    ("Does aggregation help?", MAIN, f"{MAIN} plain"),
    ("Do three resolutions beat one?", MAIN, SINGLE),
    ("Does one resolution gain from aggregation?", SINGLE, f"{SINGLE} plain"),
    ("0.5, 1, 2 mm against 0.25, 1, 1.25 mm", MAIN, "quarter"),
    ("0.5, 1, 2 mm against 0.5, 1, 1.5 mm", MAIN, "half"),
    ("79 x 55 against smaller patches, one resolution", SINGLE, "one-small"),
    ("79 x 55 against larger patches, one resolution", SINGLE, "one-large"),
    ("Local z-score against one of the whole slice", MAIN, "zscore-slice"),
    ("Blocks of (1, 2, 2) against (1, 1, 1) convolutions", MAIN, "blocks-111"),
    ("Dense form against patch form, on the same cases", "three subset", PATCH),
    ("Does the gate help?", f"{MAIN} with gate", MAIN),
    ("Does the gate help?", MAIN, f"{MAIN} no gate"),
)
"""What is asked, and of which rows."""


def _questions(rows: Sequence[Row], job: JobContext) -> list[Question]:
    """The comparisons whose rows are both there."""
    row_of = {(row.key, row.settings): row for row in rows}
    result = []
    for settings in (PAPER_SETTINGS, VALIDATED_SETTINGS):
        for text, one, other in QUESTIONS:
            a, b = row_of.get((one, settings)), row_of.get((other, settings))
            if a is None or b is None or len(a.curve.cases) < 2:
                continue
            job.raise_if_cancelled()
            area = compare_froc(a.curve, b.curve, n_resamples=N_RESAMPLES)
            fp = compare_fp_at(a.curve, b.curve, n_resamples=N_RESAMPLES)
            result.append(Question(text, settings, a.title, b.title, area, fp))
    return result
