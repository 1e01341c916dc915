"""Case-based cross-validation (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..detection import likelihood_map
from ..errors import SpinemetError
from ..imaging import Annotation, FrocCase, SagittalSeries
from ..jobs import CancelToken, EventCallback
from ..jobs.events import ignore
from ..training import TrainingConfig, TrainingResult, train

Cases = Sequence[tuple[SagittalSeries, Annotation]]


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
    folds : tuple of Fold
    results : tuple of TrainingResult
        One for each fold.
    cases : tuple of FrocCase
        In the order of the input, with plain maps.
    """

    folds: tuple[Fold, ...]
    results: tuple[TrainingResult, ...]
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

    Returns
    -------
    CrossValidationResult
    """
    config = config or TrainingConfig()
    plan = split_folds(len(cases), folds, seed)
    results, maps = [], {}
    for number, fold in enumerate(plan):
        result = train(
            [cases[k] for k in fold.training],
            replace(config, seed=config.seed + number),
            validation=[cases[k] for k in fold.validation],
            on_event=on_event,
            cancel=cancel,
        )
        results.append(result)
        for k in fold.test:
            maps[k] = likelihood_map(cases[k][0], result.model, cancel=cancel)
    out = tuple(
        FrocCase(cases[k][0].series_uid or f"case-{k + 1:03d}", ((maps[k], cases[k][1]),))
        for k in range(len(cases))
    )
    return CrossValidationResult(tuple(plan), tuple(results), out)
