"""A pyramid of resolutions on the device that computes, so that windows are cut there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..imaging import SagittalSeries
from ..imaging.patches import IndexArray, Pyramid
from .siamese import SiameseNet


class DevicePyramid:
    """The images of a pyramid as tensors on a device.

    Parameters
    ----------
    pyramid : Pyramid
    device : torch.device
    dtype : torch.dtype
        In which they are kept: float16 halves the memory of normalised images.

    Attributes
    ----------
    pyramid : Pyramid
        Where windows lie; without images.
    images : tuple of torch.Tensor
        ``(slice, row, column)``, padded; float32 on a processor is the memory that the pyramid had.
    """

    def __init__(
        self, pyramid: Pyramid, device: torch.device, dtype: torch.dtype = torch.float32
    ) -> None:
        self.pyramid = replace(pyramid, images=())
        self.images = tuple(torch.from_numpy(image).to(device, dtype) for image in pyramid.images)

    def plane(self, position: int) -> list[Tensor]:
        """One slice at each resolution, padded: ``(row, column)`` float32."""
        return [image[position].float() for image in self.images]

    def windows(self, slices: IndexArray, rows: IndexArray, columns: IndexArray) -> Tensor:
        """Cut the windows of many working-grid locations, as :meth:`.Pyramid.windows` does.

        Parameters
        ----------
        slices, rows, columns : numpy.ndarray of int
            One of each for each location; slices count from the pyramid's first, rows and columns
            are those of the working grid.

        Returns
        -------
        torch.Tensor
            ``(n, resolution, row, column)`` on the device.
        """
        height, width = self.pyramid.window
        parts = []
        for image, first_rows, first_columns in zip(
            self.images, self.pyramid.rows, self.pyramid.columns, strict=True
        ):
            indices = [
                torch.as_tensor(index, device=image.device)
                for index in (slices, first_rows[rows], first_columns[columns])
            ]
            # A view of every window there is: only the chosen ones are copied.
            parts.append(image.unfold(1, height, 1).unfold(2, width, 1)[tuple(indices)])
        return torch.stack(parts, dim=1)


def choose_image_device(
    cohort: Sequence[SagittalSeries],
    model: SiameseNet,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
) -> torch.device:
    """Where the pyramids of a cohort lie while it is trained on: on the card, if they fit.

    They may take half of what is free there; the rest is for the network.

    Parameters
    ----------
    cohort : sequence of SagittalSeries
        All of it, since all stays there for the whole training.
    model : SiameseNet
        Gives the resolutions and the size of a window.
    device : torch.device
        That computes.
    dtype : torch.dtype
        In which images are kept, see :class:`DevicePyramid`.

    Returns
    -------
    torch.device
        That device, or the processor.
    """
    if device.type != "cuda":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    return device if 2 * pyramid_bytes(cohort, model, dtype) <= free else torch.device("cpu")


def pyramid_bytes(
    cohort: Sequence[SagittalSeries], model: SiameseNet, dtype: torch.dtype = torch.float32
) -> int:
    """What the pyramids of a cohort take, to a row of pixels of each image.

    Parameters
    ----------
    cohort : sequence of SagittalSeries
    model : SiameseNet
    dtype : torch.dtype
        In which images are kept.
    """
    total = 0.0
    for series in cohort:
        extent = [n * mm for n, mm in zip(series.shape[1:], series.spacing_mm[1:], strict=True)]
        for resolution in model.resolutions:
            sides = [mm / resolution + w for mm, w in zip(extent, model.window, strict=True)]
            total += dtype.itemsize * series.shape[0] * math.prod(sides)
    return math.ceil(total)


def zscore_windows(windows: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 over the last two axes; a constant window gives zeros.

    The same as :func:`napari_spinemet.imaging.patches.zscore`, on the device of the windows.
    """
    values = windows.double()
    differences = values - values.mean(dim=(-2, -1), keepdim=True)
    deviation = differences.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    # A constant window leaves a rounding residue: compare with the size of its values.
    is_constant = deviation <= 1e-7 * values.abs().amax(dim=(-2, -1), keepdim=True)
    return torch.where(
        is_constant, 0.0, differences / torch.where(is_constant, 1.0, deviation)
    ).float()
