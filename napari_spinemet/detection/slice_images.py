"""The images of a series as the network takes them, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..imaging import SagittalSeries
from ..imaging.brightness.marrow_level import MarrowLevel
from ..imaging.brightness.normalisation import MARROW
from ..imaging.patches import build_pyramid
from ..network import SiameseNet
from ..network.device_pyramid import DevicePyramid


def compares_with_marrow(model: SiameseNet) -> bool:
    """Whether a network takes images as shares of the level of marrow."""
    return model.form == "dense" and model.normalisation.reference == MARROW


@dataclass(frozen=True, eq=False)
class SliceImages:
    """Images of single slices; those of the coarse look are kept until the network passes them.

    Attributes
    ----------
    series : SagittalSeries
    model : SiameseNet
    device : torch.device
    marrow : MarrowLevel or None
        What images are shares of, for a network that takes them so.
    """

    series: SagittalSeries
    model: SiameseNet
    device: torch.device
    marrow: MarrowLevel | None = None
    _kept: dict[int, DevicePyramid] = field(default_factory=dict)

    @classmethod
    def first(cls, series: SagittalSeries, model: SiameseNet, device: torch.device) -> SliceImages:
        """Before anything is known of the marrow: by a guess, where the network needs one.

        Parameters
        ----------
        series : SagittalSeries
        model : SiameseNet
        device : torch.device
        """
        marrow = MarrowLevel.guess(series) if compares_with_marrow(model) else None
        return cls(series, model, device, marrow)

    def over(self, marrow: MarrowLevel | None) -> SliceImages:
        """The same with another level of marrow; these where there is none."""
        if marrow is None:
            return self
        return SliceImages(self.series, self.model, self.device, marrow)

    def look_at(self, index: int) -> DevicePyramid:
        """Of a slice that will be evaluated later."""
        if index not in self._kept:
            self._kept[index] = self._build(index)
        return self._kept[index]

    def take(self, index: int) -> DevicePyramid:
        """Of a slice that is evaluated now."""
        return self._kept.pop(index, None) or self._build(index)

    def _build(self, index: int) -> DevicePyramid:
        model = self.model
        normalisation = model.normalisation if model.form == "dense" else None
        pyramid = build_pyramid(
            self.series, model.resolutions, model.window, normalisation, [index], self.marrow
        )
        return DevicePyramid(pyramid, self.device)
