"""The validation error of a network, and the loss that it is trained by."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional as F

from ..jobs import UNATTENDED, JobContext
from ..network import SiameseNet
from .batches import Batches, BatchOutcome, Cases, WindowBatches
from .blocks import BlockBatches
from .computation import Computation
from .config import TrainingConfig
from .sampling import LESION

BLOCK_BATCHES, WINDOW_BATCHES = 25, 16
"""Drawn for validation: batches of 16 blocks each, or of 128 windows each."""
LEAST_RANGE = 1e-3
"""Of the outputs over the validation samples; below it a network says the same everywhere."""


class ValidationSamples:
    """Error on samples of the validation cases, drawn once and alike in every run.

    Parameters
    ----------
    cases : sequence of (SagittalSeries, Annotation)
        With a lesion in one of them at least.
    model : SiameseNet
        Says which windows and which normalisation.
    config : TrainingConfig
    """

    def __init__(self, cases: Cases, model: SiameseNet, config: TrainingConfig) -> None:
        rng = np.random.default_rng(20170)
        source: Batches
        if config.method == "blocks":
            source, count = BlockBatches(cases, model, 16, config.sampling), BLOCK_BATCHES
        else:
            source, count = WindowBatches(cases, model, rng, 128, config.sampling), WINDOW_BATCHES
        self._batches = [source.draw(rng, flips=False) for _ in range(count)]

    def measure(
        self, model: SiameseNet, computation: Computation, job: JobContext = UNATTENDED
    ) -> dict[str, float]:
        """Weighted share of samples on the wrong side of 0.5, and the mean loss.

        Parameters
        ----------
        model : SiameseNet
            On the device; in evaluation mode afterwards.
        computation : Computation
        job : JobContext
            Polled at every batch.
        """
        model.eval()
        errors, losses = [], []
        for batch in self._batches:
            job.raise_if_cancelled()
            with torch.inference_mode(), computation.autocast():
                outcome = batch.evaluate(model, computation.device)
            lesion = _lesion_probability(outcome)
            is_wrong = (lesion >= 0.5) != (outcome.labels == LESION)
            errors.append(float((is_wrong * outcome.weights).sum()))
            losses.append(float(weighted_loss(outcome, model.outputs)))
        return {
            "validation_error": float(np.mean(errors)),
            "validation_loss": float(np.mean(losses)),
        }

    def has_collapsed(self, model: SiameseNet) -> bool:
        """Whether the outputs no longer vary over the validation samples.

        Parameters
        ----------
        model : SiameseNet
            On the processor; in evaluation mode afterwards.
        """
        model.eval()
        lowest, highest = math.inf, -math.inf
        for batch in self._batches:
            with torch.inference_mode():
                lesion = _lesion_probability(batch.evaluate(model, torch.device("cpu")))
            lowest, highest = min(lowest, float(lesion.min())), max(highest, float(lesion.max()))
            if highest - lowest >= LEAST_RANGE:
                return False  # in most runs after the first batch: the others need no look
        return True


def _lesion_probability(outcome: BatchOutcome) -> torch.Tensor:
    return torch.softmax(outcome.scores.float(), 1)[:, LESION]


def weighted_loss(outcome: BatchOutcome, outputs: int) -> torch.Tensor:
    """Cross entropy in the mean over the batch's weights.

    Parameters
    ----------
    outcome : BatchOutcome
    outputs : int
        Of the network; with two, normal vertebra and background are one class.
    """
    labels = outcome.labels if outputs == 3 else (outcome.labels == LESION).long()
    losses = F.cross_entropy(outcome.scores.float(), labels, reduction="none")
    return (losses * outcome.weights).sum()
