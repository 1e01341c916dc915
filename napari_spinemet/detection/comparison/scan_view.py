"""A scan as a second look takes it: picture, likelihoods and bodies on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...imaging import LikelihoodMap, SagittalSeries
from ...imaging.aggregation import NeighbourAverage
from ...imaging.grids import resample_image
from .bodies import BODY_RULE, Bodies, BodyRule, body_likelihood

DARK = 0.03
"""Share of the pixels that are darker than nothing, by noise."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CandidateRule:
    """What is compared.

    Attributes
    ----------
    threshold : float
        Aggregated likelihood from which a pixel belongs to a candidate: below any operating point.
    rim, rim_mm : float
        Pixels so near to a candidate, down to this likelihood, go down with it: else a ring would
        stay.
    area_cm2 : float
        In the slice where it is largest; smaller ones are left as they are.
    weight : float
        Of the slice itself in the aggregation.
    front_mm, behind_mm, ends_mm : float
        What lies farther in front of the course, behind it, or beyond the last bodies is beside no
        body: it is not cut, and may only become less likely.
    """

    threshold: float = 0.3
    rim: float = 0.05
    rim_mm: float = 8.0
    area_cm2: float = 0.5
    weight: float = 0.6
    front_mm: float = 40.0
    behind_mm: float = 70.0
    ends_mm: float = 40.0


CANDIDATE_RULE = CandidateRule()


@dataclass(frozen=True, eq=False)
class ScanView:
    """What all candidates of a scan are compared in.

    Attributes
    ----------
    image : numpy.ndarray
        ``(slice, row, column)`` on the working grid; none below 0, as of a magnitude.
    plain, average, vertebra, bone : numpy.ndarray
        Likelihoods, alike.
    bodies : Bodies
    body_number, offset_mm : numpy.ndarray
        ``(row, column)``: which body a pixel lies beside, and its distance from the course in mm.
    foot : numpy.ndarray
        ``(row, column)``: the row of its perpendicular on the course.
    is_beside : numpy.ndarray
        ``(row, column)``: whether it lies beside a body at all.
    is_marrow : numpy.ndarray
        ``(slice, row, column)``: bone within the bodies, away from discs.
    spacing_mm : tuple of float
        Of the working grid.
    """

    image: npt.NDArray[np.float32]
    plain: npt.NDArray[np.float32]
    average: npt.NDArray[np.float32]
    vertebra: npt.NDArray[np.float32]
    bone: npt.NDArray[np.float32]
    bodies: Bodies
    body_number: npt.NDArray[np.int64]
    offset_mm: FloatArray
    foot: FloatArray
    is_beside: BoolArray
    is_marrow: BoolArray
    spacing_mm: tuple[float, float, float]

    @classmethod
    def of(
        cls,
        series: SagittalSeries,
        likelihood: LikelihoodMap,
        bodies: Bodies,
        rule: CandidateRule = CANDIDATE_RULE,
        body_rule: BodyRule = BODY_RULE,
    ) -> ScanView:
        """Bring all of it to the working grid.

        Parameters
        ----------
        series : SagittalSeries
            That was evaluated.
        likelihood : LikelihoodMap
            Plain, of a network with three outputs.
        bodies : Bodies
            Of that map.
        rule : CandidateRule
        body_rule : BodyRule
        """
        bone = body_likelihood(likelihood)
        assert bone is not None  # or there were no bodies
        assert likelihood.vertebra is not None
        low, high = series.value_range
        image = resample_image(
            # Some scanners write values below 0 for nothing: a ratio needs a true zero.
            np.clip(series.voxels, low, high) - min(float(np.quantile(series.voxels, DARK)), 0.0),
            (series.spacing_mm[1], series.spacing_mm[2]),
            1.0,
        )
        shape = bone.shape[1:]
        # Both grids have as many pixels but for the rounding of the last row and column.
        image = np.pad(
            image,
            [(0, 0), *((0, max(0, n - m)) for n, m in zip(shape, image.shape[1:], strict=True))],
            "edge",
        )[:, : shape[0], : shape[1]]
        foot, offset_mm = bodies.coordinates((shape[0], shape[1]))
        number = bodies.numbers(foot)
        first, last = bodies.borders[number].transpose(2, 0, 1)
        from_disc = np.minimum(foot - first, last - foot)
        ends = bodies.borders[0, 0] - rule.ends_mm, bodies.borders[-1, 1] + rule.ends_mm
        is_beside = (offset_mm >= -rule.front_mm) & (offset_mm <= rule.behind_mm)
        is_beside &= (foot >= ends[0]) & (foot <= ends[1])
        is_inner = (from_disc >= body_rule.edge_mm) & (np.abs(offset_mm) <= body_rule.half_depth_mm)
        return cls(
            image,
            likelihood.values,
            NeighbourAverage(rule.weight).combine(likelihood.values),
            likelihood.vertebra,
            bone,
            bodies,
            number,
            offset_mm,
            foot,
            is_beside,
            is_inner & (bone > 0.5),
            likelihood.spacing_mm,
        )
