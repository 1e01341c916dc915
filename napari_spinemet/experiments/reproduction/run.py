"""The paper's comparisons on the project's own cohort, in pieces of any length."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...atomic_files import write_text
from ...errors import Cancelled, SpinemetError
from ...imaging import OperatingPoint
from ...jobs import CancelToken, Deadline, EventCallback, JobContext
from ...jobs.events import ignore
from ...phantom import CohortSettings, write_cohort
from ...study import Study
from ...workflows.cross_validation.study import cross_validate_study, report_path
from .plan import BUDGETS, COHORT_SEED, MAIN, REVISION, SYSTEMS, USUAL_POINT, Budget, System
from .results import write_results
from .system_results import Judged, judge, keep, kept, own_point, report_of, usual_point

COHORT, PLAN, JUDGED, RESULTS = "cohort", "plan.json", "judged", "results"


@dataclass(frozen=True)
class ReproductionProgress:
    """How far a reproduction is.

    Attributes
    ----------
    done, missing : tuple of str
        Keys of the systems that are judged, and of those asked for that are not.
    results : Path or None
        Folder of tables and figures, once nothing is missing.
    """

    done: tuple[str, ...]
    missing: tuple[str, ...]
    results: Path | None


def reproduce(
    folder: str | os.PathLike[str],
    *,
    budget: str = "reduced",
    seed: int = 0,
    minutes: float | None = None,
    only: Sequence[str] | None = None,
    only_folds: Sequence[int] | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    device: str = "auto",
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> ReproductionProgress:
    """Make the cohort, cross-validate and judge every system, and write tables and figures.

    Whatever is finished is kept in the folder: every network, map and fold. The same call goes
    on from there, however the one before ended. Of a system that is judged, the file in
    ``judged`` is enough: with ``plan.json`` it can be taken elsewhere, without networks and maps.

    Parameters
    ----------
    folder : path-like
    budget : {"reduced", "full", "smoke"}
        See :mod:`.plan`.
    seed : int
        Of the split and of the first fold's network; fold ``k`` has the seed plus ``k``.
    minutes : float, optional
        Stop after so long, to go on another time.
    only : sequence of str, optional
        Keys of systems; the comparisons that need others are left out. All by default.
    only_folds : sequence of int, optional
        Only these folds, from 1, to see that alone they give the same numbers. Nothing is judged;
        each system's report of them lies at :func:`.report_path`.
    scheduler, workers, threads
        See :func:`.cross_validate`.
    device : str
    on_event, cancel
        See :mod:`~napari_spinemet.jobs`.

    Returns
    -------
    ReproductionProgress

    Raises
    ------
    SpinemetError
        If there is no such budget or system, or the folder holds another reproduction.
    """
    root, plan = Path(folder), _budget(budget)
    systems = _systems(only)
    _agree(root / PLAN, plan, seed)
    token = Deadline(None if minutes is None else 60 * minutes, cancel)
    study = root / COHORT
    try:
        cohort = CohortSettings(plan.cases, seed=COHORT_SEED)
        write_cohort(study, cohort, job=JobContext(on_event, token))
        judged: dict[str, Judged] = {}
        for system in SYSTEMS:
            place = root / JUDGED / f"{system.key}.npz"
            main = own_point(judged[MAIN].report) if MAIN in judged else None
            held = _still_true(kept(place), study, system, main)
            if held is not None:
                judged[system.key] = held
            if system not in systems or (held is not None and only_folds is None):
                continue
            subset = None if system.dense else plan.patch_subset
            cross_validate_study(
                study,
                plan.config(system, seed=seed, device=device),
                name=system.key,
                folds=plan.folds,
                seed=seed,
                weight_decays=plan.decays(system),
                scheduler=scheduler,
                workers=workers,
                threads=threads,
                stride=1 if system.dense else plan.patch_stride,
                mapped=subset,
                choose=system.dense,
                usual=USUAL_POINT,
                only_folds=only_folds,
                on_event=on_event,
                cancel=token,
            )
            if only_folds is None:
                judged[system.key] = judge(Study(study), system, main)
                keep(judged[system.key], place)
        if only_folds is None:
            write_results(root / RESULTS, Study(study), plan, judged, cancel=token)
            return ReproductionProgress(tuple(judged), (), root / RESULTS)
    except Cancelled:
        if not token.over:
            raise
    done = tuple(s.key for s in SYSTEMS if kept(root / JUDGED / f"{s.key}.npz") is not None)
    return ReproductionProgress(done, tuple(s.key for s in systems if s.key not in done), None)


def _budget(name: str) -> Budget:
    if name not in BUDGETS:
        raise SpinemetError(f"The budget is one of {', '.join(BUDGETS)}, not '{name}'.")
    return BUDGETS[name]


def _systems(only: Sequence[str] | None) -> list[System]:
    known = {system.key: system for system in SYSTEMS}
    for key in only or ():
        if key not in known:
            raise SpinemetError(f"There is no system '{key}'; there are {', '.join(known)}.")
    return [system for system in SYSTEMS if only is None or system.key in only]


def _agree(place: Path, budget: Budget, seed: int) -> None:
    """Refuse the folder of another reproduction; else leave word of this one."""
    told = {
        "budget": budget.name,
        "seed": seed,
        "cohort_seed": COHORT_SEED,
        "revision": REVISION,
    }
    if place.is_file():
        try:
            held = json.loads(place.read_text(encoding="utf-8"))
        except ValueError:
            held = None
        if held != told:
            raise SpinemetError(
                f"{place.parent} holds another reproduction ({json.dumps(held)}); choose another "
                "folder, or ask for the same budget and seed."
            )
        return
    write_text(place, json.dumps(told) + "\n")


def _still_true(
    held: Judged | None, study: Path, system: System, main: OperatingPoint | None
) -> Judged | None:
    """What was judged, unless there are other networks since, or another point to judge at."""
    if held is None or held.own != usual_point(system, held.report, main):
        return None
    if report_path(Study(study), system.key).is_file():
        return held if report_of(Study(study), system) == held.report else None
    return held
