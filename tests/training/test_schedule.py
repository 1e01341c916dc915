"""The learning rate on the way and the number of epochs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spinemet.training.schedule import epochs_in, one_cycle


def test_the_rate_is_that_of_the_library() -> None:
    """As torch's own schedule has it for a known number of steps, to a thousandth of the peak."""
    steps = 20_001
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.05, total_steps=steps, cycle_momentum=False
    )
    theirs = []
    for _ in range(steps):
        theirs.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
        if len(theirs) == steps - 1:
            break
    ours = [one_cycle(k / (steps - 1), 0.05) for k in range(steps - 1)]
    np.testing.assert_allclose(ours, theirs, atol=5e-5)
    assert one_cycle(1.0, 0.05) == pytest.approx(0.05 / 250_000)


@pytest.mark.parametrize(
    ("seconds", "seconds_used", "epochs_done", "progress", "expected"),
    [
        (100, 10, 1, 0.1, (10, 50)),
        (100, 30, 3, 0.3, (10, 50)),
        (100, 60, 3, 0.3, (5, 50)),  # slower than thought
        (100, 85, 10, 0.9, (12, 50)),  # a whole one, and a short one after it
        (100, 66, 6, 0.6, (9, 50)),  # what is left after three is not worth a fourth
        (100, 94, 10, 0.9, (11, 32)),  # a short one, so that the rate comes down
        (100, 130, 4, 0.5, (5, 5)),  # over already: the shortest
        (100, 60, 6, 1.0, (6, 50)),  # the rate is down, whatever time is left
    ],
)
def test_epochs_that_fit(
    seconds: float,
    seconds_used: float,
    epochs_done: int,
    progress: float,
    expected: tuple[int, int],
) -> None:
    """By hand, of 50 batches each."""
    assert epochs_in(seconds, seconds_used, epochs_done, progress, 50) == expected
