"""Where a network calls healthy tissue a lesion on the very scans that it learns from.

Normal locations are drawn blindly, so that what is easily mistaken for a lesion, and rare, is
hardly ever seen: a bladder, a bright disc, the edge of the body. Once a network has learned
something, its own mistakes say where to look (bootstrapping: Sung and Poggio, Example-based
learning for view-based human face detection, IEEE Trans Pattern Anal Mach Intell 1998).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from ..network import SiameseNet
from ..network.dense import branch_grids, dense_scores
from ..network.device_pyramid import DevicePyramid
from .sampling import LESION

MARGIN_MM = 10.0
"""So far around lesions nothing is a mistake: a region's centre there is that of the lesion,
and the rim is uncertain by nature."""


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
    near = ndimage.maximum_filter1d(lesions, 3, axis=0, mode="nearest")
    away = [
        ndimage.distance_transform_edt(~plane) > MARGIN_MM if plane.any() else ~plane
        for plane in near
    ]
    return np.stack(away)
