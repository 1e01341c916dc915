"""The likelihood of metastasis at each location of a series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SpinemetError
from .aggregation import DEFAULT_WEIGHT, Aggregation, NeighbourAverage, refuse_aggregated
from .comparison import Comparison
from .evaluated_region import EvaluatedRegion
from .geometry import check_affine, spacing_of
from .scan_warnings import ScanWarning

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Familiarity:
    """A score, and what is said of it.

    Attributes
    ----------
    score : float
        0 for a scan like those that the model has learned from, 1 at the limit, more beyond it.
    unfamiliar : bool
        Whether it lies beyond the limit.
    reason : str
        Why, as a clause; empty for a familiar scan.
    """

    score: float
    unfamiliar: bool = False
    reason: str = ""

    @property
    def text(self) -> str:
        """For a line beside other facts."""
        return f"{self.score:.2f}, {'beyond' if self.unfamiliar else 'within'} the limit of 1"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Familiarity:
        """What :meth:`to_dict` gave."""
        return cls(float(values["score"]), bool(values["unfamiliar"]), str(values["reason"]))


@dataclass(frozen=True, eq=False)
class LikelihoodMap:
    """What the network thinks, on the working grid (1 mm in plane, slices as scanned).

    Attributes
    ----------
    values : numpy.ndarray
        ``(slice, row, column)`` float32 in [0, 1]; 0 outside the evaluated region.
    affine : numpy.ndarray
        4 x 4, working-grid indices to patient LPS mm.
    columns : tuple of int
        First evaluated column and one past the last, over all rows.
    series_spacing_mm : tuple of float
        (slice, row, column) spacing of the series, for the way back to its grid.
    vertebra : numpy.ndarray or None
        Likelihood of normal vertebra, same shape, from a network with three outputs.
    stride : int
        1, or the step of a coarse map that was filled bilinearly.
    weight : float or None
        Weight of the slice itself if the map is aggregated over neighbouring slices.
    model : str
        Identity of the model (name and hash of its weights).
    series_uid : str
        The series that was evaluated.
    warnings : tuple of ScanWarning
        Of that series, and of how the map was made: whoever judges it must know them.
    region : EvaluatedRegion
        What was evaluated; the same columns in every row unless told otherwise.
    comparison : Comparison or None
        What a second look made of it; the values are as they were before that.
    learned_from : str
        What the model has learned from, in a sentence; empty where that is not known.
    familiarity : Familiarity or None
        How near the scan is to that; None where the model cannot tell.

    Raises
    ------
    SpinemetError
        If the arrays or the region do not fit each other, or hold no likelihoods.
    """

    values: FloatArray
    affine: npt.NDArray[np.float64]
    columns: tuple[int, int]
    series_spacing_mm: tuple[float, float, float]
    vertebra: FloatArray | None = None
    stride: int = 1
    weight: float | None = None
    model: str = ""
    series_uid: str = ""
    warnings: tuple[ScanWarning, ...] = ()
    region: EvaluatedRegion = None  # type: ignore[assignment]  # set below if it is not given
    comparison: Comparison | None = None
    learned_from: str = ""
    familiarity: Familiarity | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float32)
        if values.ndim != 3:
            raise SpinemetError("A likelihood map must be a (slice, row, column) array.")
        if not (
            values.size and np.isfinite(values).all() and 0 <= values.min() <= values.max() <= 1
        ):
            raise SpinemetError("A likelihood map must hold numbers between 0 and 1.")
        if self.vertebra is not None and self.vertebra.shape != values.shape:
            raise SpinemetError("The vertebra map must have the shape of the likelihood map.")
        if self.comparison is not None and self.comparison.labels.shape != values.shape:
            raise SpinemetError("A comparison must have the shape of the likelihood map.")
        region = self.region or EvaluatedRegion.of_columns(self.columns, values.shape[1:])
        if (len(region.first), region.width) != values.shape[1:] or region.columns != tuple(
            self.columns
        ):
            raise SpinemetError("The evaluated region must be that of the likelihood map.")
        object.__setattr__(self, "region", region)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "affine", check_affine(self.affine))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along (slice, row, column) in mm."""
        return spacing_of(self.affine)

    def after_second_look(self) -> LikelihoodMap:
        """The likelihoods that the comparison leads to, and no comparison any more.

        A map without one stays as it is.

        Raises
        ------
        SpinemetError
            If the map is aggregated: what is compared is plain.
        """
        if self.comparison is None:
            return self
        if self.weight is not None:
            raise SpinemetError("This map has been aggregated already; compare in the plain one.")
        return replace(self, values=self.comparison.apply(self.values), comparison=None)


def aggregate(likelihood: LikelihoodMap, weight: float = DEFAULT_WEIGHT) -> LikelihoodMap:
    """Average each slice with its two neighbours, see :class:`NeighbourAverage`.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Not aggregated yet.
    weight : float
        Of the slice itself, in [0, 1].

    Returns
    -------
    LikelihoodMap
        The vertebra map, if there is one, is left alone.

    Raises
    ------
    SpinemetError
        If the map is aggregated already, or the weight lies outside.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spinemet as spinemet
    >>> values = np.zeros((3, 2, 2), dtype=np.float32)
    >>> values[1] = 1.0
    >>> plain = spinemet.LikelihoodMap(values, np.eye(4), (0, 2), (3.0, 1.0, 1.0))
    >>> spinemet.aggregate(plain, weight=0.4).values[:, 0, 0].astype(float).round(2).tolist()
    [0.3, 0.4, 0.3]
    """
    return apply_aggregation(likelihood, NeighbourAverage(weight))


def apply_aggregation(likelihood: LikelihoodMap, aggregation: Aggregation) -> LikelihoodMap:
    """A plain map, aggregated; what was not evaluated stays 0.

    Parameters
    ----------
    likelihood : LikelihoodMap
        Not aggregated yet, unless there is nothing to do.
    aggregation : Aggregation

    Raises
    ------
    SpinemetError
        If the map is aggregated already.
    """
    if aggregation.weight is None:
        return likelihood
    refuse_aggregated(likelihood.weight, aggregation)
    first, last = likelihood.columns
    values = np.zeros_like(likelihood.values)
    values[:, :, first:last] = aggregation.combine(likelihood.values[:, :, first:last])
    return replace(likelihood, values=values, weight=aggregation.weight)
