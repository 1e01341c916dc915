"""Cross-validation of a study: its out-of-fold maps enter the study, and a report is written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...atomic_files import write_text
from ...errors import SpinemetError
from ...evaluation import FrocCurve
from ...evaluation.froc import froc_curve
from ...imaging import FrocCase, OperatingPoint
from ...jobs import UNATTENDED, JobContext
from ...study import Case, Study
from ...study.map_identity import MapIdentity
from ...study.run_files import report_path
from ...training import TrainingConfig
from ..operating_points.by_regions import joint_point
from ..study_cases import read_contoured_cases
from ..worker_settings import THIS_PROCESS, WorkerSettings
from .fold_store import FoldStore
from .run import CrossValidationPlan, CrossValidationResult, cross_validate_cases

REPORT_POINT = OperatingPoint(min_area_cm2=2.0, weight=0.4)
"""Minimum area and aggregation of the figures in the report."""


def cross_validate_study(
    study: str | os.PathLike[str],
    config: TrainingConfig,
    plan: CrossValidationPlan | None = None,
    *,
    name: str = "crossval",
    only_cases: Sequence[str] | None = None,
    mapped_cases: Sequence[str] | None = None,
    workers: WorkerSettings = THIS_PROCESS,
    job: JobContext = UNATTENDED,
) -> tuple[dict[str, Any], CrossValidationResult]:
    """Cross-validate on the contoured cases of a study.

    Parameters
    ----------
    study : path-like
    config : TrainingConfig
    plan : CrossValidationPlan, optional
        Its ``mapped_cases`` follow from the argument of that name.
    name : str
        Of the run: what is finished is kept in ``STUDY/crossval/NAME``, and a run of that name
        that was interrupted goes on.
    only_cases : sequence of str, optional
        Names of the cases; all contoured ones by default.
    mapped_cases : sequence of str, optional
        Names of the cases that are mapped, and judged in the report; all by default.
    workers : WorkerSettings
    job : JobContext

    Returns
    -------
    report : dict
        Folds with their cases and the chosen weight decay, and FROC figures with and without
        aggregation over neighbouring slices; it is written there too.
    result : CrossValidationResult

    Raises
    ------
    SpinemetError
        If the name cannot name a run, and as :func:`.cross_validate`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise SpinemetError(
            f"'{name}' cannot name a run; use letters, digits, points, dashes and underscores."
        )
    open_study = Study(study)
    case_data = list(read_contoured_cases(open_study, only_cases, job=job))
    cases = [case for case, _, _ in case_data]
    plan = plan or CrossValidationPlan()
    if mapped_cases is not None:
        numbers = tuple(k for k, case in enumerate(cases) if case.name in mapped_cases)
        plan = replace(plan, mapped_cases=numbers)
    result = cross_validate_cases(
        [(series, annotation) for _, series, annotation in case_data],
        config,
        plan,
        store=FoldStore(Path(open_study.path) / "crossval" / name),
        workers=workers,
        job=job,
    )
    froc_cases = _keep_maps(open_study, name, _cases_with_maps(cases, result, plan), result)
    report = {
        "study": str(open_study.path),
        "name": name,
        "config": config.to_dict(),
        "folds": _describe_folds(cases, config, result),
        "operating_point": _plain(_joint_point(result)),
        "froc": _describe_curves(froc_cases),
    }
    path = report_path(open_study.path, name, plan.only_folds)
    write_text(path, json.dumps(report, indent=1) + "\n")
    return report, result


def _cases_with_maps(
    cases: Sequence[Case], result: CrossValidationResult, plan: CrossValidationPlan
) -> list[Case]:
    """The cases that the result has maps of, in its order."""
    test_numbers = {k for fold in result.folds for k in fold.test}
    if plan.mapped_cases is not None:
        test_numbers &= set(plan.mapped_cases)
    return [cases[k] for k in sorted(test_numbers)]


def _keep_maps(
    study: Study, name: str, cases: Sequence[Case], result: CrossValidationResult
) -> list[FrocCase]:
    """Enter the out-of-fold maps into the study; gives its cases by their names."""
    identity = MapIdentity.of_cross_validation(name)
    froc_cases = []
    for case, out_of_fold in zip(cases, result.cases, strict=True):
        likelihood, annotation = out_of_fold.sequences[0]
        study.save_likelihood_map(case, identity, likelihood)
        froc_cases.append(FrocCase(case.name, ((likelihood, annotation),)))
    return froc_cases


def _describe_folds(
    cases: Sequence[Case], config: TrainingConfig, result: CrossValidationResult
) -> list[dict[str, Any]]:
    return [
        {
            "fold": number,
            "training": [cases[k].name for k in fold.training],
            "validation": [cases[k].name for k in fold.validation],
            "test": [cases[k].name for k in fold.test],
            "seed": config.seed + number - 1,
            "weight_decay": decay,
            "best_epoch": training.best_epoch,
            "validation_error": training.error,
            "operating_point": _plain(point),
        }
        for number, fold, decay, training, point in zip(
            result.numbers,
            result.folds,
            result.weight_decays,
            result.results,
            result.points,
            strict=True,
        )
    ]


def _joint_point(result: CrossValidationResult) -> OperatingPoint | None:
    points = [point for point in result.points if point is not None]
    return joint_point(points) if points else None


def _plain(point: OperatingPoint | None) -> dict[str, Any] | None:
    return None if point is None else point.to_dict()


def _describe_curves(cases: Sequence[FrocCase]) -> dict[str, Any] | None:
    """None where no lesion is among the cases, as it may be with some folds alone."""
    if not any(annotation.lesions.any() for case in cases for _, annotation in case.sequences):
        return None
    point = REPORT_POINT
    return {
        "aggregated": _curve_figures(froc_curve(cases, point)),
        "plain": _curve_figures(froc_curve(cases, replace(point, weight=None))),
        "min_area_cm2": point.min_area_cm2,
        "aggregation_weight": point.weight,
    }


def _curve_figures(curve: FrocCurve) -> dict[str, float | None]:
    """The paper's figures in both readings of false positives."""
    figures: dict[str, float | None] = {}
    for reading, values in (("mean_over_slices", curve.fp_mean), ("per_scan", curve.fp_sum)):
        for limit in (0.2, 1.0):
            rates = curve.tp_rate[values <= limit]
            figures[f"tp_rate_at_{limit:g}_fp_{reading}"] = (
                float(rates.max()) if len(rates) else 0.0
            )
        costs = values[curve.tp_rate >= 0.9]
        figures[f"fp_{reading}_at_90_percent"] = float(costs.min()) if len(costs) else None
    return figures
