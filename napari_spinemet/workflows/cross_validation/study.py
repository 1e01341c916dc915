"""Cross-validation of a study: its out-of-fold maps enter the study, and a report is written."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...atomic_files import write_text
from ...errors import SpinemetError
from ...evaluation import FrocCurve, froc
from ...imaging import FrocCase, OperatingPoint
from ...jobs import CancelToken, EventCallback, Progressed
from ...jobs.events import ignore
from ...study import Study
from ...study.likelihood_maps import crossval_identity
from ...training import TrainingConfig
from ..operating_point_choice import joint_point
from .folds import CrossValidationResult, cross_validate

AGGREGATION = 0.4


def cross_validate_study(
    study: str | os.PathLike[str],
    config: TrainingConfig,
    *,
    name: str = "crossval",
    only: Sequence[str] | None = None,
    folds: int = 10,
    seed: int = 0,
    weight_decays: Sequence[float] = (),
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    stride: int = 1,
    mapped: Sequence[str] | None = None,
    only_folds: Sequence[int] | None = None,
    choose: bool = True,
    usual: OperatingPoint | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> tuple[dict[str, Any], CrossValidationResult]:
    """Cross-validate on the contoured cases of a study.

    Parameters
    ----------
    study : path-like
    config : TrainingConfig
    name : str
        Of the run: what is finished is kept in ``STUDY/crossval/NAME``, and a run of that name
        that was interrupted goes on.
    only : sequence of str, optional
        Names of the cases; all contoured ones by default.
    folds, seed, weight_decays, scheduler, workers, threads, stride, only_folds, choose, usual
        See :func:`.cross_validate`.
    mapped : sequence of str, optional
        Names of the cases that are mapped, and judged in the report; all by default.

    Returns
    -------
    report : dict
        Folds with their cases and the chosen weight decay, and FROC figures with and without
        aggregation over neighbouring slices; it is written there too.
    result : CrossValidationResult
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise SpinemetError(
            f"'{name}' cannot name a run; use letters, digits, points, dashes and underscores."
        )
    here = Study(study)
    cases, pairs = [], []
    total = sum(case.has_contours for case in here.cases()) if only is None else len(only)
    for number, (case, series, annotation) in enumerate(here.contoured_cases(only), 1):
        if cancel is not None:
            cancel.raise_if_cancelled()
        cases.append(case)
        pairs.append((series, annotation))
        on_event(Progressed("read", number, total, f"reading {case.name}"))
    folder = Path(here.path) / "crossval" / name
    result = cross_validate(
        pairs,
        config,
        folds=folds,
        seed=seed,
        weight_decays=weight_decays,
        folder=folder,
        scheduler=scheduler,
        workers=workers,
        threads=threads,
        stride=stride,
        mapped=None if mapped is None else [k for k, c in enumerate(cases) if c.name in mapped],
        only_folds=only_folds,
        choose=choose,
        usual=usual,
        on_event=on_event,
        cancel=cancel,
    )
    tested = {k for fold in result.folds for k in fold.test}
    named = []
    judged = [
        case
        for k, case in enumerate(cases)
        if k in tested and (mapped is None or case.name in mapped)
    ]
    for case, made in zip(judged, result.cases, strict=True):
        likelihood, annotation = made.sequences[0]
        here.save_likelihood(case, crossval_identity(name), likelihood)
        named.append(FrocCase(case.name, ((likelihood, annotation),)))
    chosen = [point for point in result.points if point is not None]
    report = {
        "study": str(here.path),
        "name": name,
        "config": config.to_dict(),
        "folds": [
            {
                "fold": number,
                "training": [cases[k].name for k in fold.training],
                "validation": [cases[k].name for k in fold.validation],
                "test": [cases[k].name for k in fold.test],
                "seed": config.seed + number - 1,
                "weight_decay": decay,
                "best_epoch": trained.best_epoch,
                "validation_error": trained.error,
                "operating_point": _told(point),
            }
            for number, fold, decay, trained, point in zip(
                result.numbers,
                result.folds,
                result.weight_decays,
                result.results,
                result.points,
                strict=True,
            )
        ],
        "operating_point": _told(joint_point(chosen) if chosen else None),
        "froc": _curves(named),
    }
    write_text(report_path(here, name, only_folds), json.dumps(report, indent=1) + "\n")
    return report, result


def report_path(study: Study, name: str, only_folds: Sequence[int] | None = None) -> Path:
    """Where the report of a run lies; that of some folds is not taken for that of all."""
    some = "" if only_folds is None else "-fold-" + "-".join(str(k) for k in sorted({*only_folds}))
    return Path(study.path) / "crossval" / name / f"report{some}.json"


def validated_point(study: Study, name: str) -> OperatingPoint | None:
    """The operating point of a cross-validation, chosen on its validation cases; None if unknown.

    It is known once the run is through, and not of runs by versions before 0.1.
    """
    place = report_path(study, name)
    try:
        held = json.loads(place.read_text(encoding="utf-8"))["operating_point"]
        return None if held is None else OperatingPoint(**held)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def cross_validation_report(
    study: str | os.PathLike[str], config: TrainingConfig, **given: Any
) -> dict[str, Any]:
    """The report of :func:`cross_validate_study` alone: what fits through a pipe."""
    report, _ = cross_validate_study(study, config, **given)
    return report


_AREA_CM2 = 2.0


def _told(point: OperatingPoint | None) -> dict[str, Any] | None:
    return None if point is None else point.to_dict()


def _curves(named: list[FrocCase]) -> dict[str, Any] | None:
    """None where no lesion is among the cases, as it may be with some folds alone."""
    if not any(annotation.lesions.any() for case in named for _, annotation in case.sequences):
        return None
    return {
        "aggregated": _figures(froc(named, min_area_cm2=_AREA_CM2, weight=AGGREGATION)),
        "plain": _figures(froc(named, min_area_cm2=_AREA_CM2)),
        "min_area_cm2": _AREA_CM2,
        "aggregation_weight": AGGREGATION,
    }


def _figures(curve: FrocCurve) -> dict[str, float | None]:
    """The paper's figures in both readings of false positives."""
    told: dict[str, float | None] = {}
    for reading, values in (("mean_over_slices", curve.fp_mean), ("per_scan", curve.fp_sum)):
        for limit in (0.2, 1.0):
            allowed = curve.tp_rate[values <= limit]
            told[f"tp_rate_at_{limit:g}_fp_{reading}"] = (
                float(allowed.max()) if len(allowed) else 0.0
            )
        enough = values[curve.tp_rate >= 0.9]
        told[f"fp_{reading}_at_90_percent"] = float(enough.min()) if len(enough) else None
    return told
