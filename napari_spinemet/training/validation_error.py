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
            source, count = BlockBatches(cases, model, 16, config.sampling), 25
        else:
            source, count = WindowBatches(cases, model, rng, 128, config.sampling), 16
        self._batches = [source.draw(rng, flips=False) for _ in range(count)]
        self._range = math.inf

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
        errors, losses, lowest, highest = [], [], 1.0, 0.0
        for batch in self._batches:
            job.raise_if_cancelled()
            with torch.inference_mode(), computation.autocast():
                outcome = batch.evaluate(model, computation.device)
            lesion = torch.softmax(outcome.scores.float(), 1)[:, LESION]
            is_wrong = (lesion >= 0.5) != (outcome.labels == LESION)
            errors.append(float((is_wrong * outcome.weights).sum()))
            losses.append(float(weighted_loss(outcome, model.outputs)))
            lowest = min(lowest, float(lesion.min()))
            highest = max(highest, float(lesion.max()))
        self._range = highest - lowest
        return {
            "validation_error": float(np.mean(errors)),
            "validation_loss": float(np.mean(losses)),
        }

    def has_collapsed(self, model: SiameseNet) -> bool:
        """Whether the outputs no longer vary over the validation samples."""
        self.measure(model, Computation(torch.device("cpu")))
        return self._range < 1e-3


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
