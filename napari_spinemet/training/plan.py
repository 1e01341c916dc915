"""How long a run takes and how its learning rate changes on the way."""

from __future__ import annotations

import math

RISES = 0.3
"""Share of the run in which the rate rises."""
START, END = 1 / 25, 1 / 250_000
"""The first and the last rate in peaks."""


def one_cycle(progress: float, peak: float) -> float:
    """The learning rate after a share of the run: up to its peak and down again by cosines.

    The policy and its constants are those of :class:`torch.optim.lr_scheduler.OneCycleLR`
    (Smith and Topin 2018); that one must know the number of steps beforehand, and a run that
    has so many minutes does not.

    Parameters
    ----------
    progress : float
        From 0 to 1.
    peak : float
    """
    if progress < RISES:
        low, high, share = START, 1.0, 1 - progress / RISES
    else:
        low, high, share = END, 1.0, (progress - RISES) / (1 - RISES)
    return peak * (low + (high - low) * (1 + math.cos(math.pi * share)) / 2)


def epochs_in(seconds: float, taken: float, done: int) -> int:
    """How many epochs a run of so many seconds has, by those that are done.

    One that would end a little late is still begun: a fifth of an epoch counts as whole.
    """
    return done + max(0, math.floor((seconds - taken) / (taken / done) + 0.2))
