"""What a training run gives, and what it is asked for beside its settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..network import SiameseNet
from .config import TrainingConfig


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a training run gave.

    Attributes
    ----------
    model : SiameseNet
        In evaluation mode, with the weights of the epoch that was kept.
    best_epoch : int
        Which that was, from 1.
    history : list of dict
        For each epoch: ``loss``, and with validation cases ``validation_error`` (share of
        samples on the wrong side of 0.5) and ``validation_loss``.
    samples : int
        Locations that the training cases offer.
    seconds : float
    config : TrainingConfig or None
        The settings that it went by: those that were asked for, unless it started from a network
        or was begun by a former version; None where that is not kept.
    """

    model: SiameseNet
    best_epoch: int
    history: list[dict[str, float]] = field(default_factory=list)
    samples: int = 0
    seconds: float = 0.0
    config: TrainingConfig | None = None

    @property
    def error(self) -> float | None:
        """Validation error of the epoch that was kept; None without validation cases."""
        return self._best().get("validation_error")

    @property
    def score(self) -> float:
        """What runs are ranked by: that error, and of equal ones the lower loss."""
        best = self._best()
        return ranking_score(best) if "validation_error" in best else math.inf

    def _best(self) -> dict[str, float]:
        is_known = 0 < self.best_epoch <= len(self.history)
        return self.history[self.best_epoch - 1] if is_known else {}


def ranking_score(values: dict[str, float]) -> float:
    """The validation error, and of equal ones the lower loss."""
    return values["validation_error"] + 1e-6 * values["validation_loss"]


@dataclass(frozen=True, eq=False)
class RunOptions:
    """From where a run starts, how long it may take, and where it is kept.

    Attributes
    ----------
    start : SiameseNet or None
        Go on from these weights; the network must be the one that the settings describe.
    seconds : float or None
        How long training may take, instead of the settings' number of epochs: a few steps are
        timed, as many epochs planned as fit, and the plan corrected after each.
    checkpoint : Path or None
        Receives the weights that would be kept after each epoch, whole or not at all.
    state : Path or None
        Where the run is kept after each epoch, every half minute and when it is cancelled,
        see :mod:`.checkpoint`. It is left there at the end.
    resume : bool
        Go on from ``state``, if that is there, to the weights that the run would have had if
        nothing had stopped it: on one processor thread bit for bit.
    after_epoch : callable or None
        Gets the network, in evaluation mode, and the number of the epoch; it must leave both
        as they are.
    looks_first : bool
        Whether it is also found out before the first batch what the network gets wrong: one that
        was trained before has mistakes of its own.
    replaces_other : bool
        Whether a resumed run begins anew where ``state`` is of other settings or other data; else
        it is refused.
    """

    start: SiameseNet | None = None
    seconds: float | None = None
    checkpoint: Path | None = None
    state: Path | None = None
    resume: bool = False
    after_epoch: Callable[[SiameseNet, int], None] | None = None
    looks_first: bool = False
    replaces_other: bool = False
