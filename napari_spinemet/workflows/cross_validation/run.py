"""Case-based cross-validation (paper, section 3.2), its folds on as many workers as wanted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...detection.map_settings import MapSettings
from ...errors import SpinemetError, check_seed
from ...imaging import FrocCase, LikelihoodMap, OperatingPoint
from ...jobs import UNATTENDED, CancelToken, EventCallback, JobContext
from ...training import TrainingConfig, TrainingResult
from ...training.checkpoint import fingerprint_of
from ..task_scheduler import run_tasks
from ..worker_settings import THIS_PROCESS, WorkerSettings
from .fold_store import FoldStore
from .folds import Fold, fold_indices, split_folds
from .tasks import Cases, choose_fold_point, map_test_case, train_fold

TASK = "crossval"


@dataclass(frozen=True)
class CrossValidationPlan:
    """What is split, tried, chosen and mapped.

    Attributes
    ----------
    folds : int
    seed : int
        Of the split.
    weight_decays : tuple of float
        Tried in each fold; the one with the lowest validation error is taken (the paper's
        lambda is half of it). None for that of the training's settings alone.
    stride : int
        Of the maps: the patch form is hundreds of times slower than the dense one.
    mapped_cases : tuple of int or None
        Numbers, from 0, of the cases to map; None for all.
    only_folds : tuple of int or None
        Numbers of folds, from 1; None for all.
    chooses_points : bool
        Whether each fold chooses its operating point, for which it maps its validation cases.
    default_point : OperatingPoint or None
        See :func:`.choose_operating_point`.
    """

    folds: int = 10
    seed: int = 0
    weight_decays: tuple[float, ...] = ()
    stride: int = 1
    mapped_cases: tuple[int, ...] | None = None
    only_folds: tuple[int, ...] | None = None
    chooses_points: bool = True
    default_point: OperatingPoint | None = None

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def fingerprint_facts(
        self, config: TrainingConfig, decays: Sequence[float], threads: int | None
    ) -> dict[str, Any]:
        """All that the networks and maps of a run depend on, beside the cases.

        Runs of earlier versions are recognised by it: its keys stay, and what is as it always
        was is left out.

        Parameters
        ----------
        config : TrainingConfig
        decays : sequence of float
            That are tried.
        threads : int or None
            Of each task.
        """
        facts = {
            **config.fingerprint_facts(),
            "folds": self.folds,
            "split": self.seed,
            "tried": tuple(decays),
            "threads": threads,
        }
        if self.stride != 1:
            facts["stride"] = self.stride
        if self.default_point is not None:
            facts["usual"] = self.default_point.to_dict()
        return facts


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
    on_event: EventCallback | None = None,
    cancel: CancelToken | None = None,
) -> CrossValidationResult:
    """Train one network a fold and map its test cases with it.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    config : TrainingConfig, optional
        The seed of fold ``k`` is the configuration's plus ``k``.
    folds, seed, weight_decays, stride, only_folds
        See :class:`.CrossValidationPlan`.
    folder : path-like, optional
        Keeps every network and map as it is made. A run that was interrupted goes on from
        there, and one of other settings or cases is refused.
    scheduler, workers, threads
        See :class:`.WorkerSettings`.
    mapped : sequence of int, optional
        Numbers of the cases to map; all by default.
    choose : bool
        Whether each fold chooses its operating point.
    usual : OperatingPoint, optional
        Whose settings stand unless others are clearly better.
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

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> affine = np.array([[3.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    >>> lesions = np.pad(np.ones((1, 6, 6), dtype=np.uint16), ((0, 0), (8, 10), (8, 10)))
    >>> series = spinemet.SagittalSeries(lesions + np.indices(lesions.shape)[1] / 9, affine)
    >>> case = (series, spinemet.Annotation(lesions, lesions))
    >>> config = spinemet.TrainingConfig(
    ...     resolutions=(1,), patch_shape=(15, 15), epochs=1, batches_per_epoch=1, device="cpu"
    ... )
    >>> result = spinemet.cross_validate([case] * 4, config, folds=2, choose=False)
    >>> len(result.results), len(result.cases)
    (2, 4)
    """
    mapped_cases = None if mapped is None else tuple(mapped)
    numbers = None if only_folds is None else tuple(only_folds)
    decays = tuple(weight_decays)
    plan = CrossValidationPlan(folds, seed, decays, stride, mapped_cases, numbers, choose, usual)
    return cross_validate_cases(
        cases,
        config or TrainingConfig(),
        plan,
        store=FoldStore(Path(folder) if folder is not None else None),
        workers=WorkerSettings(scheduler, workers, threads),
        job=JobContext.of(on_event, cancel),
    )


def cross_validate_cases(
    cases: Cases,
    config: TrainingConfig,
    plan: CrossValidationPlan,
    *,
    store: FoldStore,
    workers: WorkerSettings = THIS_PROCESS,
    job: JobContext = UNATTENDED,
) -> CrossValidationResult:
    """What :func:`cross_validate` does, with its settings as values.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
    config : TrainingConfig
    plan : CrossValidationPlan
    store : FoldStore
        Keeps every network, point and map as it is made.
    workers : WorkerSettings
    job : JobContext
    """

    def fingerprint(settings: TrainingConfig) -> str:
        return fingerprint_of(plan.fingerprint_facts(settings, decays, workers.threads), cases)

    split = split_folds(len(cases), plan.folds, plan.seed)
    decays = plan.weight_decays or (config.weight_decay,)
    if former := store.fingerprint:
        config = config.as_begun(lambda c: fingerprint(c) == former)
    run = _Run(
        cases,
        config,
        plan,
        {number: split[number] for number in fold_indices(plan.only_folds, plan.folds)},
        decays,
        store,
        workers,
        job,
    )
    run.check_lesions()
    store.agree(fingerprint(config), [vars(fold) for fold in split])
    networks = run.train_networks()
    best = {
        number: min(decays, key=lambda decay, n=number: networks[n, decay].score)  # type: ignore[misc]
        for number in run.folds
    }
    results = {number: networks[number, decay] for number, decay in best.items()}
    points = run.choose_points(results)
    maps = run.map_cases(results)
    return CrossValidationResult(
        tuple(number + 1 for number in run.folds),
        tuple(run.folds.values()),
        tuple(results.values()),
        tuple(best.values()),
        tuple(points[number] for number in run.folds),
        tuple(_froc_case(cases, k, maps[k]) for k in sorted(maps)),
    )


def _froc_case(cases: Cases, number: int, likelihood: LikelihoodMap) -> FrocCase:
    series, annotation = cases[number]
    return FrocCase(series.series_uid or f"case-{number + 1:03d}", ((likelihood, annotation),))


@dataclass(frozen=True, eq=False)
class _Run:
    """One cross-validation; each step takes from the store what is there and does the rest."""

    cases: Cases
    config: TrainingConfig
    plan: CrossValidationPlan
    folds: dict[int, Fold]
    decays: tuple[float, ...]
    store: FoldStore
    workers: WorkerSettings
    job: JobContext

    def _has_lesion(self, numbers: Sequence[int]) -> bool:
        return any(self.cases[k][1].lesions.any() for k in numbers)

    def check_lesions(self) -> None:
        """Refuse folds that have nothing to learn, or nothing to choose lambda on."""
        for number, fold in self.folds.items():
            if not self._has_lesion(fold.training):
                raise SpinemetError(
                    f"Fold {number + 1} has no lesion among the cases that it trains on; ask for "
                    "fewer folds, or contour more cases."
                )
        for number, fold in self.folds.items():
            if len(self.decays) > 1 and not self._has_lesion(fold.validation):
                raise SpinemetError(
                    f"Fold {number + 1} has no lesion among its validation cases to choose lambda "
                    "on; give one lambda, ask for fewer folds, or contour more cases."
                )

    def train_networks(self) -> dict[tuple[int, float], TrainingResult]:
        """A network for each fold and weight decay."""
        results: dict[tuple[int, float], TrainingResult] = {}
        queue: list[tuple[int, TrainingConfig]] = []
        for number in self.folds:
            for decay in self.decays:
                settings = replace(self.config, seed=self.config.seed + number, weight_decay=decay)
                network = self.store.network(number, settings)
                if network is None:
                    queue.append((number, settings))
                else:
                    results[number, decay] = network

        def keep(task: int, result: TrainingResult) -> None:
            number, settings = queue[task]
            self.store.save_network(number, settings, result)
            results[number, settings.weight_decay] = result

        arguments = [(self.folds[n], settings, self.workers.threads) for n, settings in queue]
        self._run_tasks(train_fold, arguments, TASK, keep)
        return results

    def choose_points(self, results: dict[int, TrainingResult]) -> dict[int, OperatingPoint | None]:
        """The operating point of each fold."""
        if not self.plan.chooses_points:
            return dict.fromkeys(self.folds)
        points = {n: self.store.point(n) for n in self.folds if self.store.has_point(n)}
        queue = [number for number in self.folds if number not in points]

        def keep(task: int, point: OperatingPoint | None) -> None:
            points[queue[task]] = point
            self.store.save_point(queue[task], point)

        arguments = [
            (
                self.folds[number],
                results[number].model,
                self.config.device,
                self.workers.threads,
                self.plan.default_point,
            )
            for number in queue
        ]
        self._run_tasks(choose_fold_point, arguments, "validation", keep)
        return points

    def map_cases(self, results: dict[int, TrainingResult]) -> dict[int, LikelihoodMap]:
        """The map of each case that is to be mapped, by its number."""
        every = range(len(self.cases))
        numbers = set(every if self.plan.mapped_cases is None else self.plan.mapped_cases)
        fold_of = {k: n for n, fold in self.folds.items() for k in fold.test if k in numbers}
        maps = {k: m for k in fold_of if (m := self.store.likelihood_map(k)) is not None}
        queue = [k for k in fold_of if k not in maps]

        def keep(task: int, likelihood: LikelihoodMap) -> None:
            maps[queue[task]] = likelihood
            self.store.save_map(queue[task], likelihood)

        settings = MapSettings(stride=self.plan.stride, device=self.config.device)
        arguments = [
            (
                k,
                results[fold_of[k]].model,
                settings,
                f"{TASK}-{fold_of[k] + 1}",
                self.workers.threads,
            )
            for k in queue
        ]
        self._run_tasks(map_test_case, arguments, "map", keep)
        return maps

    def _run_tasks(
        self, function: Any, arguments: Sequence[tuple[Any, ...]], task: str, keep: Any
    ) -> None:
        run_tasks(
            function,
            arguments,
            shared_data=self.cases,
            scheduler=self.workers.scheduler,
            workers=self.workers.workers,
            task=task,
            on_done=keep,
            job=self.job,
        )
