"""A drawn spine with its series, the maps of a network that sees it well, and a second look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from napari_spinemet.detection.comparison.candidates import FEATURES
from napari_spinemet.detection.comparison.logistic import LogisticModel
from napari_spinemet.detection.comparison.marrow import MARROW_FEATURES
from napari_spinemet.detection.comparison.second_look import SecondLook
from napari_spinemet.imaging import LikelihoodMap, SagittalSeries

AFFINE = np.array([[4.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
SLICES, ROWS, COLUMNS = 6, 330, 160
TOP, HEIGHT, DISC = 20.0, 24.0, 6.0
"""Of the first body; of each body without its disc; of a disc, in mm along the course."""
MARROW = 100.0


@dataclass(frozen=True, eq=False)
class DrawnScan:
    """What was drawn.

    Attributes
    ----------
    series : SagittalSeries
    likelihood : LikelihoodMap
    body : numpy.ndarray
        ``(row, column)``: number of the body from 0, or -1.
    """

    series: SagittalSeries
    likelihood: LikelihoodMap
    body: np.ndarray

    def with_voxels(self, change: Callable[[np.ndarray], np.ndarray]) -> DrawnScan:
        """The same maps of another picture."""
        voxels = change(self.series.voxels).astype(np.float32)
        return replace(self, series=replace(self.series, voxels=voxels))


def draw_scan(
    slope: float = 0.0,
    bodies: int = 9,
    lesions: dict[int, float] | None = None,
    *,
    shares: dict[int, float] | None = None,
    likelihood: float = 0.8,
) -> DrawnScan:
    """A straight spine that leans backwards, with even noise.

    Parameters
    ----------
    slope : float
        Columns to the back with each row.
    bodies : int
    lesions : dict of int to float
        Brightness over that of marrow, by body.
    shares : dict of int to float
        Of such a body's depth, from its front, that the lesion covers; all of it if not said.
    likelihood : float
        Of lesion there.
    """
    rows, columns = np.mgrid[:ROWS, :COLUMNS].astype(float)
    steep = np.hypot(1, slope)
    aside = (columns - 50 - slope * rows) / steep
    along = (rows + slope * (columns - 50)) / steep - TOP
    number = np.floor(along / (HEIGHT + DISC)).astype(int)
    inside = (along >= 0) & (along % (HEIGHT + DISC) < HEIGHT) & (number < bodies)
    inside &= np.abs(aside) <= 15
    body = np.where(inside, number, -1)
    image = np.full((ROWS, COLUMNS), 60.0)
    # All brightnesses occur, so that none is an island far beyond the others.
    image[:, -20:] = np.linspace(0, 3 * MARROW, ROWS)[:, None]
    image[:, :12] = 0  # air
    image[inside] = MARROW
    lesion = np.zeros((ROWS, COLUMNS), dtype=bool)
    for k, brightness in (lesions or {}).items():
        share = (shares or {}).get(k, 1.0)
        own = (body == k) & (aside <= -15 + 30 * share)
        image[own] = brightness * MARROW
        lesion |= own
    rng = np.random.default_rng(5)
    voxels = image + rng.normal(0, 3, (SLICES, ROWS, COLUMNS))
    values = np.where(lesion, likelihood, 0.02).astype(np.float32)
    vertebra = np.where(inside & ~lesion, 0.9, np.where(lesion, 0.2, 0.02)).astype(np.float32)
    series = SagittalSeries(voxels.astype(np.float32), AFFINE)
    maps = [np.broadcast_to(v, voxels.shape).copy() for v in (values, vertebra)]
    return DrawnScan(
        series, LikelihoodMap(maps[0], AFFINE, (0, COLUMNS), (4.0, 1.0, 1.0), maps[1]), body
    )


def look_of(marrow_bias: float = -9.0, **weights: float) -> SecondLook:
    """A second look by a few features alone, and a bias of -3."""
    chosen = np.array([weights.get(name.replace(" ", "_"), 0.0) for name in FEATURES])
    count = len(FEATURES)
    candidates = LogisticModel(np.zeros(count), np.ones(count), chosen, -3.0)
    marrow_count = len(MARROW_FEATURES)
    marrow = LogisticModel(
        np.zeros(marrow_count), np.ones(marrow_count), np.zeros(marrow_count), marrow_bias
    )
    return SecondLook(candidates, marrow)
