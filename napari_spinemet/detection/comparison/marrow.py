"""Whether the bodies of a scan can be compared: whether most of them are healthy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .candidates import LEAST_PIXELS, Candidate, LabelArray
from .scan_view import ScanView

FloatArray = npt.NDArray[np.float64]

MARROW_FEATURES = (
    "bodies marked by a third",
    "bone called lesion",
    "mean likelihood in bodies",
    "likelihood of vertebra in bodies",
    "marrow over discs",
    "marrow over the canal",
    "marrow over tissue in front",
    "spread among bodies",
    "spread within bodies",
)
"""By name, in the order of :func:`measure_marrow`."""
_LARGE_SHARE = 1 / 3
_CANAL_MM, _FRONT_MM = (20.0, 32.0), (-34.0, -22.0)
_DISC_MM = 2.5


def measure_marrow(view: ScanView, labels: LabelArray, candidates: list[Candidate]) -> FloatArray:
    """What the marrow of a scan looks like as a whole.

    Parameters
    ----------
    view : ScanView
    labels : numpy.ndarray
    candidates : list of Candidate
        Of these labels.
    """
    marrow = view.is_marrow
    count = len(view.bodies)
    shares = np.zeros(count)
    for candidate in candidates:
        shares[candidate.body] = max(shares[candidate.body], candidate.body_share)
    numbers = np.broadcast_to(view.body_number, marrow.shape)[marrow]
    values = view.image[marrow].astype(np.float64)
    levels, spreads = [], []
    for k in range(count):
        own = values[numbers == k]
        if len(own) >= LEAST_PIXELS:
            levels.append(max(float(np.median(own)), 1e-6))
            spreads.append(float(np.subtract(*np.percentile(own, (75, 25)))) / levels[-1])
    if not levels:
        return np.zeros(len(MARROW_FEATURES))
    level = float(np.median(levels))
    return np.array(
        [
            float((shares > _LARGE_SHARE).mean()),
            float((view.plain[marrow] > 0.5).mean()),
            float(view.plain[marrow].mean()),
            float(view.vertebra[marrow].mean()),
            log_ratio(level, in_discs(view)),
            log_ratio(level, in_strip(view, _CANAL_MM, 0.8)),
            log_ratio(level, in_strip(view, _FRONT_MM, 0.5)),
            float(np.log(np.percentile(levels, 90) / np.percentile(levels, 10))),
            float(np.median(spreads)),
        ]
    )


def log_ratio(one: float, other: float) -> float:
    """Logarithm of how much brighter one is than the other, within what can be told.

    Parameters
    ----------
    one, other : float
    """
    return float(np.clip(np.log(max(one, 1e-6) / max(other, 1e-6)), -2.5, 2.5))


def in_discs(view: ScanView) -> float:
    """Median brightness in the middle of the discs.

    Parameters
    ----------
    view : ScanView
    """
    borders = view.bodies.borders
    middles = (borders[1:, 0] + borders[:-1, 1]) / 2
    from_disc_mm = np.abs(view.foot[..., None] - middles).min(axis=-1)
    return _median_of(view, (from_disc_mm <= _DISC_MM) & (np.abs(view.offset_mm) <= 8), 0.5)


def in_strip(view: ScanView, range_mm: tuple[float, float], quantile: float) -> float:
    """Brightness in a strip along the bodies.

    Parameters
    ----------
    view : ScanView
    range_mm : tuple of float
        Distances from the course that it lies between.
    quantile : float
        Of its pixels.
    """
    inside = (view.foot > view.bodies.borders[0, 0]) & (view.foot < view.bodies.borders[-1, 1])
    strip = (view.offset_mm > range_mm[0]) & (view.offset_mm < range_mm[1]) & inside
    return _median_of(view, strip, quantile)


def _median_of(view: ScanView, plane: npt.NDArray[np.bool_], quantile: float) -> float:
    # The middle slices: at the sides there are neither discs nor a canal.
    count = view.image.shape[0]
    middle = view.image[count // 2 - max(1, count // 6) : count // 2 + max(1, count // 6) + 1]
    values = middle[:, plane]
    return float(np.quantile(values, quantile)) if values.size else 1e-6
