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
from ...evaluation.froc import CaseForests
from ...imaging import PAPER_OPERATING_POINT, FrocCase, OperatingPoint
from ...study import Study
from ...study.map_identity import MapIdentity
from ...workflows.cross_validation.study import report_path
from ...workflows.operating_point_choice import WEIGHTS
from ...workflows.study_froc import LOWEST
from .plan import MAIN, SINGLE, System
from .rows import OWN_SETTINGS, PAPER_SETTINGS, Row

_PARTS = ("thresholds", "tp_rate", "fp_mean", "fp_sum")


@dataclass(frozen=True, eq=False)
class Judged:
    """One system, judged.

    Attributes
    ----------
    report : mapping
        Of its cross-validation: folds with seeds, lambda and operating points.
    own : OperatingPoint
        That of the rows at validated settings.
    rows : tuple of Row
    at_own_points : mapping or None
        Rates of each fold's test cases at the point chosen on its validation cases.
    weights : mapping
        Areas by aggregation weight, of the main system.
    """

    report: Mapping[str, Any]
    own: OperatingPoint
    rows: tuple[Row, ...]
    at_own_points: Mapping[str, Any] | None
    weights: Mapping[str, Any]


def own_point(report: Mapping[str, Any]) -> OperatingPoint | None:
    """The point that was chosen on the validation cases of all folds."""
    held = report["operating_point"]
    return None if held is None else OperatingPoint(**held)


def usual_point(
    system: System, report: Mapping[str, Any], main: OperatingPoint | None
) -> OperatingPoint:
    """What a system is judged at beside the paper's: its own point, or that of the main one."""
    usual = own_point(report) or main or PAPER_OPERATING_POINT
    return usual if system.dense else replace(usual, gate=False)  # it has no third output


def report_of(study: Study, system: System) -> dict[str, Any]:
    """What a system's cross-validation reported, without the folder in which it was run."""
    told: dict[str, Any] = json.loads(report_path(study, system.key).read_text("utf-8"))
    return {key: value for key, value in told.items() if key != "study"}


def judge(study: Study, system: System, main: OperatingPoint | None) -> Judged:
    """Judge the maps of a system whose cross-validation is through.

    Parameters
    ----------
    study : Study
        The cohort, with the maps.
    system : System
    main : OperatingPoint or None
        Of the main system.
    """
    report = report_of(study, system)
    own = usual_point(system, report, main)
    cases = _cases(study, system.key)
    chosen = any(fold["operating_point"] for fold in report["folds"])
    return Judged(
        report,
        own,
        tuple(_rows(system, cases, own)),
        _at_own_points(cases, report) if chosen else None,
        _weights(cases, own) if system.key == MAIN else {},
    )


def keep(judged: Judged, path: Path) -> None:
    """Write what was judged, whole or not at all."""
    arrays = {
        f"{number}-{case.case_id}-{part}": getattr(case, part)
        for number, row in enumerate(judged.rows)
        for case in row.curve.cases
        for part in _PARTS
    }
    told = {
        "report": judged.report,
        "own": judged.own.to_dict(),
        "rows": [
            {
                "key": row.key,
                "title": row.title,
                "settings": row.settings,
                "point": row.point.to_dict(),
                "cases": [case.case_id for case in row.curve.cases],
            }
            for row in judged.rows
        ],
        "at_own_points": judged.at_own_points,
        "weights": judged.weights,
    }
    with replace_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, told=np.array(json.dumps(told)), **arrays)


def kept(path: Path) -> Judged | None:
    """Read what was judged; None if the file is missing or damaged, since it is made again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            told = json.loads(str(stored["told"]))
            rows = []
            for number, row in enumerate(told["rows"]):
                tables = [
                    CaseTable(name, *(stored[f"{number}-{name}-{part}"] for part in _PARTS))
                    for name in row["cases"]
                ]
                point = OperatingPoint(**row["point"])
                curve = curve_of(tables)
                rows.append(Row(row["key"], row["title"], row["settings"], point, curve))
            return Judged(
                told["report"],
                OperatingPoint(**told["own"]),
                tuple(rows),
                told["at_own_points"],
                told["weights"],
            )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def on_some_cases(row: Row, names: Sequence[str], key: str, title: str) -> Row:
    """A row over some of its cases."""
    tables = [case for case in row.curve.cases if case.case_id in names]
    return Row(key, title, row.settings, row.point, curve_of(tables))


def _cases(study: Study, key: str) -> list[FrocCase]:
    """The cases of a cross-validation with their out-of-fold maps."""
    found = []
    for case, _, annotation in study.contoured_cases():
        likelihood = study.likelihood_map(case, MapIdentity.of_cross_validation(key))
        if likelihood is not None:
            found.append(FrocCase(case.name, ((likelihood, annotation),)))
    return found


def _curve(cases: Sequence[FrocCase], point: OperatingPoint) -> FrocCurve:
    forests = (CaseForests(case, point.weight, lowest=LOWEST) for case in cases)
    return curve_of([f.table(min_area_cm2=point.min_area_cm2, gate=point.gate) for f in forests])


def _rows(system: System, cases: Sequence[FrocCase], own: OperatingPoint) -> list[Row]:
    """A system at both settings, and without aggregation; the main one without its gate too."""
    rows = []
    key, title = system.key, system.title
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


def _at_own_points(cases: Sequence[FrocCase], report: Mapping[str, Any]) -> dict[str, Any]:
    """What each fold's point, chosen on its validation cases, gives on its test cases."""
    held = {case.case_id: case for case in cases}
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
