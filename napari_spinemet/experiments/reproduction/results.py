"""Tables, tests and figures of a reproduction, from what its systems were judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ...atomic_files import write_text
from ...evaluation.compare import compare_fp_at, compare_froc
from ...imaging import PAPER_OPERATING_POINT
from ...jobs import CancelToken
from ...study import Study
from ...workflows.study_froc import baseline_curves
from .plan import MAIN, PATCH, SINGLE, SYSTEMS, Budget
from .rows import OWN_SETTINGS, PAPER_SETTINGS, Question, Row
from .system_results import Judged, on_some_cases, own_point
from .writing import (
    curves_of,
    flat,
    line_of,
    markdown,
    told_of_question,
    told_of_row,
    write_csv,
    write_figures,
)

N_RESAMPLES = 20_000


def write_results(
    out: Path,
    study: Study,
    budget: Budget,
    judged: Mapping[str, Judged],
    *,
    cancel: CancelToken | None,
) -> None:
    """Tables, answers and figures of the systems that were judged, into a folder.

    Parameters
    ----------
    out : Path
    study : Study
        The cohort, for the baselines.
    budget : Budget
    judged : mapping
        By key of the system.
    cancel : CancelToken or None
    """
    rows: list[Row] = []
    main = judged.get(MAIN)
    for system in SYSTEMS:
        if system.key in judged:
            rows += judged[system.key].rows
        if system.key == MAIN and main is not None and PATCH in judged:
            rows += _of_subset(main, budget)
    own = None if main is None else own_point(main.report)
    for name, point in ((PAPER_SETTINGS, PAPER_OPERATING_POINT), (OWN_SETTINGS, own)):
        if cancel is not None:
            cancel.raise_if_cancelled()
        if point is not None:
            rows += [
                Row(s.name.replace(" ", "-"), s.name, name, s.point, s.curve)
                for s in baseline_curves(study, point)
            ]
    questions = _questions(rows, cancel)
    told = {
        "budget": {**asdict(budget), "left out": budget.said},
        "cases": budget.cases,
        "systems": [told_of_row(row) for row in rows],
        "questions": [told_of_question(q) for q in questions],
        "at_the_folds_own_points": {
            key: each.at_own_points
            for key, each in judged.items()
            if each.at_own_points is not None
        },
        "folds": {key: each.report["folds"] for key, each in judged.items()},
        "aggregation_weights": {} if main is None else main.weights,
    }
    write_text(out / "results.json", json.dumps(told, indent=1) + "\n")
    write_text(out / "curves.json", json.dumps(curves_of(rows), indent=None) + "\n")
    write_csv(out / "systems.csv", [line_of(row) for row in rows])
    write_csv(out / "questions.csv", [flat(told_of_question(q)) for q in questions])
    write_text(out / "tables.md", markdown(rows, questions, told))
    write_figures(out, rows)


def _of_subset(main: Judged, budget: Budget) -> list[Row]:
    """The dense form on the cases that the patch form has maps of, without a gate, as it is."""
    names = budget.patch_subset
    title = f"dense form, three resolutions, the first {len(names)} cases"
    return [
        on_some_cases(row, names, "three subset", title)
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


def _questions(rows: Sequence[Row], cancel: CancelToken | None) -> list[Question]:
    known = {(row.key, row.settings): row for row in rows}
    found = []
    for settings in (PAPER_SETTINGS, OWN_SETTINGS):
        for asked, one, other in QUESTIONS:
            a, b = known.get((one, settings)), known.get((other, settings))
            if a is None or b is None or len(a.curve.cases) < 2:
                continue
            if cancel is not None:
                cancel.raise_if_cancelled()
            area = compare_froc(a.curve, b.curve, n_resamples=N_RESAMPLES)
            fp = compare_fp_at(a.curve, b.curve, n_resamples=N_RESAMPLES)
            found.append(Question(asked, settings, a.title, b.title, area, fp))
    return found
