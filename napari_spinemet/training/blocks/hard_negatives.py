"""Where a network calls healthy tissue a lesion on the very scans that it learns from.

Normal locations are drawn blindly, so that what is easily mistaken for a lesion, and rare, is
hardly ever seen: a bladder, a bright disc, the edge of the body. Once a network has learned
something, its own mistakes say where to look (bootstrapping: Sung and Poggio, Example-based
learning for view-based human face detection, IEEE Trans Pattern Anal Mach Intell 1998).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ...network import SiameseNet
from ...network.dense import branch_grids, dense_scores
from ...network.device_pyramid import DevicePyramid
from ..sampling import LESION

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]
ByteArray = npt.NDArray[np.uint8]
MARGIN_MM = 10.0
"""So far around lesions nothing is a mistake: a region's centre there is that of the lesion,
and the rim is uncertain by nature."""


class HardNegatives:
    """What the network takes for a lesion, on a lattice of each slice, and how it is drawn.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Rows and columns of the lattice of each slice.
    spacing : int
        Working pixels between its points.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], spacing: int) -> None:
        self._shapes = shapes
        self._spacing = spacing
        # Likelihoods of a lesion, 0 to 255, of each slice; none before the network was looked at.
        self._likelihoods: list[ByteArray] = []
        self._slice_chances: FloatArray = np.zeros(0)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self._likelihoods

    def replace(self, likelihoods: list[ByteArray]) -> None:
        """Take the place of what was known, unless the network is never wrong.

        Parameters
        ----------
        likelihoods : list of numpy.ndarray
            uint8, of each slice in its shape; 0 where there is no mistake.
        """
        mass = np.array([_mistake_weights(each).sum() for each in likelihoods])
        if mass.any():
            self._likelihoods, self._slice_chances = likelihoods, mass / mass.sum()

    def draw_slice(self, rng: np.random.Generator) -> tuple[int, FloatArray]:
        """Number of a slice, by the weight of its mistakes, and these on its lattice."""
        index = int(rng.choice(len(self._shapes), p=self._slice_chances))
        return index, _mistake_weights(self._likelihoods[index])

    def draw_pixel(self, weights: FloatArray, rng: np.random.Generator) -> tuple[int, int]:
        """A working pixel of the lattice, by the weight of its mistake.

        Parameters
        ----------
        weights : numpy.ndarray
            ``(row, column)`` of the lattice, not all 0.
        rng : numpy.random.Generator
        """
        point = int(rng.choice(weights.size, p=weights.ravel() / weights.sum()))
        row, column = divmod(point, weights.shape[1])
        return self._spacing * row, self._spacing * column

    def weights_at(self, weights: FloatArray, rows: IndexArray, columns: IndexArray) -> FloatArray:
        """Weights of working pixels: those of the nearest point of the lattice.

        Parameters
        ----------
        weights : numpy.ndarray
            ``(row, column)`` of the lattice.
        rows, columns : numpy.ndarray
            Within the slice.
        """
        row, column = (
            np.minimum((pixels + self._spacing // 2) // self._spacing, n - 1)
            for pixels, n in zip((rows, columns), weights.shape, strict=True)
        )
        at_pixels: FloatArray = weights[row, column]
        return at_pixels

    def pack(self) -> ByteArray:
        """All likelihoods in one row, for a checkpoint."""
        flat = [each.ravel() for each in self._likelihoods]
        return np.concatenate(flat) if flat else np.zeros(0, np.uint8)

    def unpack(self, flat: ByteArray) -> None:
        """Go back to what was packed."""
        self._likelihoods, self._slice_chances = [], np.zeros(0)
        if len(flat):
            ends = np.cumsum([math.prod(shape) for shape in self._shapes])
            parts = np.split(flat, ends[:-1])
            self.replace(
                [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]
            )


def _mistake_weights(likelihood: ByteArray) -> FloatArray:
    """What a mistake weighs: many that are slight shall not outweigh the few that are grave."""
    squares: FloatArray = np.square(likelihood.astype(float))
    return squares


def find_mistakes(
    model: SiameseNet,
    pyramid: DevicePyramid,
    position: int,
    healthy: npt.NDArray[np.bool_],
    spacing: int,
    device: torch.device,
) -> ByteArray:
    """Likelihoods of a lesion, 0 to 255, on the lattice of a slice; 0 where it is not healthy.

    Parameters
    ----------
    model : SiameseNet
        In dense form and evaluation mode, on the device.
    pyramid : DevicePyramid
    position : int
        Which of its slices.
    healthy : numpy.ndarray
        bool ``(row, column)`` in working pixels.
    spacing : int
        Working pixels between the points of the lattice.
    device : torch.device
    """
    at_points = healthy[::spacing, ::spacing]
    likelihoods = np.zeros(at_points.shape, dtype=np.uint8)
    if at_points.any():
        # Nothing is drawn of the outer columns, so they are not evaluated either.
        box = ndimage.find_objects(at_points.astype(np.uint8))[0]
        rows, columns = (slice(b.start * spacing, (b.stop - 1) * spacing + 1, spacing) for b in box)
        lesion = lesion_likelihood(model, pyramid, position, rows, columns, device)
        likelihoods[box] = np.rint(255 * np.where(at_points[box], lesion, 0))
    return likelihoods


def lesion_likelihood(
    model: SiameseNet,
    pyramid: DevicePyramid,
    position: int,
    rows: slice,
    columns: slice,
    device: torch.device,
) -> npt.NDArray[np.float32]:
    """The likelihood of a lesion on a lattice of a slice's pixels.

    Parameters
    ----------
    model : SiameseNet
        In dense form and evaluation mode.
    pyramid : DevicePyramid
    position : int
        Which of its slices.
    rows, columns : slice
        Working pixels, with a step.
    device : torch.device

    Returns
    -------
    numpy.ndarray
        ``(row, column)`` of the lattice.
    """
    grids = branch_grids(pyramid.pyramid, len(model.blocks), rows, columns)
    crops = [
        grid.crop(image)[None].to(device)
        for grid, image in zip(grids, pyramid.plane(position), strict=True)
    ]
    with torch.inference_mode():
        scores = dense_scores(model, crops, grids)[0].float()
        lesion: npt.NDArray[np.float32] = torch.softmax(scores, 0)[LESION].cpu().numpy()
    return lesion


def far_from_lesions(lesions: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Pixels farther than :data:`MARGIN_MM` from lesions of their own and the next slices.

    Parameters
    ----------
    lesions : numpy.ndarray
        ``(slice, row, column)`` on the working grid.
    """
    own_and_next = ndimage.maximum_filter1d(lesions, 3, axis=0, mode="nearest")
    is_far = [
        ndimage.distance_transform_edt(~plane) > MARGIN_MM if plane.any() else ~plane
        for plane in own_and_next
    ]
    return np.stack(is_far)
