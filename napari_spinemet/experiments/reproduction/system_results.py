"""What the out-of-fold maps of each system say, kept so that maps need not be.

A file for each system: the report of its cross-validation, and for each of its rows every
case's table of rates by threshold, from which all statistics are made. It is hundreds of times
smaller than the maps, so a reproduction that goes on elsewhere takes these files along.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_files import replace_atomically
from ...evaluation import FrocCurve
from ...evaluation.case_tables import CaseTable
from ...evaluation.curve import curve_of
from ...evaluation.froc import CaseForests, froc_curve
from ...imaging import PAPER_OPERATING_POINT, FrocCase, OperatingPoint
from ...study import Study
from ...study.map_identity import MapIdentity
from ...study.run_files import report_path
from ...workflows.operating_points.by_regions import WEIGHTS
from ...workflows.study_froc import tree_settings
from .plan import MAIN, TRAINED_TWICE, System
from .rows import PAPER_SETTINGS, VALIDATED_SETTINGS, Row

_TABLE_PARTS = ("thresholds", "tp_rate", "fp_mean", "fp_sum")
_FACTS = "told"
"""Name of all but the tables in a file of results; it stays, since files of it are about."""


@dataclass(frozen=True, eq=False)
class SystemResults:
    """What was found of one system.

    Attributes
    ----------
    report : mapping
        Of its cross-validation: folds with seeds, lambda and operating points.
    validated_point : OperatingPoint
        That of the rows at validated settings.
    rows : tuple of Row
    at_own_points : mapping or None
        Rates of each fold's test cases at the point chosen on its validation cases.
    weights : mapping
        Areas by aggregation weight, of the main system.
    """

    report: Mapping[str, Any]
    validated_point: OperatingPoint
    rows: tuple[Row, ...]
    at_own_points: Mapping[str, Any] | None
    weights: Mapping[str, Any]


def chosen_point(report: Mapping[str, Any]) -> OperatingPoint | None:
    """The point that was chosen on the validation cases of all folds."""
    values = report["operating_point"]
    return None if values is None else OperatingPoint(**values)


def validated_point(
    system: System, report: Mapping[str, Any], main_point: OperatingPoint | None
) -> OperatingPoint:
    """What a system is evaluated at beside the paper's: its own point, or the main system's.

    Parameters
    ----------
    system : System
    report : mapping
        Of its cross-validation.
    main_point : OperatingPoint or None
        Of the main system, if it has one yet.
    """
    point = chosen_point(report) or main_point or PAPER_OPERATING_POINT
    return point if system.is_dense else replace(point, gate=False)  # it has no third output


def read_report(study: Study, system: System) -> dict[str, Any]:
    """What a system's cross-validation reported, without the folder in which it was run.

    Parameters
    ----------
    study : Study
        The cohort.
    system : System
        Its cross-validation is through.
    """
    report: dict[str, Any] = json.loads(report_path(study.path, system.key).read_text("utf-8"))
    return {key: value for key, value in report.items() if key != "study"}


def evaluate_system(
    study: Study, system: System, main_point: OperatingPoint | None
) -> SystemResults:
    """Evaluate the maps of a system whose cross-validation is through.

    Parameters
    ----------
    study : Study
        The cohort, with the maps.
    system : System
    main_point : OperatingPoint or None
        Of the main system.
    """
    report = read_report(study, system)
    point = validated_point(system, report, main_point)
    cases = _cases(study, system.key)
    has_points = any(fold["operating_point"] for fold in report["folds"])
    return SystemResults(
        report,
        point,
        tuple(_rows(system, cases, point)),
        _at_own_points(cases, report) if has_points else None,
        _weights(cases, point) if system.key == MAIN else {},
    )


def save_results(results: SystemResults, path: Path) -> None:
    """Write the results of a system, whole or not at all.

    Parameters
    ----------
    results : SystemResults
    path : Path
        Ends with ``.npz``.
    """
    arrays = {
        f"{number}-{case.case_id}-{part}": getattr(case, part)
        for number, row in enumerate(results.rows)
        for case in row.curve.cases
        for part in _TABLE_PARTS
    }
    facts = {
        "report": results.report,
        "own": results.validated_point.to_dict(),
        "rows": [
            {
                "key": row.key,
                "title": row.title,
                "settings": row.settings,
                "point": row.point.to_dict(),
                "cases": [case.case_id for case in row.curve.cases],
            }
            for row in results.rows
        ],
        "at_own_points": results.at_own_points,
        "weights": results.weights,
    }
    contents = {_FACTS: np.array(json.dumps(facts)), **arrays}
    with replace_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **contents)


def load_results(path: Path) -> SystemResults | None:
    """Read the results of a system; None if the file is missing or damaged: it is made again."""
    try:
        with np.load(path, allow_pickle=False) as contents:
            facts = json.loads(str(contents[_FACTS]))
            rows = [_row(number, values, contents) for number, values in enumerate(facts["rows"])]
            return SystemResults(
                facts["report"],
                OperatingPoint(**facts["own"]),
                tuple(rows),
                facts["at_own_points"],
                facts["weights"],
            )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _row(number: int, values: Mapping[str, Any], arrays: Mapping[str, Any]) -> Row:
    """A row as it was saved."""
    tables = [
        CaseTable(name, *(arrays[f"{number}-{name}-{part}"] for part in _TABLE_PARTS))
        for name in values["cases"]
    ]
    point = OperatingPoint(**values["point"])
    return Row(values["key"], values["title"], values["settings"], point, curve_of(tables))


def restrict_row(row: Row, cases: Sequence[str], key: str, title: str) -> Row:
    """A row over some of its cases.

    Parameters
    ----------
    row : Row
    cases : sequence of str
        Their names; those that the row does not have are passed over.
    key, title : str
        Of the new row.
    """
    tables = [table for table in row.curve.cases if table.case_id in cases]
    return Row(key, title, row.settings, row.point, curve_of(tables))


def _cases(study: Study, key: str) -> list[FrocCase]:
    """The cases of a cross-validation with their out-of-fold maps."""
    identity = MapIdentity.of_cross_validation(key)
    cases = []
    for case, _, annotation in study.contoured_cases():
        likelihood = study.likelihood_map(case, identity)
        if likelihood is not None:
            cases.append(FrocCase(case.name, ((likelihood, annotation),)))
    return cases


def _curve(cases: Sequence[FrocCase], point: OperatingPoint) -> FrocCurve:
    return froc_curve(cases, point, trees=tree_settings(point))


def _rows(system: System, cases: Sequence[FrocCase], own_point: OperatingPoint) -> list[Row]:
    """A system at both settings; what is trained twice also plain, and with the gate changed."""
    rows = []
    key, title = system.key, system.title
    for settings, point in (
        (PAPER_SETTINGS, PAPER_OPERATING_POINT),
        (VALIDATED_SETTINGS, own_point),
    ):
        rows.append(Row(key, title, settings, point, _curve(cases, point)))
        if key in TRAINED_TWICE:
            plain = replace(point, weight=None)
            text = f"{title}, no aggregation"
            rows.append(Row(f"{key} plain", text, settings, plain, _curve(cases, plain)))
            other = replace(point, gate=not point.gate)
            word = "with gate" if other.gate else "no gate"
            row = Row(f"{key} {word}", f"{title}, {word}", settings, other, _curve(cases, other))
            rows.append(row)
    return rows


def _weights(cases: Sequence[FrocCase], point: OperatingPoint) -> dict[str, Any]:
    """The paper's apparent choice of the weight, on the test cases themselves: optimistic."""
    areas = {}
    for weight in WEIGHTS:
        paper_curve = _curve(cases, replace(PAPER_OPERATING_POINT, weight=weight))
        validated_curve = _curve(cases, replace(point, weight=weight))
        areas[f"{weight:.3g}"] = {
            "area to 0.5 FP, paper settings": paper_curve.area(),
            "area to 0.5 FP, validated settings": validated_curve.area(),
        }
    return {"chosen on the test cases themselves, which is optimistic": areas}


def _at_own_points(cases: Sequence[FrocCase], report: Mapping[str, Any]) -> dict[str, Any]:
    """What each fold's point, chosen on its validation cases, gives on its test cases."""
    case_of = {case.case_id: case for case in cases}
    rates: list[tuple[float, float, float]] = []
    for fold in report["folds"]:
        if fold["operating_point"] is None:
            continue
        point = OperatingPoint(**fold["operating_point"])
        at = np.array([np.float32(point.threshold)])
        for name in fold["test"]:
            table = CaseForests(case_of[name], tree_settings(point)).table(point)
            rate, mean, total = (float(v[0]) for v in table.at(at))
            rates.append((rate, mean, total))
    tp, mean, total = np.array(rates).T
    return {
        "cases": len(rates),
        "tp_rate": float(np.nanmean(tp)),
        "fp_mean_over_slices": float(mean.mean()),
        "fp_per_scan": float(total.mean()),
    }
