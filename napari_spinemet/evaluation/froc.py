"""FROC at every threshold (paper, section 3.3).

A region is found if some detection's centre of gravity lies within 20 mm of its own in the
same slice; a detection near no region is a false positive. Rates are averaged over the
slices of a sequence, the sequences of a case and the cases, in that order. False positives
have two readings, which differ by the number of slices: their mean over slices, and their
sum over the slices of a scan; both are always computed.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..imaging.aggregation import mixed, refuse_aggregated
from ..detection.components import min_pixels
from ..detection.gate import Spine, spine_curve
from ..errors import SpinemetError
from ..imaging import Annotation, FrocCase, LikelihoodMap
from ..imaging.grids import resample_labels
from .case_tables import CaseTable, FloatArray, Marks, case_table, slice_steps
from .curve import FrocCurve, curve_of
from .fast_max_tree import Nodes, flood


def region_centres(
    annotation: Annotation, spacing_mm: tuple[float, float, float]
) -> list[FloatArray]:
    """Centres of the annotated regions of each slice, (row, column) in mm.

    A region is a connected component (8 neighbours) of the lesion mask on the working grid.
    """
    masks = resample_labels(annotation.lesions, (spacing_mm[1], spacing_mm[2])) > 0
    result = []
    for mask in masks:
        if not mask.any():
            result.append(np.zeros((0, 2)))
            continue
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        centres = ndimage.center_of_mass(mask, labels, range(1, count + 1))
        result.append(np.array(centres, dtype=float).reshape(-1, 2))
    return result


@dataclass(frozen=True, eq=False)
class _Sequence:
    """What of a sequence is the same with every aggregation weight.

    Attributes
    ----------
    plain : numpy.ndarray
        ``(slice, row, column)`` of the evaluated columns; aggregated maps as they are.
    first_column : int
        Of these.
    weight : float or None
        Of a map that has been aggregated.
    regions : list of numpy.ndarray
        Centres for each slice.
    curve : Spine or None
    """

    plain: npt.NDArray[np.float32]
    first_column: int
    weight: float | None
    regions: list[FloatArray]
    curve: Spine | None

    @classmethod
    def of(cls, case_id: str, likelihood: LikelihoodMap, annotation: Annotation) -> _Sequence:
        regions = region_centres(annotation, likelihood.series_spacing_mm)
        if len(regions) != len(likelihood.values):
            raise SpinemetError(
                f"The contours of {case_id} have {len(regions)} slices and its "
                f"likelihood map {len(likelihood.values)}; they are of different series."
            )
        first, last = likelihood.columns
        plain = np.ascontiguousarray(likelihood.values[:, :, first:last])
        return cls(plain, first, likelihood.weight, regions, spine_curve(likelihood))

    def nodes(self, weight: float | None, lowest: float, connectivity: int) -> list[Nodes]:
        """The components of each slice, in pixels of the whole working grid."""
        values = self.plain
        if weight is not None:
            refuse_aggregated(self.weight)
            values = mixed(values, weight)
        found = [flood(image, lowest, connectivity) for image in values]
        for nodes in found:
            nodes.centres[:, 1] += self.first_column
        return found


def _marks(nodes: Nodes, regions: FloatArray, min_area_cm2: float, curve: Spine | None) -> Marks:
    """The components of a slice that are large enough and within the spine."""
    chosen = np.flatnonzero(nodes.area >= min_pixels(min_area_cm2))
    centres = nodes.centres[chosen]
    if curve is not None:
        held = curve.holds(*centres.T)
        chosen, centres = chosen[held], centres[held]
    return Marks(regions, centres, nodes.levels, nodes.begin[chosen], nodes.end[chosen])


class CaseForests:
    """All components of one case, from which its rates follow at any setting.

    Parameters
    ----------
    case : FrocCase
    weight : float, optional
        Aggregate plain maps with this weight first; maps are taken as they are without it.
    connectivity : {8, 4}
    lowest : float
        Rates are exact at thresholds from here up; below, they stay as they are here.

    Raises
    ------
    SpinemetError
        If the contours of a sequence are not those of its map's series.
    """

    def __init__(
        self,
        case: FrocCase,
        weight: float | None = None,
        connectivity: int = 8,
        lowest: float = 0.0,
    ) -> None:
        if connectivity not in (4, 8):
            raise SpinemetError(f"Pixels have 4 or 8 neighbours, not {connectivity}.")
        self.case_id = case.case_id
        self._connectivity, self._lowest = connectivity, lowest
        self._sequences = [_Sequence.of(case.case_id, *sequence) for sequence in case.sequences]
        self._nodes = self._flooded(weight)

    def _flooded(self, weight: float | None) -> list[list[Nodes]]:
        return [s.nodes(weight, self._lowest, self._connectivity) for s in self._sequences]

    def at(self, weight: float | None) -> CaseForests:
        """The same case with its plain maps aggregated by another weight."""
        other = copy.copy(self)
        other._nodes = self._flooded(weight)
        return other

    def table(
        self,
        *,
        max_distance_mm: float = 20.0,
        min_area_cm2: float = 5.0,
        gate: bool = False,
        one_to_one: bool = False,
    ) -> CaseTable:
        """Rates of the case at every threshold; the settings are those of :func:`froc`."""
        return case_table(
            self.case_id,
            [
                [
                    slice_steps(
                        _marks(nodes, regions, min_area_cm2, sequence.curve if gate else None),
                        max_distance_mm,
                        one_to_one,
                    )
                    for nodes, regions in zip(slices, sequence.regions, strict=True)
                ]
                for slices, sequence in zip(self._nodes, self._sequences, strict=True)
            ],
        )


class CohortForests:
    """All components of a cohort: the curve at other settings without reading it again.

    Parameters
    ----------
    cases : iterable of FrocCase
        Read one at a time; of the maps the evaluated columns are kept.
    weight, connectivity, lowest
        As in :class:`CaseForests`.
    """

    def __init__(
        self,
        cases: Iterable[FrocCase],
        weight: float | None = None,
        connectivity: int = 8,
        lowest: float = 0.0,
    ) -> None:
        self.weight = weight
        self.cases = [CaseForests(case, weight, connectivity, lowest) for case in cases]

    def at(self, weight: float | None) -> CohortForests:
        """The same cohort with its plain maps aggregated by another weight."""
        other = copy.copy(self)
        other.weight, other.cases = weight, [case.at(weight) for case in self.cases]
        return other

    def curve(
        self,
        *,
        max_distance_mm: float = 20.0,
        min_area_cm2: float = 5.0,
        gate: bool = False,
        one_to_one: bool = False,
    ) -> FrocCurve:
        """The curve at these settings, which are those of :func:`froc`."""
        return curve_of(
            [
                case.table(
                    max_distance_mm=max_distance_mm,
                    min_area_cm2=min_area_cm2,
                    gate=gate,
                    one_to_one=one_to_one,
                )
                for case in self.cases
            ]
        )


def froc(
    cases: Iterable[FrocCase],
    *,
    max_distance_mm: float = 20.0,
    min_area_cm2: float = 5.0,
    weight: float | None = None,
    gate: bool = False,
    connectivity: int = 8,
    one_to_one: bool = False,
    lowest: float = 0.0,
) -> FrocCurve:
    """FROC of likelihood maps against annotations, exact at every threshold.

    Parameters
    ----------
    cases : iterable of FrocCase
        Read one at a time; a generator keeps memory at one case.
    max_distance_mm : float
        Largest in-plane distance of the centres of a detection and the region it finds.
    min_area_cm2 : float
        Smaller detections are dropped.
    weight : float, optional
        Aggregate plain maps with this weight first; maps are taken as they are without it.
    gate : bool
        Drop detections outside the predicted spine, where the map has a third output.
    connectivity : {8, 4}
    one_to_one : bool
        A detection finds one region at most (the most that can be matched).
    lowest : float
        The curve ends at this threshold.

    Returns
    -------
    FrocCurve
    """
    return curve_of(
        [
            CaseForests(case, weight, connectivity, lowest).table(
                max_distance_mm=max_distance_mm,
                min_area_cm2=min_area_cm2,
                gate=gate,
                one_to_one=one_to_one,
            )
            for case in cases
        ]
    )


def froc_from_detections(
    cases: Iterable[Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]],
    *,
    max_distance_mm: float = 20.0,
    one_to_one: bool = False,
) -> FrocCurve:
    """FROC of fixed lists of scored detections.

    Parameters
    ----------
    cases : iterable
        For each case, for each slice: region centres ``(r, 2)`` in mm, and detections
        ``(d, 3)`` as (row, column, score). A detection is present at every threshold up to
        its score.

    Returns
    -------
    FrocCurve
    """
    tables = []
    for number, slices in enumerate(cases):
        steps = []
        for regions, detections in slices:
            found = np.asarray(detections, dtype=float).reshape(-1, 3)
            marks = Marks.scored(
                np.asarray(regions, dtype=float).reshape(-1, 2), found[:, :2], found[:, 2]
            )
            steps.append(slice_steps(marks, max_distance_mm, one_to_one))
        tables.append(case_table(f"case-{number + 1:03d}", [steps]))
    return curve_of(tables)
