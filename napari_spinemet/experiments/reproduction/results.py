"""Tables, tests and figures of a reproduction, from the results of its systems."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...atomic_files import write_text
from ...imaging import PAPER_OPERATING_POINT
from ...jobs import UNATTENDED, JobContext
from ...study import Study
from ...workflows.study_froc import baseline_curves
from .plan import MAIN, PATCH, REVISION, SYSTEMS, Budget
from .questions import SUBSET, answer_questions
from .rows import PAPER_SETTINGS, VALIDATED_SETTINGS, Row
from .system_results import SystemResults, chosen_point, restrict_row
from .tables import markdown
from .writing import (
    curve_corners,
    question_facts,
    question_line,
    row_facts,
    row_line,
    write_csv,
    write_figures,
)


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
    questions = answer_questions(rows, job)
    main = results.get(MAIN)
    facts = {
        "revision": REVISION,
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
        restrict_row(row, names, SUBSET, title)
        for row in main.rows
        if not row.key.endswith(" plain") and not row.point.gate
    ]
