"""A network for what engines do, not for what is found."""

from __future__ import annotations

import torch

from napari_spinemet.network import SiameseNet


def lively_network(form: str, **options: object) -> SiameseNet:
    """A network whose outputs vary over a slice: fresh weights would say one half everywhere."""
    torch.manual_seed(3)
    model = SiameseNet(form=form, **options)  # type: ignore[arg-type]
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    with torch.no_grad():
        model.score.weight *= 0.3
    return model.eval()
