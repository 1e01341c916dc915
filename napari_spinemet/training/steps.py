"""One step of training, and what it needs: the network with its first weights, the optimiser."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import SpinemetError
from ..imaging.brightness.normalisation import LocalZScore
from ..network import SiameseNet
from .batches import Batch
from .computation import Computation
from .config import TrainingConfig
from .validation_error import weighted_loss

SECOND_MOMENTUM = 0.99
"""Of the squares of gradients in AdamW: a run of some thousand steps forgets its first ones."""
ADAMW_DECAY = 20.0
"""Weight decay of AdamW for one of plain descent."""


def network_of(config: TrainingConfig) -> SiameseNet:
    """The network that a run of these settings trains, with its first weights."""
    return SiameseNet(
        config.resolutions,
        config.form,
        config.blocks,
        config.outputs,
        patch_shape=config.patch_shape,
        normalisation=LocalZScore(
            config.zscore_sigma_mm,
            wide_sigma_mm=config.wide_zscore_sigma_mm,
            reference=config.reference,
        ),
    )


def seeded_network(config: TrainingConfig, start: SiameseNet | None) -> SiameseNet:
    """The network of a run: drawn by its seed, or with the weights to start from.

    Parameters
    ----------
    config : TrainingConfig
    start : SiameseNet or None
        Must be the network that ``config`` describes.

    Raises
    ------
    SpinemetError
        If it is another one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = network_of(config)
    if start is not None:
        if start.configuration() != model.configuration():
            raise SpinemetError(
                "The model to start from is another network than the one to be trained; choose one "
                "with the same form, resolutions and outputs, or start from nothing."
            )
        model.load_state_dict(start.state_dict())
    return model


def make_optimiser(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The settings' optimiser with their rate, momentum and weight decay.

    Parameters
    ----------
    model : torch.nn.Module
        The penalty is on weights of convolutions and fully connected layers only.
    config : TrainingConfig
    """
    assert config.learning_rate is not None  # the settings fill it in
    weights = [p for p in model.parameters() if p.dim() > 1]
    shifts = [p for p in model.parameters() if p.dim() <= 1]
    # That of AdamW is no part of the gradient, and weighs by the rate, which is smaller.
    decay = config.weight_decay * (ADAMW_DECAY if config.optimiser == "adamw" else 1)
    groups = [
        {"params": weights, "weight_decay": decay},
        {"params": shifts, "weight_decay": 0.0},
    ]
    if config.optimiser == "adamw":
        betas = (config.momentum, SECOND_MOMENTUM)
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas)
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum)


def training_step(
    model: SiameseNet,
    batch: Batch,
    optimiser: torch.optim.Optimizer,
    computation: Computation,
    clip_norm: float | None,
) -> float:
    """One step of descent on a batch; gives its loss.

    Parameters
    ----------
    model : SiameseNet
        On the device, in training mode; its weights change.
    batch : Batch
    optimiser : torch.optim.Optimizer
        Of the model.
    computation : Computation
    clip_norm : float or None
        Largest norm of the gradient.
    """
    with computation.autocast():
        outcome = batch.evaluate(model, computation.device)
    loss = weighted_loss(outcome, model.outputs)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimiser.step()
    return float(loss.detach())


def is_finite(model: nn.Module) -> bool:
    """Whether no weight has run away."""
    return all(bool(v.isfinite().all()) for v in model.state_dict().values())
