"""How long a run takes and how its learning rate changes on the way."""

from __future__ import annotations

import math

RISES = 0.3
"""Share of the run in which the rate rises."""
START, END = 1 / 25, 1 / 250_000
"""The first and the last rate in peaks."""
SHORTEST = 0.1
"""Epoch that is worth its while, in whole ones."""


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


def epochs_in(
    seconds: float, seconds_used: float, epochs_done: int, progress: float, batches: int
) -> tuple[int, int]:
    """How many epochs a run of so many seconds has, by those that are done.

    The rate always comes down: as long as the run is not over there is a closing epoch, a
    short one where there is no time for a whole one, of a tenth at least. What is left beyond
    whole epochs is for the last one, unless it is less than that tenth.

    Parameters
    ----------
    seconds, seconds_used : float
        What there is and what is over.
    epochs_done : int
        At least one.
    progress : float
        Share of the run that is over.
    batches : int
        Of a whole epoch.

    Returns
    -------
    epochs, batches : int
        How many in all, and the length of the next.
    """
    if progress > 1 - 1e-9:
        return epochs_done, batches
    epochs_left = (seconds - seconds_used) / (seconds_used / epochs_done)
    epochs_to_come = max(1, math.ceil(epochs_left - SHORTEST))
    share = min(1.0, max(epochs_left, SHORTEST)) if epochs_to_come == 1 else 1.0
    return epochs_done + epochs_to_come, max(1, round(batches * share))
