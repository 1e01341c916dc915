"""Case-based cross-validation (paper, section 3.2), its folds on as many workers as wanted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...detection import likelihood_map
from ...errors import Cancelled, SpinemetError, check_seed
from ...imaging import Annotation, FrocCase, LikelihoodMap, OperatingPoint, SagittalSeries
from ...jobs import CancelToken, EventCallback
from ...jobs.events import ignore
from ...training import TrainingConfig, TrainingResult, train
from ...training.checkpoint import fingerprint_of
from ..operating_point_choice import choose_operating_point
from ..task_scheduler import run_tasks
from .fold_store import FoldStore

Cases = Sequence[tuple[SagittalSeries, Annotation]]
TASK = "crossval"


@dataclass(frozen=True)
class Fold:
    """Case numbers of the three subsets of one fold."""

    training: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CrossValidationResult:
    """Out-of-fold likelihood maps: each made by a network that never saw the case.

    Attributes
    ----------
    numbers : tuple of int
        Of the folds that were run, from 1.
    folds : tuple of Fold
    results : tuple of TrainingResult
        One for each fold: of the weight decay that validated best, where several were tried.
    weight_decays : tuple of float
        The chosen one of each fold.
    points : tuple of OperatingPoint or None
        Chosen by each fold on its validation cases (see :func:`.choose_operating_point`); None
        where these have no lesion, or where no setting has few enough false positives.
    cases : tuple of FrocCase
        Those that were mapped, in the order of the input, with plain maps.
    """

    numbers: tuple[int, ...]
    folds: tuple[Fold, ...]
    results: tuple[TrainingResult, ...]
    weight_decays: tuple[float, ...]
    points: tuple[OperatingPoint | None, ...]
    cases: tuple[FrocCase, ...]


def split_folds(cases: int, folds: int = 10, seed: int = 0) -> list[Fold]:
    """Split cases into folds of nearly equal size; the rest of each into 75/25 by case.

    26 cases in 10 folds give six of 3 and four of 2; ``round(0.75 n)`` of the other ``n``
    train and the rest validate.
    """
    if not 2 <= folds <= cases:
        raise SpinemetError(f"{cases} cases cannot be split into {folds} folds; ask for fewer.")
    rng = np.random.default_rng(seed)
    result = []
    for test in np.array_split(rng.permutation(cases), folds):
        others = rng.permutation(np.setdiff1d(np.arange(cases), test))
        count = round(0.75 * len(others))
        fold = Fold(
            *(
                tuple(int(k) for k in np.sort(part))
                for part in (others[:count], others[count:], test)
            )
        )
        assert len({*fold.training, *fold.validation, *fold.test}) == cases
        result.append(fold)
    return result


def cross_validate(
    cases: Cases,
    config: TrainingConfig | None = None,
    *,
    folds: int = 10,
    seed: int = 0,
    weight_decays: Sequence[float] = (),
    folder: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    stride: int = 1,
    mapped: Sequence[int] | None = None,
    only_folds: Sequence[int] | None = None,
    choose: bool = True,
    usual: OperatingPoint | None = None,
    on_event: EventCallback = ignore,
    cancel: CancelToken | None = None,
) -> CrossValidationResult:
    """Train one network a fold and map its test cases with it.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    config : TrainingConfig, optional
        The seed of fold ``k`` is the configuration's plus ``k``.
    folds : int
    seed : int
        Of the split.
    weight_decays : sequence of float, optional
        Tried in each fold; the one with the lowest validation error is taken (the paper's
        lambda is half of it). By default that of ``config`` alone.
    folder : path-like, optional
        Keeps every network and map as it is made. A run that was interrupted goes on from
        there, and one of other settings or cases is refused.
    scheduler, workers
        Where the networks are trained, see :func:`.run_tasks`.
    threads : int, optional
        Processor threads of each task. With one, the same folds give the same numbers
        wherever they run.
    stride : int
        Of the maps: the patch form is hundreds of times slower than the dense one.
    mapped : sequence of int, optional
        Numbers of the cases to map; all by default.
    only_folds : sequence of int, optional
        Numbers of folds, from 1; the result holds these alone, with the same numbers that they
        have among all. All by default.
    choose : bool
        Whether each fold chooses its operating point, for which it maps its validation cases.
    usual : OperatingPoint, optional
        See :func:`.choose_operating_point`.
    on_event, cancel
        See :mod:`~napari_spinemet.jobs`.

    Returns
    -------
    CrossValidationResult

    Raises
    ------
    SpinemetError
        If there are fewer cases than folds, if no case that a fold trains on has a lesion,
        or if the folder holds another run.
    """
    config = config or TrainingConfig()
    check_seed(seed)
    split = split_folds(len(cases), folds, seed)
    wanted_folds = _chosen_folds(only_folds, folds)
    plan = {number: split[number] for number in wanted_folds}
    for number, fold in plan.items():
        if not any(cases[k][1].lesions.any() for k in fold.training):
            raise SpinemetError(
                f"Fold {number + 1} has no lesion among the cases that it trains on; ask for fewer "
                "folds, or contour more cases."
            )
    tried = tuple(weight_decays) or (config.weight_decay,)
    for number, fold in plan.items():
        if len(tried) > 1 and not any(cases[k][1].lesions.any() for k in fold.validation):
            raise SpinemetError(
                f"Fold {number + 1} has no lesion among its validation cases to choose lambda on; "
                "give one lambda, ask for fewer folds, or contour more cases."
            )
    kept = FoldStore(Path(folder) if folder is not None else None)
    facts = {**config.to_dict(), "folds": folds, "split": seed, "tried": tried, "threads": threads}
    if stride != 1:
        facts["stride"] = stride
    if usual is not None:
        facts["usual"] = usual.to_dict()
    chosen_cases = range(len(cases)) if mapped is None else sorted(set(mapped))
    kept.agree(fingerprint_of(facts, cases), [vars(fold) for fold in split])
    results: dict[tuple[int, float], TrainingResult] = {}
    arguments = []
    for number, fold in plan.items():
        for decay in tried:
            settings = replace(config, seed=config.seed + number, weight_decay=decay)
            known = kept.network(number, settings)
            if known is not None:
                results[number, decay] = known
                continue
            arguments.append((number, fold, settings, threads))

    def trained(task: int, result: TrainingResult) -> None:
        number, _, settings, _ = arguments[task]
        kept.save_network(number, settings, result)
        results[number, settings.weight_decay] = result

    where: dict[str, Any] = {"shared": cases, "scheduler": scheduler, "workers": workers}
    run_tasks(
        _train_fold,
        arguments,
        task=TASK,
        on_done=trained,
        on_event=on_event,
        cancel=cancel,
        **where,
    )
    chosen = {}
    for number in plan:
        scores = [results[number, decay].score for decay in tried]
        chosen[number] = tried[scores.index(min(scores))]
    points: dict[int, OperatingPoint | None] = {}
    unknown = []
    for number, fold in plan.items():
        if not choose:
            points[number] = None
        elif kept.has_point(number):
            points[number] = kept.point(number)
        else:
            model = results[number, chosen[number]].model
            unknown.append((number, fold, model, config.device, threads, usual))

    def judged(task: int, point: OperatingPoint | None) -> None:
        points[unknown[task][0]] = point
        kept.save_point(unknown[task][0], point)

    run_tasks(
        _choose_point,
        unknown,
        task="validation",
        on_done=judged,
        on_event=on_event,
        cancel=cancel,
        **where,
    )
    maps: dict[int, LikelihoodMap] = {}
    wanted = []
    for number, fold in plan.items():
        for k in (k for k in fold.test if k in chosen_cases):
            found = kept.map_of(k)
            if found is not None:
                maps[k] = found
            else:
                model = results[number, chosen[number]].model
                wanted.append((k, model, config.device, f"{TASK}-{number + 1}", threads, stride))

    def keep(task: int, likelihood: LikelihoodMap) -> None:
        maps[wanted[task][0]] = likelihood
        kept.save_map(wanted[task][0], likelihood)

    run_tasks(
        _map_case, wanted, task="map", on_done=keep, on_event=on_event, cancel=cancel, **where
    )
    out = tuple(
        FrocCase(cases[k][0].series_uid or f"case-{k + 1:03d}", ((maps[k], cases[k][1]),))
        for k in chosen_cases
        if k in maps
    )
    best = tuple(results[number, decay] for number, decay in chosen.items())
    at = tuple(points[number] for number in plan)
    return CrossValidationResult(
        tuple(n + 1 for n in plan),
        tuple(plan.values()),
        best,
        tuple(chosen.values()),
        at,
        out,
    )


def _chosen_folds(only: Sequence[int] | None, folds: int) -> list[int]:
    """Positions of the folds to run."""
    if only is None:
        return list(range(folds))
    for number in only:
        if not 1 <= number <= folds:
            raise SpinemetError(f"There is no fold {number}; they are numbered from 1 to {folds}.")
    return sorted({number - 1 for number in only})


def _train_fold(
    cases: Cases,
    number: int,
    fold: Fold,
    config: TrainingConfig,
    threads: int | None,
    *,
    on_event: EventCallback,
    cancel: CancelToken | None,
) -> TrainingResult:
    """One network, on whatever machine this runs."""
    _use(threads)
    return train(
        [cases[k] for k in fold.training],
        config,
        validation=[cases[k] for k in fold.validation],
        on_event=on_event,
        cancel=cancel,
    )


def _choose_point(
    cases: Cases,
    number: int,
    fold: Fold,
    model: Any,
    device: str,
    threads: int | None,
    usual: OperatingPoint | None,
    *,
    on_event: EventCallback,
    cancel: CancelToken | None,
) -> OperatingPoint | None:
    """The operating point that a fold's network does best at on its validation cases."""
    if not any(cases[k][1].lesions.any() for k in fold.validation):
        return None
    _use(threads)
    found = []
    for k in fold.validation:
        series, annotation = cases[k]
        made = likelihood_map(series, model, device=device, cancel=cancel)
        found.append(FrocCase(f"case-{k + 1:03d}", ((made, annotation),)))
    try:
        return choose_operating_point(found, usual=usual, cancel=cancel).point
    except Cancelled:
        raise
    except SpinemetError:  # no setting has few enough false positives
        return None


def _map_case(
    cases: Cases,
    number: int,
    model: Any,
    device: str,
    identity: str,
    threads: int | None,
    stride: int,
    *,
    on_event: EventCallback,
    cancel: CancelToken | None,
) -> LikelihoodMap:
    """The plain map of a case by the network of the fold that left it out."""
    _use(threads)
    made = likelihood_map(cases[number][0], model, stride=stride, device=device, cancel=cancel)
    return replace(made, model=identity)


def _use(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
