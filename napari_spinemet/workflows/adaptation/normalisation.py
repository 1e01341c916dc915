"""A plain way to adapt, for comparison: the statistics of batch normalisation estimated anew.

No weight is learned (Li et al., Adaptive batch normalization for practical domain adaptation,
Pattern Recognition 80, 2018).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch

from ...jobs import UNATTENDED, JobContext
from ...network import SiameseNet
from ...network.siamese import ShiftBatchNorm
from ...training import TrainingConfig
from ...training.blocks import BlockBatches
from .own_scan import OwnScan, TrainingCase

BATCHES = 60


def with_own_statistics(
    scans: Sequence[OwnScan],
    model: SiameseNet,
    *,
    copies: int = 6,
    seed: int = 0,
    job: JobContext = UNATTENDED,
) -> SiameseNet:
    """A copy of a network whose normalisation has the statistics of one's own scans.

    Parameters
    ----------
    scans : sequence of OwnScan
    model : SiameseNet
        In dense form; it stays as it is.
    copies : int
        With implants, of each scan, that are looked at too.
    seed : int
    job : JobContext
        Polled at every batch.
    """
    cases: list[TrainingCase] = []
    for scan in scans:
        cases.append((scan.series, scan.annotation))
        cases += scan.training_copies(copies, seed)
    config = TrainingConfig(method="blocks")
    batches = BlockBatches(cases, model, config.batch_blocks, config.sampling)
    network, rng = copy.deepcopy(model).eval(), np.random.default_rng(seed)
    for module in network.modules():
        if isinstance(module, ShiftBatchNorm):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
            module.train()
    with torch.no_grad():
        for _ in range(BATCHES):
            job.raise_if_cancelled()
            batches.draw(rng, flips=True).evaluate(network, torch.device("cpu"))
    return network.eval()
