"""Folds by case: which cases train, validate and test (paper, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import SpinemetError


@dataclass(frozen=True)
class Fold:
    """Case numbers of the three subsets of one fold."""

    training: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def split_folds(cases: int, folds: int = 10, seed: int = 0) -> list[Fold]:
    """Split cases into folds of nearly equal size; the rest of each into 75/25 by case.

    26 cases in 10 folds give six of 3 and four of 2; ``round(0.75 n)`` of the other ``n``
    train and the rest validate.

    Parameters
    ----------
    cases : int
        How many there are.
    folds : int
        From 2 to the number of cases.
    seed : int
        The same seed gives the same folds.

    Raises
    ------
    SpinemetError
        If there are fewer cases than folds.
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


def fold_indices(only_folds: Sequence[int] | None, folds: int) -> list[int]:
    """Positions, from 0, of the folds to run.

    Parameters
    ----------
    only_folds : sequence of int or None
        Their numbers, from 1; None for all.
    folds : int
        How many there are.

    Raises
    ------
    SpinemetError
        If there is no fold of a number.
    """
    if only_folds is None:
        return list(range(folds))
    for number in only_folds:
        if not 1 <= number <= folds:
            raise SpinemetError(f"There is no fold {number}; they are numbered from 1 to {folds}.")
    return sorted({number - 1 for number in only_folds})
