"""How much an adaptation learns, and what it is judged by."""

from __future__ import annotations

from dataclasses import dataclass

from .replay import Replay

MOST_COPIES = 8
"""Of one scan, which has no more bodies than that to put lesions into."""
TRAINING_PHANTOMS, TRIAL_PHANTOMS = Replay(14, 8, 6, 4), Replay(6, 4, 2, 4)


@dataclass(frozen=True)
class AdaptationPlan:
    """How much is learned, and what it is judged by.

    Attributes
    ----------
    copies, trial_copies : int
        With implants, of all scans together: to learn from, and to judge by.
    replay, trial_replay : Replay
        Phantoms, alike.
    epochs, batches : int
        Of a training.
    learning_rate : float
        The peak: a network that knows much already is to be moved by little.
    most_false : float
        False findings a scan that the operating point may cost, healthy scans counted.
    minutes : float or None
        How long all of it may take, instead of so many epochs.
    seed : int
    device : str
    """

    copies: int = 18
    trial_copies: int = 9
    replay: Replay = TRAINING_PHANTOMS
    trial_replay: Replay = TRIAL_PHANTOMS
    epochs: int = 4
    batches: int = 100
    learning_rate: float = 0.0003
    most_false: float = 0.5
    minutes: float | None = None
    seed: int = 0
    device: str = "auto"

    def copies_a_scan(self, scans: int) -> int:
        """To learn from, of each scan."""
        return min(MOST_COPIES, -(-self.copies // scans))

    def trial_copies_a_scan(self, scans: int) -> int:
        """To judge by, of each scan."""
        return min(MOST_COPIES, -(-self.trial_copies // scans))
