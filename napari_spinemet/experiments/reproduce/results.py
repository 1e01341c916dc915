"""Tables, tests and figures of a reproduction, from the maps that its networks made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...evaluation import FrocCurve
from ...evaluation.compare import compare_fp_at, compare_froc
from ...evaluation.curve import curve_of
from ...evaluation.froc import CaseForests
from ...imaging import PAPER_OPERATING_POINT, FrocCase, OperatingPoint
from ...jobs import CancelToken, EventCallback, Progressed
from ...storage import write_text
from ...study import Study
from ...study.likelihoods import crossval_identity
from ..crossval_study import report_path
from ..operating_point import WEIGHTS
from ..study_froc import LOWEST, baseline_curves
from .plan import MAIN, PATCH, SINGLE, SYSTEMS, Budget
from .rows import OWN_SETTINGS, PAPER_SETTINGS, Question, Row
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

TASK = "results"
N_RESAMPLES = 20_000


def write_results(
    root: Path,
    budget: Budget,
    done: Sequence[str],
    *,
    on_event: EventCallback,
    cancel: CancelToken | None,
) -> Path:
    """Judge the out-of-fold maps of every system that is done; gives the folder of the results."""
    from .run import COHORT, RESULTS

    study, out = Study(root / COHORT), root / RESULTS
    reports = {key: json.loads(report_path(study, key).read_text("utf-8")) for key in done}
    points = {key: _point(report) for key, report in reports.items()}
    rows: list[Row] = []
    weights: dict[str, Any] = {}
    total = sum(s.key in done for s in SYSTEMS)
    for number, system in enumerate((s for s in SYSTEMS if s.key in done), 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        cases = _cases(study, system.key)
        usual = points.get(system.key) or points.get(MAIN) or PAPER_OPERATING_POINT
        if not system.dense:
            usual = replace(usual, gate=False)  # which needs a third output
        rows += _rows(system.key, system.title, cases, usual)
        if system.key == MAIN:
            weights = _weights(cases, usual)
            rows += _of_subset(cases, budget, usual) if PATCH in done else []
        on_event(Progressed(TASK, number, total, system.title))
    for name in (PAPER_SETTINGS, OWN_SETTINGS):
        point = PAPER_OPERATING_POINT if name == PAPER_SETTINGS else points.get(MAIN)
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
            key: _at_own_points(study, key, report)
            for key, report in reports.items()
            if any(f["operating_point"] for f in report["folds"])
        },
        "folds": {key: report["folds"] for key, report in reports.items()},
        "aggregation_weights": weights,
    }
    write_text(out / "results.json", json.dumps(told, indent=1) + "\n")
    write_text(out / "curves.json", json.dumps(curves_of(rows), indent=None) + "\n")
    write_csv(out / "systems.csv", [line_of(row) for row in rows])
    write_csv(out / "questions.csv", [flat(told_of_question(q)) for q in questions])
    write_text(out / "tables.md", markdown(rows, questions, told))
    write_figures(out, rows)
    return out


def _point(report: Mapping[str, Any]) -> OperatingPoint | None:
    held = report["operating_point"]
    return None if held is None else OperatingPoint(**held)


def _cases(study: Study, key: str) -> list[FrocCase]:
    """The cases of a cross-validation with their out-of-fold maps."""
    found = []
    for case, _, annotation in study.contoured():
        likelihood = study.likelihood(case, crossval_identity(key))
        if likelihood is not None:
            found.append(FrocCase(case.name, ((likelihood, annotation),)))
    return found


def _curve(cases: Sequence[FrocCase], point: OperatingPoint) -> FrocCurve:
    forests = (CaseForests(case, point.weight, lowest=LOWEST) for case in cases)
    return curve_of([f.table(min_area_cm2=point.min_area_cm2, gate=point.gate) for f in forests])


def _rows(key: str, title: str, cases: Sequence[FrocCase], own: OperatingPoint) -> list[Row]:
    """A system at both settings, and without aggregation; the main one without its gate too."""
    rows = []
    for settings, point in ((PAPER_SETTINGS, PAPER_OPERATING_POINT), (OWN_SETTINGS, own)):
        rows.append(Row(key, title, settings, point, _curve(cases, point)))
        if key in (MAIN, SINGLE):
            plain = replace(point, weight=None)
            text = f"{title}, no aggregation"
            rows.append(Row(f"{key} plain", text, settings, plain, _curve(cases, plain)))
        if key == MAIN:
            other = replace(point, gate=not point.gate)
            word = "with gate" if other.gate else "no gate"
            row = Row(f"{key} {word}", f"{title}, {word}", settings, other, _curve(cases, other))
            rows.append(row)
    return rows


def _of_subset(cases: Sequence[FrocCase], budget: Budget, own: OperatingPoint) -> list[Row]:
    """The dense form on the cases that the patch form has maps of."""
    from .run import patch_subset

    names = patch_subset(budget)
    some = [case for case in cases if case.case_id in names]
    title = f"dense form, three resolutions, the first {len(some)} cases"
    return [
        Row("three subset", title, settings, point, _curve(some, point))
        for settings, point in (
            (PAPER_SETTINGS, PAPER_OPERATING_POINT),
            (OWN_SETTINGS, replace(own, gate=False)),
        )
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


def _weights(cases: Sequence[FrocCase], point: OperatingPoint) -> dict[str, Any]:
    """The paper's apparent choice of the weight, on the test cases themselves: optimistic."""
    areas = {}
    for weight in WEIGHTS:
        curve = _curve(cases, replace(PAPER_OPERATING_POINT, weight=weight))
        own = _curve(cases, replace(point, weight=weight))
        areas[f"{weight:.3g}"] = {
            "area to 0.5 FP, paper settings": curve.area(),
            "area to 0.5 FP, validated settings": own.area(),
        }
    return {"chosen on the test cases themselves, which is optimistic": areas}


def _at_own_points(study: Study, key: str, report: Mapping[str, Any]) -> dict[str, Any]:
    """What each fold's point, chosen on its validation cases, gives on its test cases."""
    held = {case.case_id: case for case in _cases(study, key)}
    rates: list[tuple[float, float, float]] = []
    for fold in report["folds"]:
        if fold["operating_point"] is None:
            continue
        point = OperatingPoint(**fold["operating_point"])
        at = np.array([np.float32(point.threshold)])
        for name in fold["test"]:
            forests = CaseForests(held[name], point.weight, lowest=LOWEST)
            table = forests.table(min_area_cm2=point.min_area_cm2, gate=point.gate)
            rate, mean, total = (float(v[0]) for v in table.at(at))
            rates.append((rate, mean, total))
    tp, mean, total = np.array(rates).T
    return {
        "cases": len(rates),
        "tp_rate": float(np.nanmean(tp)),
        "fp_mean_over_slices": float(mean.mean()),
        "fp_per_scan": float(total.mean()),
    }
