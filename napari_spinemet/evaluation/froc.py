"""FROC at every threshold (paper, section 3.3).

A region is found if some detection's centre of gravity lies within 20 mm of its own in the
same slice; a detection near no region is a false positive. Rates are averaged over the
slices of a sequence, the sequences of a case and the cases, in that order. False positives
have two readings, which differ by the number of slices: their mean over slices, and their
sum over the slices of a scan; both are always computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..detection import ComponentForest, aggregate
from ..detection.components import SliceTree, min_pixels
from ..detection.gate import SpineCurve, spine_curve
from ..errors import SpinemetError
from ..imaging import Annotation, FrocCase
from ..imaging.grids import resample_labels
from .counting import CaseTable, FloatArray, Marks, case_table, slice_steps
from .curve import FrocCurve, curve_of


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
class _Nodes:
    """What a FROC needs of one slice: its regions, and every component at any threshold.

    The order of levels is kept, so that no setting has to sort them again.
    """

    regions: FloatArray
    area: npt.NDArray[np.int32]
    centres: npt.NDArray[np.float64]
    levels: npt.NDArray[np.float32]
    begin: npt.NDArray[np.int32]
    end: npt.NDArray[np.int32]

    @classmethod
    def of(cls, tree: SliceTree, regions: FloatArray) -> _Nodes:
        levels = np.unique(tree.level)  # thresholds rise in a max-tree from its root to a peak
        count = len(levels)
        # Where the parent is the picture itself, at likelihood 0, nothing is merged with.
        begin, end = (
            count - np.searchsorted(levels, level, side="right")
            for level in (tree.level, tree.parent_level)
        )
        return cls(
            regions,
            tree.area.astype(np.int32),
            np.stack([tree.row, tree.column], axis=1),
            levels[::-1],
            begin.astype(np.int32),
            end.astype(np.int32),
        )

    def marks(self, min_area_cm2: float, curve: SpineCurve | None) -> Marks:
        """Those that are large enough and within the spine."""
        chosen = np.flatnonzero(self.area >= min_pixels(min_area_cm2))
        centres = self.centres[chosen]
        if curve is not None:
            held = curve.holds(*centres.T)
            chosen, centres = chosen[held], centres[held]
        return Marks(self.regions, centres, self.levels, self.begin[chosen], self.end[chosen])


class CaseForests:
    """The component trees of one case, from which its rates follow at any setting.

    Parameters
    ----------
    case : FrocCase
    weight : float, optional
        Aggregate plain maps with this weight first; maps are taken as they are without it.
    connectivity : {8, 4}

    Raises
    ------
    SpinemetError
        If the contours of a sequence are not those of its map's series.
    """

    def __init__(self, case: FrocCase, weight: float | None = None, connectivity: int = 8) -> None:
        self.case_id = case.case_id
        self._sequences: list[tuple[list[_Nodes], SpineCurve | None]] = []
        for likelihood, annotation in case.sequences:
            regions = region_centres(annotation, likelihood.series_spacing_mm)
            if len(regions) != len(likelihood.values):
                raise SpinemetError(
                    f"The contours of {case.case_id} have {len(regions)} slices and its "
                    f"likelihood map {len(likelihood.values)}; they are of different series."
                )
            forest = ComponentForest(
                likelihood if weight is None else aggregate(likelihood, weight), connectivity
            )
            nodes = [_Nodes.of(t, r) for t, r in zip(forest.trees, regions, strict=True)]
            self._sequences.append((nodes, spine_curve(likelihood)))

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
                        nodes.marks(min_area_cm2, curve if gate else None),
                        max_distance_mm,
                        one_to_one,
                    )
                    for nodes in sequence
                ]
                for sequence, curve in self._sequences
            ],
        )


class CohortForests:
    """The component trees of a cohort: the curve at other settings without new trees.

    Parameters
    ----------
    cases : iterable of FrocCase
        Read one at a time; the maps are not kept.
    weight, connectivity
        As in :class:`CaseForests`. Another weight means other maps, and so other trees.
    """

    def __init__(
        self, cases: Iterable[FrocCase], weight: float | None = None, connectivity: int = 8
    ) -> None:
        self.weight = weight
        self.cases = [CaseForests(case, weight, connectivity) for case in cases]

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

    Returns
    -------
    FrocCurve
    """
    return curve_of(
        [
            CaseForests(case, weight, connectivity).table(
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
