"""Phantoms that are learned from along with scans of one's own, so that nothing is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...jobs import UNATTENDED, JobContext
from ...phantom import PhantomCase, make_case
from ...phantom.case import CALIBRATED

SEED = 27_001
"""Of all phantoms of an adaptation; no exam, test or training of a shipped model has it."""
_TRAIN, _TRIAL = 1, 2


@dataclass(frozen=True)
class Replay:
    """How many phantoms of each kind.

    Attributes
    ----------
    life, agnostic, former : int
        With lesions: as in life, of drawn brightness, of the second generator.
    normal : int
        As in life, without a lesion.
    """

    life: int = 14
    agnostic: int = 8
    former: int = 6
    normal: int = 4

    @property
    def total(self) -> int:
        """Of all kinds."""
        return self.life + self.agnostic + self.former + self.normal


def training_phantoms(
    counts: Replay, seed: int = 0, *, job: JobContext = UNATTENDED
) -> list[PhantomCase]:
    """To learn from.

    Parameters
    ----------
    counts : Replay
    seed : int
    job : JobContext
        Polled before each.
    """
    return _make(counts, (SEED, seed, _TRAIN), job)


def trial_phantoms(
    counts: Replay, seed: int = 0, *, job: JobContext = UNATTENDED
) -> list[PhantomCase]:
    """Others, to judge a network by.

    Parameters
    ----------
    counts : Replay
    seed : int
    job : JobContext
        Polled before each.
    """
    return _make(counts, (SEED, seed, _TRIAL), job)


def _make(counts: Replay, seed: tuple[int, int, int], job: JobContext) -> list[PhantomCase]:
    kinds: Sequence[tuple[int, dict[str, Any]]] = (
        (counts.life, {"burden": "localised"}),
        (counts.agnostic, {"burden": "localised", "variety": "agnostic"}),
        (counts.former, {"generator": CALIBRATED, "variety": "training", "lesions": 5}),
        (counts.normal, {"has_lesions": False}),
    )
    phantoms = []
    for kind, (count, options) in enumerate(kinds):
        for number in range(count):
            job.raise_if_cancelled()
            phantoms.append(make_case((*seed, kind, number), **options))
            job.progress("adapt", len(phantoms), counts.total, "making phantoms")
    return phantoms
