"""How bright what is marked is in another series of the examination, such as the T1.

In a fat-suppressed series a haemangioma and a metastasis are both bright; in a T1 the fat of the
one is bright, and the other has driven the fat out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...imaging import LikelihoodMap, SagittalSeries
from ...imaging.comparison import Evidence
from ...imaging.geometry import index_to_mm, mm_to_index
from .bodies import find_bodies
from .candidates import Marrow
from .scan_view import ScanView

LEAST_SHARE = 0.5
"""Of a candidate that must lie in the other series."""


def contrasts_in(
    other: SagittalSeries, series: SagittalSeries, likelihood: LikelihoodMap
) -> dict[Evidence, float]:
    """Median brightness of each candidate over that of healthy marrow at its place of the spine.

    It is what :attr:`.Evidence.contrast` is for the series itself, but for the coil's fall-off
    along the spine, which is followed. Values are read in the other series at the same places in
    the patient, from the nearest of its slices.

    Parameters
    ----------
    other : SagittalSeries
        Of the same frame of reference.
    series : SagittalSeries
        That was detected on.
    likelihood : LikelihoodMap
        Of that series, plain, with its comparison.

    Returns
    -------
    dict of Evidence to float
        Of those candidates that lie in the other series and have healthy marrow beside them.
    """
    comparison, bodies = likelihood.comparison, find_bodies(likelihood)
    if comparison is None or bodies is None:
        return {}
    view = ScanView.of(series, likelihood, bodies)
    image, is_inside = _sample(other, likelihood)
    labels = comparison.labels
    view = replace(view, image=image, is_marrow=view.is_marrow & is_inside)
    marrow = Marrow.of(view, labels)
    result: dict[Evidence, float] = {}
    boxes = enumerate(ndimage.find_objects(labels), 1)
    for number, box in [(n, b) for n, b in boxes if b is not None]:
        mask = labels[box] == number
        evidence = comparison.evidence[number - 1]
        inside = mask & is_inside[box]
        level = marrow.level_along(evidence.body) if evidence.body >= 0 else np.nan
        if inside.sum() >= LEAST_SHARE * mask.sum() and np.isfinite(level):
            result[evidence] = float(np.median(image[box][inside])) / level
    return result


def _sample(
    other: SagittalSeries, likelihood: LikelihoodMap
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Values of a series at the places of a map, and where it has any."""
    shape = likelihood.values.shape
    image = np.zeros(shape, dtype=np.float32)
    is_inside = np.zeros(shape, dtype=bool)
    rows, columns = np.indices(shape[1:], dtype=float)
    last = np.array(other.shape) - 1
    for index in range(shape[0]):
        places = np.stack([np.full(rows.size, float(index)), rows.ravel(), columns.ravel()], axis=1)
        indices = mm_to_index(other.affine, index_to_mm(likelihood.affine, places))
        is_inside[index] = (
            ((indices >= -0.5) & (indices <= last + 0.5)).all(axis=1).reshape(rows.shape)
        )
        indices[:, 0] = np.round(indices[:, 0])  # slices are thick: two of them are never mixed
        values = ndimage.map_coordinates(other.voxels, indices.T, order=1, mode="nearest")
        image[index] = values.reshape(rows.shape)
    return np.maximum(image, 0), is_inside
