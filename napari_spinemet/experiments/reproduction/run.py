"""The paper's comparisons on the project's own cohort, in pieces of any length."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ...atomic_files import write_text
from ...errors import Cancelled, SpinemetError
from ...imaging import OperatingPoint
from ...jobs import UNATTENDED, Deadline, JobContext
from ...phantom import write_cohort
from ...study import Study
from ...study.run_files import report_path
from ...workflows.cross_validation.run import CrossValidationPlan
from ...workflows.cross_validation.study import cross_validate_study
from ...workflows.worker_settings import THIS_PROCESS, WorkerSettings
from .plan import COHORT_SEED, DEFAULT_POINT, MAIN, REVISION, SYSTEMS, Reproduction, System
from .results import write_results
from .system_results import (
    SystemResults,
    chosen_point,
    evaluate_system,
    load_results,
    read_report,
    save_results,
    validated_point,
)

COHORT, PLAN, SYSTEM_RESULTS, RESULTS = "cohort", "plan.json", "judged", "results"
"""Folders and files of a reproduction."""


@dataclass(frozen=True)
class ReproductionProgress:
    """How far a reproduction is.

    Attributes
    ----------
    evaluated_systems, missing_systems : tuple of str
        Keys of the systems that are evaluated, and of those asked for that are not.
    results : Path or None
        Folder of tables and figures, once nothing is missing.
    """

    evaluated_systems: tuple[str, ...]
    missing_systems: tuple[str, ...]
    results: Path | None


def reproduce(
    folder: str | os.PathLike[str],
    task: Reproduction,
    *,
    workers: WorkerSettings = THIS_PROCESS,
    job: JobContext = UNATTENDED,
) -> ReproductionProgress:
    """Make the cohort, cross-validate and evaluate every system, and write tables and figures.

    Whatever is finished is kept in the folder: every network, map and fold. The same call goes
    on from there, however the one before ended. Of a system that is evaluated, the file in
    ``judged`` is enough: with ``plan.json`` it can be taken elsewhere, without networks and maps.

    Parameters
    ----------
    folder : path-like
    task : Reproduction
    workers : WorkerSettings
        Where networks are trained.
    job : JobContext

    Returns
    -------
    ReproductionProgress

    Raises
    ------
    SpinemetError
        If the folder holds another reproduction, or one of another revision.
    """
    root = Path(folder)
    _agree(root / PLAN, task)
    # It has the time of the task, beside whoever else may ask to stop.
    deadline = Deadline(None if task.minutes is None else 60 * task.minutes, job.cancel)
    job = JobContext(job.on_event, deadline)
    try:
        write_cohort(root / COHORT, task.plan.cohort, job=job)
        results = _evaluate_systems(root, task, workers, job)
        if task.only_folds is None:
            write_results(root / RESULTS, Study(root / COHORT), task.plan, results, job=job)
            return ReproductionProgress(tuple(results), (), root / RESULTS)
    except Cancelled:
        if not deadline.is_expired:
            raise
    keys = tuple(s.key for s in SYSTEMS if load_results(_results_file(root, s)) is not None)
    missing_keys = tuple(s.key for s in task.systems if s.key not in keys)
    return ReproductionProgress(keys, missing_keys, None)


def _results_file(root: Path, system: System) -> Path:
    return root / SYSTEM_RESULTS / f"{system.key}.npz"


def _agree(path: Path, task: Reproduction) -> None:
    """Refuse the folder of another reproduction; else leave word of this one."""
    facts = {
        "budget": task.budget,
        "seed": task.seed,
        "cohort_seed": COHORT_SEED,
        "revision": REVISION,
    }
    if not path.is_file():
        write_text(path, json.dumps(facts) + "\n")
        return
    try:
        former_facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        former_facts = None
    former_revision = former_facts.get("revision") if isinstance(former_facts, dict) else None
    if former_revision not in (None, REVISION):
        raise SpinemetError(
            f"{path.parent} holds a reproduction of revision {former_revision}, which another "
            f"version of this program made; this one makes revision {REVISION}: choose another "
            "folder."
        )
    if former_facts != facts:
        raise SpinemetError(
            f"{path.parent} holds another reproduction ({json.dumps(former_facts)}); choose "
            "another folder, or ask for the same budget and seed."
        )


def _evaluate_systems(
    root: Path, task: Reproduction, workers: WorkerSettings, job: JobContext
) -> dict[str, SystemResults]:
    """Results by key: those that the folder holds, and those that are asked for."""
    study_folder = root / COHORT
    results: dict[str, SystemResults] = {}
    for system in SYSTEMS:
        path = _results_file(root, system)
        main_point = chosen_point(results[MAIN].report) if MAIN in results else None
        former = load_results(path)
        if former is not None and _is_valid(former, Study(study_folder), system, main_point):
            results[system.key] = former
        is_needed = system.key not in results or task.only_folds is not None
        if system not in task.systems or not is_needed:
            continue
        _cross_validate(study_folder, system, task, workers, job)
        if task.only_folds is None:
            results[system.key] = evaluate_system(Study(study_folder), system, main_point)
            save_results(results[system.key], path)
    return results


def _is_valid(
    results: SystemResults, study: Study, system: System, main_point: OperatingPoint | None
) -> bool:
    """Whether there are neither other networks since, nor another point to evaluate at."""
    if results.validated_point != validated_point(system, results.report, main_point):
        return False
    if not report_path(study.path, system.key).is_file():  # its networks are elsewhere
        return True
    return bool(read_report(study, system) == results.report)


def _cross_validate(
    study_folder: Path,
    system: System,
    task: Reproduction,
    workers: WorkerSettings,
    job: JobContext,
) -> None:
    plan = task.plan
    cross_validate_study(
        study_folder,
        plan.config(system, seed=task.seed, device=task.device),
        CrossValidationPlan(
            plan.folds,
            task.seed,
            plan.decays(system),
            stride=1 if system.is_dense else plan.patch_stride,
            only_folds=task.only_folds,
            chooses_points=system.is_dense,
            default_point=DEFAULT_POINT,
        ),
        name=system.key,
        mapped_cases=None if system.is_dense else plan.patch_subset,
        workers=workers,
        job=job,
    )
