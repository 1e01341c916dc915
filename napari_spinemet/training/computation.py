"""Where and how precisely a network is computed in training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..network.devices import choose_device, trains_in_bfloat16
from .config import TrainingConfig


@dataclass(frozen=True)
class Computation:
    """Where and how precisely a network is computed.

    Attributes
    ----------
    device : torch.device
    is_reduced : bool
        Whether the forward pass multiplies in bfloat16.
    """

    device: torch.device
    is_reduced: bool = False

    @classmethod
    def of(cls, config: TrainingConfig) -> Computation:
        """As the settings say, where they leave it open as suits the device."""
        device = choose_device(config.device)
        return cls(device, trains_in_bfloat16(config.precision, device))

    def autocast(self) -> torch.autocast:
        """A context for the forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_reduced)
