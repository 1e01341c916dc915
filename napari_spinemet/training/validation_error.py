"""The validation error of a network, and the loss that it is trained by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from ..imaging import Annotation, SagittalSeries
from ..jobs import CancelToken
from ..network import SiameseNet
from .batches import Batches, Outcome, WindowBatches
from .blocks import BlockBatches
from .config import TrainingConfig
from .sampling import LESION

Cases = Sequence[tuple[SagittalSeries, Annotation]]


class ValidationSamples:
    """Error on samples of the validation cases, drawn once and alike in every run."""

    def __init__(self, cases: Cases, model: SiameseNet, config: TrainingConfig) -> None:
        rng = np.random.default_rng(20170)
        source: Batches
        if config.method == "blocks":
            source, count = BlockBatches(cases, model, 16, config.sampling), 25
        else:
            source, count = WindowBatches(cases, model, rng, 128, config.sampling), 16
        self._batches = [source.draw(rng, flips=False) for _ in range(count)]
        self._spread = math.inf

    def judge(
        self,
        model: SiameseNet,
        device: torch.device,
        reduced: bool,
        cancel: CancelToken | None,
    ) -> dict[str, float]:
        """Weighted share of samples on the wrong side of 0.5, and the mean loss."""
        model.eval()
        errors, losses, lowest, highest = [], [], 1.0, 0.0
        for batch in self._batches:
            if cancel is not None:
                cancel.raise_if_cancelled()
            with (
                torch.inference_mode(),
                torch.autocast(device.type, torch.bfloat16, enabled=reduced),
            ):
                outcome = batch.evaluate(model, device)
            lesion = torch.softmax(outcome.scores.float(), 1)[:, LESION]
            wrong = (lesion >= 0.5) != (outcome.labels == LESION)
            errors.append(float((wrong * outcome.weights).sum()))
            losses.append(float(weighted_loss(outcome, model.outputs)))
            lowest = min(lowest, float(lesion.min()))
            highest = max(highest, float(lesion.max()))
        self._spread = highest - lowest
        return {
            "validation_error": float(np.mean(errors)),
            "validation_loss": float(np.mean(losses)),
        }

    def collapsed(self, model: SiameseNet) -> bool:
        """Whether the outputs no longer vary over the validation samples."""
        self.judge(model, torch.device("cpu"), False, None)
        return self._spread < 1e-3


def weighted_loss(outcome: Outcome, outputs: int) -> torch.Tensor:
    """Cross entropy in the mean over the batch's weights."""
    labels = outcome.labels if outputs == 3 else (outcome.labels == LESION).long()
    losses = F.cross_entropy(outcome.scores.float(), labels, reduction="none")
    return (losses * outcome.weights).sum()
