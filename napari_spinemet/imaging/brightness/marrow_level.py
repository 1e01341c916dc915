"""How bright healthy marrow is along the spine, so that images can be told as shares of it.

A lesion is what differs from its siblings, whatever the sequence made of marrow and whatever the
coil added to one end of the picture. Over a patient's own marrow all scanners look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..annotation import Annotation
from ..series import SagittalSeries

FloatArray = npt.NDArray[np.float64]

STEP_MM = 10.0
"""Between the places where a level is taken."""
REACH_MM = 40.0
"""Marrow so far above and below a place tells its level: a body and its neighbours."""
SMOOTHING_MM = 25.0
"""Sigma of the Gaussian that levels of neighbouring places are smoothed with."""
LEAST_SHARE = 0.05
"""Of the highest level, which no other falls below: images are divided by levels."""
LEAST_PIXELS = 200
"""In contours, that tell the level at a place."""
GUESS_QUANTILE = 0.7
"""Of the pixels in the central half of the columns, where nothing better is known."""


@dataclass(frozen=True, eq=False)
class MarrowLevel:
    """The brightness of a patient's marrow in dependence of height, the same in all slices.

    Attributes
    ----------
    values : numpy.ndarray
        ``(n,)`` above 0, in the units of the series, :data:`STEP_MM` apart from the first row on.
    """

    values: FloatArray

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 1 or not values.size or not np.isfinite(values).all():
            raise ValueError("levels of marrow are a row of numbers")
        if values.min() <= 0:
            raise ValueError("a level of marrow is above 0")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def at(self, rows_mm: npt.ArrayLike) -> FloatArray:
        """Levels at distances below the first row, in mm; beyond the ends as there."""
        places = STEP_MM * np.arange(len(self.values))
        return np.asarray(np.interp(np.asarray(rows_mm, dtype=float), places, self.values))

    def divide(self, voxels: npt.NDArray[np.float32], row_mm: float) -> npt.NDArray[np.float32]:
        """Images as shares of the level.

        Parameters
        ----------
        voxels : numpy.ndarray
            ``(slice, row, column)``.
        row_mm : float
            Distance between its rows.
        """
        levels = self.at(row_mm * np.arange(voxels.shape[1]))
        return np.asarray(voxels / levels[:, None], dtype=np.float32)

    @classmethod
    def measure(
        cls, values: npt.NDArray[np.floating], rows_mm: FloatArray, height_mm: float, least: int
    ) -> MarrowLevel | None:
        """Robust levels from samples of marrow.

        Parameters
        ----------
        values : numpy.ndarray
            ``(n,)``: brightness of places in marrow; a share of them may be diseased.
        rows_mm : numpy.ndarray
            ``(n,)``: how far below the first row they lie.
        height_mm : float
            Of the picture.
        least : int
            With fewer samples about it a place has no level of its own, but that of its
            neighbours.

        Returns
        -------
        MarrowLevel or None
            None where no place has enough samples.
        """
        places = STEP_MM * np.arange(int(height_mm // STEP_MM) + 2)
        levels = np.full(len(places), np.nan)
        for k, place in enumerate(places):
            is_near = np.abs(rows_mm - place) < REACH_MM
            if is_near.sum() >= least:
                levels[k] = np.median(values[is_near])
        return cls._smooth(levels)

    @classmethod
    def of_contours(cls, series: SagittalSeries, annotation: Annotation) -> MarrowLevel | None:
        """Of the vertebrae outside all lesions; None where none is contoured.

        Where no marrow is healthy nothing else is known than how bright it is.

        Parameters
        ----------
        series : SagittalSeries
        annotation : Annotation
            On its grid.
        """
        is_bone = annotation.vertebrae > 0
        is_healthy = annotation.lesions == 0
        if annotation.uncertain is not None:
            is_healthy &= ~annotation.uncertain
        return cls._of_marrow(series, is_bone & is_healthy) or cls._of_marrow(series, is_bone)

    @classmethod
    def _of_marrow(
        cls, series: SagittalSeries, is_marrow: npt.NDArray[np.bool_]
    ) -> MarrowLevel | None:
        low, high = series.value_range
        row_mm = series.spacing_mm[1]
        return cls.measure(
            np.clip(series.voxels[is_marrow], low, high),
            row_mm * np.nonzero(is_marrow)[1].astype(float),
            row_mm * series.shape[1],
            LEAST_PIXELS,
        )

    @classmethod
    def guess(cls, series: SagittalSeries) -> MarrowLevel:
        """Where it is not known where marrow lies: from the picture alone.

        Parameters
        ----------
        series : SagittalSeries
        """
        low, high = series.value_range
        rows, width = series.shape[1:]
        central = series.voxels[:, :, width // 4 : width - width // 4]
        row_mm = series.spacing_mm[1]
        places = STEP_MM * np.arange(int(row_mm * rows // STEP_MM) + 2)
        levels = np.empty(len(places))
        for k, place in enumerate(places):
            first = int(np.clip((place - REACH_MM / 2) / row_mm, 0, rows - 1))
            last = int(np.clip((place + REACH_MM / 2) / row_mm, first + 1, rows))
            levels[k] = np.quantile(np.clip(central[:, first:last], low, high), GUESS_QUANTILE)
        return cls._smooth(levels) or cls(np.ones(1))

    @classmethod
    def _smooth(cls, levels: FloatArray) -> MarrowLevel | None:
        """Without gaps and jumps; None where nothing is known, or all of it is dark."""
        is_known = np.isfinite(levels)
        if not is_known.any() or levels[is_known].max() <= 0:
            return None
        index = np.arange(len(levels))
        whole = np.interp(index, index[is_known], levels[is_known])
        smooth = ndimage.gaussian_filter1d(whole, SMOOTHING_MM / STEP_MM, mode="nearest")
        return cls(np.maximum(smooth, LEAST_SHARE * smooth.max()))
